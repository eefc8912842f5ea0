import warnings

import pytest
import torch

from rnnbias import FNN, Recipe
from rnnbias.networks import WIRINGS, layer_jacobian

both_wirings = pytest.mark.parametrize("wiring", WIRINGS)
SETS = ["bias", "gain", "readout", "weights", ("bias", "gain"), ("bias", "gain", "readout", "weights")]


def network(wiring, units, learn, activation="tanh"):
    recipe = Recipe(seed=1, wiring=wiring, gain=0.9, input_scale=1.0, readout_scale=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        net = FNN(units, 3, 2, recipe=recipe, learn=learn, activation=activation)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.5 * torch.randn(p.shape, generator=rng, dtype=torch.float64)
    return net


def points():
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(3)).double()


@both_wirings
@pytest.mark.parametrize("units", [8, (8, 6, 4)])
@pytest.mark.parametrize("learn", SETS)
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus", "sigmoid"])
def test_it_is_what_autograd_finds(wiring, units, learn, activation):
    net, x = network(wiring, units, learn, activation), points()
    rows = []
    for y in net(x).flatten():
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(y, list(net.parameters()), retain_graph=True)]))
    torch.testing.assert_close(layer_jacobian(net, x).flatten(0, 1), torch.stack(rows), rtol=1e-10, atol=1e-13)


@both_wirings
def test_it_is_what_finite_differences_find(wiring):
    net, x = network(wiring, (8, 4), ("bias", "gain", "readout", "weights")), points()
    jacobian = layer_jacobian(net, x)
    start = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
    rng = torch.Generator().manual_seed(5)
    for _ in range(5):
        direction = torch.randn(start.shape, generator=rng).double()
        ends = []
        for h in (1e-5, -1e-5):
            torch.nn.utils.vector_to_parameters(start + h * direction, net.parameters())
            ends.append(net(x).detach())
        torch.testing.assert_close(jacobian @ direction, (ends[0] - ends[1]) / 2e-5, rtol=1e-7, atol=1e-8)


def test_masks_are_refused():
    with pytest.raises(ValueError, match="must not hold 'mask'"):
        layer_jacobian(FNN(4, 3, 1, learn=("bias", "mask")), points())
