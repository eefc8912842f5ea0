import numpy as np
import pytest
import torch
import xarray as xr

import rnnbias
from rnnbias import GaussNewton, analysis, fit_task
from rnnbias.problems import CognitiveProblem
from systems.tasks import cognitive

TASK = cognitive.get("flip_flop", bits=1, length=120, longest=100)


@pytest.fixture(scope="module")
def fit():
    return fit_task(TASK, units=60, trials=32, holdout=0.5, progress=False)


def test_biases_alone_remember_a_bit(fit):
    held = fit.run(TASK.memories(1000))
    assert fit.network.learned == 60
    np.testing.assert_allclose(held.outputs[:, -1], held.targets[:, -1], atol=0.2)
    score = fit.score(50)
    assert float(score.r_squared) > 0.95 and score.attrs["learned"] == 60


def test_the_memories_are_stable_fixed_points(fit):
    step, rates = fit.free_map(TASK.memories(500))
    found = analysis.fixed_points(step, rates, progress=False)
    stable = found.sel(point=found.stable) if "point" in found.coords else found.isel(point=found.stable.values)
    outputs = fit.network.read(torch.from_numpy(stable.position.values)).detach().numpy()
    assert sorted(np.sign(outputs[:, 0]).tolist())[:1] == [-1.0] and np.sign(outputs).max() == 1.0


def test_an_answer_is_the_network_s_own(fit):
    trials = TASK.trials(2, seed=9)
    rate, net = torch.zeros(2, 60, dtype=torch.float64), fit.network
    inputs = torch.from_numpy(trials.inputs.values)
    with torch.no_grad():
        for t in range(20):
            drive = rate @ net.recurrent.T + inputs[:, t] @ net.input.T + net.biases
            rate = 0.7 * rate + 0.3 * torch.tanh(drive)
        expected = (rate @ net.readout.T).numpy()
    np.testing.assert_allclose(fit.run(trials).outputs[:, 19], expected, atol=1e-9)


def test_scores_are_those_of_the_answers_that_count(fit):
    score = fit.score(5, seed=4)
    found = fit.run(TASK.trials(5, seed=4))
    miss = (found.outputs - found.targets).where(found.mask > 0)
    np.testing.assert_allclose(score.error, np.sqrt((miss**2).mean(("time", "output"))))
    assert (score.correct.values == (abs(miss).max(("time", "output")) < 0.5).values).all()


def test_a_saved_fit_comes_back_to_the_bit(fit, tmp_path):
    back = rnnbias.load(fit.save(tmp_path / "fit.nc"))
    assert back.task == TASK and back.settings == fit.settings
    trials = TASK.trials(3)
    xr.testing.assert_identical(back.run(trials), fit.run(trials))
    for name, ds in (("run", fit.run(trials)), ("score", fit.score(3))):
        ds.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        xr.testing.assert_equal(xr.load_dataset(tmp_path / f"{name}.nc", engine="h5netcdf"), ds)


@pytest.mark.parametrize("name", ["interval_timing", "delayed_match"])
def test_other_tasks_are_learned_from_too(name):
    fit = fit_task(name, units=60, trials=28, holdout=1 / 7, every=6, solver=GaussNewton(iterations=9), progress=False)
    losses = fit.history.loss.values
    assert losses[-1] < 0.5 * losses[0] and fit.task == cognitive.get(name)


@pytest.mark.parametrize(("trials", "holdout", "parts"), [(112, 1 / 7, (96, 16)), (2, 0.9, (1, 1)), (10, 0.01, (9, 1))])
def test_some_trials_are_held_out(trials, holdout, parts):
    problem = CognitiveProblem(TASK, trials=trials, holdout=holdout)
    network = problem.network(6, learn=("bias",), recipe=GaussNewton.recipe)
    train, held_out, *_ = problem.objectives(network, 0)
    assert (len(train), len(held_out)) == parts
    drawn = torch.from_numpy(TASK.trials(trials, seed=0).inputs.values)
    assert torch.equal(torch.cat([train.inputs, held_out.inputs]), drawn)


def test_same_seed_same_bits():
    short = {"units": 20, "trials": 4, "holdout": 0.5, "solver": GaussNewton(iterations=1), "progress": False}
    first, second = (fit_task(TASK, **short) for _ in range(2))
    assert torch.equal(first.network.bias, second.network.bias)


@pytest.mark.parametrize(
    ("message", "task", "arguments"),
    [
        ("name must be one of", "flip", {}),
        ("task must be a name or a CognitiveTask", 3, {}),
        ("start must be one of", TASK, {"start": "warm"}),
        ("start 'placed' needs biases", TASK, {"learn": "gain"}),
        ("directions must be", TASK, {"directions": 0}),
        ("goals must not outnumber", TASK, {"directions": 9}),
        ("trials must be", TASK, {"trials": 0}),
        ("holdout must be greater than 0", TASK, {"holdout": 0.0}),
        ("every must be", TASK, {"every": 0}),
        ("tanh units with independent wiring", TASK, {"activation": "softplus"}),
        ("recipe must be a Recipe", TASK, {"recipe": 1}),
    ],
)
def test_bad_arguments_are_refused_by_name(message, task, arguments):
    with pytest.raises((ValueError, TypeError), match=message):
        fit_task(task, **{"units": 10, "progress": False, **arguments})
