import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias.evaluation.baselines import NVAR, LinearAutoregression, Persistence, least_squares
from rnnbias.metrics import largest_exponent


def henon(steps, start=(0.1, 0.2)):
    x = [np.array(start)]
    for _ in range(steps):
        x.append(np.array([1 - 1.4 * x[-1][0] ** 2 + x[-1][1], 0.3 * x[-1][0]]))
    return np.stack(x)[None]


def rotation(steps, angle=0.3):
    t = angle * np.arange(steps)
    return np.stack([3 * np.cos(t) + 1, np.sin(t) - 2], 1)[None]


def test_persistence_repeats_the_last_state_of_each_trial():
    values = np.random.default_rng(0).normal(size=(3, 20, 2))
    ahead = Persistence().fit(values, dt=0.1).forecast(values, 4).forecast
    np.testing.assert_allclose(ahead, np.repeat(values[:, -1:], 4, axis=1), atol=1e-14)
    assert Persistence().fit(values, dt=0.1).learned == 0


@pytest.mark.parametrize("delays", [1, 4])
def test_linear_autoregression_learns_a_rotation_exactly(delays):
    values = rotation(500)
    model = LinearAutoregression(delays).fit(values[:, :200], dt=0.3)
    np.testing.assert_allclose(model.forecast(values[:, :200], 300).forecast, values[:, 200:], atol=1e-9)
    assert model.learned == (1 + 2 * delays) * 2
    step, state = model.free_map(values[:, :200])
    assert abs(largest_exponent(step, state, steps=400, dt=0.3).exponent.item()) < 1e-2


@pytest.mark.parametrize("delays", [1, 2])
def test_nvar_learns_a_quadratic_map_exactly(delays):
    values = henon(500)
    model = NVAR(delays, ridge=0.0).fit(values, dt=1.0)
    np.testing.assert_allclose(model.forecast(values[:, :2], 12).forecast, values[:, 2:14], atol=1e-7)
    step, state = model.free_map(values[:, :100])
    starts = torch.cat([state, model.free_map(values[:, :200])[1]])
    assert largest_exponent(step, starts, steps=1000, dt=1.0).exponent.item() == pytest.approx(0.419, abs=0.03)


def test_nvar_has_the_features_of_the_paper():
    assert NVAR().fit(np.random.default_rng(0).normal(size=(1, 100, 3)), dt=1.0).learned == 28 * 3


def test_trials_are_forecast_each_by_itself_and_step_is_what_forecast_iterates():
    values = np.random.default_rng(1).normal(size=(2, 60, 3))
    model = NVAR().fit(values, dt=1.0)
    both = model.forecast(values, 3).forecast
    np.testing.assert_allclose(both[1:], model.forecast(values[1:], 3).forecast, rtol=1e-12)
    step, state = model.free_map(values)
    np.testing.assert_array_equal(model.standardiser.inverse(step(state)[:, -3:]), both[:, 0])


def test_a_driven_baseline_predicts_each_sample_from_those_before_it():
    values = np.random.default_rng(1).normal(size=(2, 60, 3))
    model = NVAR(delays=3).fit(values, dt=0.5)
    driven = model.drive(values).prediction
    assert np.isnan(driven[:, :2]).all() and driven.time[0] == 0.5
    for last in (3, 7, 60):
        one = model.forecast(values[:, :last], 1).forecast[:, 0]
        np.testing.assert_allclose(driven[:, last - 1], one, rtol=1e-9)


def test_forecasts_are_labelled_like_the_recording():
    angles = xr.DataArray(
        rotation(60)[0], {"time": ("time", 0.1 * np.arange(60), {"units": "s"}), "state": ["elbow", "wrist"]},
        ("time", "state"), attrs={"units": "rad"},
    )  # fmt: skip
    ahead = LinearAutoregression(2).fit(angles).forecast(angles, 5)
    assert ahead.forecast.dims == ("trial", "time", "state") and list(ahead.state.values) == ["elbow", "wrist"]
    assert ahead.time.attrs["units"] == "s" and ahead.forecast.attrs["units"] == "rad"
    np.testing.assert_allclose(ahead.time, 0.1 * np.arange(1, 6))


def test_least_squares_is_the_augmented_solution():
    rng = np.random.default_rng(2)
    f, y = torch.from_numpy(rng.normal(size=(40, 5))), torch.from_numpy(rng.normal(size=(40, 2)))
    wide = torch.cat([f, 0.3 * torch.eye(5)]), torch.cat([y, torch.zeros(5, 2)])
    np.testing.assert_allclose(least_squares(f, y, 0.09), torch.linalg.lstsq(*wide).solution, atol=1e-12)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: NVAR().fit(np.zeros((1, 50, 2)), dt=1.0), "'x0' is constant"),
        (lambda: NVAR().fit(np.random.default_rng(0).normal(size=(1, 20, 3)), dt=1.0), "at least 28 samples"),
        (lambda: LinearAutoregression().fit(np.arange(5.0), dt=1.0), "at least 6 samples"),
        (lambda: LinearAutoregression().fit(np.full((1, 50, 1), np.nan), dt=1.0), "recording must be finite"),
        (lambda: NVAR().fit(henon(100)), "dt must be given"),
        (lambda: NVAR().fit(henon(100), dt=1.0).forecast(np.zeros((9, 3)), 3), "must have the states"),
        (lambda: LinearAutoregression(0), "delays must be at least 1"),
        (lambda: NVAR(ridge=-1.0), "ridge must be at least 0"),
        (lambda: NVAR().fit(henon(100), dt=1.0).forecast(henon(0), 3), "context must have at least 2"),
        (lambda: NVAR().fit(henon(100), dt=1.0).forecast(henon(9), 0), "steps must be at least 1"),
    ],
)
def test_wrong_arguments_are_named(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_an_unfitted_baseline_says_so():
    with pytest.raises(RuntimeError, match="fit the NVAR"):
        NVAR().forecast(np.zeros((1, 5, 1)), 3)
