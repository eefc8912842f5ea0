"""`fit_reach` and what it gives: reaches, adaptation, files."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import rnnbias
from rnnbias import Adam, LevenbergMarquardt, Recipe, fit_reach
from rnnbias.metrics.reaching import kinematics
from rnnbias.networks.recipe import digest
from rnnbias.problems.reaching import SECOND_ORDER
from systems import plants
from systems.plants.loads import CurlField, Load, VisuomotorRotation
from systems.tasks.losses import PATH, Loss
from systems.tasks.reaching import CentreOut, RandomReach

TASK = CentreOut(targets=12)
POINT = plants.get("point", dt=0.02)  # 50 steps
STRAIGHT = Loss() + PATH
SOLVER = LevenbergMarquardt(iterations=20)


def quick(task=TASK, **more):
    settings = {"plant": POINT, "units": 200, "solver": SOLVER, "goal": 2e-2, "progress": False}
    return fit_reach(task, **{**settings, **more})


@pytest.fixture(scope="module")
def fit():
    return quick(loss=STRAIGHT)


@pytest.fixture(scope="module")
def turned(fit):
    return fit.adapt(replace(TASK, load=VisuomotorRotation(30.0)), solver=SOLVER, goal=2e-2, progress=False)


def frozen(fit):
    return {name: digest(b.numpy()) for name, b in fit.network.named_buffers()}


def test_biases_alone_learn_to_reach(fit):
    assert fit.history.loss[0] > 8 and fit.history.held_out_loss.min() < 3e-2
    assert float(kinematics(fit.reach()).endpoint_error.mean()) < 2e-3
    assert [name for name, _ in fit.network.named_parameters()] == ["bias"]
    assert fit.network.learned == 200


def skilled(recipe):
    """Whether 200 units learn the paper's loss, and reach unseen targets to 2 mm, by biases of ordinary size that bear
    single precision, and noise of a thousandth of the spread of those drawn."""
    fit = quick(goal=5e-3, recipe=recipe, solver=None)
    network, errors = copy.deepcopy(fit.network), []
    bias, rng = fit.network.bias.detach(), torch.Generator().manual_seed(0)
    noise = [1e-3 * network.start.std() * torch.randn(bias.shape, generator=rng) for _ in range(3)]
    for changed in (bias, bias.float(), *(bias + each for each in noise)):
        with torch.no_grad():
            network.bias.copy_(changed)
        errors.append(float(replace(fit, network=network).score(24).endpoint_error.mean()))
    learned = fit.history.loss.min() <= 5e-3 and 0.1 < bias.square().mean().sqrt() < 2
    return bool(learned) and max(errors) < 2e-3


def test_the_default_weights_give_skill_that_bears_noise_and_other_scales_do_not():
    assert skilled(SECOND_ORDER)
    for scales in ({"readout_scale": 0.3}, {"readout_scale": 30.0}, {"gain": 0.15}):
        assert not skilled(replace(SECOND_ORDER, **scales)), scales


@pytest.mark.parametrize("plant", ["point-reference", "arm"])
@pytest.mark.parametrize("sees", ["target", "both"])
def test_other_plants_and_sights(plant, sees):
    found = quick(replace(TASK, targets=8, sees=sees), plant=plants.get(plant, dt=0.02), goal=0.1)
    assert found.history.loss[-1] < 0.2 * found.history.loss[0]


def test_the_history_keeps_every_term(fit):
    terms = [fit.history[f"loss_{name}"] for name in ("position", "velocity", "force", "path")]
    np.testing.assert_allclose(sum(terms), fit.history.loss)
    assert fit.history.endpoint_error.attrs["units"] == "m"


def test_the_same_seed_gives_the_same_bits():
    task, solver = replace(TASK, targets=4, motor_noise=0.01), LevenbergMarquardt(iterations=1)
    one, two, other = (quick(task, units=20, seed=s, solver=solver).network for s in (1, 1, 2))
    assert torch.equal(one.bias, two.bias) and not torch.equal(one.bias, other.bias)


def test_frozen_arrays_are_those_of_the_recipe_after_fit_and_adapt(fit, turned):
    drawn = rnnbias.RNN(200, 2, 2, recipe=fit.network.recipe)
    for found in (fit, turned):
        assert found.network.digests() == drawn.digests()
        assert set(found.network.digests()) == {"recurrent", "input", "readout", "start", "gain", "mask", "initial"}


def test_adam_lowers_the_loss_on_scales_of_its_own():
    solver = Adam(iterations=20, every=10, batch=12)
    found = quick(solver=solver, units=40)
    assert found.network.recipe.wiring == "independent"
    assert found.history.loss[-1] < found.history.loss[0]
    everything = quick(solver=solver, units=40, learn={"bias", "weights"})
    assert everything.network.learned > 1600 and everything.history.loss[-1] < everything.history.loss[0]


def test_a_reach_tells_everything(fit):
    ds = fit.reach(5)
    assert ds.position.dims == ("trial", "time", "space") and ds.hidden.dims == ("trial", "time", "unit")
    assert dict(ds.sizes) == {"trial": 5, "time": 50, "space": 2, "output": 2, "unit": 200, "state": 6}
    units = {name: ds[name].attrs["units"] for name in ("position", "velocity", "force", "command", "time", "angle")}
    assert units == {
        "position": "m", "velocity": "m s-1", "force": "N", "command": "N", "time": "s", "angle": "degree"
    }  # fmt: skip
    np.testing.assert_array_equal(ds.position, ds.plant_state.sel(state=["x", "y"]))
    np.testing.assert_allclose(
        np.diff(ds.position, axis=1)[:, 10] / 0.02, ds.velocity[:, 10:12].mean("time"), atol=2e-3
    )
    np.testing.assert_allclose(ds.angle, np.degrees(np.arctan2(*ds.target.values.T[::-1])) % 360)


def test_targets_may_be_counted_or_placed(fit):
    np.testing.assert_allclose(fit.reach().target, TASK.reaches()[1])
    np.testing.assert_allclose(fit.reach(5).target, TASK.unseen(5)[1])
    place = [[0.05, 0.05]]
    np.testing.assert_allclose(fit.reach(place).target, place)
    np.testing.assert_allclose(fit.reach(place, starts=[[0.01, 0.0]]).start, [[0.01, 0.0]])
    pushed = fit.reach(load=CurlField(10.0))
    assert not np.allclose(pushed.position, fit.reach().position)
    for bad, error in (([0.1, 0.2], ValueError), ([[np.nan, 0.0]], ValueError), (0, ValueError), (["a"], TypeError)):
        with pytest.raises(error, match=r"target|count"):
            fit.reach(bad)


def test_adaptation_to_a_rotation_leaves_an_after_effect_of_the_other_sign(fit, turned):
    curve = turned.history
    assert curve.initial_angle[0] == pytest.approx(30, abs=5)
    assert abs(curve.initial_angle[-1]) < 0.2 * curve.initial_angle[0]
    assert abs(curve.after_effect_angle[0]) < 5 and curve.after_effect_angle[-1] == pytest.approx(-30, abs=5)
    assert curve.bias_change[0] == 0 and curve.bias_change[-1] > 0
    assert float(kinematics(turned.reach(load=Load())).initial_angle.mean()) == pytest.approx(
        float(curve.after_effect_angle[-1]), abs=1e-6
    )
    shift = (turned.network.biases - fit.network.biases).detach()
    assert float(shift.square().mean().sqrt()) == pytest.approx(float(curve.bias_change[-1]))


def test_adaptation_leaves_the_first_fit_as_it_was(fit):
    before = fit.network.bias.clone()
    fit.adapt(replace(TASK, load=CurlField(5.0)), solver=LevenbergMarquardt(iterations=1), progress=False)
    assert torch.equal(fit.network.bias, before) and fit.task.load == Load()


def test_weights_that_learned_are_frozen_for_an_adaptation_and_survive_a_file(tmp_path):
    taught = quick(units=20, learn={"bias", "weights"}, solver=Adam(iterations=5, every=5))
    kept = taught.network.recurrent.detach().clone()
    found = taught.adapt(replace(TASK, load=CurlField(5.0)), solver=LevenbergMarquardt(iterations=2), progress=False)
    assert found.network.learn == ("bias",) and torch.equal(found.network.recurrent, kept)
    back = rnnbias.load(found.save(tmp_path / "fit.nc"))
    assert torch.equal(back.network.recurrent, kept)
    np.testing.assert_array_equal(back.reach().position, found.reach().position)


def test_a_fit_comes_back_from_its_file(turned, tmp_path):
    back = rnnbias.load(turned.save(tmp_path / "fit.nc"))
    assert (back.task, back.plant, back.loss, back.solver) == (turned.task, turned.plant, turned.loss, turned.solver)
    xr.testing.assert_identical(back.reach(3), turned.reach(3))
    xr.testing.assert_equal(back.history, turned.history)
    assert repr(back) == repr(turned) and "ReachFit" in repr(back)
    turned.reach(3).to_netcdf(tmp_path / "reach.nc", engine="h5netcdf")


def test_an_altered_file_is_refused(turned, tmp_path):
    ds = turned.to_dataset().load()
    config = json.loads(ds.attrs["config"])
    config["about"]["plant"]["mass"] = 5.0
    path = tmp_path / "altered.nc"
    ds.assign_attrs(config=json.dumps(config)).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ValueError, match=r"altered|damaged|seal"):
        rnnbias.load(path)


def test_random_reaches_with_delays_and_noise():
    task = RandomReach(trials=8, vision_delay=0.06, proprioception_delay=0.02, motor_noise=0.01)
    found = quick(task, goal=0.1)
    assert found.history.held_out_loss.min() < 0.5 * found.history.held_out_loss[0]
    one, same, other = (found.reach(seed=seed).position for seed in (None, task.seed, 5))
    assert one.equals(same) and not one.equals(other)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": "centre-in"}, ValueError, r"task must be one of 'centre-out'.*did you mean"),
        ({"task": 3}, TypeError, "task must be a task"),
        ({"plant": "leg"}, ValueError, "plant must be one of 'point'"),
        ({"task": CentreOut(distance=0.4), "plant": "arm"}, ValueError, "target must be within reach"),
        ({"task": CentreOut(sees="both", vision_delay=0.005)}, ValueError, "vision_delay must be a whole number"),
        ({"learn": "bais"}, ValueError, "learn must be one of"),
        ({"solver": "adamw"}, ValueError, "solver must be one of"),
        ({"solver": LevenbergMarquardt(), "learn": "mask"}, ValueError, "learn must be without mask"),
        ({"loss": 1.0}, TypeError, "loss must be a Loss"),
        ({"recipe": {}}, TypeError, "recipe must be a Recipe"),
        ({"tau": 0.005}, ValueError, "tau must be at least 0.01"),
        ({"goal": float("nan")}, ValueError, "goal must be finite"),
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"units": 7, "recipe": Recipe.lazy()}, ValueError, "units must be even"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"device": "abacus"}, ValueError, "device must be one"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        fit_reach(**{"task": TASK, "units": 10, "progress": False, **arguments})


def test_bad_adaptations_are_refused(fit):
    with pytest.raises(TypeError, match="task must be a task"):
        fit.adapt(CurlField(15.0))
    with pytest.raises(ValueError, match="task must give as many inputs"):
        fit.adapt(replace(TASK, sees="both"))
    with pytest.raises(ValueError, match="learn must be without mask"):
        fit.adapt(TASK, learn="mask", solver="levenberg-marquardt")


def test_recipes_and_plants_may_be_given():
    found = quick(plant=plants.get("point", mass=2.0), recipe=Recipe(seed=9, gain=0.5, readout_scale=1e4), units=40)
    assert found.network.recipe == Recipe(seed=0, gain=0.5, readout_scale=1e4) and found.plant.mass == 2.0
