import pytest
import torch

from rnnbias.networks import RNN, STRUCTURES, WIRINGS, Recipe, parameters
from rnnbias.objectives import ClosedLoop, RememberingShooting, Shooting

NOISE = torch.tensor([0.1, 0.2]).double()


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(wiring="independent", increment=True, context=5, gain=0.9, alpha=-0.6, beta=0.4, structure="dense"):
    recipe = Recipe(wiring=wiring, structure=structure, gain=gain, input_scale=0.6, readout_scale=2.0)
    net = RNN(10, 2, 2, recipe=recipe, alpha=alpha, beta=beta)
    net.bias.data += 0.3 * normal(*net.bias.shape, seed=1)
    loop = ClosedLoop(torch.tensor([0.01, 0.02]).double(), torch.tensor([0.3, 0.2]).double(), increment)
    observed, before = 0.5 * normal(4, 6, 2, seed=2), 0.5 * normal(4, context, 2, seed=3)
    return net, RememberingShooting(observed, loop, NOISE, 2.0, context=before)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("increment", [True, False])
@pytest.mark.parametrize("context", [0, 5])
@pytest.mark.parametrize("structure", ["dense", *STRUCTURES])
def test_adjoints_are_what_autograd_finds(wiring, increment, context, structure):
    """Through the closed loop and on through the context."""
    net, shooting = problem(wiring, increment, context, structure=structure)

    def runs(bias, starts):
        rate, states = net.resting(4), [starts]
        for step in range(context + 5):
            seen = shooting.context[:, step] if step < context else states[-1]
            external = net.wiring.spread(seen @ net.input.T) + net.shifted(bias)
            rate = net.advance(rate, external)[1]
            if step >= context:
                states.append(shooting.loop.advance(seen, net.read(rate)))
        return torch.stack(states, 1)

    by_bias, by_start = torch.autograd.functional.jacobian(runs, (net.bias.detach(), shooting.starts))
    by_start = torch.stack([by_start[run, :, :, run] for run in range(4)])
    with torch.no_grad():
        found, *derivatives = shooting._sensitivities(net)
        _, tangents = shooting._tangents(net, shooting._rates(net))
    torch.testing.assert_close(found, runs(net.bias.detach(), shooting.starts))
    torch.testing.assert_close(derivatives[0], by_bias)
    torch.testing.assert_close(derivatives[1], by_start)
    torch.testing.assert_close(tangents, by_start)


def test_without_memory_it_is_the_shooting_of_networks_without():
    net, remembering = problem(gain=0.0, alpha=0.0, beta=1.0)
    plain = Shooting(remembering.observed, remembering.loop, NOISE, 2.0)
    for one, other in zip(plain.linearise(net)[:2], remembering.linearise(net)[:2], strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradient_is_that_of_finite_differences():
    net, shooting = problem()

    def loss(numbers):
        parameters.write(net, numbers)
        fresh = shooting.restarted(shooting.starts)
        fresh.settle(net, 40)
        return float(fresh.residual(net).detach().square().sum())

    numbers, found = parameters.read(net), []
    for unit in torch.eye(len(numbers), dtype=torch.float64):
        found.append((loss(numbers + 1e-5 * unit) - loss(numbers - 1e-5 * unit)) / 2e-5)
    parameters.write(net, numbers)
    shooting.settle(net, 40)
    error, matrix, _ = shooting.linearise(net)
    torch.testing.assert_close(2 * matrix.T @ error, torch.tensor(found).double(), rtol=1e-5, atol=1e-6)


def test_subsets_keep_their_contexts():
    net, shooting = problem()
    part = shooting.subset(torch.tensor([2, 0]))
    assert len(part) == 2 and part.washout == 5 and torch.equal(part.context, shooting.context[[2, 0]])
    with torch.no_grad():
        torch.testing.assert_close(part.run(net, part.starts), shooting.run(net, shooting.starts)[[2, 0]])
