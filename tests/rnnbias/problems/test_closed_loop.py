"""Learning in closed loop: biases that shape the dynamics, from noisy data."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import RNN, LevenbergMarquardt, Recipe, fit_system, load
from rnnbias.evaluation import LinearAutoregression
from rnnbias.problems import Forecasting
from rnnbias.problems.frame import Frame, denoised, shooting, starts

NOISE = 0.05
LM = LevenbergMarquardt(iterations=6, geodesic=False)


@pytest.fixture(scope="module")
def data():
    return systems.get("lorenz63").simulate(duration=40.0, seed=0)


@pytest.fixture(scope="module")
def noisy(data):
    clean = data.trajectory
    noise = NOISE * clean.std("time").values[:, None] * np.random.default_rng(5).standard_normal(clean.shape)
    return (clean + noise).assign_attrs(data.attrs)


@pytest.fixture(scope="module")
def fits(noisy):
    usual = {"units": 150, "hidden": False, "progress": False}
    return fit_system(noisy, closed_loop=(), **usual), fit_system(noisy, solver=LM, **usual)


@pytest.fixture(scope="module")
def test_data():
    return systems.get("lorenz63").simulate(trials=40, duration=9.0, seed=1)


def valid_time(fit, test_data):
    return float(fit.score(test_data, windows=40, context=60).valid_time.sel(threshold=0.4).mean())


def test_it_forecasts_longer_than_what_single_steps_teach(fits, test_data):
    one, closed = (valid_time(fit, test_data) for fit in fits)
    assert closed > 1.8 and closed > 1.7 * one


def test_the_biases_are_ordinary_numbers(fits, test_data):
    """They move about as much as they were drawn, and single precision or a little noise do no harm."""
    fit = fits[1]
    moved = float(fit.network.bias.detach().square().mean().sqrt())
    assert 0.3 < moved < 3 and abs(float(fit.network.readout.std()) * np.sqrt(150) - 10) < 1
    valid = [valid_time(fit, test_data)]
    bias = fit.network.bias.detach().clone()
    shifted = bias + 1e-4 * torch.randn(bias.shape, generator=torch.Generator().manual_seed(0)).double()
    for other in (bias.float().double(), shifted):
        fit.network.bias.data.copy_(other)
        valid.append(valid_time(fit, test_data))
    fit.network.bias.data.copy_(bias)
    assert max(valid) - min(valid) < 0.1 * valid[0]


def test_it_denoises(fits, data, noisy):
    clean = data.trajectory
    found = fits[1].denoise(noisy).trajectory
    before, after = (
        float(np.square((x.values - clean.values) / clean.std("time").values).mean()) for x in (noisy, found)
    )
    assert found.dims == ("trial", "time", "state") and found.shape == clean.shape
    assert after < 0.2 * before


def test_the_history_has_a_stage_for_every_length(fits, tmp_path):
    one, closed = (f.history for f in fits)
    assert "stage" not in one and np.unique(closed.stage).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert np.all(np.diff(closed.iteration) > 0) and np.all(np.diff(closed.seconds) >= 0)
    assert closed.noise.isnull()[closed.stage == 0].all()
    assert float(closed.noise[-1]) == pytest.approx(NOISE / np.sqrt(1 + NOISE**2), rel=0.15)
    assert xr.load_dataset(closed.to_netcdf(tmp_path / "h.nc") or tmp_path / "h.nc").identical(closed)


def test_a_given_noise_is_reckoned_with(noisy):
    fit = fit_system(noisy, units=20, solver=LM, hidden=False, closed_loop=[3], noise=0.2, progress=False)
    assert float(fit.history.noise[-1]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"closed_loop": [1]}, "closed_loop must be at least 2, got 1"),
        ({"closed_loop": 5}, "closed_loop must be lengths of runs such as .5, 10, 20., got 5"),
        ({"closed_loop": [5], "learn": "gain"}, "closed_loop needs biases alone that learn"),
        ({"closed_loop": [5], "horizon": 2}, "horizon must be 1"),
        ({"closed_loop": [5], "noise": 0.0}, "noise must be greater than 0"),
        ({"closed_loop": [5], "prior": -1.0}, "prior must be greater than 0"),
    ],
)
def test_wrong_arguments_are_named(noisy, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit_system(noisy, units=20, progress=False, **options)


@pytest.mark.parametrize(("gain", "delays"), [(0.0, (1, 1)), (0.5, (1, 1)), (0.0, (3, 2))])
@pytest.mark.parametrize("length", [3, 7, 10])
def test_runs_put_together_are_the_trials(length, gain, delays):
    network = RNN(4, 3 * delays[0], 3, recipe=Recipe.shaping(gain=gain))
    trials = torch.randn(2, 31, 3, generator=torch.Generator().manual_seed(0)).double()
    frame = Frame.of(trials.numpy(), "increment", 1, delays=delays)
    runs = shooting(network, frame, trials, trials, length, torch.ones(3).double(), 1.0, 6)
    washout = 6 if gain else 0
    window = frame.reach + 1
    assert runs.washout == washout and len(runs) == 2 * ((31 - window - washout) // length)
    assert torch.equal(starts(runs, trials), runs.observed[:, :window].flatten(1))
    runs.run = lambda network, starts: runs.observed  # a network that knows the truth
    assert torch.equal(denoised(runs, network, trials), trials)
    if gain:
        assert torch.equal(runs.context[1], trials[0, length : length + 6])


def test_one_coordinate_of_noisy_chaos_is_forecast():
    """Of Lorenz-63 seen by x with 5 % noise: longer than a Lyapunov time, by delays alone."""
    seen, test = (
        systems.get("lorenz63").simulate(duration=d, seed=s, observed=["x"]) for d, s in ((40.0, 0), (30.0, 1))
    )
    clean = seen.trajectory
    noise = NOISE * float(clean.std()) * np.random.default_rng(5).standard_normal(clean.shape)
    fit = fit_system((clean + noise).assign_attrs(seen.attrs), units=100, delays=(8, 2), solver=LM, progress=False)
    assert fit.skill(test) > 1.0
    found = fit.denoise(clean + noise).trajectory
    assert float((found - clean).std()) < 0.6 * float(noise.std())


@pytest.mark.parametrize("more", [{}, {"alpha": -0.7, "beta": 0.3}])
def test_a_hidden_state_is_seen_by_delays_or_by_memory(more):
    """Of a rotation seen by one state, with noise: a network without a past cannot go round, one with it does."""
    time = np.arange(0, 60, 0.2)
    seen = (np.sin(time) + 0.05 * np.random.default_rng(0).normal(size=time.shape))[:, None]
    usual = {"dt": 0.2, "units": 100, "closed_loop": (5, 10, 20, 40, 80), "solver": LM, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit, blind = fit_system(seen, hidden=True, **usual, **more), fit_system(seen, hidden=False, **usual)
    assert fit.network.remembers == bool(more) and (fit.frame.reach > 0) != bool(more)
    assert not blind.network.remembers and blind.frame.reach == 0

    def error(fit):
        ahead = fit.forecast(seen[:150], 100).forecast.values[0, :, 0]
        return np.sqrt(np.mean((ahead - np.sin(time[150:250])) ** 2))

    assert error(fit) < 0.2 < 0.5 < error(blind)
    found = fit.denoise(seen).trajectory.values[0, 100:, 0]
    assert np.std(found - np.sin(time[100:])) < 0.7 * 0.05


def test_a_heartbeat_is_predicted_better_than_by_linear_models_and_by_single_steps():
    """Free runs would spoil it: what comes after a beat is not in the samples before it."""
    beats = xr.load_dataset(Path(__file__).parents[2] / "data" / "ecg.nc")
    seen, test = beats.isel(time=slice(0, 3000)), beats.isel(time=slice(3000, 4500))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = fit_system(seen, units=100, progress=False)
    assert fit.frame.delays == (8, 1) and fit.settings["noise"] == 0 and "noise" in fit.history

    def error(model):
        ahead = model.drive(test).prediction.values[0, 60:-1]
        return np.sqrt(np.mean((ahead - test.ecg.values[61:, None]) ** 2))

    assert error(fit) < min(error(LinearAutoregression(k).fit(seen, None)) for k in (5, 50))


def test_the_last_network_that_stays_is_kept(noisy, monkeypatch):
    usual = {"units": 20, "solver": LM, "hidden": False, "progress": False}
    fits = [fit_system(noisy, closed_loop=lengths, **usual) for lengths in ((), (5,), (5, 10))]
    for kept, stays in ((0, [True, False, False, False]), (1, [True, True, False, False]), (2, [False] * 4)):
        told = iter(stays)
        monkeypatch.setattr(Forecasting, "_stays", lambda *_, told=told: next(told))
        found = fit_system(noisy, closed_loop=(5, 10), **usual)
        assert torch.equal(found.network.bias, fits[kept].network.bias)


@pytest.mark.parametrize(
    ("scale", "output", "fate"),
    [
        (0.0, "state", "freezes within"),
        (0.0, "increment", "drifts away within"),
        (1e3, "increment", "escapes after"),
        (1.0, "increment", "stays with what was learned"),
    ],
)
def test_a_long_free_run_says_what_becomes_of_a_network(fits, noisy, scale, output, fate):
    """Its outputs scaled: where they vanish nothing but the mean step, or nothing at all, is left."""
    network, problem = fits[1].network, Forecasting(noisy, output=output)
    readout = network.readout.clone()
    network.readout.copy_(scale * readout)
    found = problem.free_runs(network).fate(network, 5000 if fate.startswith("drifts") else 2000)
    network.readout.copy_(readout)
    assert found.startswith(fate)


def test_a_fit_that_does_not_stay_says_so_everywhere(tmp_path):
    """Two rhythms of which half is hidden, from two noisy states: single steps teach no lasting dynamics."""
    time = np.arange(0, 12, 0.02)
    recording = np.stack([np.sin(3 * time), np.cos(2 * time)], 1)
    recording += 0.01 * np.random.default_rng(0).normal(size=recording.shape)
    with pytest.warns(UserWarning, match="a long free run (escapes|freezes|drifts)"):
        fit = fit_system(recording, dt=0.02, units=20, hidden=False, closed_loop=(), solver=LM, progress=False)
    assert "a long free run" in repr(fit) and "a long free run" in repr(load(fit.save(tmp_path / "fit.nc")))


def test_named_recipes():
    shaping = Recipe.shaping()
    assert LevenbergMarquardt.recipe.readout_scale == 10 and (shaping.law, shaping.readout_scale) == ("spherical", 10)
    assert Recipe.lazy().readout_scale == 1e7 and Recipe.paper(seed=3).seed == 3
    assert Recipe.paper().wiring == Recipe.shaping().wiring == "independent" and Recipe.shaping().gain == 0
