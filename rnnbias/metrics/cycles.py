"""Limit cycles: how long and how large they are."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from rnnbias.metrics.fields import field, flat, labelled, long_enough, matched, sampling_step, single
from systems import checks

__all__ = ["amplitude", "cycle_error", "period"]


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
    return single(labelled({"period": (p, units, "mean period")}, "Period", {"hysteresis": hysteresis}))


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
    return single(labelled({"amplitude": (a, units, "mean amplitude")}, "Amplitude", {"hysteresis": hysteresis}))


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
    field("model", model, (time, state), finite=False)
    field("truth", truth, (time, state))
    p_model, a_model = _cycles("model", model, time, False, hysteresis)
    p, a = _cycles("truth", truth, time, True, hysteresis)
    if p.isnull().any():
        raise ValueError(
            f"truth must oscillate in every {state!r} for two cycles or more, got {int(p.isnull().sum())} without"
        )
    (p_model, p), (a_model, a) = (matched({"model": m, "truth": t}) for m, t in ((p_model, p), (a_model, a)))
    variables = {
        "period_error": (abs(p_model - p) / p, "1", "relative error of the period"),
        "amplitude_error": (abs(a_model - a) / a, "1", "relative error of the amplitude"),
        "failed": ((p_model + p).isnull(), "1", "no oscillation seen in the model"),
    }
    return labelled(variables, "Cycle error", {"hysteresis": hysteresis})


def _cycles(name: str, value: object, time: str, finite: bool, hysteresis: float) -> tuple[xr.DataArray, ...]:
    x = field(name, value, (time,), finite=finite)
    hysteresis = checks.number("hysteresis", hysteresis, at_least=0, at_most=0.9)
    long_enough(name, x, time, 8, "a cycle needs samples")
    return xr.apply_ufunc(
        _cycle,
        x,
        input_core_dims=[[time]],
        output_core_dims=[[], []],
        vectorize=True,
        kwargs={"dt": sampling_step(name, x, time), "hysteresis": hysteresis},
    )


def _cycle(x: np.ndarray, dt: float, hysteresis: float) -> tuple[float, float]:
    """(time,) -> period and amplitude, both NaN where no lasting oscillation is seen."""
    from scipy.interpolate import CubicSpline

    nothing = math.nan, math.nan
    if flat(x):
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
