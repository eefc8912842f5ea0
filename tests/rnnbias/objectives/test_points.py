import pytest
import torch

from rnnbias import FNN, Recipe
from rnnbias.objectives import Points


def points(outputs=1):
    rng = torch.Generator().manual_seed(0)
    return Points(*(torch.randn(7, n, generator=rng).double() for n in (2, outputs)))


def test_points_are_examples():
    net = FNN(6, 2, 1, recipe=Recipe(readout_scale=1.0))
    part = points().subset(torch.tensor([1, 3]))
    assert len(points()) == 7 and len(part) == 2
    assert torch.equal(part.residual(net), points().residual(net)[[1, 3]])


@pytest.mark.parametrize("learn", ["bias", ("bias", "gain", "readout", "weights")])
def test_points_know_their_derivatives(learn):
    net = FNN((6, 4), 2, 3, recipe=Recipe(gain=1.0, input_scale=1.0, readout_scale=1.0), learn=learn)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.randn(p.shape, generator=rng).double()
    data = points(3)
    exact, products = data.linearise(net), data.products(net)
    by_autograd = super(Points, data).linearise(net)
    torch.testing.assert_close(exact.matrix, by_autograd.matrix, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(exact.error, data.residual(net).flatten())
    v = torch.randn(net.learned, generator=rng).double()
    w = torch.randn(21, generator=rng).double()
    torch.testing.assert_close(products.forward(v), exact.matrix @ v, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(products.backward(w), exact.matrix.T @ w, rtol=1e-9, atol=1e-12)
