import numpy as np
import pytest
import torch

from rnnbias.networks import ACTIVATIONS

u = torch.cat([torch.linspace(-30, 30, 601), torch.tensor([-1e-9, 1e-9])]).to(torch.float64)
u = u[u != 0]


@pytest.mark.parametrize(
    ("name", "closed"),
    [
        ("tanh", np.tanh),
        ("relu", lambda x: np.maximum(x, 0)),
        ("softplus", lambda x: np.logaddexp(x, 0)),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_values(name, closed):
    np.testing.assert_allclose(ACTIVATIONS[name].value(u), closed(u.numpy()), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_slopes_are_the_derivatives(name, dtype):
    x = u.to(dtype).requires_grad_()
    (gradient,) = torch.autograd.grad(ACTIVATIONS[name].value(x).sum(), x)
    slope = ACTIVATIONS[name].slope(x.detach())
    assert slope.dtype == dtype
    torch.testing.assert_close(slope, gradient, rtol=1e-5, atol=1e-6 if dtype == torch.float32 else 1e-12)


def test_only_relu_is_silent_below_a_threshold():
    low = torch.tensor([-5.0], dtype=torch.float64)
    silent = {name for name, phi in ACTIVATIONS.items() if phi.value(low) == 0 and phi.slope(low) == 0}
    assert silent == {"relu"}
