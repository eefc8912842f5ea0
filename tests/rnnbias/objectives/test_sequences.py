import pytest
import torch

from rnnbias.networks import RNN, WIRINGS, Recipe
from rnnbias.objectives import Sequences


def problem(washout=0, **more):
    net = RNN(8, 2, 2, recipe=Recipe(gain=1.3, input_scale=0.5, readout_scale=2.0, **more.pop("recipe", {})), **more)
    draw = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=draw).double()
    inputs = torch.randn(3, 12, 2, generator=draw).double()
    counted = torch.rand(3, 12 - washout, 2, generator=draw) < 0.4
    return net, Sequences(inputs, torch.zeros(3, 12 - washout, 2).double(), washout, counted)


@pytest.mark.parametrize("leak", [{}, {"alpha": -0.6, "beta": 0.4}])
@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("washout", [0, 4])
@pytest.mark.parametrize("learn", ["bias", ("bias", "gain")])
def test_the_jacobian_is_that_of_finite_differences(leak, wiring, washout, learn):
    net, trials = problem(washout, recipe={"wiring": wiring}, learn=learn, **leak)
    found = trials.linearise(net)
    columns = []
    for parameter in net.parameters():
        flat = parameter.data.view(-1)
        for k in range(len(flat)):
            ends = []
            for step in (1e-6, -1e-6):
                flat[k] += step
                ends.append(trials.residual(net).detach())
                flat[k] -= step
            columns.append((ends[0] - ends[1]) / 2e-6)
    torch.testing.assert_close(found.matrix, torch.stack(columns, 1), atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(found.error, trials.residual(net).detach())
    error, forward, backward = trials.products(net)
    v = torch.linspace(-1, 1, found.matrix.shape[1]).double()
    torch.testing.assert_close(error, found.error)
    torch.testing.assert_close(forward(v), found.matrix @ v)
    torch.testing.assert_close(backward(error), found.matrix.T @ error)


def test_only_what_counts_is_a_residual():
    net, trials = problem()
    everything = net.read(net(trials.inputs).rate)
    torch.testing.assert_close(trials.residual(net), everything[trials.counted])
    part = trials.subset(torch.tensor([2, 0]))
    assert len(part) == 2 and torch.equal(part.counted, trials.counted[[2, 0]])
