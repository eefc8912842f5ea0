"""What all problems share, and what a problem of one's own gets for nothing."""

import inspect
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr

import rnnbias
from rnnbias import Adam, GaussNewton, LevenbergMarquardt, plot, problems, solve
from rnnbias.networks import TRAINABLE
from rnnbias.problems import Regression
from systems import functions, images, plants
from systems.labels import config
from systems.tasks.reaching import CentreOut

from . import seventh

FACES = (
    problems.fit_autonomous, problems.fit_classes, problems.fit_function, problems.fit_reach, problems.fit_system,
    problems.fit_task,
)  # fmt: skip
SAID = {
    "learn": "bias", "solver": None, "seed": 0, "recipe": None, "patience": None, "goal": None, "device": "cpu",
    "progress": True,
}  # fmt: skip
QUICK = {"units": 20, "progress": False, "solver": LevenbergMarquardt(iterations=2)}
DIGITS = images.get("digits").first(60)
#: The tests of each fit, and what its `score` is given.
FITS = {
    "autonomous": (lambda: rnnbias.fit_autonomous("cosine", **{**QUICK, "solver": GaussNewton(iterations=2)}), ()),
    "classes": (lambda: rnnbias.fit_classes(DIGITS, **{**QUICK, "solver": Adam(epochs=2)}), (DIGITS,)),
    "function": (lambda: rnnbias.fit_function("runge", samples=60, **QUICK), (functions.get("runge"),)),
    "reach": (
        lambda: rnnbias.fit_reach(CentreOut(targets=4), plant=plants.get("point", dt=0.05), **QUICK),
        (5,),
    ),
    "system": (
        lambda: rnnbias.fit_system(np.sin(0.1 * np.arange(150)), dt=0.1, hidden=False, closed_loop=(), **QUICK),
        (np.sin(0.1 * np.arange(300)),),
    ),
    "task": (
        lambda: rnnbias.fit_task(
            "flip_flop", trials=6, start="drawn", **{**QUICK, "solver": GaussNewton(iterations=2)}
        ),
        (3,),
    ),
}


@pytest.fixture(scope="module")
def fits():
    return {kind: make() for kind, (make, _) in FITS.items()}


@pytest.fixture(scope="module")
def smoothing():
    return solve(seventh.Smoothing(), units=40, progress=False)


# The faces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_every_face_takes_the_same_arguments_by_name(face):
    parameters = list(inspect.signature(face).parameters.values())[1:]
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters)
    names = {each.name: each.default for each in parameters}
    assert {name: names[name] for name in SAID} == SAID
    assert isinstance(names["units"], int) or (face is rnnbias.fit_system and names["units"] is None)
    assert 0 < names["holdout"] < 1 and "activation" in names
    ordered = [name for name in names if name != "plant"]
    assert ordered[:5] == ["units", "learn", "solver", "seed", "recipe"]
    assert list(names)[-4:] == ["patience", "goal", "device", "progress"]


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_every_argument_of_a_face_is_documented(face):
    text = inspect.getdoc(face).split("\nReturns\n")[0].split("\nParameters\n")[1]
    heads = [line.split(" : ")[0] for line in text.splitlines() if not line.startswith((" ", "-"))]
    documented = {name.strip() for head in heads for name in head.split(",")}
    assert set(inspect.signature(face).parameters) <= documented


def test_every_trainable_part_is_documented():
    assert all(f'"{part}"' in solve.__doc__ for part in TRAINABLE)


def test_solve_takes_what_the_faces_share():
    names = {each.name: each.default for each in inspect.signature(solve).parameters.values()}
    assert {name: names[name] for name in SAID} == SAID


@pytest.mark.parametrize("kind", FITS)
def test_histories_use_the_same_names(fits, kind):
    history = fits[kind].history
    names = [str(name) for name in history.data_vars]
    assert names[:2] == ["loss", "held_out_loss"] and "seconds" in names
    assert [name for name in names if name.endswith("_loss")] == ["held_out_loss"]
    terms = [name for name in names if name.startswith("loss_")]
    assert terms == (["loss_position", "loss_velocity", "loss_force"] if kind == "reach" else [])
    assert all({"units", "long_name"} <= set(v.attrs) for v in history.variables.values())


@pytest.mark.parametrize("kind", FITS)
def test_scores_say_how_much_was_learned(fits, kind):
    score = fits[kind].score(*FITS[kind][1])
    assert isinstance(score, xr.Dataset) and score.attrs["learned"] == fits[kind].learned == fits[kind].network.learned


@pytest.mark.parametrize("kind", FITS)
def test_settings_keep_what_ended_the_learning(fits, kind):
    settings = fits[kind].settings
    defaults = {
        "autonomous": (8, 1e-5), "classes": (10**6, 0.0), "function": (10, 0.0), "reach": (3, 1e-4),
        "system": (10, 0.0), "task": (20, 1e-4),
    }  # fmt: skip
    assert (settings["patience"], settings["goal"]) == defaults[kind] and settings["interrupted"] == 0


@pytest.mark.parametrize("kind", FITS)
def test_a_fit_is_its_file(fits, kind, tmp_path):
    fit = fits[kind]
    back = rnnbias.load(fit.save(tmp_path / "fit.nc"))
    assert type(back) is type(fit) and back == fit and hash(back) == hash(fit) and back is not fit
    assert all(fit != other for name, other in fits.items() if name != kind)


# `solve` ----------------------------------------------------------------------------------------------------


def test_patience_and_goal_end_the_learning():
    problem = seventh.Smoothing()
    solver = Adam(iterations=40, every=1)
    whole = solve(problem, units=10, solver=solver, progress=False, patience=100)
    assert whole.history.sizes["iteration"] == 40
    goal = float(whole.history.loss[5])
    ended = solve(problem, units=10, solver=solver, progress=False, patience=100, goal=goal)
    assert float(ended.history.loss[-1]) <= goal < float(ended.history.loss[:-1].min())
    assert ended.settings["goal"] == goal
    still = solve(problem, units=10, solver=Adam(iterations=40, every=1, rate=1e-9), progress=False, patience=2)
    assert still.history.sizes["iteration"] == 3 and still.settings["patience"] == 2


def test_the_seed_is_that_of_the_weights_whatever_the_recipe_says():
    recipe = rnnbias.Recipe(seed=9, gain=0.5)
    fit = solve(seventh.Smoothing(), units=10, recipe=recipe, seed=4, solver=LevenbergMarquardt(1), progress=False)
    assert fit.network.recipe == rnnbias.Recipe(seed=4, gain=0.5)


def test_a_network_that_changed_its_weights_is_caught(monkeypatch):
    def cheat(self, network, train, monitor):
        network.recurrent += 1e-12

    monkeypatch.setattr(LevenbergMarquardt, "solve", cheat)
    with pytest.raises(RuntimeError, match="frozen weights have changed"):
        solve(seventh.Smoothing(), units=10, progress=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": "runge"}, "problem must be a Problem"),
        ({"units": 0}, "units must be at least 1"),
        ({"learn": "biases"}, "did you mean 'bias'"),
        ({"solver": "newton"}, "solver must be one of"),
        ({"solver": "ridge"}, "needs learn='readout'"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"recipe": {}}, "recipe must be a Recipe"),
        ({"activation": "step"}, "activation must be one of"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"goal": -1.0}, "goal must be at least 0"),
        ({"device": "abacus"}, "device must be"),
    ],
)
def test_wrong_arguments_are_named_before_a_network_is_drawn(changes, message, monkeypatch):
    monkeypatch.setattr(seventh.Smoothing, "network", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises((ValueError, TypeError), match=message):
        solve(**{"problem": seventh.Smoothing(), "units": 10, "progress": False, **changes})


def test_a_problem_must_say_what_it_is():
    class Empty(problems.Problem):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Empty()
    assert Regression("runge").trainable == rnnbias.FNN.parts


# A problem of one's own -------------------------------------------------------------------------------------


def test_it_takes_few_lines():
    assert len(Path(seventh.__file__).read_text().splitlines()) <= 60


def test_it_is_learned_by_biases_alone(smoothing):
    assert smoothing.learned == 40 and smoothing.network.learn == ("bias",)
    assert float(smoothing.score().nrmse) < 0.01
    assert repr(smoothing).startswith("<SmoothingFit of 'running mean over 3 steps': 40 units, 40 learned numbers")


def test_it_is_saved_and_loaded(smoothing, tmp_path):
    back = rnnbias.load(smoothing.save(tmp_path / "fit.nc"))
    assert isinstance(back, seventh.SmoothingFit) and back.tau == smoothing.tau
    assert back == smoothing and hash(back) == hash(smoothing)
    assert torch.equal(back.network.bias, smoothing.network.bias)
    xr.testing.assert_identical(back.score(), smoothing.score())
    xr.testing.assert_equal(back.history, smoothing.history)
    assert back != solve(seventh.Smoothing(), units=40, seed=1, solver=LevenbergMarquardt(1), progress=False)


def test_its_learning_is_recorded_and_drawn(smoothing):
    assert {"loss", "held_out_loss", "seconds"} <= set(smoothing.history)
    ax = plot.learning_curve(smoothing.history)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), smoothing.history.loss)
    plt.close("all")


def test_it_is_compared():
    found = problems.compare(
        seventh.Smoothing(tau=4.0), learned=20, learners=("bias", "readout"), seeds=1, measure="nrmse", progress=False
    )
    assert found.learned.values.tolist() == [20, 20] and found.units.values.tolist() == [20, 20]
    assert found.nrmse.sizes == {"seed": 1, "learner": 2} and (found.nrmse < 0.02).all()
    assert config(found)["target"] == "running mean over 4 steps"
