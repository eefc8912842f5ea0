from functools import cache

import numpy as np
import pytest

import systems
from rnnbias import LevenbergMarquardt, Recipe, fit_system
from rnnbias.problems import Forecasting
from rnnbias.problems.scales import preferred

SMOOTH, STEEP = (0.3, 10.0), (0.5, 30.0)


@cache
def clean(name):
    system = systems.get(name)
    return system.simulate(duration=2000 * system.dt, seed=0).trajectory


def data(name, noise):
    states = clean(name)
    drawn = states.copy(data=np.random.default_rng(0).normal(size=states.shape))
    return states + noise * states.std(("trial", "time")) * drawn


def scales(recipe):
    return recipe.input_scale, recipe.readout_scale


@pytest.mark.parametrize(
    ("name", "noise", "wanted"),
    [("lorenz63", 0.0, SMOOTH), ("lorenz63", 0.05, SMOOTH), ("thomas", 0.0, STEEP), ("thomas", 0.05, STEEP)],
)
def test_systems_that_turn_sharply_take_steep_units_whatever_the_noise(name, noise, wanted):
    assert scales(Forecasting(data(name, noise)).suited(150, 0)) == wanted


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        ([1e-2, 4e-3, 6e-3, 7e-3], 1),  # half
        ([1e-2, 6e-3, 7e-3, 4e-3], 3),
        ([1e-2, 6e-3, 7e-3, 8e-3], 0),
        ([0.5, 0.46, 0.44, 0.48], 2),  # a twentieth of the steps' variance
        ([0.5, 0.48, 0.46, 0.47], 0),
        ([9e-5, 1e-5, 1e-4, 1e-6], 1),  # the last are for what the first leave
        ([9e-5, 6e-5, 1e-4, 1e-6], 0),
    ],
)
def test_the_first_scales_are_kept_unless_others_are_much_better(losses, wanted):
    assert preferred(losses) == wanted


def test_a_fit_takes_them_and_a_recipe_is_left_alone():
    thomas = data("thomas", 0.0)
    options = {"units": 60, "hidden": False, "closed_loop": (), "progress": False}
    fit = fit_system(thomas, **options)
    assert scales(fit.network.recipe) == STEEP
    smooth = fit_system(thomas, recipe=Recipe.shaping(), **options)
    assert scales(smooth.network.recipe) == SMOOTH
    assert fit.history.held_out_loss.min() < 0.3 * smooth.history.held_out_loss.min()


def test_an_interrupt_ends_the_fit(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LevenbergMarquardt, "_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Forecasting(data("lorenz63", 0.0)).suited(20, 0)


def test_lattices_and_networks_that_remember_have_scales_of_their_own():
    assert Forecasting("lorenz96").suited(40, 0) is None
    assert Forecasting("lorenz63", alpha=-0.5, beta=0.5).suited(40, 0) is None


@pytest.mark.parametrize("units", [0, 2.5, "many"])
def test_wrong_units(units):
    with pytest.raises((ValueError, TypeError), match="units must be"):
        fit_system("lorenz63", units=units, progress=False)
