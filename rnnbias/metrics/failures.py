"""Failures, as fractions of all trials."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from rnnbias.metrics.fields import field, labelled, long_enough, matched, scale_field, single
from systems import checks

__all__ = ["constant_rate", "divergence_rate"]


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
    x, m, s = matched(
        {
            "forecast": field("forecast", forecast, (trial, time, state), finite=False),
            "mean": field("mean", mean, (state,)),
            "scale": scale_field(scale, time, state),
        }
    )
    if time in m.dims:
        raise ValueError(f"mean must not vary over {time!r}, got dimensions {m.dims}")
    lost = (~(abs(x - m) <= limit * s)).any((time, state))
    words = "fraction of trials that diverge"
    return single(labelled({"divergence_rate": (lost.mean(trial), "1", words)}, "Divergence rate", {"limit": limit}))


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
    x, s = matched(
        {
            "forecast": field("forecast", forecast, (trial, time, state), finite=False),
            "scale": scale_field(scale, time, state),
        }
    )
    long_enough("forecast", x, time, math.ceil(2 / last), f"last = {last}")
    x = x.isel({time: slice(-math.ceil(last * x.sizes[time] - 1e-9), None)})
    with np.errstate(over="ignore", invalid="ignore"):
        silent = (x.var(time, skipna=False) < floor * s**2).all(state)
    config = {"last": last, "floor": floor}
    words = "fraction of trials with constant output"
    return single(labelled({"constant_rate": (silent.mean(trial), "1", words)}, "Constant-output rate", config))
