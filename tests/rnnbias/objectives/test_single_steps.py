import numpy as np
import pytest
import torch

from rnnbias import RNN, Recipe
from rnnbias.objectives import Sequences, SingleSteps

UNITS, STATES = 12, 3


def network(wiring="independent", **changes):
    return RNN(UNITS, STATES, 2, recipe=Recipe.shaping(seed=3, wiring=wiring), **changes)


def data(seed=0, conditions=3, samples=40):
    rng = np.random.default_rng(seed)
    shapes = (conditions, samples, STATES), (conditions, samples, 2), (conditions, UNITS)
    return [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("wiring", ["independent", "twins"])
def test_errors_are_those_of_the_network(wiring):
    net, (inputs, targets, biases) = network(wiring, beta=0.7), data()
    found = SingleSteps(net, inputs, targets).error(biases)
    for k in range(3):
        net.bias.data.copy_(biases[k])
        want = Sequences(inputs[k : k + 1], targets[k : k + 1]).residual(net).detach()
        torch.testing.assert_close(found[k : k + 1], want, rtol=0, atol=1e-13)


def test_some_conditions_are_those_of_all():
    steps, biases = SingleSteps(network(), *data()[:2]), data()[2]
    torch.testing.assert_close(steps.subset(slice(1, 2)).error(biases[1:2]), steps.error(biases)[1:2])
    assert len(steps.subset(slice(1, 3))) == 2


@pytest.mark.parametrize("wiring", ["independent", "twins"])
def test_normal_equations_are_those_of_the_jacobian(wiring):
    net, (inputs, targets, biases) = network(wiring), data()
    steps = SingleSteps(net, inputs, targets)
    for k, (products, gram) in enumerate(steps.normal(biases)):
        net.bias.data.copy_(biases[k])
        error, jacobian, _ = Sequences(inputs[k : k + 1], targets[k : k + 1]).linearise(net)
        order = np.arange(80).reshape(40, 2).ravel()
        torch.testing.assert_close(products.error, error, rtol=0, atol=1e-13)
        torch.testing.assert_close(gram, jacobian.T @ jacobian)
        torch.testing.assert_close(products.forward(biases[0]), (jacobian @ biases[0])[order])
        torch.testing.assert_close(products.backward(error), jacobian.T @ error)


def test_large_drives_are_no_trouble():
    inputs, targets, biases = data()
    found = SingleSteps(network(), 1e6 * inputs, targets).error(biases)
    assert found.isfinite().all()


@pytest.mark.parametrize(
    "net",
    [
        RNN(UNITS, STATES, 2, recipe=Recipe.shaping(gain=0.5)),
        RNN(UNITS, STATES, 2, recipe=Recipe(gain=0.0)),
        network(activation="relu"),
    ],
)
def test_other_networks_are_refused(net):
    with pytest.raises(ValueError, match="network must be without memory, of tanh units with a bias each"):
        SingleSteps(net, *data()[:2])
