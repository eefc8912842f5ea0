"""How good closed-loop forecasts are, on data that the forecaster has not seen.

forecast_windows    forecasts of many windows beside the truth
score_windows       valid times and errors of such forecasts, which must follow the truth
score_attractor     distances of the attractors, where forecasts are long and need only resemble it
score_forecasts     the first two in one
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from rnnbias import metrics
from rnnbias.evaluation.forecasters import Data, Forecaster, label, read_like
from systems import checks

__all__ = ["forecast_windows", "score_attractor", "score_forecasts", "score_windows"]

_LONG = 20  # Lyapunov times, periods or time units of a forecast
_BINNED = 5  # states of which a histogram can still be filled
_THINNED = 5  # every so many samples go into a mixture of Gaussians


def score_forecasts(
    forecaster: Forecaster,
    test: Data,
    *,
    windows: int = 100,
    context: int = 100,
    steps: int | None = None,
    threshold: Iterable[float] = (0.3, 0.4, 0.5),
) -> xr.Dataset:
    """Score closed-loop forecasts on `windows` windows of data that the forecaster has not seen.

    Each window has `context` true samples and `steps` forecast ones (default: 20 Lyapunov times, periods or time
    units, as far as the data allow).

    Returns
    -------
    xarray.Dataset
        That of `score_windows`, and the count of learned numbers in `attrs["learned"]`.

    >>> from rnnbias.evaluation import Persistence
    >>> ramp = np.arange(100.0)
    >>> still = Persistence().fit(ramp, dt=1.0)
    >>> score_forecasts(still, ramp, windows=3, context=1, steps=50, threshold=[0.4]).valid_time.values
    array([[11., 11., 11.]])
    """
    made = forecast_windows(forecaster, test, windows=windows, context=context, steps=steps)
    found = score_windows(made, threshold)
    return found.assign_attrs(title=f"score of {forecaster!r}", learned=forecaster.learned)


def forecast_windows(
    forecaster: Forecaster, test: Data, *, windows: int = 100, context: int = 100, steps: int | None = None
) -> xr.Dataset:
    """Forecast `windows` windows, spread evenly over the trials of `test`; arguments as in `score_forecasts`.

    Returns
    -------
    xarray.Dataset
        `forecast` and `truth` (trial, time, state), the `mean` and `scale` (state) of the training data, and the `unit`
        of valid times, in units of time.
    """
    recording = forecaster.recording
    data, dt = read_like(recording, test), recording.dt
    windows, context = (checks.whole(n, v, at_least=1) for n, v in (("windows", windows), ("context", context)))
    trials, samples, _ = data.values.shape
    if steps is None:
        steps = max(4, min(max(20, round(_LONG * recording.unit / data.dt)), samples - context - 1))
    steps = checks.whole("steps", steps, at_least=4)
    if samples < context + steps:
        raise ValueError(f"test must have at least context + steps = {context + steps} samples, got {samples}")
    firsts = np.linspace(0, samples - context - steps, -(-windows // trials)).astype(int)
    cut = np.concatenate([data.values[:, f : f + context + steps] for f in firsts])[:windows]
    before = label(recording, np.arange(context) * dt, title="context", config={}, context=cut[:, :context])
    found = forecaster.forecast(before.context, steps)
    scale = found.state.copy(data=forecaster.standardiser.scale).assign_attrs(long_name="training standard deviation")
    return found.assign(
        truth=found.forecast.copy(data=cut[:, context:]).assign_attrs(long_name="truth"),
        scale=scale,
        mean=scale.copy(data=forecaster.standardiser.mean).assign_attrs(long_name="training mean"),
        unit=((), recording.unit, {"units": recording.time_units, "long_name": recording.unit_name}),
    )


def score_windows(made: xr.Dataset, threshold: Iterable[float] = (0.3, 0.4, 0.5)) -> xr.Dataset:
    """Score what `forecast_windows` returns.

    Returns
    -------
    xarray.Dataset
        That of `metrics.valid_time` over `trial` (the windows), with `nrmse` at one Lyapunov time, period or time
        unit, `divergence_rate` and `constant_rate`.
    """
    unit, times = made.unit.item(), made.time.values
    found = metrics.valid_time(
        made.forecast, made.truth, made.scale, unit, tuple(threshold), units=made.unit.attrs["long_name"]
    )
    horizon = min(max(unit, times[0]), times[-1])
    found["nrmse"] = metrics.nrmse(made.forecast, made.truth, made.scale, horizon)
    return found.assign(_failures(made))


def score_attractor(made: xr.Dataset) -> xr.Dataset:
    """Compare the attractor of long forecasts with that of the truth.

    Parameters
    ----------
    made : xarray.Dataset
        What `forecast_windows` returns, without the samples in which forecasts still follow the truth.

    Returns
    -------
    xarray.Dataset
        `d_stsp`, the divergence of all samples together in state space, by a histogram of up to five states and by
        mixtures of Gaussians above; `d_h`, the mean Hellinger distance of the spectra; `divergence_rate` and
        `constant_rate`.
    """
    run, truth = (x.stack(sample=("trial", "time"), create_index=False) for x in (made.forecast, made.truth))
    if made.sizes["state"] <= _BINNED:
        apart = metrics.state_space_divergence(run, truth, made.scale, time="sample")
    else:
        apart = metrics.mixture_divergence(run[:, ::_THINNED], truth[:, ::_THINNED], made.scale, time="sample")
    spectra = metrics.spectral_distance(made.forecast, made.truth).mean(keep_attrs=True)
    return xr.Dataset({"d_stsp": apart.divergence, "d_h": spectra, **_failures(made)})


def _failures(made: xr.Dataset) -> dict[str, xr.DataArray]:
    return {
        "divergence_rate": metrics.divergence_rate(made.forecast, made["mean"], made.scale),
        "constant_rate": metrics.constant_rate(made.forecast, made.scale),
    }
