"""A run through time and its derivatives, against differentiation step by step."""

import pytest
import torch

from rnnbias.networks import ACTIVATIONS, RNN, Recipe
from rnnbias.networks.unrolled import unrolled

LEAKS = [(0.0, 1.0), (-0.6, 0.4), (0.3, 1.0)]


def stepwise(external, rate, weight, phi, alpha, beta):
    drives, rates = [], []
    for x in external.unbind(1):
        drives.append(x + rate @ weight.T)
        rate = beta * phi.value(drives[-1]) - alpha * rate
        rates.append(rate)
    return torch.stack(drives, 1), torch.stack(rates, 1)


def drawn(*shape, seed=0):
    numbers = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return numbers.requires_grad_()


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("alpha", "beta"), LEAKS)
def test_runs_and_derivatives_are_those_of_the_steps(name, alpha, beta):
    given = drawn(3, 7, 5), drawn(3, 5, seed=1), drawn(5, 5, seed=2)
    found, want = (run(*given, ACTIVATIONS[name], alpha, beta) for run in (unrolled, stepwise))
    for one, other in zip(found, want, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)
    for parts in ((0,), (1,), (0, 1)):  # of drives, of rates, and of both
        sizes = [sum(each[k].sin().sum() for k in parts) for each in (found, want)]
        pulled, wanted = (torch.autograd.grad(size, given, retain_graph=True) for size in sizes)
        for one, other in zip(pulled, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), LEAKS)
def test_derivatives_are_differentiable(alpha, beta):
    given = drawn(2, 3, 4), drawn(2, 4, seed=1), drawn(4, 4, seed=2)

    def run(*each):
        return unrolled(*each, ACTIVATIONS["tanh"], alpha, beta)

    assert torch.autograd.gradcheck(run, given) and torch.autograd.gradgradcheck(run, given)
    outputs = run(*given)[1].flatten()
    unit = torch.eye(len(outputs), dtype=torch.float64)
    batched = torch.autograd.grad(outputs, given, unit, retain_graph=True, is_grads_batched=True)
    rows = [torch.autograd.grad(outputs, given, row, retain_graph=True) for row in unit]
    for one, each in zip(batched, zip(*rows, strict=True), strict=True):
        torch.testing.assert_close(one, torch.stack(each))


@pytest.mark.parametrize("wiring", ["independent", "twins", "push-pull"])
@pytest.mark.parametrize("learn", ["bias", "weights", "initial", "gain"])
def test_a_network_runs_alike_whether_or_not_it_is_differentiated(wiring, learn):
    net = RNN(6, 2, 1, recipe=Recipe(wiring=wiring, gain=0.8), learn=("bias", learn), alpha=-0.5, beta=0.5)
    inputs = drawn(3, 9, 2)
    with torch.no_grad():
        plain = net(inputs)
    for one, other in zip(net(inputs), plain, strict=True):
        assert one.requires_grad
        torch.testing.assert_close(one.detach(), other, rtol=0, atol=1e-14)
