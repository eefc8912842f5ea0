"""The network in the loop: its reaches, and their exact derivatives."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnbias import RNN, Recipe
from rnnbias.networks import parameters
from rnnbias.objectives import Objective, Reaches
from rnnbias.objectives.reaching import move
from systems import plants
from systems.plants.loads import CurlField
from systems.tasks.losses import ACTIVITY, EFFORT, PATH, Loss
from systems.tasks.reaching import CentreOut, Session

RECIPES = [Recipe(gain=1.0, input_scale=0.3, readout_scale=10.0), Recipe(wiring="independent", readout_scale=1.0)]


def reaches(sees="target", plant="point", loss=None, **more):
    task = CentreOut(targets=3, duration=0.12, sees=sees, **more)
    return Reaches(Session(task, plants.get(plant)), loss or Loss())


def network(examples, recipe=RECIPES[0], learn="bias"):
    net = RNN(12, examples.session.task.inputs, 2, recipe=recipe, learn=learn, alpha=-0.8, beta=0.2)
    parameters.write(
        net, parameters.read(net) + 0.1 * torch.randn(net.learned, generator=torch.Generator().manual_seed(1))
    )
    return net


def test_the_controller_is_the_network_run_over_the_targets():
    examples = reaches()
    net = network(examples)
    inputs = (examples.session.target / 0.07)[:, None].expand(-1, 12, -1)
    torch.testing.assert_close(move(net, examples.session).command, net.read(net(inputs).rate))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("plant", ["point", "point-reference", "arm"])
@pytest.mark.parametrize("sees", ["target", "both"])
def test_the_jacobian_of_one_pass_a_component_is_that_of_one_a_residual(recipe, plant, sees):
    examples = reaches(sees, plant, Loss() + PATH + EFFORT + ACTIVITY, load=CurlField(5.0))
    net = network(examples, recipe)
    fast, slow = examples.linearise(net), Objective.linearise(examples, net)
    torch.testing.assert_close(fast.error, slow.error)
    torch.testing.assert_close(fast.matrix, slow.matrix)


@pytest.mark.parametrize("sees", ["target", "hand", "both"])
def test_the_jacobian_against_finite_differences(sees):
    examples = reaches(sees, "arm", wait=0.03, vision_delay=0.02)
    net = network(examples)
    matrix, start = examples.linearise(net).matrix, parameters.read(net)
    for k in (0, 5):
        step = 1e-5 * torch.nn.functional.one_hot(torch.tensor(k), net.learned)
        ends = []
        for sign in (1, -1):
            parameters.write(net, start + sign * step)
            ends.append(examples.residual(net).flatten().detach())
        np.testing.assert_allclose((ends[0] - ends[1]) / 2e-5, matrix[:, k], rtol=1e-5, atol=1e-6)


def test_where_more_than_biases_learn_the_jacobian_is_that_of_everything():
    examples = reaches()
    net = network(examples, learn={"bias", "gain", "initial"})
    assert examples.linearise(net).matrix.shape == (18, 6 + 12 + 12)


def test_parts_and_noise():
    examples = reaches(repeats=2, motor_noise=0.1)
    net = network(examples)
    part = examples.subset(torch.tensor([5, 0]))
    assert len(examples) == 6 and len(part) == 2
    torch.testing.assert_close(part.residual(net), examples.residual(net)[[5, 0]])


def test_terms_add_up_and_the_error_is_that_of_the_seen_hand():
    examples = replace(reaches(), criterion=Loss() + 0.1 * EFFORT)
    net = network(examples)
    assert sum(examples.terms(net).values()) == pytest.approx(examples.loss(net))
    end = move(net, examples.session).position[:, -1].detach()
    assert examples.endpoint_error(net) == pytest.approx(float((end - examples.session.target).norm(dim=1).mean()))
