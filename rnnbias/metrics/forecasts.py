"""Forecasts: the truth is known at the same times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from rnnbias.metrics.fields import field, labelled, matched, positive_levels, sampling_step, scale_field, single
from systems import checks

__all__ = ["error", "nrmse", "valid_time"]

_VALID_TIME = "Pathak et al. 2018, Phys. Rev. Lett. 120, 024102; Vlachas et al. 2020, Neural Networks 126, 191"


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
    return single(labelled({"error": (e, "1", "normalised error")}, "Forecast error", {}))


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
    dt = sampling_step("forecast", x, time)
    if isinstance(unit, xr.DataArray):
        unit = field("unit", unit, ())
        if (unit <= 0).any() or {time, state} & set(unit.dims):
            raise ValueError(f"unit must be greater than 0 and lack {time!r} and {state!r}, got {unit}")
        e, unit = matched({"forecast": e, "unit": unit})
    else:
        unit = xr.DataArray(checks.number("unit", unit, above=0))
    levels = positive_levels("threshold", threshold)
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
    ds = labelled(variables, "Valid prediction time", config, _VALID_TIME, first="threshold")
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
    dt, levels, length = sampling_step("forecast", x, time), positive_levels("horizon", horizon), x.sizes[time]
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
    ds = labelled(
        {"nrmse": (result, "1", words)},
        "Normalised error up to a horizon",
        {"horizon": levels.tolist(), "dt": dt},
        first="horizon",
    )
    return single(ds.squeeze("horizon") if np.ndim(horizon) == 0 else ds)


def _forecast_error(
    forecast: object, truth: object, scale: object, time: str, state: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Check the three; return e(t) with time last and the forecast."""
    x, y, s = matched(
        {
            "forecast": field("forecast", forecast, (time, state), finite=False),
            "truth": field("truth", truth, (time, state)),
            "scale": scale_field(scale, time, state),
        }
    )
    e = xr.apply_ufunc(_error, x, y, s, input_core_dims=[[state]] * 3)
    return e.transpose(..., time), x


def _error(forecast: np.ndarray, truth: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(..., state) three times -> (...); not a number becomes infinity."""
    with np.errstate(over="ignore"):
        e = np.sqrt(np.mean(((forecast - truth) / scale) ** 2, axis=-1))
    return np.where(np.isnan(e), np.inf, e)


def _valid_steps(e: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(..., time) -> (..., threshold): how many steps pass before the first with not e <= threshold."""
    failed = ~(e[..., None, :] <= thresholds[:, None])
    return np.where(failed.any(-1), failed.argmax(-1), e.shape[-1])
