"""Spectral distance against closed forms."""

import math

import numpy as np
import pytest
import xarray as xr

from rnnbias import metrics

DT = 0.02


def series(values, dims=("time", "state"), dt=DT):
    """Label an array; time starts at 0 with steps of `dt`."""
    values = np.asarray(values)
    return xr.DataArray(values, {"time": np.arange(values.shape[dims.index("time")]) * dt}, dims)


def test_each_free_run_score_is_blind_to_what_the_other_sees(attractor, spread):
    order = np.random.default_rng(0).permutation(attractor.sizes["time"])
    shuffled = attractor.copy(data=attractor.values[order])
    half = attractor / 2
    assert metrics.state_space_divergence(shuffled, attractor, spread).divergence.item() == 0
    assert metrics.spectral_distance(shuffled, attractor).item() > 0.5
    assert metrics.state_space_divergence(half, attractor, spread).divergence.item() > 5
    assert metrics.spectral_distance(half, attractor).item() < 1e-7


def test_spectral_distance_is_the_stated_formula_without_smoothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 64, 2)).cumsum(1)

    def spectrum(x):
        z = (x - x.mean(0)) / x.std(0)
        power = np.array([[abs(np.sum(c * np.exp(-2j * np.pi * f * np.arange(64) / 64))) ** 2 for c in z.T]
                          for f in range(33)])  # fmt: skip
        return power / power.sum(0)

    exact = np.sqrt(1 - np.sqrt(spectrum(x) * spectrum(y)).sum(0)).mean()
    assert metrics.spectral_distance(series(x), series(y), 0).item() == pytest.approx(exact)


def test_smoothing_gives_the_distance_of_two_gaussian_peaks():
    """Two smoothed lines are Gaussians k bins apart: their Hellinger distance is closed."""
    n, sigma, apart = 4096, 20.0, 30
    t = np.arange(n)
    x, y = (series(np.sin(2 * np.pi * k * t / n)[:, None]) for k in (600, 600 + apart))
    exact = math.sqrt(1 - math.exp(-(apart**2) / (8 * sigma**2)))
    assert metrics.spectral_distance(x, y, sigma).item() == pytest.approx(exact, rel=3e-3)


@pytest.mark.parametrize("output", [0.0, 0.1, -1e200, np.nan, np.inf])
def test_a_constant_or_failed_model_has_spectral_distance_one(output):
    truth = series(np.random.default_rng(0).normal(size=(200, 2)))
    assert metrics.spectral_distance(truth * 0 + output, truth).item() == 1
    one = xr.concat([truth.isel(state=[0]), truth.isel(state=[1]) * 0 + output], "state")
    assert metrics.spectral_distance(one, truth).item() == pytest.approx(0.5)
    once = truth.copy()
    once[7, 1] = np.nan
    assert metrics.spectral_distance(once, truth).item() == pytest.approx(0.5)


def test_spectral_distance_refuses_a_constant_truth_and_other_steps():
    x = series(np.random.default_rng(0).normal(size=(200, 2)))
    with pytest.raises(ValueError, match=r"truth must vary over 'time' for every 'state'"):
        metrics.spectral_distance(x, x * [0.0, 1.0])
    with pytest.raises(ValueError, match=r"model must have the time step of truth, got 0\.04"):
        metrics.spectral_distance(x.assign_coords(time=x.time * 2), x)
    with pytest.raises(ValueError, match=r"truth must have at least 160 samples over 'time'.*got 100"):
        metrics.spectral_distance(x[:100], x[:100])
