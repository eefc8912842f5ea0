import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import rnnbias
import systems
from rnnbias import Adam, LevenbergMarquardt, Recipe, Ridge, fit_system
from rnnbias.datasets.recordings import simulate
from rnnbias.networks import RNN
from rnnbias.problems import forecasting
from rnnbias.problems.scales import SCALES
from rnnbias.solvers import Monitor, find_solver
from systems.labels import config

LM = LevenbergMarquardt(iterations=4)
RECIPE = Recipe.lazy()
ADAM = Adam(iterations=20, every=10, rate=0.01)


def waves(trials=1, samples=400, noise=0.0, seed=0):
    """A rhythm, its square and its quadrature, with a phase of their own in each trial; labelled, with units."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) * 0.1
    phase = rng.uniform(0, 2 * np.pi, (trials, 1))
    x, y = np.sin(t + phase), np.cos(t + phase)
    values = np.stack([2 * x + 1, x**2, 5 * y], -1)
    values += noise * values.std((0, 1)) * rng.normal(size=values.shape)
    coords = {
        "time": ("time", t, {"units": "s"}),
        "state": ["a", "b", "c"],
        "state_units": ("state", ["mV", "1", "m"]),
    }
    return xr.DataArray(values, coords, ("trial", "time", "state"), name="waves")


def heart(samples=1500, rate=100.0, seed=1):
    """Something like an electrocardiogram: sharp beats at varying intervals, drift and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / rate
    beats = np.cumsum(rng.normal(0.8, 0.05, int(samples / rate / 0.6)))[:, None]
    trace = np.exp(-0.5 * ((t - beats) / 0.03) ** 2) - 0.3 * np.exp(-0.5 * ((t - beats - 0.25) / 0.07) ** 2)
    values = trace.sum(0) + 0.1 * np.sin(0.3 * t) + 0.03 * rng.normal(size=samples)
    start = np.datetime64("2024-05-01T12:00", "ns")
    times = start + (t * 1e9).round().astype("timedelta64[ns]")
    return xr.DataArray(values, {"time": times}, ("time",), name="ecg", attrs={"units": "mV"})


def fit(data=None, **changes):
    data = waves() if data is None else data
    return fit_system(
        data, **{"units": 40, "solver": LM, "hidden": False, "closed_loop": (), "progress": False, **changes}
    )


def error(found, data):
    """Root mean square error in standard deviations, over the times that both have."""
    values = np.asarray(data)
    return np.sqrt(np.square((found - values) / values.std((0, 1))).mean())


@pytest.fixture(scope="module")
def learned():
    return fit(recipe=RECIPE)


# What it learns ---------------------------------------------------------------------------------------------


def test_it_learns_to_predict(learned):
    test = waves(trials=3, samples=150, seed=9)
    ahead = learned.drive(test).prediction
    after = test.values[:, 51:]
    persistence = error(test.values[:, 50:-1], after)
    assert error(ahead.values[:, 50:-1], after) < 0.4 * persistence
    losses = learned.history.held_out_loss
    assert losses[-1] < 0.1 * losses[0]


def test_a_cycle_is_forecast_for_many_steps():
    data = systems.get("cosine").simulate(duration=30.0, seed=1)
    found = fit(data, recipe=RECIPE, solver=LevenbergMarquardt(iterations=8))
    test = systems.get("cosine").simulate(duration=20.0, seed=5).trajectory
    ahead = found.forecast(test[:, :100], steps=50).forecast
    assert error(ahead.values, test.values[:, 100:150]) < 0.05


@pytest.mark.parametrize(("name", "unit_name"), [("cosine", "periods"), ("double_pendulum", "Lyapunov times")])
def test_names_and_systems_are_simulated(name, unit_name):
    system = systems.get(name)
    one, other = (fit(source, samples=200, seed=3) for source in (name, system))
    assert torch.equal(one.network.bias, other.network.bias)
    data = simulate(system, samples=200, seed=3)
    again = fit(data, seed=3, hidden=False)
    assert torch.equal(again.network.bias, one.network.bias)
    assert one.recording.name == name and one.settings["samples"] == data.trajectory[..., 0].size
    assert one.recording.unit_name == unit_name


def test_a_cycle_is_learned_from_starts_off_it_and_chaos_on_its_attractor():
    cycle = simulate(systems.get("stuart_landau"), samples=2000, seed=1).trajectory
    radius = np.hypot(*cycle.transpose("state", "trial", "time").values)
    assert cycle.sizes["trial"] == 20 and radius[:, 0].std() > 0.05 and radius[:, -1].std() < radius[:, 0].std() / 10
    assert simulate(systems.get("double_pendulum"), samples=200, seed=1).trajectory.sizes["trial"] == 1


def test_the_defaults_choose_a_solver_and_its_recipe():
    for parts, kind in (("readout", Ridge), ("bias", LevenbergMarquardt), ("gain", Adam)):
        solver = {"bias": LM, "gain": ADAM}.get(parts)
        found = fit(learn=parts, solver=solver, seed=3)
        assert isinstance(found.solver, kind)
        usual = SCALES if parts == "bias" else [kind.recipe]
        assert found.network.recipe in [replace(recipe, seed=3) for recipe in usual]
    assert isinstance(find_solver(None, ("bias", "gain")), Adam)
    assert isinstance(find_solver(None, ("bias",)), LevenbergMarquardt)
    assert find_solver("adam", ("bias",)) == Adam()


@pytest.mark.parametrize(
    ("learn", "solver"),
    [
        ("bias", LM),
        ("bias", replace(LM, memory=1, iterations=1, geodesic=False, damping=1e-3)),
        ("bias", ADAM),
        ("readout", Ridge()),
        ("readout", ADAM),
        ("gain", ADAM),
        ("mask", ADAM),
        ("initial", ADAM),
        ("weights", ADAM),
        ({"bias", "gain", "mask", "initial"}, ADAM),
    ],
)
def test_only_what_learns_changes(learn, solver):
    found = fit(units=20, learn=learn, solver=solver, washout=0)
    net = found.network
    fresh = RNN(20, 3, 3, recipe=net.recipe, learn=learn)
    assert net.digests() == fresh.digests()
    assert net.learned == fresh.learned == config(found.to_dataset())["learned"]
    frozen = dict(fresh.named_buffers())
    for name, value in net.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]) or name not in frozen
    if learn in ("bias", "readout"):
        assert [name for name, _ in net.named_parameters()] == [learn]
        assert not torch.equal(getattr(net, learn), getattr(fresh, learn))


@pytest.mark.parametrize("solver", [LM, ADAM])
def test_the_same_seed_gives_the_same_bits(solver):
    one, two, other = (fit(solver=solver, seed=seed) for seed in (3, 3, 4))
    test = waves(samples=60, seed=5)
    stored = [each.to_dataset().drop_vars("history_seconds") for each in (one, two)]
    xr.testing.assert_equal(*stored)
    assert stored[0].attrs["config"] == stored[1].attrs["config"]
    xr.testing.assert_identical(one.forecast(test, 30), two.forecast(test, 30))
    assert not one.forecast(test, 30).equals(other.forecast(test, 30))
    assert not set(one.network.digests().values()) & {
        d for name, d in other.network.digests().items() if name in ("recurrent", "input", "readout", "start")
    }


def test_the_global_generators_are_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    fit(solver=replace(LM, iterations=1))
    assert torch.equal(torch.get_rng_state(), before)


# Kinds of data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [1, 3, 12])
def test_trials(trials):
    found = fit(waves(trials, samples=100))
    test = waves(2, samples=70, seed=5)
    ahead = found.drive(test).prediction
    assert ahead.shape == (2, 70, 3) and np.isfinite(ahead).all()
    assert found.settings["samples"] == trials * 100


def test_whole_trials_are_held_out_where_there_are_many():
    """The last trials take no part in learning: their values change the held-out loss and nothing else."""
    data = waves(12, samples=80)
    other = data.copy()
    other[-1] = -other[-1]
    one, two = (fit(d, solver=replace(LM, iterations=1)) for d in (data, other))
    assert one.history.loss[0] == two.history.loss[0]
    assert one.history.held_out_loss[0] != two.history.held_out_loss[0]
    np.testing.assert_array_equal(one.frame.states.mean, data.values[:-1].mean((0, 1)))


def test_the_end_of_a_trial_is_held_out_where_there_are_few():
    data = waves(samples=400)
    found = fit(data, holdout=0.25)
    np.testing.assert_allclose(found.frame.states.mean, data.values[:, :300].mean((0, 1)))
    np.testing.assert_allclose(found.frame.states.scale, data.values[:, :300].std((0, 1)))


@pytest.mark.parametrize("output", ["increment", "state"])
@pytest.mark.parametrize("horizon", [1, 3])
def test_horizons_and_outputs(output, horizon):
    found = fit(horizon=horizon, output=output, recipe=RECIPE)
    test = waves(2, samples=120, seed=5)
    ahead = found.drive(test).prediction
    np.testing.assert_allclose(ahead.time, (np.arange(120) + horizon) * 0.1)
    after = test.values[:, 40 + horizon :]
    assert error(ahead.values[:, 40:-horizon], after) < 0.5 * error(test.values[:, 40:-horizon], after)
    free = found.forecast(test, 5).forecast
    assert free.shape == (2, 5, 3) and np.isfinite(free).all()


def test_observed_states_are_all_that_is_seen():
    data = waves()
    part = fit(data, observed=["c", "a"])
    assert part.network.inputs == part.network.outputs == 2
    assert part.recording.states == ("c", "a") and part.recording.state_units == ("m", "mV")
    alone = fit(data.sel(state=["c", "a"]))
    assert torch.equal(part.network.bias, alone.network.bias)
    whole, chosen = part.forecast(data, 5), part.forecast(data.sel(state=["c", "a"]), 5)
    xr.testing.assert_identical(whole, chosen)
    assert fit(data, observed="b").recording.states == ("b",)


def test_a_noisy_recording_with_calendar_times():
    data = heart()
    found = fit(data, recipe=Recipe(input_scale=0.2))
    assert found.recording.time_units == "s" and found.recording.states == ("ecg",)
    ahead = found.drive(data).prediction
    values = data.values[None, :, None]
    assert error(ahead.values[:, 50:-1], values[:, 51:]) < error(values[:, 50:-1], values[:, 51:])
    free = found.forecast(data[:200], 100).forecast
    assert np.isfinite(free).all() and free.state_units.item() == "mV"
    score = found.score(data[1000:], windows=4, context=50, steps=30)
    assert score.valid_time.attrs["units"] == "s"


@pytest.mark.parametrize("dt", [60.0, 3600.0])
def test_steps_longer_than_a_unit_of_time(dt):
    data = waves().values
    score = fit(data, dt=dt).score(data, windows=3)
    assert score.nrmse.shape == (3,) and (score.valid_time % dt == 0).all()


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, np.ndarray.tolist])
def test_plain_arrays(kind):
    data = waves(samples=100).values
    found, wanted = fit(kind(data), dt=0.1), fit(waves(samples=100))
    assert torch.equal(found.network.bias, wanted.network.bias)
    np.testing.assert_array_equal(found.forecast(kind(data), 5).forecast, wanted.forecast(data, 5).forecast)


@pytest.mark.parametrize("washout", [0, 10, 10**5])
def test_the_washout_gives_way_to_short_recordings(washout):
    assert np.isfinite(fit(waves(samples=60), washout=washout).history.loss).all()


def test_the_leak_and_the_activation_are_the_networks():
    found = fit(activation="relu", alpha=-0.5, beta=0.5)
    assert (found.network.activation, found.network.alpha, found.network.beta) == ("relu", -0.5, 0.5)


@pytest.mark.parametrize(("seen", "hidden"), [(["a", "c"], False), (["a"], True)])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_whether_states_are_hidden_is_told_by_the_data(seen, hidden, noise):
    data = waves(samples=600, noise=noise).sel(state=seen)
    assert forecasting.Forecasting(data).hides_states() is hidden
    found = fit(data, hidden=None, solver=replace(LM, iterations=1))
    assert found.frame.delays[0] == (8 if hidden else 1) and not found.network.remembers


def test_delays_and_scales_suit_the_data():
    """Two rhythms take units that hardly bend; a coordinate of chaos takes others."""
    time = np.arange(0, 50, 0.05)
    rhythms = np.stack([np.sin(3 * time), np.cos(2 * time)], 1)
    chaos = systems.get("lorenz63").simulate(duration=20.0, seed=0, observed=["x"]).trajectory.values[0]
    found = []
    for data in (rhythms, chaos):
        noise = 0.01 * data.std(0) * np.random.default_rng(0).normal(size=data.shape)
        found.append(forecasting.Forecasting(data + noise, dt=0.05).embedded(40, 0))
    assert [problem.delays[0] for problem, _ in found] == [8, 8]
    assert found[0][1].input_scale <= 0.1 < found[1][1].input_scale


def test_single_steps_lead_back_from_delays_that_err(monkeypatch):
    """Two rhythms without noise: a free run that begins 0.001 off is held where delays were stirred, lost where not."""
    times = np.arange(0, 80, 0.05)
    wave = (np.sin(2 * times) + 0.5 * np.sin(2 * np.sqrt(5) * times))[:, None]
    off = 1e-3 * np.random.default_rng(0).standard_normal((60, 1))

    def error():
        found = rnnbias.fit_system(
            wave[:1400], dt=0.05, units=100, seed=2, delays=(8, 4), hidden=True, closed_loop=(), progress=False
        )
        ahead = found.forecast(wave[700:760] + off, steps=200).forecast.values[0]
        return np.abs(ahead - wave[760:960]).max()

    assert error() < 0.2
    monkeypatch.setattr(forecasting, "_STIRRED_DELAYS", (0.0,))
    with pytest.warns(UserWarning, match="escapes"):
        assert error() > 2


def test_stirred_delays_lead_to_what_truly_followed():
    problem = forecasting.Forecasting("lorenz63", samples=200, observed="x", delays=(3, 2))
    network = problem.network(10, recipe=Recipe.shaping(), learn=("bias",), activation="tanh", device="cpu")
    true = problem._standard(network)[0]
    cut = problem._cut(network, true, 0.01)
    plain = problem._cut(network, true)
    off = (cut.inputs - plain.inputs)[:, cut.washout :]
    assert off.std().item() == pytest.approx(0.01, rel=0.1)
    then = [problem.frame.predict(each.inputs[:, each.washout :, :1], each.targets) for each in (cut, plain)]
    np.testing.assert_allclose(*then, atol=1e-12)


def test_a_system_that_hides_states_is_seen_by_delays():
    usual = {"units": 20, "samples": 300, "solver": replace(LM, iterations=1), "closed_loop": (), "progress": False}
    found = rnnbias.fit_system("lorenz63", observed="x", **usual)
    assert found.network.inputs == found.frame.delays[0] == 8 and not found.network.remembers
    assert rnnbias.fit_system("lorenz63", observed="x", hidden=False, **usual).network.inputs == 1


def test_networks_are_no_larger_than_the_data_can_teach():
    """An eighth of the numbers that are learned from, and even, so that any wiring serves; 600 at most."""
    walks = np.random.default_rng(0).normal(size=(5001, 3)).cumsum(0)
    sizes = [forecasting.Forecasting(walks[: samples + 1], dt=0.02).units for samples in (100, 300, 5000)]
    assert sizes == [34, 100, 600]
    found = rnnbias.fit_system("lorenz63", samples=100, solver=replace(LM, iterations=1), progress=False)
    assert found.network.units == 34


@pytest.mark.parametrize("name", ["recipe", "alpha", "beta", "delays"])
def test_memory_is_as_given(name):
    given = {"recipe": Recipe(gain=0.2), "alpha": -0.5, "beta": 0.7, "delays": (3, 2)}[name]
    found = fit(waves(samples=100).sel(state=["a"]), hidden=None, **{name: given})
    net = found.network
    got = {"recipe": net.recipe, "alpha": net.alpha, "beta": net.beta, "delays": found.frame.delays}
    assert got == {"recipe": net.recipe, "alpha": 0.0, "beta": 1.0, "delays": (1, 1), name: given}
    if name != "recipe":
        assert net.recipe in ([Recipe.shaping(gain=0.9)] if name == "alpha" else SCALES)


def test_settings_of_numpy_kind():
    found = fit(
        units=np.int64(40),
        solver=LevenbergMarquardt(iterations=np.int64(2), damping=np.float32(0.01)),
        recipe=Recipe(gain=np.float32(0.2)),
        seed=np.int32(1),
    )
    stamped = config(found.to_dataset())
    assert stamped["solver"]["iterations"] == 2 and stamped["network"]["units"] == 40


# Verbs ------------------------------------------------------------------------------------------------------


def test_drive_and_forecast_meet_at_the_first_step(learned):
    test = waves(2, samples=80, seed=5)
    last = learned.drive(test).prediction[:, -1]
    first = learned.forecast(test, 3).forecast[:, 0]
    np.testing.assert_allclose(first, last, rtol=1e-6, atol=1e-6)


def test_forecasts_feed_on_themselves(learned):
    """One step at a time, each prediction appended to the context, gives the forecast."""
    test = waves(samples=60, seed=5)
    values = test.values
    for _ in range(4):
        values = np.concatenate([values, learned.forecast(values, 1).forecast], 1)
    np.testing.assert_allclose(learned.forecast(test, 4).forecast, values[:, -4:], rtol=1e-6, atol=1e-6)


def test_the_map_iterated_is_the_forecast(learned):
    test = waves(2, samples=60, seed=5)
    step, state = learned.free_map(test)
    assert state.shape == (2, 40 + 3)
    path = []
    with torch.no_grad():
        for _ in range(10):
            state = step(state)
            path.append(state[:, 40:])
    ahead = learned.frame.states.inverse(torch.stack(path, 1))
    np.testing.assert_allclose(ahead, learned.forecast(test, 10).forecast, rtol=1e-6, atol=1e-6)
    start = learned.free_map(test)[1].requires_grad_()
    (gradient,) = torch.autograd.grad(step(start)[:, 40:].sum(), start)
    assert (gradient != 0).all()


def test_delays_are_seen_everywhere(tmp_path):
    """What is driven, forecast, iterated as a map and loaded again sees the same past."""
    found = fit(waves(2).sel(state=["a", "c"]), delays=(3, 4), horizon=1)
    assert found.frame.reach == 8 and found.network.inputs == 6
    test = waves(2, samples=30, seed=5).sel(state=["a", "c"])
    for context in (test, test.isel(time=slice(0, 3))):
        ahead = found.forecast(context, 12).forecast.values
        np.testing.assert_allclose(found.drive(context).prediction[:, -1], ahead[:, 0], rtol=1e-12)
        step, state = found.free_map(context)
        assert state.shape == (2, 40 + 9 * 2)
        for wanted in ahead.swapaxes(0, 1):
            state = step(state)
            np.testing.assert_allclose(found.standardiser.inverse(state[:, -2:].detach()), wanted, rtol=1e-9)
    again = rnnbias.load(found.save(tmp_path / "fit.nc"))
    assert again == found and again.frame.delays == (3, 4)
    assert found.stimuli(test).shape == (2, 30, 6)


def test_delays_work_at_any_horizon():
    """They are those of the inputs, whatever is predicted from them."""
    data = waves(2).sel(state=["a"])
    far = fit(data, delays=(3, 2), horizon=5)
    seen = fit(data, horizon=5)
    apart = [float(np.square(f.drive(data).prediction[:, 60:-5] - data.values[:, 65:]).mean()) for f in (far, seen)]
    assert apart[0] < 0.1 * apart[1]
    assert far.forecast(data.isel(time=slice(0, 40)), 9).forecast.shape == (2, 9, 1)


def test_the_map_is_that_of_one_step():
    with pytest.raises(ValueError, match=r"free_map needs .*horizon=1, got horizon=3"):
        fit(horizon=3, solver=replace(LM, iterations=1)).free_map(waves())


def test_labels(learned):
    ahead = learned.forecast(waves(2, samples=60, seed=5), 4)
    assert ahead.forecast.dims == ("trial", "time", "state")
    np.testing.assert_allclose(ahead.time, [0.1, 0.2, 0.3, 0.4])
    assert ahead.time.attrs["units"] == "s" and ahead.state.values.tolist() == ["a", "b", "c"]
    assert ahead.state_units.values.tolist() == ["mV", "1", "m"]
    stamped = config(ahead)
    assert stamped["network"]["units"] == 40 and stamped["solver"]["name"] == "LevenbergMarquardt"
    assert stamped == config(learned.to_dataset())


@pytest.mark.parametrize("verb", ["forecast", "drive", "score"])
def test_results_survive_a_file(learned, tmp_path, verb):
    test = waves(2, samples=200, seed=5)
    results = {
        "forecast": lambda: learned.forecast(test, 5),
        "drive": lambda: learned.drive(test),
        "score": lambda: learned.score(test, windows=4, context=60),
    }
    ds = results[verb]()
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc", engine="h5netcdf"), ds)


def test_scores_are_those_of_forecasts(learned):
    test = waves(2, samples=160, seed=5)
    score = learned.score(test, windows=4, context=60, steps=50, threshold=[0.4])
    firsts = [0, 160 - 110]
    cut = np.concatenate([test.values[:, f : f + 110] for f in firsts])
    ahead = learned.forecast(cut[:, :60], 50).forecast.values
    e = np.sqrt(np.square((ahead - cut[:, 60:]) / learned.frame.states.scale).mean(-1))
    np.testing.assert_allclose(score.nrmse, np.sqrt(np.square(e[:, :10]).mean(1)), rtol=1e-6)
    steps = np.where((e > 0.4).any(1), (e > 0.4).argmax(1), 50)
    np.testing.assert_allclose(score.valid_time.squeeze(), steps * 0.1)
    assert score.attrs["learned"] == 20 and "Fit of" in score.attrs["title"]
    assert {"divergence_rate", "constant_rate"} <= set(score)


def test_scores_take_as_many_windows_as_are_asked_for(learned):
    test = waves(3, samples=150, seed=5)
    assert learned.score(test, windows=5, context=60).sizes["trial"] == 5
    assert learned.score(test, windows=1, context=1, steps=4).sizes["trial"] == 1


def test_contexts_of_one_sample_and_without_times(learned):
    test = waves(samples=60, seed=5)
    for context in (test[:, :1], test[:, -1:], test[:, :1].drop_vars("time"), test.values[:, :1]):
        assert np.isfinite(learned.forecast(context, 3).forecast).all()
    np.testing.assert_array_equal(
        learned.forecast(test, 3).forecast, learned.forecast(test.drop_vars("time"), 3).forecast
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign_coords(time=d.time * 2), "step 0.1 learned from, got 0.2"),
        (lambda d: d.assign_coords(state=["a", "b", "q"]), "states .*'a', 'b', 'c'.*'q'"),
        (lambda d: d.sel(state=["a", "b"]), "states"),
        (lambda d: d.values[..., :2], "states"),
        (lambda d: d.values[None], "shape"),
        (lambda d: d.where(d < 2), "finite"),
        (lambda d: d.rename(time="t"), "time"),
        (lambda d: d.isel(time=0), "time"),
        (lambda d: d[:, :0], "at least 1 samples|context"),
        (lambda d: None, "recording"),
    ],
)
def test_data_of_another_kind_are_refused(learned, change, message):
    test = change(waves(samples=60, seed=5))
    for verb in (learned.drive, lambda d: learned.forecast(d, 5), learned.free_map, learned.score):
        with pytest.raises((ValueError, TypeError), match=message):
            verb(test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": 0}, "windows"),
        ({"windows": 2.5}, "windows"),
        ({"context": 0}, "context"),
        ({"steps": 0}, "steps"),
        ({"steps": 3}, "steps must be at least 4"),
        ({"steps": 10**6}, r"at least context \+ steps = "),
        ({"context": 10**6}, r"at least context \+ steps = "),
        ({"threshold": [-1]}, "threshold"),
    ],
)
def test_wrong_arguments_of_score_are_named(learned, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        learned.score(waves(samples=150), **{"windows": 2, **options})


@pytest.mark.parametrize("steps", [0, -1, 2.0, "5", None])
def test_wrong_steps_are_named(learned, steps):
    with pytest.raises((ValueError, TypeError), match="steps"):
        learned.forecast(waves(), steps)


def test_the_context_must_cover_the_horizon():
    found = fit(horizon=5, solver=replace(LM, iterations=1))
    with pytest.raises(ValueError, match="context must have at least 5 samples, got 4"):
        found.forecast(waves()[:, :4], 3)


def test_the_representation_says_what_was_learned(learned):
    assert repr(learned).startswith("<SystemFit of 'waves': 40 units, 20 learned numbers (bias), LevenbergMarquardt")
    held = float(learned.history.held_out_loss.min())
    assert f"{held:.2e}" in repr(learned)


def test_the_history_is_labelled(learned):
    history = learned.history
    assert history.iteration.values.tolist() == list(range(history.sizes["iteration"]))
    assert all({"units", "long_name"} <= set(v.attrs) for v in history.data_vars.values())
    assert history.valid_time.attrs["units"] == "s" and (history.valid_time >= 0).all()


# Ctrl-C -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [LM, ADAM])
def test_ctrl_c_ends_learning_and_keeps_the_best(monkeypatch, solver, tmp_path):
    record, kept = Monitor.record, []

    def interrupt(self, *args, **more):
        record(self, *args, **more)
        numbers = [p.detach().clone() for p in self.network.parameters()]
        kept.append((self.records[-1]["held_out_loss"], numbers))
        if len(self.records) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "record", interrupt)
    found = fit(solver=solver, recipe=Recipe.shaping())
    assert found.settings["interrupted"] == 1 and found.history.sizes["iteration"] == 2
    _, best = min(kept, key=lambda entry: entry[0])
    assert all(torch.equal(a, b) for a, b in zip(found.network.parameters(), best, strict=True))
    assert fit_is_usable(found, tmp_path)


@pytest.mark.parametrize("learn", ["bias", "readout", "gain"])
def test_ctrl_c_before_the_first_record_leaves_a_usable_fit(monkeypatch, learn, tmp_path):
    def interrupt(*args, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "record", interrupt)
    found = fit(learn=learn, solver={"bias": LM, "gain": ADAM}.get(learn), recipe=Recipe.shaping())
    fresh = RNN(40, 3, 3, recipe=found.network.recipe, learn=learn)
    assert found.settings["interrupted"] == 1 and found.history.sizes["iteration"] == 0
    assert all(torch.equal(a, b) for a, b in zip(found.network.parameters(), fresh.parameters(), strict=True))
    assert fit_is_usable(found, tmp_path)


def fit_is_usable(found, folder):
    back = rnnbias.load(found.save(folder / "a.nc"))
    score = back.score(waves(samples=150), windows=2)
    return repr(found) == repr(back) and score.attrs["title"] == f"score of {found!r}"


def test_a_finished_fit_was_not_interrupted(learned):
    assert learned.settings["interrupted"] == 0


# Wrong arguments --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "units must be at least"),
        ({"units": 41, "recipe": RECIPE}, "units must be even"),
        ({"units": -2}, "units"),
        ({"units": 40.0}, "units must be a whole number"),
        ({"units": "100"}, "units must be a whole number, got '100'"),
        ({"units": 10**7}, "units must be at most"),
        ({"learn": "biases"}, "learn must be one of .*did you mean 'bias'"),
        ({"learn": []}, "learn must name at least one"),
        ({"learn": ["bias", "wieghts"]}, "learn .*'weights'"),
        ({"learn": "mask"}, "learn must be without mask for LevenbergMarquardt"),
        ({"solver": Ridge()}, "Ridge .*learn='readout'"),
        ({"solver": "lm"}, "solver must be one of .*'lm'"),
        ({"solver": 3}, "solver must be a Solver"),
        ({"solver": LevenbergMarquardt}, "solver must be a Solver"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
        ({"recipe": "uniform"}, "recipe must be a Recipe .*'uniform'"),
        ({"recipe": {"law": "uniform"}}, "recipe must be a Recipe"),
        ({"samples": 10}, "samples must be at least"),
        ({"samples": 1e4}, "samples must be a whole number"),
        ({"dt": -1}, "dt must be greater than 0"),
        ({"dt": float("nan")}, "dt must be finite"),
        ({"dt": "0.1"}, "dt must be a number"),
        ({"dt": 0.2}, "dt must agree"),
        ({"observed": ["q"]}, "observed must be one of 'a', 'b', 'c', got 'q'"),
        ({"observed": []}, "observed"),
        ({"observed": 1}, "observed"),
        ({"observed": ["a", "a"]}, "distinct"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": 1.5}, "horizon"),
        ({"horizon": 400}, "horizon 400: too short"),
        ({"output": "x"}, "output must be one of 'increment', 'state'"),
        ({"activation": "swish"}, "activation must be one of 'tanh'"),
        ({"alpha": -2}, "alpha"),
        ({"delays": 3}, "delays must be a count and a spacing"),
        ({"delays": (0, 1)}, "delays must be at least 1, got 0"),
        ({"delays": (2, 1), "alpha": -0.5}, "delays need a network that does not remember"),
        ({"beta": 0}, "beta"),
        ({"washout": -1}, "washout"),
        ({"washout": 0.5}, "washout"),
        ({"jitter": float("nan")}, "jitter"),
        ({"holdout": 0}, "holdout must be greater than 0"),
        ({"holdout": 0.9}, "holdout must be at most 0.5"),
        ({"device": "tpu"}, "device .*'tpu'"),
        ({"device": "mps"}, "device must be one of 'cpu', 'cuda', got 'mps'"),
        ({"device": "meta"}, "device"),
        ({"device": 3.5}, "device"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit(**changes)


def test_a_missing_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda' must be available"):
        fit(device="cuda")


def still(values, state, first=0):
    values = values.copy()
    values[:, first:, state] = 3.7
    return values


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("lorentz", {}, "must be one of 'lorenz63', .*got 'lorentz'"),
        ("cosine", {"dt": 0}, "dt"),
        ("cosine", {"observed": ["q"]}, "observed"),
        (waves().values, {}, "dt must be given"),
        (waves().values[None], {"dt": 0.1}, r"\(trial, time, state\), got shape"),
        (waves().values * 1j, {"dt": 0.1}, "real numbers"),
        (waves().where(waves() < 2), {}, "finite"),
        (waves(samples=30), {}, "too short"),
        (waves()[:, np.r_[:100, 150:400]], {}, "evenly sampled"),
        (still(waves().values, 1), {"dt": 0.1}, "value of a state must vary, but 'x1' is constant"),
        (still(waves().values, 2)[:, ::-1].copy(), {"dt": 0.1}, "value of a state must vary, but 'x2' is constant"),
        (np.arange(200.0), {"dt": 0.1}, "change of a state over the horizon must vary, but 'x0' is constant"),
        (np.resize(waves().values[0, :20], (200, 3)), {"dt": 1, "horizon": 20}, "change of a state over the horizon"),
        (waves(12, samples=60), {"horizon": 59}, "horizon 59: too short"),
        (waves(12, samples=60), {"horizon": 100}, "horizon 100: too short"),
        (waves(samples=60), {"horizon": 30}, "horizon 30: too short"),
        (len, {"dt": 0.1}, "recording must hold real numbers"),
    ],
)
def test_wrong_data_are_named_before_learning_starts(source, options, message, monkeypatch):
    def never(*args):
        raise AssertionError("learning has started")

    monkeypatch.setattr(LevenbergMarquardt, "solve", never)
    with pytest.raises((ValueError, TypeError), match=message):
        fit(source, **options)


def test_more_learned_numbers_than_values_are_warned_of():
    short = waves(samples=60).values[0, :, :1]
    with pytest.warns(UserWarning, match="60 numbers learn from 51 values"):
        fit_system(
            short,
            dt=0.1,
            units=60,
            solver=LevenbergMarquardt(iterations=1),
            hidden=False,
            closed_loop=(),
            progress=False,
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*numbers learn")
        fit_system(
            short,
            dt=0.1,
            units=20,
            solver=LevenbergMarquardt(iterations=1),
            hidden=False,
            closed_loop=(),
            progress=False,
        )
