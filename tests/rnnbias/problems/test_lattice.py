"""One network for every site of a lattice."""

import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import LevenbergMarquardt, Recipe, analysis, fit_system, load, metrics
from rnnbias.evaluation import Polynomial
from rnnbias.networks import RNN, bias_jacobian
from rnnbias.problems import forecasting
from rnnbias.problems.frame import Frame, closed_loop, open_loop, segments, single_steps
from systems import Lattice
from systems.labels import config

RING = Lattice(2, 1)
RECIPE = Recipe.shaping(input_scale=0.15, readout_scale=40.0)
LM = LevenbergMarquardt(iterations=20, geodesic=False)
VALUES = np.random.default_rng(0).normal(size=(2, 40, 5)).cumsum(1)


@pytest.fixture(scope="module")
def data():
    found = systems.get("lorenz96", size=8).simulate(duration=12.0, dt=0.02, seed=0).trajectory
    return found.assign_attrs(lyapunov=1.2)


@pytest.fixture(scope="module")
def learned(data):
    return fit(data)


def fit(data, **changes):
    usual = {
        "lattice": RING, "units": 60, "recipe": RECIPE, "solver": LM, "hidden": False, "closed_loop": (),
        "progress": False,
    }  # fmt: skip
    return fit_system(data, **{**usual, **changes})


def network(seen, outputs=1, **changes):
    recipe = Recipe(gain=changes.pop("gain", 0.0), input_scale=0.5, readout_scale=1.0, wiring="independent", seed=1)
    return RNN(7, seen, outputs, recipe=recipe, **changes)


def neighbours(x, i, lags=(0,)):
    """What site i of `RING` sees at the end of a path of states (trial, site)."""
    sites = [(i + k) % x[-1].shape[1] for k in range(-RING.before, RING.after + 1)]
    return torch.cat([x[-1 - lag][:, sites] for lag in lags], 1)


def coupled(steps, trials=None, seed=0):
    """Logistic maps on a ring of six sites, each coupled to its neighbours; (time, site) or (trial, time, site)."""
    shape = (6,) if trials is None else (trials, 6)
    path = [np.random.default_rng(seed + (trials or 0)).uniform(0.2, 0.8, shape)]
    for _ in range(steps + 49):
        x = 3.7 * path[-1] * (1 - path[-1])
        path.append(0.9 * x + 0.05 * (np.roll(x, 1, -1) + np.roll(x, -1, -1)))
    return np.stack(path[50:], -2)


# The frame ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["increment", "state"])
def test_all_sites_are_measured_together(output):
    frame = Frame.of(VALUES, output, 1, lattice=RING)
    assert frame.states.mean.shape == frame.states.scale.shape == frame.steps.scale.shape == (5,)
    standard = frame.states.transform(VALUES, torch.zeros(()).double()).numpy()
    np.testing.assert_allclose([standard.mean(), standard.std()], [0, 1], atol=1e-12)
    assert np.ptp(frame.states.scale) == np.ptp(frame.steps.mean) == 0
    x = torch.from_numpy(standard)
    assert torch.equal(frame.unfolded(frame.folded(x), 2), x)


@pytest.mark.parametrize("memory", [{}, {"gain": 0.5}, {"alpha": -0.3, "beta": 0.7}])
@pytest.mark.parametrize("delays", [(1, 1), (2, 3)])
def test_loops_are_those_of_one_site_after_another(memory, delays):
    frame = Frame.of(VALUES, "increment", 1, delays=delays, lattice=RING)
    net = network(4 * delays[0], **memory)
    x = frame.states.transform(VALUES, net.start)
    lags = [k * delays[1] for k in range(delays[0])]
    rates, path, ahead = [net.resting(2)] * 5, [], []
    with torch.no_grad():
        for t in range(46):
            path.append(x[:, t] if t < 40 else ahead[-1])
            past = [path[0]] * frame.reach + path
            for i in range(5):
                rates[i] = net.advance(rates[i], net.external(neighbours(past, i, lags)))[1]
            ahead.append(frame.predict(path[-1], torch.cat([net.read(rate) for rate in rates], 1)))
    torch.testing.assert_close(open_loop(net, frame, x), torch.stack(ahead[:40], 1))
    torch.testing.assert_close(closed_loop(net, frame, x, 7), torch.stack(ahead[39:], 1))


def test_single_steps_are_all_samples_of_all_sites():
    frame = Frame.of(VALUES, "increment", 1, delays=(2, 3), lattice=RING)
    net = network(8)
    x = frame.states.transform(VALUES, net.start)
    alone, cut = single_steps(x, frame), segments(x, frame, washout=frame.reach, length=100)
    assert alone.inputs.shape == (2 * 5 * 36, 1, 8) and alone.targets.shape == (360, 1, 1)
    torch.testing.assert_close(alone.residual(net).flatten(), cut.residual(net).flatten())
    matrices = [bias_jacobian(net, net(each.inputs), each._mask).matrix for each in (alone, cut)]
    torch.testing.assert_close(*matrices)


# What it learns -----------------------------------------------------------------------------------------------


def test_every_site_has_the_same_biases_and_is_forecast(learned, data):
    assert learned.network.inputs == 4 and learned.network.outputs == 1 and learned.learned == 60
    test = systems.get("lorenz96", size=8).simulate(trials=4, duration=4.0, dt=0.02, seed=5)
    assert learned.skill(test) > 0.5
    turned = test.trajectory.roll(state=3, roll_coords=False)
    one, other = (learned.forecast(x[:, :60], 20).forecast.values for x in (test.trajectory, turned))
    np.testing.assert_allclose(np.roll(one, 3, -1), other, rtol=1e-6)


def test_free_runs_teach_more_than_single_steps(monkeypatch):
    """Of coupled logistic maps, seen with noise, also where runs are thinned."""
    monkeypatch.setattr(forecasting, "_ENTRIES", 40 * 1200)
    clean = coupled(400)
    seen = clean + 0.02 * clean.std() * np.random.default_rng(2).normal(size=clean.shape)
    usual = {"dt": 1.0, "lattice": Lattice(1, 1), "units": 40, "output": "state", "holdout": 0.2, "seed": 1}
    one, closed = (fit(seen, closed_loop=lengths, **usual) for lengths in ((), (2, 4)))
    test = coupled(40, 200)

    def error(found):
        return np.sqrt(np.square(found.forecast(test[:, :2], 4, denoise=False).forecast.values - test[:, 2:6]).mean())

    assert error(closed) < 0.7 * error(one)


def test_forecasts_begin_at_as_many_samples_as_held_out_runs_bear(tmp_path):
    """Of chaotic sites whose law is known roughly: from old samples a run has gone astray."""
    clean = coupled(400)
    seen = clean + 0.02 * clean.std() * np.random.default_rng(2).normal(size=clean.shape)
    found = fit(seen, closed_loop=(2, 4), dt=1.0, lattice=Lattice(1, 1), units=40, output="state", holdout=0.2, seed=1)
    samples = found.settings["filter"]
    truth = coupled(60, 50)
    noisy = truth + 0.02 * clean.std() * np.random.default_rng(3).normal(size=truth.shape)

    def ahead(count):
        start = found.filtered(found.standardiser.transform(noisy[:, :50], torch.zeros(()).double()), count)
        return found.forecast(found.standardiser.inverse(start), 4, denoise=False).forecast.values

    def error(count):
        return np.sqrt(np.square(ahead(count) - truth[:, 50:54]).mean())

    assert error(samples) < 0.9 * error(40)
    np.testing.assert_allclose(found.forecast(noisy[:, :50], 4).forecast.values, ahead(samples), rtol=1e-9)
    assert load(found.save(tmp_path / "fit.nc")).settings["filter"] == samples


def test_single_steps_lead_back_from_noise():
    frame = Frame.of(VALUES, "increment", 1, lattice=RING)
    x = frame.states.transform(VALUES, torch.zeros(()).double())
    seen = x + 0.1 * torch.from_numpy(np.random.default_rng(3).normal(size=x.shape))
    cut = single_steps(x, frame, seen)
    reached = frame.predict(cut.inputs[..., 2:3], cut.targets)  # a site follows its two neighbours before
    step = frame.predict(seen[:, :-1], frame.target(seen[:, :-1], x[:, 1:]))
    torch.testing.assert_close(step, x[:, 1:])
    torch.testing.assert_close(reached[:, 0, 0].reshape(2, 5, -1).transpose(1, 2), x[:, 1:])


def test_noise_keeps_a_smooth_field_from_breaking_up(monkeypatch):
    """Sites of a travelling wave move together: what has never been seen apart is not held together, but for noise."""
    time, site = np.arange(400)[:, None], np.arange(24)
    waves = sum(np.cos(k * (2 * np.pi * site / 24 - 0.05 * time) + k) / k for k in (1, 2))
    usual = {"dt": 1.0, "lattice": Lattice(3, 3), "recipe": None, "solver": LevenbergMarquardt(iterations=60)}

    def lost(stirred):
        monkeypatch.setattr(forecasting, "_STIRRED_SITES", stirred)
        ahead = fit(waves, **usual).forecast(waves[None, :100], 50).forecast.values[0]
        return np.sqrt(np.square(ahead - waves[100:150]).mean())

    assert lost((0.003, 0.0)) < 0.05 < 1.0 < lost((0.0,))


def test_at_last_sites_are_seen_without_noise_where_free_runs_gain(data, monkeypatch):
    test = systems.get("lorenz96", size=8).simulate(duration=6.0, dt=0.02, seed=3).trajectory
    usual = {"lattice": Lattice(4, 2), "units": 150, "recipe": None, "solver": LevenbergMarquardt(iterations=120)}

    def error(stirred):
        monkeypatch.setattr(forecasting, "_STIRRED_SITES", stirred)
        ahead = fit(data, **usual).drive(test).prediction.values[:, 50:-1]
        return np.sqrt(np.square(ahead - test.values[:, 51:]).mean())

    assert error((0.003, 0.0)) < 0.95 * error((0.003,))


def test_single_steps_are_thinned_by_the_seed(data, monkeypatch):
    monkeypatch.setattr(forecasting, "_ENTRIES", 60 * 200)
    seen = []
    problem = forecasting.Forecasting(data, lattice=RING, seed=2)
    net = problem.network(60, recipe=RECIPE, learn=("bias",), activation="tanh")
    for _ in range(2):
        seen.append(problem.objectives(net, 0).train.inputs)
    assert seen[0].shape == (200, 1, 4) and torch.equal(*seen)
    other = problem.varied(seed=3).objectives(net, 0).train.inputs
    assert not torch.equal(seen[0], other)


def test_it_is_stated_and_saved(learned, data, tmp_path):
    again = load(learned.save(tmp_path / "fit.nc"))
    assert again.frame.lattice == RING and again == learned
    words = "shared by 8 sites, 2 neighbours before and 1 after, boundary periodic"
    assert words in repr(learned) and words in repr(again)
    assert config(learned.to_dataset())["about"]["lattice"] == {"before": 2, "after": 1, "boundary": "periodic"}
    runs = [each.forecast(data[:, :50], 20).forecast for each in (learned, again)]
    assert runs[0].identical(runs[1])


def test_systems_that_are_lattices_are_learned_as_such():
    system = systems.get("lorenz96", size=8)

    def sites(**options):
        return forecasting.Forecasting(system, samples=60, **options).sites

    assert sites() == Lattice(4, 2) and sites(lattice=Lattice(1, 1, "edge")) == Lattice(1, 1, "edge")
    assert sites(lattice=False) is None and sites(observed=["x0", "x1"]) is None
    assert forecasting.Forecasting("lorenz63").sites is None


def test_a_reservoir_may_be_shared(data):
    recipe = Recipe(wiring="independent", gain=0.5, readout_scale=1.0)
    found = fit(data, learn="readout", solver=None, alpha=-0.5, beta=0.5, recipe=recipe)
    ahead = found.drive(data).prediction.values[:, 60:-1]
    still = np.square(data.values[:, 61:] - data.values[:, 60:-1]).mean()
    assert np.square(ahead - data.values[:, 61:]).mean() < still


def test_analyses_take_it(learned, data):
    test = data.isel(time=slice(0, 200))
    step, state = learned.free_map(test)
    ahead = learned.forecast(test, 5).forecast.values
    for _ in range(5):
        state = step(state)
    np.testing.assert_allclose(learned.standardiser.inverse(state[:, -8:].detach()), ahead[:, -1], rtol=1e-9)
    exponent = metrics.largest_exponent(step, state, 100, 0.02)
    assert np.isfinite(exponent.exponent).all()
    assert analysis.linearised(learned, test).nonlinearity > 0.05
    found = analysis.robustness(learned, data, noises=[1.0], draws=1, progress=False)
    assert float(found.skill_float32) == pytest.approx(float(found.skill), rel=0.05) and found.moved > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lattice": Lattice(5, 3)}, "lattice must see at most all 8 sites, got 9"),
        ({"lattice": 2}, "lattice must be a Lattice such as Lattice.1, 1., False or None, got 2"),
        ({"lattice": True}, "lattice must be a Lattice such as Lattice.1, 1., False or None, got True"),
        ({"closed_loop": [5], "alpha": -0.5}, "closed_loop on a lattice needs a network that does not remember"),
    ],
)
def test_wrong_arguments_are_named(data, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit(data, **options)


# A polynomial that is shared ----------------------------------------------------------------------------------


def test_a_shared_polynomial_finds_the_law_of_every_site():
    """Of a coupled map lattice, which is quadratic: exactly, whatever the site."""
    found = Polynomial(degree=2, lattice=Lattice(1, 1)).fit(coupled(60), dt=1.0)
    assert found.learned == 10
    now, then = coupled(2, trials=5).swapaxes(0, 1)
    np.testing.assert_allclose(found.forecast(now[:, None], steps=1).forecast.values[:, 0], then, atol=1e-9)


def test_a_dataset_with_sites_goes_in_as_it_is():
    field = xr.DataArray(VALUES, dims=("trial", "time", "site"), coords={"time": np.arange(40.0)})
    found = Polynomial(degree=1, lattice=RING).fit(field)
    assert found.forecast(field, 3).forecast.shape == (2, 3, 5)
