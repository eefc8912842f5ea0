"""Periods and amplitudes of known oscillations."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias import metrics

DT = 0.02


def series(values, dims=("time", "state"), dt=DT):
    """Label an array; time starts at 0 with steps of `dt`."""
    values = np.asarray(values)
    return xr.DataArray(values, {"time": np.arange(values.shape[dims.index("time")]) * dt}, dims)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(6.5, 60),
    st.floats(0.01, 100),
    st.floats(-5, 5),
    st.floats(0, 2 * math.pi),
    st.sampled_from([1e-2, 1.0]),
)
def test_period_and_amplitude_of_a_sine_between_samples(samples, size, offset, phase, dt):
    t = np.arange(1000) * dt
    x = series(offset + size * np.sin(2 * np.pi * t / (samples * dt) + phase), ("time",), dt)
    assert metrics.period(x).item() == pytest.approx(samples * dt, rel=2e-3)
    assert metrics.amplitude(x).item() == pytest.approx(size, rel=0.02)


def test_period_and_amplitude_see_through_noise_and_odd_shapes():
    t = np.arange(4000) * 0.01
    rng = np.random.default_rng(0)
    noisy = np.sin(2 * np.pi * t / 1.3) + 0.05 * rng.normal(size=t.size)
    spikes = np.exp(-(((t % 2.0) - 1) ** 2) / 0.005)  # narrow peaks over a long flat floor
    wiggly = np.sin(2 * np.pi * t / 4) + 0.2 * np.sin(2 * np.pi * t / 0.4)
    x = series([noisy, spikes, wiggly], ("state", "time"), 0.01)
    np.testing.assert_allclose(metrics.period(x), [1.3, 2.0, 4.0], rtol=3e-3)
    np.testing.assert_allclose(metrics.amplitude(x)[:2], [1.0, 0.5], rtol=0.15)


@pytest.mark.parametrize(
    "x",
    [
        lambda t: 0 * t,
        lambda t: 0 * t + 0.1,
        lambda t: np.exp(-t),
        lambda t: np.exp(-t / 2) * np.sin(2 * np.pi * t),  # dies out
        lambda t: np.exp(t / 2),
        lambda t: t,
        lambda t: np.sin(2 * np.pi * t / 20),  # one cycle
        lambda t: np.where(t == 5, np.nan, np.sin(2 * np.pi * t)),
        lambda t: np.where(t == 5, np.inf, np.sin(2 * np.pi * t)),
    ],
)
def test_no_lasting_oscillation_is_a_failure(x):
    t = np.arange(2000) * 0.01
    model = series(x(t)[:, None], dt=0.01)
    truth = series(np.sin(2 * np.pi * t)[:, None], dt=0.01)
    assert np.isnan(metrics.period(model)).all() and np.isnan(metrics.amplitude(model)).all()
    ds = metrics.cycle_error(model, truth)
    assert ds.failed.all() and np.isnan(ds.period_error).all() and np.isnan(ds.amplitude_error).all()
    if np.isfinite(model).all():
        with pytest.raises(ValueError, match="truth must oscillate in every 'state'"):
            metrics.cycle_error(truth, model)


def test_cycle_error_is_relative_and_per_trial_and_state():
    t = np.arange(1000) * 0.05
    model = series(
        [[1.1 * np.sin(2 * np.pi * t / 2.1), np.cos(2 * np.pi * t / 1.9)], [0 * t, 3 * np.sin(np.pi * t)]],
        ("trial", "state", "time"),
        0.05,
    )
    truth = series([np.sin(np.pi * t[:800]), np.cos(np.pi * t[:800])], ("state", "time"), 0.05)
    ds = metrics.cycle_error(model, truth)
    assert ds.period_error.dims == ("trial", "state")
    np.testing.assert_allclose(ds.period_error, [[0.05, 0.05], [np.nan, 0]], atol=1e-4)
    np.testing.assert_allclose(ds.amplitude_error, [[0.1, 0], [np.nan, 2]], atol=1e-3)
    np.testing.assert_array_equal(ds.failed, [[False, False], [True, False]])
