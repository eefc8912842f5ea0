"""What a long run looks like: return maps, power spectra, and how far two true runs differ.

return_map        successive maxima
power_spectrum    Welch's estimate with a stated segment
floors            the attractor and spectral distances between two halves of the truth
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline
from scipy.signal import welch

from rnnbias import metrics
from rnnbias.analysis.coordinates import labels_of
from rnnbias.metrics.fields import field, sampling_step
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["floors", "power_spectrum", "return_map"]

_LORENZ = "Lorenz 1963, J. Atmos. Sci. 20, 130"
_WELCH = "Welch 1967, IEEE Trans. Audio Electroacoustics 15, 70"


def return_map(series: xr.DataArray) -> xr.Dataset:
    """Return each local maximum of a series together with the one that follows it (Lorenz 1963).

    Maxima are those of a cubic spline through the samples. Of a chaotic flow with one strong contraction they fall on
    a curve, the tent of Lorenz's z; of a limit cycle, on as many points of the diagonal as it has humps.

    Parameters
    ----------
    series
        (time) or (trial, time), evenly sampled; one state, the transient dropped. Trials do not mix.

    Returns
    -------
    Dataset with `maximum` and `following` (event), in the units of the series, and the coordinates `trial` and `time`
    (event), when the maximum was.

    Raises
    ------
    TypeError, ValueError
        `series` is no real, finite DataArray, has dimensions beside these or uneven times, or holds no two successive
        maxima.

    Examples
    --------
    >>> t = np.arange(400) * 0.1
    >>> found = return_map(xr.DataArray(3 * np.sin(t), {"time": t}, "time"))
    >>> found.sizes["event"], found.maximum.values.round(3).max().item()
    (6, 3.0)
    """
    x = field("series", series, ("time",))
    if set(x.dims) - {"trial", "time"}:
        raise ValueError(f"series must have dimensions (trial, time), got {series.dims}; choose one state")
    sampling_step("series", series, "time")
    times, rows = x.time.values, x.values.reshape(-1, x.sizes["time"])
    if len(times) < 4:
        raise ValueError(f"series must have at least 4 samples over 'time', got {len(times)}")
    before, after, when, whose = [], [], [], []
    for trial, row in enumerate(rows):
        spline = CubicSpline(times, row)
        turns = spline.derivative().roots(extrapolate=False)
        turns = turns[np.isfinite(turns)]
        tops = turns[spline(turns, 2) < 0]
        heights = spline(tops)
        before.append(heights[:-1])
        after.append(heights[1:])
        when.append(tops[:-1])
        whose.append(np.full(max(0, len(tops) - 1), trial))
    if not sum(map(len, before)):
        raise ValueError("series must hold two successive maxima or more in a trial, got none: it is too short")
    units, time = str(series.attrs.get("units", "1")), labels_of(series, "time")
    name = str(series.name or "series")
    return dataset(
        {
            "maximum": Labelled("event", np.concatenate(before), units, f"maximum of {name}"),
            "following": Labelled("event", np.concatenate(after), units, f"next maximum of {name}"),
        },
        {
            "trial": Labelled("event", np.concatenate(whose), "1", "trial"),
            "time": Labelled("event", np.concatenate(when), time.units, "time of the maximum"),
        },
        title="return map of successive maxima",
        config={},
        references=_LORENZ,
    )


def power_spectrum(series: xr.DataArray, *, segment: int | None = None) -> xr.Dataset:
    """Return the power spectral density of series, by Welch's method.

    Means of the periodograms of segments that overlap by half, each less its mean and under a Hann window. The segment
    sets the resolution 1 / (segment dt), so that runs of different length compare only at the same one.

    Parameters
    ----------
    series
        (..., time), evenly sampled, 8 or more times; the transient dropped. A dimension `trial` is averaged over.
    segment
        Samples in a segment, from 8 to those there are. Default: a quarter of them, 8 or more.

    Returns
    -------
    Dataset with `power` (..., frequency), in (units of the series)^2 times time. Its integral is the variance.

    Raises
    ------
    TypeError, ValueError
        `series` is no real, finite DataArray, lacks `time`, is uneven or shorter than the segment.

    Examples
    --------
    >>> t = np.arange(1000) * 0.1
    >>> found = power_spectrum(xr.DataArray(np.sin(2 * np.pi * 0.5 * t), {"time": t}, "time"), segment=200)
    >>> found.power.idxmax("frequency").item()
    0.5
    """
    x = field("series", series, ("time",))
    dt, samples = sampling_step("series", series, "time"), x.sizes["time"]
    if samples < 8:
        raise ValueError(f"series must have at least 8 samples over 'time', got {samples}")
    segment = max(8, samples // 4) if segment is None else checks.whole("segment", segment, at_least=8, at_most=samples)
    frequency, power = welch(x.values, fs=1 / dt, nperseg=segment, detrend="constant", axis=-1)
    dims = [str(d) for d in x.dims[:-1]]
    if "trial" in dims:
        power = power.mean(dims.index("trial"))
        dims.remove("trial")
    units, time = str(series.attrs.get("units", "1")), labels_of(series, "time").units
    density = " ".join(word for word in (f"({units})^2" if units != "1" else "", time) if word not in ("", "1")) or "1"
    return dataset(
        {"power": Labelled((*dims, "frequency"), power, density, "power spectral density")},
        {
            **{d: labels_of(series, d) for d in dims},
            "frequency": Labelled("frequency", frequency, "1" if time == "1" else f"1/{time}", "frequency"),
        },
        title="power spectrum",
        config={"segment": segment, "dt": dt},
        references=_WELCH,
    )


def floors(truth: xr.DataArray, scale: xr.DataArray) -> xr.Dataset:
    """Return the distances between two halves of the truth: what no free run of that length can be expected to beat.

    Parameters
    ----------
    truth
        (..., time, state), 320 or more times and at most 5 states; the transient dropped.
    scale
        (state,): the standard deviation of the training data.

    Returns
    -------
    Dataset with `state_space_divergence` and `spectral_distance` (...), as in `rnnbias.metrics`, between the second
    half of each trajectory and the first.

    Raises
    ------
    TypeError, ValueError
        As those two.

    Examples
    --------
    >>> t = np.arange(400) * 2 * np.pi / 200
    >>> circle = xr.DataArray(np.stack([np.cos(t), np.sin(t)], 1), {"time": t}, ("time", "state"))
    >>> found = floors(circle, circle.std("time"))
    >>> round(found.spectral_distance.item(), 6)
    0.0
    """
    x = field("truth", truth, ("time", "state"))
    half = x.sizes["time"] // 2
    first, second = x.isel(time=slice(half)), x.isel(time=slice(half, 2 * half))
    if "time" in x.coords:
        second = second.assign_coords(time=first.time)
    stsp = metrics.state_space_divergence(second, first, scale).divergence
    hellinger = metrics.spectral_distance(second, first)
    dims = tuple(map(str, stsp.dims))
    return dataset(
        {
            "state_space_divergence": Labelled(dims, stsp.values, "nat", "D_stsp of two halves of the truth"),
            "spectral_distance": Labelled(dims, hellinger.values, "1", "D_H of two halves of the truth"),
        },
        {d: labels_of(x, d) for d in dims},
        title="floors: one half of the truth against the other",
        config={"samples": half},
        references=stsp.attrs.get("references", ""),
    )
