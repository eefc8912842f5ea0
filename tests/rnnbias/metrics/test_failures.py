"""Rates of failure, on trials made to fail."""

import numpy as np
import pytest
import xarray as xr

from rnnbias import metrics

DT = 0.02


def series(values, dims=("time", "state"), dt=DT):
    """Label an array; time starts at 0 with steps of `dt`."""
    values = np.asarray(values)
    return xr.DataArray(values, {"time": np.arange(values.shape[dims.index("time")]) * dt}, dims)


def per_state(*values):
    return xr.DataArray(list(values), dims="state")


def test_divergence_rate_counts_every_trial():
    x = np.zeros((2, 5, 20, 2))
    x[0, 0, 3, 1] = np.nan
    x[0, 1, 4, 0] = -np.inf
    x[0, 2, -1, 1] = 3 + 10.1 * 2
    x[0, 3, -1, 1] = 3 + 9.9 * 2
    forecast = series(x, ("seed", "trial", "time", "state"))
    rate = metrics.divergence_rate(forecast, per_state(0.0, 3.0), per_state(1.0, 2.0))
    assert rate.dims == ("seed",)
    np.testing.assert_allclose(rate, [0.6, 0])


def test_constant_rate_needs_every_state_silent_in_the_last_part():
    t = np.arange(100)
    x = np.zeros((5, 100, 2))
    x[1, :50] = np.sin(t[:50, None])  # silent in the end
    x[2, :, 0] = np.sin(t)  # one state lives
    x[3, 60] = np.nan  # failed
    x[4] = 0.02 * np.sin(t[:, None])  # below the floor: variance 2e-4
    forecast = series(x, ("trial", "time", "state"))
    assert metrics.constant_rate(forecast, per_state(1.0, 1.0)).item() == pytest.approx(3 / 5)
    assert metrics.constant_rate(forecast, per_state(1.0, 1.0), last=1.0).item() == pytest.approx(2 / 5)
    assert metrics.constant_rate(forecast, per_state(0.01, 0.01)).item() == pytest.approx(2 / 5)
