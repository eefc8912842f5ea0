r"""How good is a forecast, and how true is a free run? Scores on named dimensions.

==============================  =============================================================  ==============
function                        question                                                       result
==============================  =============================================================  ==============
:func:`error`                   how far off is each moment, in standard deviations?            time, ...
:func:`valid_time`              for how many Lyapunov times (or periods) is the forecast good? threshold, ...
:func:`nrmse`                   how far off is the forecast up to a horizon?                   [horizon], ...
:func:`state_space_divergence`  does a free run visit the same places? (D_stsp, histogram)     ...
:func:`mixture_divergence`      the same, for more than five states (D_stsp, Gaussian mixture) ...
:func:`spectral_distance`       does a free run have the same rhythms? (D_H)                   ...
:func:`largest_exponent`        how chaotic is the learned map?                                start
:func:`divergence_rate`         which fraction of the trials escapes?                          ...
:func:`constant_rate`           which fraction of the trials goes silent?                      ...
:func:`period`                  how long is a cycle?                                           state, ...
:func:`amplitude`               how large is a cycle?                                          state, ...
:func:`cycle_error`             how far off are the period and the amplitude?                  state, ...
==============================  =============================================================  ==============

Arguments are :class:`xarray.DataArray` with the dimensions `time` and `state` (or the names given by
`time=` and `state=`) in any order; all other dimensions (seed, system, trial, ...) pass through, and an
array that lacks one of those that the first argument has is used for all of its entries. `scale` is the
standard deviation of the **training** data for each state, and it serves forecast and truth alike. A
forecast may hold NaN or infinity: that is a failure and it is scored as one, never dropped. Anything else
that is not finite is refused, as are labels that do not agree.

Report D_stsp and D_H together: a shuffled truth has D_stsp = 0 and a half-amplitude copy has D_H = 0.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
import xarray as xr
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from systems import checks
from systems.labels import DIMENSIONS, Labelled, dataset

__all__ = [
    "amplitude",
    "constant_rate",
    "cycle_error",
    "divergence_rate",
    "error",
    "largest_exponent",
    "mixture_divergence",
    "nrmse",
    "period",
    "spectral_distance",
    "state_space_divergence",
    "valid_time",
]

_VALID_TIME = "Pathak et al. 2018, Phys. Rev. Lett. 120, 024102; Vlachas et al. 2020, Neural Networks 126, 191"
_STSP = "Koppe et al. 2019, PLoS Comput. Biol. 15, e1007263; Hess et al. 2023, ICML, arXiv:2306.04406"
_HELLINGER = "Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, arXiv:2110.07238"
_BENETTIN = "Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9"

# ----------------------------------------------------------------------------------------------------------
# Plain arrays: `time` and `state` are the last axes, in this order.


def _error(forecast: np.ndarray, truth: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(..., state) three times -> (...); not a number becomes infinity."""
    with np.errstate(over="ignore"):
        e = np.sqrt(np.mean(((forecast - truth) / scale) ** 2, axis=-1))
    return np.where(np.isnan(e), np.inf, e)


def _valid_steps(e: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(..., time) -> (..., threshold): how many steps pass before the first with not e <= threshold."""
    failed = ~(e[..., None, :] <= thresholds[:, None])
    return np.where(failed.any(-1), failed.argmax(-1), e.shape[-1])


def _histogram(
    model: np.ndarray, truth: np.ndarray, scale: np.ndarray, bins: int, alpha: float, margin: float
) -> tuple[float, float]:
    """(time, state) twice, (state,) -> D_stsp and the fraction of model samples outside the box."""
    low, high = truth.min(0) - margin * scale, truth.max(0) + margin * scale
    steps, states = truth.shape
    cells = bins**states + 1  # the last one is the overflow cell

    def cell(x: np.ndarray) -> np.ndarray:
        inside = ((x >= low) & (x <= high)).all(1)
        index = np.minimum(((x[inside] - low) / (high - low) * bins).astype(np.int64), bins - 1)
        flat = np.full(steps, cells - 1)
        flat[inside] = index @ bins ** np.arange(states)
        return flat

    of_truth, of_model = cell(truth), cell(model)
    visited, where = np.unique(np.concatenate([of_truth, of_model]), return_inverse=True)
    counts = [np.bincount(w, minlength=visited.size) for w in (where[:steps], where[steps:])]
    p, q = ((n + alpha) / (steps + alpha * cells) for n in counts)  # p = q in the cells that neither visits
    return float(np.sum(p * np.log(p / q))), float(np.mean(of_model == cells - 1))


def _mixture(
    model: np.ndarray, truth: np.ndarray, scale: np.ndarray, width: float, samples: int, seed: int
) -> tuple[float, float]:
    """(time, state) twice, (state,) -> D_stsp of two Gaussian mixtures and the fraction of failed samples."""
    rng = np.random.default_rng(seed)
    finite = np.isfinite(model).all(1)
    with np.errstate(over="ignore"):
        model = model[finite] / scale
    truth = truth / scale
    points = truth[rng.integers(len(truth), size=samples)] + width * rng.standard_normal((samples, len(scale)))

    def log_density(centres: np.ndarray) -> np.ndarray:  # up to a constant that both mixtures share
        blocks = np.array_split(points, max(1, samples * len(centres) // 4_000_000))
        return np.concatenate([logsumexp(cdist(b, centres, "sqeuclidean") / (-2 * width**2), 1) for b in blocks])

    if not finite.any():
        return math.inf, 1.0
    return float(np.mean(log_density(truth) - log_density(model))), float(np.mean(~finite))


def _flat(x: np.ndarray) -> np.ndarray:
    """(..., time) -> (...): constant up to rounding, or not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        span = x.max(-1) - x.min(-1)
        return ~((span > 1e-12 * np.abs(x).max(-1)) & np.isfinite(span))


def _spectrum(x: np.ndarray, smoothing: float) -> np.ndarray:
    """(..., time) -> (..., frequency): smoothed power of the z-scored series, of sum 1."""
    x = x / np.abs(x).max(-1, keepdims=True)
    z = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    power = np.abs(np.fft.rfft(z)) ** 2
    if smoothing > 0:
        power = gaussian_filter1d(power, smoothing, axis=-1)
    return power / power.sum(-1, keepdims=True)


def _hellinger(model: np.ndarray, truth: np.ndarray, smoothing: float) -> np.ndarray:
    """(..., time, state) twice -> (...): D_H, the mean over the states."""
    model, truth = np.broadcast_arrays(np.swapaxes(model, -1, -2), np.swapaxes(truth, -1, -2))
    failed = _flat(model)
    p, q = (_spectrum(x, smoothing) for x in (truth, np.where(failed[..., None], truth, model)))
    distance = np.sqrt(np.clip(1 - np.sum(np.sqrt(p * q), -1), 0, 1))
    return np.where(failed, 1.0, distance).mean(-1)


def _cycle(x: np.ndarray, dt: float, hysteresis: float) -> tuple[float, float]:
    """(time,) -> period and amplitude, both NaN where no lasting oscillation is seen."""
    nothing = math.nan, math.nan
    if _flat(x):
        return nothing
    span = np.ptp(x)
    x = x / span - (x / span).mean()
    side = np.select([x > hysteresis * x.max(), x < hysteresis * x.min()], [1, -1])
    seen = np.flatnonzero(side)
    rises = seen[1:][np.diff(side[seen]) > 0]
    if rises.size < 3:
        return nothing
    spline = CubicSpline(np.arange(x.size), x)
    ups, turns = (f.roots(extrapolate=False) for f in (spline, spline.derivative()))
    ups = ups[np.isfinite(ups)]
    ups = ups[spline(ups, 1) >= 0]
    ups = ups[np.searchsorted(ups, rises, side="right") - 1]
    length = (ups[-1] - ups[0]) / (ups.size - 1)
    if x.size - 1 - ups[-1] > 2 * length:
        return nothing
    turns = turns[(turns >= ups[0]) & (turns < ups[-1])]
    starts, height = np.searchsorted(turns, ups[:-1]), spline(turns)
    swing = np.maximum.reduceat(height, starts) - np.minimum.reduceat(height, starts)
    return length * dt, span * swing.mean() / 2


# ----------------------------------------------------------------------------------------------------------
# Checks of labelled arrays and the making of labelled results.


def _field(name: str, value: object, dims: Sequence[str], *, finite: bool = True) -> xr.DataArray:
    """Return `value` in float64 with `dims` last, or say what is wrong with it."""
    if not isinstance(value, xr.DataArray):
        raise TypeError(f"{name} must be an xarray.DataArray, got {type(value).__name__}")
    for dim in dims:
        if dim not in value.dims:
            near = difflib.get_close_matches(dim, map(str, value.dims), n=1)
            hint = f"; is {near[0]!r} a misspelling?" if near else ""
            raise ValueError(f"{name} must have the dimension {dim!r}, got dimensions {value.dims}{hint}")
    if value.size == 0:
        raise ValueError(f"{name} must not be empty, got sizes {dict(value.sizes)}")
    checks.array(name, value.values if finite else value.values[:0])  # an empty slice still has its type
    return value.astype(np.float64).transpose(..., *dims)


def _scale(value: object, time: str, state: str) -> xr.DataArray:
    scale = _field("scale", value, (state,))
    if time in scale.dims:
        raise ValueError(f"scale must not vary over {time!r}, got dimensions {scale.dims}")
    if (scale <= 0).any():
        raise ValueError(f"scale must be greater than 0 for every {state!r}, got {float(scale.min())}")
    return scale


def _match(arrays: Mapping[str, xr.DataArray], free: str | None = None) -> tuple[xr.DataArray, ...]:
    """Demand dimensions among the first's, of its sizes and (but for `free`) its labels; share those."""
    (leader, whole), *others = arrays.items()
    for name, a in others:
        if extra := [d for d in a.dims if d not in whole.dims]:
            raise ValueError(f"{name} must have no dimension that {leader} lacks, got {extra}, not in {whole.dims}")
    for (first, a), (second, b) in combinations(arrays.items(), 2):
        for dim in (d for d in a.dims if d in b.dims):
            if a.sizes[dim] != b.sizes[dim]:
                raise ValueError(
                    f"{second} must be as long as {first} over {dim!r}, got {b.sizes[dim]} and {a.sizes[dim]}"
                )
            if dim != free and dim in a.indexes and dim in b.indexes and not _same(a[dim].values, b[dim].values):
                raise ValueError(
                    f"{second} must have the labels of {first} over {dim!r}, got {_ends(b[dim])} and {_ends(a[dim])}"
                )
    if free is not None:
        arrays = {name: a.drop_vars(free, errors="ignore") for name, a in arrays.items()}
    return xr.align(*arrays.values(), join="override")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal labels; floats may differ by rounding and a millionth of their spacing."""
    if a.dtype.kind in "iuf" and b.dtype.kind in "iuf":
        spacing = np.abs(np.diff(a)).min() if a.size > 1 else 0.0
        return np.allclose(a, b, rtol=1e-12, atol=1e-6 * spacing + max(_rounding(a), _rounding(b)))
    return np.array_equal(a, b)


def _rounding(x: np.ndarray) -> float:
    """Return the rounding error of differences of the numbers, in the precision that holds them."""
    return 4 * float(np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps) * float(np.abs(x).max())


def _ends(label: xr.DataArray) -> str:
    values = label.values.tolist()
    return f"{values[0]!r}..{values[-1]!r}" if len(values) > 1 else repr(values[0])


def _dt(name: str, value: xr.DataArray, time: str) -> float:
    """Return the time between samples; the times must be even and increasing."""
    if time not in value.indexes:
        raise ValueError(f"{name} must have a {time!r} coordinate, got {sorted(map(str, value.indexes))}")
    t = checks.array(f"{name}.{time}", value[time].values, ndim=1)
    if t.size < 2:
        raise ValueError(f"{name} must have at least 2 samples over {time!r}, got {t.size}")
    dt = float(t[-1] - t[0]) / (t.size - 1)
    gaps = np.diff(t)
    if dt <= 0 or np.abs(gaps - dt).max() > 1e-6 * dt + _rounding(value[time].values):
        raise ValueError(
            f"{name} must be sampled evenly over increasing {time!r}, got steps from {gaps.min()} to {gaps.max()}"
        )
    return dt


def _long_enough(name: str, value: xr.DataArray, time: str, least: int, why: str) -> None:
    if value.sizes[time] < least:
        raise ValueError(f"{name} must have at least {least} samples over {time!r} ({why}), got {value.sizes[time]}")


def _levels(name: str, value: object) -> np.ndarray:
    """Return one or more positive numbers as a vector."""
    levels = checks.array(name, np.atleast_1d(value), ndim=1)  # type: ignore[arg-type]
    if not levels.size or (levels <= 0).any():
        raise ValueError(f"{name} must hold numbers greater than 0, got {value!r}")
    return levels


def _ordered(value: xr.DataArray, first: str | None = None) -> xr.DataArray:
    """Put `first` first, then other dimensions, then those with a fixed place."""
    rank = {name: i for i, name in enumerate(DIMENSIONS)}
    return value.transpose(*sorted(value.dims, key=lambda d: (d != first, rank.get(str(d), -1))))


def _result(
    variables: Mapping[str, tuple[xr.DataArray, str, str]],
    title: str,
    config: Mapping[str, object],
    references: str = "",
    first: str | None = None,
) -> xr.Dataset:
    """Build the labelled Dataset; each variable is an array, its units and its long name."""
    arrays = {name: (_ordered(array, first), *words) for name, (array, *words) in variables.items()}
    coords = {str(name): c for array, *_ in arrays.values() for name, c in array.coords.items()}
    return dataset(
        {name: Labelled(a.dims, a.values, units, words) for name, (a, units, words) in arrays.items()},
        {
            name: Labelled(c.dims, c.values, c.attrs.get("units", "1"), c.attrs.get("long_name", name))
            for name, c in coords.items()
        },
        title=title,
        config=config,
        references=references,
    )


def _single(ds: xr.Dataset) -> xr.DataArray:
    """Return the only variable, with the stamps of its Dataset."""
    (array,) = ds.data_vars.values()
    return array.assign_attrs({**ds.attrs, **array.attrs})


def _forecast_error(
    forecast: object, truth: object, scale: object, time: str, state: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Check the three; return e(t) with time last and the forecast."""
    x, y, s = _match(
        {
            "forecast": _field("forecast", forecast, (time, state), finite=False),
            "truth": _field("truth", truth, (time, state)),
            "scale": _scale(scale, time, state),
        }
    )
    e = xr.apply_ufunc(_error, x, y, s, input_core_dims=[[state]] * 3)
    return e.transpose(..., time), x


# ----------------------------------------------------------------------------------------------------------
# Forecasts: the truth is known at the same times.


def error(
    forecast: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return the error of each moment in standard deviations of the training data.

    .. math:: e(t) = \sqrt{\frac1D \sum_d \left(\frac{\hat x_d(t) - x_d(t)}{\sigma_d}\right)^2}

    Parameters
    ----------
    forecast, truth
        :math:`\hat x` and :math:`x`, (..., time, state), in the same units. NaN or infinity in the forecast
        gives an error of infinity; in the truth it is refused.
    scale
        :math:`\sigma`, (state,), greater than 0: the population standard deviation of the *training* data.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `error` (..., time), dimensionless.

    Raises
    ------
    TypeError
        An argument is no DataArray or not real.
    ValueError
        A dimension is missing, labels disagree, `scale` is not positive, `truth` or `scale` is not finite.

    Examples
    --------
    >>> truth = xr.DataArray(np.zeros((2, 2)), dims=("time", "state"))
    >>> scale = xr.DataArray([1.0, 2.0], dims="state")
    >>> error(truth + [[1.0, 2.0], [np.nan, 0.0]], truth, scale).values
    array([ 1., inf])
    """
    e, _ = _forecast_error(forecast, truth, scale, time, state)
    return _single(_result({"error": (e, "1", "normalised error")}, "Forecast error", {}))


def valid_time(
    forecast: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    unit: float | xr.DataArray,
    threshold: float | Sequence[float] = (0.3, 0.4, 0.5),
    *,
    units: str = "Lyapunov times",
    time: str = "time",
    state: str = "state",
) -> xr.Dataset:
    r"""Return how long the forecast stays within `threshold` standard deviations of the truth.

    .. math:: \mathrm{VPT}_\epsilon = \frac{\Delta t}{u} \min\{k : \text{not } e_k \le \epsilon\}

    or :math:`T \Delta t / u`, marked as censored, if all T samples are good. Samples count from k = 0, the
    first one forecast, which lies one step after the last sample of the context; so a forecast that fails
    at once has a valid time of 0, and k good steps last k :math:`\Delta t`.

    Parameters
    ----------
    forecast, truth, scale
        As for :func:`error`; the time coordinate must be evenly spaced, and gives :math:`\Delta t`.
    unit
        :math:`u` in the units of the time coordinate, greater than 0: one Lyapunov time :math:`1/\lambda_1`
        of a chaotic system, one period of an oscillator. An array serves e.g. several systems.
    threshold
        :math:`\epsilon`: one number, or several, which become the leading dimension `threshold`.
    units
        The name of `unit`: "Lyapunov times" (default), "periods", ...
    time, state
        The names of the two dimensions.

    Returns
    -------
    `valid_time` and the Boolean `censored`, both (threshold, ...). Report medians and the censored count.

    Raises
    ------
    TypeError, ValueError
        As for :func:`error`; uneven times; `unit` or `threshold` not positive.

    References
    ----------
    Pathak et al. 2018, Phys. Rev. Lett. 120, 024102; Vlachas et al. 2020, Neural Networks 126, 191.

    Examples
    --------
    >>> t = np.arange(100) * 0.1
    >>> truth = xr.DataArray(np.zeros((100, 1)), {"time": t}, ("time", "state"))
    >>> scale = xr.DataArray([1.0], dims="state")
    >>> valid_time(truth + t[:, None] / 10, truth, scale, unit=2.0, threshold=(0.495, 2.0)).valid_time.values
    array([2.5, 5. ])
    """
    e, x = _forecast_error(forecast, truth, scale, time, state)
    dt = _dt("forecast", x, time)
    if isinstance(unit, xr.DataArray):
        unit = _field("unit", unit, ())
        if (unit <= 0).any() or {time, state} & set(unit.dims):
            raise ValueError(f"unit must be greater than 0 and lack {time!r} and {state!r}, got {unit}")
        e, unit = _match({"forecast": e, "unit": unit})
    else:
        unit = xr.DataArray(checks.number("unit", unit, above=0))
    levels = _levels("threshold", threshold)
    steps = xr.apply_ufunc(
        _valid_steps,
        e,
        input_core_dims=[[time]],
        output_core_dims=[["threshold"]],
        kwargs={"thresholds": levels},
    ).assign_coords(
        threshold=(
            "threshold",
            levels,
            {"units": "1", "long_name": "error at which the forecast stops being valid"},
        )
    )
    length = x.sizes[time]
    variables = {
        "valid_time": (steps * (dt / unit), units, "valid prediction time"),
        "censored": (steps == length, "1", "valid up to the last sample"),
    }
    config = {"threshold": levels.tolist(), "unit": unit.values.tolist(), "dt": dt}
    ds = _result(variables, "Valid prediction time", config, _VALID_TIME, first="threshold")
    return ds.squeeze("threshold") if np.ndim(threshold) == 0 else ds


def nrmse(
    forecast: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    horizon: float | Sequence[float],
    *,
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return the root mean square error up to a horizon, in standard deviations (not variances).

    .. math:: \mathrm{NRMSE}_H = \sqrt{\operatorname{mean}_{t \le H} e(t)^2}

    over the samples k with lead time :math:`(k + 1) \Delta t \le H`.

    Parameters
    ----------
    forecast, truth, scale
        As for :func:`error`; the time coordinate must be evenly spaced.
    horizon
        H in the units of the time coordinate, from one step to the length of the forecast; usually one and
        two Lyapunov times. Several horizons become the leading dimension `horizon`.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `nrmse` ([horizon], ...), dimensionless; infinity where the forecast is not finite.

    Raises
    ------
    TypeError, ValueError
        As for :func:`error`; uneven times; a `horizon` shorter than a step or longer than the forecast.

    Examples
    --------
    >>> truth = xr.DataArray(np.zeros((4, 1)), {"time": [0.1, 0.2, 0.3, 0.4]}, ("time", "state"))
    >>> scale = xr.DataArray([2.0], dims="state")
    >>> nrmse(truth + [[2.0], [2.0], [2.0], [4.0]], truth, scale, horizon=0.3).item()
    1.0
    """
    e, x = _forecast_error(forecast, truth, scale, time, state)
    dt, levels, length = _dt("forecast", x, time), _levels("horizon", horizon), x.sizes[time]
    counts = np.floor(levels / dt + 1e-6).astype(int)
    if counts.min() < 1 or (levels > length * dt * (1 + 1e-6)).any():
        raise ValueError(f"horizon must be from one step, {dt}, to the whole forecast, {length * dt}, got {horizon!r}")
    with np.errstate(over="ignore"):
        parts = [np.sqrt(np.mean(e.values[..., :n] ** 2, axis=-1)) for n in counts]
    label = x[time].attrs.get("units", "1")
    result = xr.DataArray(
        np.stack(parts),
        {"horizon": ("horizon", levels, {"units": label, "long_name": "forecast horizon"})},
        ("horizon", *e.dims[:-1]),
    ).assign_coords({name: c for name, c in e.coords.items() if time not in c.dims})
    words = "root mean square error in standard deviations"
    ds = _result(
        {"nrmse": (result, "1", words)},
        "Normalised error up to a horizon",
        {"horizon": levels.tolist(), "dt": dt},
        first="horizon",
    )
    return _single(ds.squeeze("horizon") if np.ndim(horizon) == 0 else ds)


# ----------------------------------------------------------------------------------------------------------
# Free runs: only the statistics of the truth are to be met.


def _runs(
    model: object, truth: object, scale: object, time: str, state: str
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Check the three; times need to agree in number only."""
    arrays = {
        "model": _field("model", model, (time, state), finite=False),
        "truth": _field("truth", truth, (time, state)),
        "scale": _scale(scale, time, state),
    }
    _long_enough("truth", arrays["truth"], time, 100, "a distribution needs samples")
    return _match(arrays, free=time)  # type: ignore[return-value]


def state_space_divergence(
    model: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    bins: int = 30,
    alpha: float = 1e-5,
    margin: float = 0.1,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.Dataset:
    r"""Return D_stsp, how far a free run strays from the places that the truth visits, by histogram.

    .. math::

        D_\mathrm{stsp} = \sum_k p_k \ln\frac{p_k}{q_k}, \qquad
        p_k = \frac{n_k + \alpha}{n + \alpha K}, \qquad K = m^D + 1

    with p of the truth and q of the model. The box spans :math:`[\min x_d - \mu \sigma_d, \max x_d + \mu
    \sigma_d]` of the *truth*, with m bins for each of the D states. One more cell, the overflow, keeps
    every model sample that lies outside or is not finite. The order of the samples does not matter (a
    shuffled truth scores 0), so report :func:`spectral_distance` beside it, and the floor: the score of one
    half of the truth against the other. It falls with the number of samples, hence both runs must have
    equally many; the customary protocol drops a transient of 1,000 and keeps 100,000.

    Parameters
    ----------
    model, truth
        The free run and the truth, (..., time, state), 100 or more times, in the same units and number; the
        time labels themselves need not agree.
    scale
        :math:`\sigma`, (state,): the standard deviation of the training data, for both.
    bins, alpha, margin
        m = 30 (2 to 1,000); the pseudo-count :math:`\alpha` = 1e-5; the margin :math:`\mu` = 0.1.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `divergence` (...) in nats and `overflow` (...), the fraction of model samples in the overflow cell.

    Raises
    ------
    TypeError
        An argument is no DataArray or not real.
    ValueError
        More than 5 states (see :func:`mixture_divergence`); fewer than 100 samples; unequal lengths or
        labels; `truth` or `scale` not finite or `scale` not positive.

    References
    ----------
    Koppe et al. 2019, PLoS Comput. Biol. 15, e1007263; Hess et al. 2023, ICML, arXiv:2306.04406.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = xr.DataArray(rng.normal(size=(1000, 2)), dims=("time", "state"))
    >>> scale = xr.DataArray([1.0, 1.0], dims="state")
    >>> state_space_divergence(truth[::-1], truth, scale).divergence.item()
    0.0
    >>> state_space_divergence(truth + 100, truth, scale).overflow.item()
    1.0
    """
    x, y, s = _runs(model, truth, scale, time, state)
    if y.sizes[state] > 5:
        raise ValueError(
            f"truth must have at most 5 states for a histogram, got {y.sizes[state]}; use mixture_divergence"
        )
    config = {
        "bins": checks.whole("bins", bins, at_least=2, at_most=1000),
        "alpha": checks.number("alpha", alpha, above=0),
        "margin": checks.number("margin", margin, above=0),
    }
    divergence, overflow = xr.apply_ufunc(
        _histogram,
        x,
        y,
        s,
        input_core_dims=[[time, state], [time, state], [state]],
        output_core_dims=[[], []],
        vectorize=True,
        kwargs=config,
    )
    variables = {
        "divergence": (divergence, "nat", "state-space divergence (histogram)"),
        "overflow": (overflow, "1", "fraction of model samples outside the box of the truth"),
    }
    return _result(variables, "State-space divergence", config, _STSP)


def mixture_divergence(
    model: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    width: float = 1.0,
    samples: int = 1000,
    seed: int = 0,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.Dataset:
    r"""Return D_stsp by Gaussian mixtures, for systems of more than five states.

    .. math::

        D_\mathrm{stsp} \approx \frac1S \sum_{i=1}^S \ln \frac{p(z_i)}{q(z_i)}, \qquad
        p(z) = \frac1T \sum_t \mathcal N(z; x_t / \sigma, w^2 I), \qquad z_i \sim p

    and q likewise from the model. It is computed with logarithms, so that no sample is dropped however far
    the model is from it; model samples that are not finite stay in the count T of q and add no density. The
    value depends on `width` and is not comparable with the histogram's. The cost grows with S T D.

    Parameters
    ----------
    model, truth, scale
        As for :func:`state_space_divergence`, with any number of states.
    width
        w in standard deviations of the training data, greater than 0; 1 by default.
    samples, seed
        S = 1,000 Monte Carlo samples (10 or more) and the seed that draws them.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `divergence` (...) in nats, infinity where the whole model run failed, and `failed` (...), the fraction
    of model samples that are not finite.

    Raises
    ------
    TypeError, ValueError
        As for :func:`state_space_divergence`, without the limit on states.

    References
    ----------
    Koppe et al. 2019, PLoS Comput. Biol. 15, e1007263; Hess et al. 2023, ICML, arXiv:2306.04406.

    Examples
    --------
    Two points at a distance of 2 are two Gaussians with divergence :math:`2^2 / 2`:

    >>> truth = xr.DataArray(np.zeros((100, 8)), dims=("time", "state"))
    >>> shift = xr.DataArray([2.0] + 7 * [0.0], dims="state")
    >>> scale = xr.ones_like(shift)
    >>> round(mixture_divergence(truth + shift, truth, scale, samples=100_000).divergence.item(), 1)
    2.0
    """
    x, y, s = _runs(model, truth, scale, time, state)
    config = {
        "width": checks.number("width", width, above=0),
        "samples": checks.whole("samples", samples, at_least=10),
        "seed": checks.seed("seed", seed),
    }
    divergence, failed = xr.apply_ufunc(
        _mixture,
        x,
        y,
        s,
        input_core_dims=[[time, state], [time, state], [state]],
        output_core_dims=[[], []],
        vectorize=True,
        kwargs=config,
    )
    variables = {
        "divergence": (divergence, "nat", "state-space divergence (Gaussian mixture)"),
        "failed": (failed, "1", "fraction of model samples that are not finite"),
    }
    return _result(variables, "State-space divergence", config, _STSP)


def spectral_distance(
    model: xr.DataArray,
    truth: xr.DataArray,
    smoothing: float = 20.0,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return D_H, the Hellinger distance between the smoothed power spectra of a free run and the truth.

    .. math:: D_H = \operatorname{mean}_d \sqrt{1 - \sum_f \sqrt{P_{df} Q_{df}}}

    P is the power :math:`|\mathrm{rfft}|^2` of the truth's state d, z-scored with its own mean and
    deviation, smoothed by a Gaussian and normalised to sum 1; Q is the model's. From 0 (equal) to 1. It is
    blind to amplitude (a half-amplitude copy scores 0), so report :func:`state_space_divergence` beside it.

    Parameters
    ----------
    model, truth
        As for :func:`state_space_divergence`; where both have time labels, their steps must agree.
    smoothing
        The standard deviation of the Gaussian in *frequency bins*, 0 or more, 20 by default. Its width in
        Hz is smoothing / (T dt), so **scores compare only at equal T and dt**; state both with the score.
        Without smoothing even two runs of one chaotic system score about 0.47.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `spectral_distance` (...), dimensionless; a model state that is constant or not finite counts as 1.

    Raises
    ------
    TypeError
        An argument is no DataArray or not real.
    ValueError
        Fewer than 8 `smoothing` (and 16) samples, so that the Gaussian is wider than the spectrum; a
        constant state in `truth`; unequal lengths, labels or steps.

    References
    ----------
    Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, arXiv:2110.07238.

    Examples
    --------
    >>> t = np.arange(1000) * 0.1
    >>> truth = xr.DataArray(np.sin(t)[:, None], {"time": t}, ("time", "state"))
    >>> spectral_distance(truth / 2, truth).item() < 1e-7, spectral_distance(truth * 0, truth).item()
    (True, 1.0)
    """
    smoothing = checks.number("smoothing", smoothing, at_least=0)
    x = _field("model", model, (time, state), finite=False)
    y = _field("truth", truth, (time, state))
    _long_enough("truth", y, time, max(16, math.ceil(8 * smoothing)), f"smoothing = {smoothing}")
    steps = {name: _dt(name, a, time) for name, a in (("model", x), ("truth", y)) if time in a.indexes}
    if len(steps) == 2 and not math.isclose(steps["model"], steps["truth"], rel_tol=1e-6):
        raise ValueError(f"model must have the time step of truth, got {steps['model']} and {steps['truth']}")
    x, y = _match({"model": x, "truth": y}, free=time)
    if _flat(np.swapaxes(y.values, -1, -2)).any():
        raise ValueError(f"truth must vary over {time!r} for every {state!r}, got a constant one")
    result = xr.apply_ufunc(_hellinger, x, y, input_core_dims=[[time, state]] * 2, kwargs={"smoothing": smoothing})
    config = {
        "smoothing": smoothing,
        "samples": y.sizes[time],
        **({"dt": steps["truth"]} if "truth" in steps else {}),
    }
    words = "Hellinger distance of smoothed power spectra"
    return _single(_result({"spectral_distance": (result, "1", words)}, "Spectral distance", config, _HELLINGER))


def largest_exponent(
    step: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor | np.ndarray,
    steps: int,
    dt: float,
    transient: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    r"""Return the largest Lyapunov exponent of a learned map by the method of Benettin.

    .. math:: \lambda_1 = \frac{1}{N \Delta t} \sum_{k=1}^N \ln |J(x_{k-1}) v_{k-1}|, \qquad
              v_k = \frac{J(x_{k-1}) v_{k-1}}{|J(x_{k-1}) v_{k-1}|}

    The products with the Jacobian J come from forward-mode differentiation, one tangent for each start. The
    state of a recurrent network is all that it carries from step to step, so `step` closes the loop over
    that.

    Parameters
    ----------
    step
        The map: a tensor (batch, n) to a tensor (batch, n) of the same type, differentiable by torch, each
        row by itself.
    start
        Initial states (batch, n), best on the attractor and far from one another: an orbit near a weakly
        unstable fixed point may outstay the transient. A floating-point tensor keeps its type and device;
        all else becomes float64.
    steps, dt
        N, 1 or more, and the time between steps, greater than 0. Batch and time count alike: 100 starts of
        1,000 steps serve as well as one of 100,000, and take a fraction of the time.
    transient
        Steps before the average begins, 1,000 by default, in which state and tangent settle. The tangent
        does so at the rate of the gap to the second exponent (0 for a flow), so give it several Lyapunov
        times; what is left of its turning biases the mean by something of the order of 1 / (N dt).
    seed
        Draws the first tangents.

    Returns
    -------
    `exponent` (), the mean over the starts, in one over the units of `dt`; `standard_error` () over the
    starts (NaN for a single one); `local_exponent` (start); the Boolean `failed` (start). A start fails
    when its state or tangent is no longer finite: its exponent is NaN, and so is the mean, which is never
    taken over survivors. A tangent that vanishes (a superstable orbit, or a step that hides its derivative
    from torch) has exponent minus infinity.

    Raises
    ------
    TypeError
        `start` or a number has the wrong type, or `step` returns no tensor.
    ValueError
        A number is outside its bounds, `start` is not finite, `step` changes the shape or mixes the rows.

    References
    ----------
    Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9.

    Examples
    --------
    >>> ds = largest_exponent(lambda x: 0.5 * x, np.ones((2, 3)), steps=10, dt=1.0, transient=0)
    >>> round(ds.exponent.item(), 6), round(float(np.log(0.5)), 6)
    (-0.693147, -0.693147)
    """
    dt = checks.number("dt", dt, above=0)
    steps, transient = checks.whole("steps", steps, at_least=1), checks.whole("transient", transient)
    seed = checks.seed("seed", seed)
    array = checks.array("start", start.detach().cpu() if isinstance(start, torch.Tensor) else start, ndim=2)
    if array.size == 0:
        raise ValueError(f"start must not be empty, got shape {array.shape}")
    floating = isinstance(start, torch.Tensor) and start.is_floating_point()
    x = start.detach() if floating else torch.as_tensor(array)
    with torch.no_grad():
        y = step(x)
        if not isinstance(y, torch.Tensor):
            raise TypeError(f"step must return a tensor, got {type(y).__name__}")
        if y.shape != x.shape or y.dtype != x.dtype:
            raise ValueError(
                f"step must keep the shape {tuple(x.shape)} and {x.dtype}, got {tuple(y.shape)} and {y.dtype}"
            )
        if not torch.allclose(step(x[:1]), y[:1], rtol=1e-3, atol=1e-5, equal_nan=True):
            raise ValueError("step must map each row by itself, got another first row when it was alone")
        v = torch.randn(array.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(x)
        v = v / v.norm(dim=1, keepdim=True)
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for k in range(transient + steps):
            x, u = torch.func.jvp(step, (x,), (v,))
            growth = u.norm(dim=1)
            v = torch.where(growth[:, None] == 0, v, u / growth[:, None])
            if k >= transient:
                total += growth.double().log()
        failed = ~(torch.isfinite(x).all(1) & torch.isfinite(v).all(1) & (total < math.inf))
    local = np.where(failed.cpu(), np.nan, total.cpu().numpy() / (steps * dt))
    spread = local.std(ddof=1) / math.sqrt(local.size) if local.size > 1 and np.isfinite(local).all() else np.nan
    per_time = "1/time unit of dt"
    return dataset(
        {
            "exponent": Labelled((), local.mean(), per_time, "largest Lyapunov exponent"),
            "standard_error": Labelled((), spread, per_time, "standard error of the exponent over the starts"),
            "local_exponent": Labelled("start", local, per_time, "largest exponent along the orbit of each start"),
            "failed": Labelled("start", failed.cpu().numpy(), "1", "orbit or tangent no longer finite"),
        },
        {"start": Labelled("start", np.arange(local.size), "1", "initial state")},
        title="Largest Lyapunov exponent",
        config={"steps": steps, "dt": dt, "transient": transient, "seed": seed},
        references=_BENETTIN,
    )


# ----------------------------------------------------------------------------------------------------------
# Failures: fractions of all trials.


def divergence_rate(
    forecast: xr.DataArray,
    mean: xr.DataArray,
    scale: xr.DataArray,
    limit: float = 10.0,
    *,
    trial: str = "trial",
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return the fraction of trials that escape: not finite, or too far from the training data, at any time.

    A trial escapes where not :math:`|\hat x_d(t) - \mu_d| \le \ell \sigma_d` for some d and t.

    Parameters
    ----------
    forecast
        :math:`\hat x`, (..., trial, time, state); NaN and infinity count as escaped.
    mean, scale
        :math:`\mu` and :math:`\sigma`, (state,): mean and standard deviation of the *training* data.
    limit
        :math:`\ell`, greater than 0; 10 by default.
    trial, time, state
        The names of the three dimensions.

    Returns
    -------
    `divergence_rate` (...), from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        As for :func:`error`; `limit` not positive.

    Examples
    --------
    >>> forecast = xr.DataArray([[0.0], [1.0], [99.0], [np.nan]], dims=("trial", "time")).expand_dims(state=1)
    >>> one = xr.DataArray([1.0], dims="state")
    >>> divergence_rate(forecast, 0 * one, one).item()
    0.5
    """
    limit = checks.number("limit", limit, above=0)
    x, m, s = _match(
        {
            "forecast": _field("forecast", forecast, (trial, time, state), finite=False),
            "mean": _field("mean", mean, (state,)),
            "scale": _scale(scale, time, state),
        }
    )
    if time in m.dims:
        raise ValueError(f"mean must not vary over {time!r}, got dimensions {m.dims}")
    lost = (~(abs(x - m) <= limit * s)).any((time, state))
    words = "fraction of trials that diverge"
    return _single(_result({"divergence_rate": (lost.mean(trial), "1", words)}, "Divergence rate", {"limit": limit}))


def constant_rate(
    forecast: xr.DataArray,
    scale: xr.DataArray,
    last: float = 0.5,
    floor: float = 1e-3,
    *,
    trial: str = "trial",
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return the fraction of trials that fall silent: hardly any variance, in every state, in the last part.

    A trial is silent where :math:`\operatorname{var}_t \hat x_d < \theta \sigma_d^2` for all d.

    Parameters
    ----------
    forecast
        :math:`\hat x`, (..., trial, time, state). A trial whose last part is not finite is not silent; it is
        counted by :func:`divergence_rate`.
    scale
        :math:`\sigma`, (state,): the standard deviation of the training data.
    last
        The fraction of the samples, at the end, that is looked at; above 0 and at most 1; 0.5 by default.
    floor
        :math:`\theta`, greater than 0; 1e-3 by default.
    trial, time, state
        The names of the three dimensions.

    Returns
    -------
    `constant_rate` (...), from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        As for :func:`error`; `last` or `floor` out of bounds; fewer than 2 samples in the last part.

    Examples
    --------
    >>> x = np.stack([np.sin(np.arange(100.0)), np.exp(-np.arange(100.0))])
    >>> forecast = xr.DataArray(x[..., None], dims=("trial", "time", "state"))
    >>> constant_rate(forecast, xr.DataArray([1.0], dims="state")).item()
    0.5
    """
    last, floor = checks.number("last", last, above=0, at_most=1), checks.number("floor", floor, above=0)
    x, s = _match(
        {
            "forecast": _field("forecast", forecast, (trial, time, state), finite=False),
            "scale": _scale(scale, time, state),
        }
    )
    _long_enough("forecast", x, time, math.ceil(2 / last), f"last = {last}")
    x = x.isel({time: slice(-math.ceil(last * x.sizes[time] - 1e-9), None)})
    with np.errstate(over="ignore", invalid="ignore"):
        silent = (x.var(time, skipna=False) < floor * s**2).all(state)
    config = {"last": last, "floor": floor}
    words = "fraction of trials with constant output"
    return _single(_result({"constant_rate": (silent.mean(trial), "1", words)}, "Constant-output rate", config))


# ----------------------------------------------------------------------------------------------------------
# Limit cycles.


def _cycles(name: str, value: object, time: str, finite: bool, hysteresis: float) -> tuple[xr.DataArray, ...]:
    x = _field(name, value, (time,), finite=finite)
    hysteresis = checks.number("hysteresis", hysteresis, at_least=0, at_most=0.9)
    _long_enough(name, x, time, 8, "a cycle needs samples")
    return xr.apply_ufunc(
        _cycle,
        x,
        input_core_dims=[[time]],
        output_core_dims=[[], []],
        vectorize=True,
        kwargs={"dt": _dt(name, x, time), "hysteresis": hysteresis},
    )


def period(series: xr.DataArray, hysteresis: float = 0.25, *, time: str = "time") -> xr.DataArray:
    r"""Return the mean time between upward crossings of the mean, for each series.

    .. math:: P = \frac{t_K - t_1}{K - 1}

    The crossings :math:`t_k` are roots of a cubic spline through the samples, so they lie between samples.
    One counts only if the series was below the mean by the fraction `hysteresis` of its deepest trough
    before, and above it by that of its highest peak after; noise and small wiggles do not. An oscillation
    is *seen* if there are three or more crossings and the last is at most two periods before the end.

    Parameters
    ----------
    series
        (..., time), 8 or more evenly spaced times; drop the transient first. NaN or infinity: no oscillation.
    hysteresis
        From 0 to 0.9; 0.25 by default.
    time
        The name of the dimension.

    Returns
    -------
    `period` (...) in the units of the time coordinate; NaN where no oscillation is seen.

    Raises
    ------
    TypeError, ValueError
        `series` is no real DataArray, lacks `time` or its coordinate, or is uneven or too short.

    Examples
    --------
    >>> t = np.arange(500) * 0.1
    >>> round(period(xr.DataArray(np.sin(2 * np.pi * t / 7), {"time": t}, "time")).item(), 4)
    7.0
    """
    p, _ = _cycles("series", series, time, False, hysteresis)
    units = series[time].attrs.get("units", "1")
    return _single(_result({"period": (p, units, "mean period")}, "Period", {"hysteresis": hysteresis}))


def amplitude(series: xr.DataArray, hysteresis: float = 0.25, *, time: str = "time") -> xr.DataArray:
    r"""Return half the swing of each cycle, averaged over the cycles, for each series.

    .. math:: A = \operatorname{mean}_k \tfrac12 (\max_{[t_k, t_{k+1})} x - \min_{[t_k, t_{k+1})} x)

    with cycles from upward crossing to upward crossing as in :func:`period`, and extremes of the spline.
    A sine of amplitude A has amplitude A, wherever its mean lies.

    Parameters
    ----------
    series, hysteresis, time
        As for :func:`period`.

    Returns
    -------
    `amplitude` (...) in the units of `series`; NaN where no oscillation is seen.

    Raises
    ------
    TypeError, ValueError
        As for :func:`period`.

    Examples
    --------
    >>> t = np.arange(500) * 0.1
    >>> round(amplitude(xr.DataArray(3 + 2 * np.sin(t), {"time": t}, "time")).item(), 4)
    2.0
    """
    _, a = _cycles("series", series, time, False, hysteresis)
    units = series.attrs.get("units", "1")
    return _single(_result({"amplitude": (a, units, "mean amplitude")}, "Amplitude", {"hysteresis": hysteresis}))


def cycle_error(
    model: xr.DataArray,
    truth: xr.DataArray,
    hysteresis: float = 0.25,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.Dataset:
    r"""Return the relative errors of the period and the amplitude of a free run, for each state.

    .. math:: |P_\mathrm{model} - P| / P, \qquad |A_\mathrm{model} - A| / A

    with :func:`period` P and :func:`amplitude` A of the truth.

    Parameters
    ----------
    model, truth
        (..., time, state), each with 8 or more evenly spaced times of its own; drop transients first. Every
        state of the truth must oscillate; select those that do.
    hysteresis
        As for :func:`period`.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `period_error` and `amplitude_error` (..., state), dimensionless, and the Boolean `failed` (..., state):
    no oscillation is seen in the model (constant, dying out, not finite), and the errors are NaN.

    Raises
    ------
    TypeError, ValueError
        As for :func:`period`; labels other than the times disagree; a state of `truth` does not oscillate.

    Examples
    --------
    >>> t = np.arange(500) * 0.1
    >>> truth = xr.DataArray(np.sin(t)[:, None], {"time": t}, ("time", "state"))
    >>> ds = cycle_error(truth * 1.1, truth)
    >>> round(ds.period_error.item(), 4), round(ds.amplitude_error.item(), 4), ds.failed.item()
    (0.0, 0.1, False)
    """
    _field("model", model, (time, state), finite=False)
    _field("truth", truth, (time, state))
    p_model, a_model = _cycles("model", model, time, False, hysteresis)
    p, a = _cycles("truth", truth, time, True, hysteresis)
    if p.isnull().any():
        raise ValueError(
            f"truth must oscillate in every {state!r} for two cycles or more, got {int(p.isnull().sum())} without"
        )
    (p_model, p), (a_model, a) = (_match({"model": m, "truth": t}) for m, t in ((p_model, p), (a_model, a)))
    variables = {
        "period_error": (abs(p_model - p) / p, "1", "relative error of the period"),
        "amplitude_error": (abs(a_model - a) / a, "1", "relative error of the amplitude"),
        "failed": ((p_model + p).isnull(), "1", "no oscillation seen in the model"),
    }
    return _result(variables, "Cycle error", {"hysteresis": hysteresis})
