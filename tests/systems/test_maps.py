import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias import RNN
from systems import maps


def swirl(x):
    a, b = x.unbind(-1)
    return torch.stack([a * b, torch.sin(a) + b**2], -1)


def test_the_jacobian_is_that_of_finite_differences():
    x = torch.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=torch.float64)
    h = 1e-6
    columns = [(swirl(x + h * e) - swirl(x - h * e)) / (2 * h) for e in torch.eye(2, dtype=x.dtype)]
    np.testing.assert_allclose(maps.jacobian(swirl, x), torch.stack(columns, -1), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 4))
def test_pushing_is_the_jacobian_times_the_tangents(seed, count, batch):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 2, generator=generator, dtype=torch.float64)
    tangents = torch.randn(batch, 2, count, generator=generator, dtype=torch.float64)
    image, moved = maps.push(swirl, x, tangents)
    np.testing.assert_allclose(image, swirl(x))
    np.testing.assert_allclose(moved, maps.jacobian(swirl, x) @ tangents, atol=1e-12)


def test_an_orbit_holds_its_start_and_every_image():
    x = torch.tensor([[0.1, 0.2]], dtype=torch.float64)
    found = maps.orbit(swirl, x, 3)
    assert found.shape == (1, 4, 2)
    np.testing.assert_array_equal(found[0, 3], swirl(swirl(swirl(x)))[0])


def test_derivatives_leave_a_network_as_it_was():
    net = RNN(6, 0, 1)
    before = net.digests()
    maps.jacobian(lambda r: net.advance(r, net.biases)[1], torch.zeros(2, 6, dtype=torch.float64))
    assert net.digests() == before and net.bias.requires_grad and net.bias.grad is None


def test_a_frame_is_orthonormal_and_seeded():
    x = torch.zeros(3, 5, dtype=torch.float64)
    frame = maps.frame(x, 2, seed=1)
    np.testing.assert_allclose(frame.mT @ frame, np.tile(np.eye(2), (3, 1, 1)), atol=1e-14)
    assert torch.equal(frame, maps.frame(x, 2, seed=1)) and not torch.equal(frame, maps.frame(x, 2, seed=2))


@pytest.mark.parametrize(
    ("step", "start", "kind", "words"),
    [
        (swirl, [[1j, 0]], TypeError, "start must hold real numbers"),
        (swirl, [[np.nan, 0]], ValueError, "start must be finite"),
        (swirl, [1.0, 2.0], ValueError, "start must have 2 dimensions"),
        (lambda x: x[:, :1], [[1.0, 2.0]], ValueError, "step must keep the shape"),
        (lambda x: x - x.mean(0), [[1.0, 2.0], [3.0, 4.0]], ValueError, "step must map each row by itself"),
        (lambda x: 3, [[1.0, 2.0]], TypeError, "step must return a tensor"),
    ],
)
def test_what_is_no_map_or_no_state_is_refused(step, start, kind, words):
    with pytest.raises(kind, match=words):
        maps.prepare(step, np.array(start))
