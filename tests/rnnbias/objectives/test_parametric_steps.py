import numpy as np
import pytest
import torch

from rnnbias import RNN, Recipe
from rnnbias.networks import ParametricRNN, parameters
from rnnbias.objectives import Objective, ParametricSteps, Sequences, SingleSteps

UNITS = 8


def problem():
    rng = np.random.default_rng(0)
    net = ParametricRNN(UNITS, 2, 2, parameters=2, recipe=Recipe.shaping(seed=1), learn={"bias", "modulation"})
    parameters.write(net, torch.from_numpy(rng.normal(size=3 * UNITS)))
    inputs, targets = (torch.from_numpy(rng.normal(size=(4, 10, 2))) for _ in range(2))
    z = torch.from_numpy(rng.normal(size=(4, 2)))
    features = torch.cat([torch.ones(4, 1), z], 1)
    return net, ParametricSteps(SingleSteps(net, inputs, targets), features), inputs, targets, z


def test_errors_are_those_of_the_network_that_is_given_the_parameters():
    net, steps, inputs, targets, z = problem()
    given = torch.cat([inputs, z[:, None].expand(-1, 10, -1)], -1)
    want = net.read(net(given).rate).detach() - targets
    torch.testing.assert_close(steps.residual(net), want)
    torch.testing.assert_close(steps.subset(torch.tensor([3, 1])).residual(net), want[[3, 1]])
    assert len(steps) == 4 and steps.loss(net) == pytest.approx(float(want.square().mean()))


def test_the_jacobian_is_that_of_finite_differences():
    net, steps, *_ = problem()
    (error, forward, backward), gram = steps.normal(net)
    start, columns = parameters.read(net), []
    for k in range(len(start)):
        ends = []
        for sign in (1, -1):
            moved = start.clone()
            moved[k] += sign * 1e-6
            parameters.write(net, moved)
            ends.append(steps.residual(net).flatten())
        columns.append((ends[0] - ends[1]) / 2e-6)
    parameters.write(net, start)
    jacobian = torch.stack(columns, 1)
    vector, weight = torch.randn(len(start), dtype=torch.float64), torch.randn(len(error), dtype=torch.float64)
    torch.testing.assert_close(error, steps.residual(net).flatten())
    torch.testing.assert_close(forward(vector), jacobian @ vector, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(backward(weight), jacobian.T @ weight, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(gram, jacobian.T @ jacobian, rtol=1e-6, atol=1e-6)


def test_plain_biases_learn_from_the_single_steps_of_sequences():
    net = RNN(UNITS, 2, 2, recipe=Recipe.shaping(seed=1))
    rng = np.random.default_rng(1)
    inputs, targets = (torch.from_numpy(rng.normal(size=(3, length, 2))) for length in (7, 5))
    sequences = Sequences(inputs, targets, 2)
    steps = ParametricSteps.of(net, sequences)
    error, matrix, _ = sequences.linearise(net)
    products, gram = steps.normal(net)
    torch.testing.assert_close(products.error, error)
    torch.testing.assert_close(gram, matrix.T @ matrix)


def test_most_objectives_save_nothing():
    assert Objective.normal(None, None) is None
