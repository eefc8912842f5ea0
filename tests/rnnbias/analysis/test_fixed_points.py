"""Fixed points of maps and networks that are known in closed form."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from rnnbias import RNN, Recipe
from rnnbias.analysis import fixed_points, with_input
from systems import maps

GAIN = 2.0
LEVEL = brentq(lambda m: np.tanh(GAIN * m) - m, 0.1, 1.0)


def memories(units=40):
    """A network that stores two orthogonal patterns (Hopfield): r' = tanh(W r), W = gain (p p^T + q q^T) / units.

    Its rates on the units where the patterns agree and differ, u p and v p, obey u = tanh(gain u) and v = tanh(gain v),
    each with the solutions 0 and +-LEVEL: nine fixed points.
    """
    net = RNN(units, 1, 1, recipe=Recipe(wiring="independent", bias_scale=0.0), learn=("bias", "weights"))
    rng = np.random.default_rng(0)
    p = rng.choice([-1.0, 1.0], units)
    agree = np.arange(units) < units // 2
    q = np.where(agree, p, -p)
    net.recurrent.data.copy_(torch.as_tensor(GAIN / units * (np.outer(p, p) + np.outer(q, q))))
    return net, p, agree


def test_all_fixed_points_of_a_planted_network_are_found():
    net, p, agree = memories()
    states = np.random.default_rng(1).normal(size=(200, 40))
    ds = fixed_points(with_input(net, [0.0]), states, starts=200, noise=0.5, dt=0.1)
    assert ds.fixed.all() and ds.sizes["point"] == 9
    overlaps = np.stack([ds.position.values[:, w] @ p[w] / w.sum() for w in (agree, ~agree)], 1)
    wanted = {(u, v) for u in (-1, 0, 1) for v in (-1, 0, 1)}
    assert {tuple(row) for row in (overlaps / LEVEL).round(6) + 0.0} == wanted
    slopes = np.sort(GAIN * (1 - overlaps**2), 1)[:, ::-1]  # two modes; all others are 0
    np.testing.assert_allclose(ds.eigenvalue_real[:, :2], slopes, atol=1e-9)
    np.testing.assert_allclose(ds.eigenvalue_real[:, 2:], 0, atol=1e-7)
    np.testing.assert_allclose(ds.eigenvalue_imag, 0, atol=1e-7)
    np.testing.assert_array_equal(ds.n_unstable, (slopes > 1).sum(1))
    np.testing.assert_array_equal(ds.stable, (slopes < 1).all(1))
    assert int(ds.stable.sum()) == 4 and int(ds.found.sum()) >= 200
    np.testing.assert_allclose(ds.time_constant[:, :2], -0.1 / np.log(slopes), rtol=1e-7)


def test_the_network_is_left_as_it_was():
    net, _, _ = memories()
    net.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fixed_points(with_input(net, [0.0]), np.zeros((3, 40)) + 0.1)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not net.bias.requires_grad and net.recurrent.requires_grad and net.recurrent.grad is None


def test_a_constant_input_moves_the_point():
    net = RNN(20, 2, 1, recipe=Recipe(seed=3))
    points = []
    for held in ([0.0, 0.0], [3.0, -3.0]):
        step = with_input(net, held)
        ds = fixed_points(step, np.zeros((1, 20)) + np.eye(1, 20))
        assert ds.sizes["point"] == 1 and ds.stable.all()
        x = torch.as_tensor(ds.position.values)
        np.testing.assert_allclose(step(x).detach(), x, atol=1e-10)
        points.append(x)
    assert (points[0] - points[1]).norm() > 0.1


def test_a_spiral_has_its_frequency_and_time_constant():
    angle, size, dt = 0.3, 0.97, 0.02
    turn = size * torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    ds = fixed_points(lambda x: x @ turn.T, np.random.default_rng(0).normal(size=(9, 2)), dt)
    assert ds.sizes["point"] == 1 and ds.stable.item()
    np.testing.assert_allclose(np.abs(ds.frequency), angle / (2 * np.pi * dt))
    np.testing.assert_allclose(ds.time_constant, -dt / np.log(size))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_a_linear_map_has_one(seed, n):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n))
    matrix *= 0.9 / np.abs(np.linalg.eigvals(matrix)).max()
    shift = rng.normal(size=n)
    a, c = torch.as_tensor(matrix), torch.as_tensor(shift)
    ds = fixed_points(lambda x: x @ a.T + c, rng.normal(size=(8, n)), unique=1e-2)
    assert ds.sizes["point"] == 1 and ds.stable.item() and ds.found.item() == 8
    np.testing.assert_allclose(ds.position[0], np.linalg.solve(np.eye(n) - matrix, shift), atol=1e-6)


@pytest.mark.parametrize("gap", [1e-4, 1e-5])
def test_the_ghost_of_a_saddle_node_is_a_slow_point(gap):
    ds = fixed_points(lambda x: x + 0.1 * (x**2 + gap), np.linspace(-2, 2, 16)[:, None])
    assert ds.sizes["point"] == 1 and not ds.fixed.item() and not ds.stable.item()
    assert ds.position.item() == pytest.approx(0, abs=1e-3)
    assert ds.speed.item() == pytest.approx((0.1 * gap) ** 2 / 2, rel=1e-3)


def test_there_may_be_no_point():
    ds = fixed_points(lambda x: x + 1.0, np.zeros((4, 2)))
    assert ds.sizes["point"] == 0 and ds.start.shape == (4, 2)


def test_badly_scaled_states_are_no_hindrance():
    scale = torch.tensor([1e6, 1.0, 1e-6], dtype=torch.float64)

    def step(x):
        y = x / scale
        return x + 0.1 * scale * (y - y**3)

    states = np.random.default_rng(0).uniform(-1.5, 1.5, (300, 3)) * scale.numpy()
    ds = fixed_points(lambda y: step(y * scale) / scale, states / scale.numpy(), starts=300)
    assert ds.sizes["point"] == 27 and int(ds.stable.sum()) == 8


def test_orbits_are_taken_as_they_come_and_starts_are_drawn_from_them():
    def step(x):
        return 0.5 * x

    orbit = maps.orbit(step, torch.ones(2, 1, dtype=torch.float64), 20)
    a, b = (fixed_points(step, orbit, starts=7, seed=2) for _ in range(2))
    xr.testing.assert_identical(a, b)
    assert a.start.shape == (7, 1) and a.distance.item() < 1e-5


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"trajectory": [[1j]]}, TypeError, "trajectory must hold real numbers"),
        ({"trajectory": [[np.nan]]}, ValueError, "trajectory must be finite"),
        ({"trajectory": [1.0]}, ValueError, "trajectory must have 2 dimensions"),
        ({"starts": 0}, ValueError, "starts must be at least 1"),
        ({"noise": -1.0}, ValueError, "noise must be at least 0"),
        ({"tolerance": 0}, ValueError, "tolerance must be greater than 0"),
        ({"dt": -1}, ValueError, "dt must be greater than 0"),
        ({"step": lambda x: x[:, :0]}, ValueError, "step must keep the shape"),
    ],
)
def test_fixed_points_refuses(change, kind, words):
    with pytest.raises(kind, match=words):
        fixed_points(**{"step": lambda x: x / 2, "trajectory": [[1.0], [2.0]]} | change)


def test_with_input_refuses():
    with pytest.raises(ValueError, match=r"inputs must have shape \(2\)"):
        with_input(RNN(4, 2, 1), [1.0])
    with pytest.raises(TypeError, match="network must be an RNN"):
        with_input(torch.nn.Linear(2, 2), [1.0, 1.0])
