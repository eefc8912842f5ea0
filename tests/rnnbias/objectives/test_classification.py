import numpy as np
import pytest
import torch
from torch.nn import functional

from rnnbias import FNN, Recipe
from rnnbias.objectives import CrossEntropy, FirstLayer, OneHot

RECIPE = Recipe(wiring="independent", gain=1.0, input_scale=1.0, readout_scale=1.0)


def network(units=(9,), learn="bias"):
    return FNN(units, 4, 3, recipe=RECIPE, learn=learn)


def data(count=40):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(count, 4, generator=rng, dtype=torch.float64), torch.randint(0, 3, (count,), generator=rng)


@pytest.mark.parametrize("units", [(9,), (8, 6)])
@pytest.mark.parametrize("kept", [True, False])
def test_costs_and_measures_are_torchs(units, kept):
    net, (inputs, labels) = network(units), data()
    drives = FirstLayer(inputs, net.layers[0].weight, 1e9) if kept else None
    outputs = net(inputs).detach()
    entropy = CrossEntropy(inputs, labels, drives)
    assert entropy.cost(net).item() == pytest.approx(functional.cross_entropy(outputs, labels).item(), rel=1e-12)
    assert entropy.loss(net) == pytest.approx(functional.cross_entropy(outputs, labels).item(), rel=1e-12)
    assert entropy.accuracy(net) == pytest.approx((outputs.argmax(1) == labels).double().mean().item())
    squares = OneHot(inputs, labels, drives)
    assert squares.loss(net) == pytest.approx((outputs - functional.one_hot(labels, 3)).square().mean().item())
    torch.testing.assert_close(torch.cat(list(squares.rates(net))), net.trace(inputs).rate)


@pytest.mark.parametrize("units", [(9,), (8, 6)])
def test_gradients_do_not_depend_on_what_is_kept(units):
    net, (inputs, labels) = network(units, {"bias", "readout"}), data()
    found = []
    for drives in (FirstLayer(inputs, net.layers[0].weight, 1e9), None):
        net.zero_grad()
        (3 * CrossEntropy(inputs, labels, drives).cost(net)).backward()
        found.append([p.grad.clone() for p in net.parameters()])
    torch.testing.assert_close(*found)


def test_parts_of_parts():
    inputs, labels = data()
    net = network()
    examples = CrossEntropy(inputs, labels, FirstLayer(inputs, net.layers[0].weight, 1e9))
    part = examples.subset(torch.arange(5, 25)).subset(torch.tensor([0, 3]))
    assert len(examples) == 40 and len(part) == 2
    torch.testing.assert_close(part.residual(net), OneHot(inputs[[5, 8]], labels[[5, 8]]).residual(net))
    assert part.cost(net).item() == pytest.approx(CrossEntropy(inputs[[5, 8]], labels[[5, 8]]).loss(net))


def test_regression_is_the_linear_problem_of_the_readout():
    net, (inputs, labels) = network((8, 6), "readout"), data()
    features, targets = OneHot(inputs, labels).regression(net)
    torch.testing.assert_close(features @ net.readout.T, net(inputs))
    np.testing.assert_array_equal(targets.argmax(1), labels)


def test_a_loss_that_is_no_number_is_infinite():
    net, (inputs, labels) = network(), data()
    with torch.no_grad():
        net.bias.fill_(float("nan"))
    assert CrossEntropy(inputs, labels).loss(net) == float("inf")
