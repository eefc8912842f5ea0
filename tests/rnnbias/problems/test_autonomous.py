from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import rnnbias
import systems
from rnnbias import Adam, GaussNewton, Recipe, fit_autonomous, plot
from rnnbias.problems import Autonomous
from rnnbias.solvers import find_solver
from systems import labels


@pytest.fixture(scope="module")
def fit():
    return fit_autonomous("stuart_landau", units=60, observed=["x", "y"], progress=False)


def test_biases_alone_make_a_cycle_that_lasts_and_attracts(fit):
    assert fit.network.learned == 60 and fit.network.learn == ("bias",)
    found = fit.score(periods=30, trials=3)
    assert (found.r_squared > 0.98).all() and (found.late_r_squared > 0.98).all()
    assert float(found.period_error.max()) < 0.01 and not found.failed.any()
    assert found.attrs["learned"] == 60


def test_frozen_arrays_are_those_of_the_recipe(fit):
    drawn = rnnbias.RNN(60, 0, 2, recipe=fit.network.recipe, alpha=-0.7, beta=0.3)
    assert drawn.digests() == fit.network.digests()


def test_a_run_is_the_network_s_own_and_the_target_in_phase_with_it(fit):
    run = fit.run(100)
    rate, outputs = torch.zeros(1, 60, dtype=torch.float64), []
    settle = round(fit.target.orbit.period)
    with torch.no_grad():
        for _ in range(settle + 100):
            rate = -fit.network.alpha * rate + fit.network.beta * torch.tanh(
                rate @ fit.network.recurrent.T + fit.network.biases
            )
            outputs.append((rate @ fit.network.readout.T)[0].numpy())
    expected = np.array(outputs[settle:]) * fit.target.standardiser.scale + fit.target.standardiser.mean
    np.testing.assert_allclose(run.trajectory[0].values, expected, atol=1e-9)
    system = systems.get("stuart_landau")
    truth = system.simulate(duration=100 * system.dt, start=run.target[0, :1].values).trajectory[0]
    np.testing.assert_allclose(run.target[0].values, truth.values, atol=1e-6)
    assert run.time.attrs["units"] == system.units["time"]


def test_the_map_continues_the_run(fit):
    step, rate = fit.free_map()
    run = fit.run(5)
    with torch.no_grad():
        for k in range(5):
            rate = step(rate)
            out = fit.network.read(rate)[0].numpy() * fit.target.standardiser.scale + fit.target.standardiser.mean
            np.testing.assert_allclose(out, run.trajectory[0, k].values, atol=1e-9)


def test_a_saved_fit_comes_back_to_the_bit(fit, tmp_path):
    back = rnnbias.load(fit.save(tmp_path / "fit.nc"))
    xr.testing.assert_identical(back.run(50, trials=2), fit.run(50, trials=2))
    assert repr(back) == repr(fit) and back.settings == fit.settings
    assert torch.equal(back.network.bias, fit.network.bias)


def test_runs_and_scores_are_kept_in_files_and_drawn(fit, tmp_path):
    run = fit.run(300, trials=2)
    for name, ds in (("run", run), ("score", fit.score(periods=5, trials=2))):
        ds.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        xr.testing.assert_equal(xr.load_dataset(tmp_path / f"{name}.nc", engine="h5netcdf"), ds)
    axes = plot.free_runs(xr.load_dataset(tmp_path / "run.nc", engine="h5netcdf"))
    assert axes.shape == (2, 2) and axes[1, 0].get_xlabel() == "time (periods)"
    assert labels.config(run)["about"]["system"] == "stuart_landau"


def test_same_seed_same_bits_and_other_seeds_other_weights(fit):
    short = {"units": 20, "solver": GaussNewton(iterations=2), "progress": False}
    first, second = (fit_autonomous("cosine", **short, seed=1) for _ in range(2))
    assert torch.equal(first.network.bias, second.network.bias)
    assert first.network.digests() != fit_autonomous("cosine", **short, seed=2).network.digests()


def test_everything_may_learn_from_drawn_numbers():
    fit = fit_autonomous(
        "cosine", units=6, learn=("weights", "bias", "readout"), start="drawn", settle=0,
        solver=Adam(iterations=3, every=1), recipe=Recipe(wiring="independent", gain=1.0, readout_scale=1.0),
        progress=False,
    )  # fmt: skip
    assert fit.network.learned == 6 * 6 + 6 + 6 and len(fit.history.iteration) == 3


def test_adam_learns_from_a_recipe_of_its_own():
    short = {"units": 20, "progress": False}
    for solver in ("adam", Adam(iterations=2, every=1)):
        recipe = Autonomous("cosine").recipe(find_solver(solver, ("bias",)), ("bias",), "tanh")
        assert recipe == replace(Adam.recipe, gain=GaussNewton.recipe.gain)
    assert fit_autonomous("cosine", solver=solver, **short).network.recipe == recipe
    second = fit_autonomous("cosine", solver=GaussNewton(iterations=1), **short).network.recipe
    assert second == GaussNewton.recipe and second.readout_scale != recipe.readout_scale


@pytest.mark.parametrize(("starts", "holdout", "parts"), [(5, 0.4, (3, 2)), (2, 0.9, (1, 1)), (10, 0.01, (9, 1))])
def test_some_starts_are_held_out(starts, holdout, parts):
    problem = Autonomous("cosine", starts=starts, holdout=holdout)
    network = problem.network(6, learn=("bias",), recipe=GaussNewton.recipe)
    train, held_out, *_ = problem.objectives(network, 0)
    assert (len(train), len(held_out)) == parts
    assert held_out.settle == 2 * train.settle and not train.kicks[0].any() and held_out.kicks.all()


def test_a_dead_network_has_no_period_and_no_fit():
    fit = fit_autonomous(
        "cosine", units=6, start="drawn", solver=GaussNewton(iterations=1), settle=2,
        recipe=Recipe(wiring="independent", gain=0.1), progress=False,
    )  # fmt: skip
    found = fit.score(periods=10)
    assert found.failed.all() and found.period_error.isnull().all() and float(found.late_r_squared[0]) < 0.01


@pytest.mark.parametrize(
    ("message", "system", "arguments"),
    [
        ("system must have a period", "lorenz63", {}),
        ("name must be one of", "cosin", {}),
        ("system must be a name or a System", 3.0, {}),
        ("observed must be one of", "cosine", {"observed": ["z"]}),
        ("dt must be at most an eighth", "cosine", {"dt": 0.2}),
        ("units must be", "cosine", {"units": 0}),
        ("start must be one of", "cosine", {"start": "cold"}),
        ("start 'hopf' needs biases", "cosine", {"learn": "weights"}),
        ("tanh units with independent wiring", "cosine", {"activation": "relu"}),
        ("starts must be at least 2", "cosine", {"starts": 1}),
        ("holdout must be less than 1", "cosine", {"holdout": 1.0}),
        ("periods must be at least 1", "cosine", {"periods": 0}),
        ("growth must be", "cosine", {"growth": 0.0}),
        ("alpha must be", "cosine", {"alpha": -1.0}),
        ("recipe must be a Recipe", "cosine", {"recipe": {}}),
        ("solver must be", "cosine", {"solver": "newton"}),
    ],
)
def test_bad_arguments_are_refused_by_name(message, system, arguments):
    with pytest.raises((ValueError, TypeError), match=message):
        fit_autonomous(system, **{"units": 10, "progress": False, **arguments})
