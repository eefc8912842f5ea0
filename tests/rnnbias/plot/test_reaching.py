from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnnbias import LevenbergMarquardt, fit_reach, plot
from systems.plants.loads import VisuomotorRotation
from systems.tasks.reaching import CentreOut


@pytest.fixture(scope="module")
def fits():
    task, solver = CentreOut(targets=4, duration=0.2), LevenbergMarquardt(iterations=1)
    fit = fit_reach(task, units=20, solver=solver, progress=False)
    return fit, fit.adapt(replace(task, load=VisuomotorRotation()), solver=solver, progress=False)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_hand_paths_are_in_centimetres_with_a_ring_a_target(fits):
    reach = fits[0].reach()
    axes = plot.hand_paths(reach)
    assert len(axes.lines) == len(axes.patches) == 4
    x, y = axes.lines[2].get_data()
    np.testing.assert_allclose([x[-1], y[-1]], 100 * reach.position[2, -1])
    assert (x[0], y[0]) == (0, 0) and axes.get_xlabel() == "x (cm)"
    assert len(plot.hand_paths(fits[1].reach()).lines) == 8  # the hand and the sight of it


def test_speed_profiles(fits):
    axes = plot.speed_profiles(fits[0].reach())
    assert len(axes.lines) == 5 and axes.get_ylabel() == "speed (cm/s)"


def test_the_terms_of_the_loss_are_drawn_with_it(fits):
    axes = plot.learning_curve(fits[0].history)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["training loss", "loss on held-out examples", "position", "velocity", "force"]
    np.testing.assert_allclose(axes.lines[3].get_ydata(), fits[0].history.loss_velocity.where(lambda x: x > 0))
    assert axes.get_yscale() == "log"


def test_adaptation_draws_on_given_axes(fits):
    given = plt.subplots(1, 2)[1]
    axes = plot.adaptation(fits[1].history, given)
    assert list(axes) == list(given)
    np.testing.assert_allclose(axes[1].lines[1].get_ydata(), fits[1].history.initial_angle)
