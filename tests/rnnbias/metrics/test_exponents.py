"""Exponents against closed forms and literature values."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import metrics
from systems.labels import config

DT = 0.02


def test_exponent_of_the_logistic_map_is_ln_2():
    start = np.random.default_rng(0).uniform(0.1, 0.9, (800, 1))
    ds = metrics.largest_exponent(lambda x: 4 * x * (1 - x), start, 200, 1.0, transient=50)
    assert ds.exponent.item() == pytest.approx(math.log(2), abs=0.005)
    assert abs(ds.exponent.item() - math.log(2)) < 4 * ds.standard_error.item() < 0.02
    assert ds.local_exponent.dims == ("start",) and not ds.failed.any()


def test_exponent_of_the_henon_map():
    def henon(s):
        x, y = s.unbind(-1)
        return torch.stack([1 - 1.4 * x**2 + y, 0.3 * x], -1)

    start = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 2))
    ds = metrics.largest_exponent(henon, start, 400, 1.0, transient=100)
    assert ds.exponent.item() == pytest.approx(0.4192, abs=0.005)


def test_exponent_of_lorenz_in_units_of_time(lorenz, attractor):
    start = attractor.values[::2] + np.random.default_rng(0).normal(size=(2048, 3))
    ds = metrics.largest_exponent(lorenz, start, 500, DT, transient=400)
    assert ds.exponent.item() == pytest.approx(0.9056, abs=0.02)


def test_exponent_of_a_linear_map_is_its_largest_eigenvalue():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(4, 4)))[0] + 0.1
    matrix = torch.as_tensor(basis @ np.diag([0.3, -0.8, 0.5, 0.1]) @ np.linalg.inv(basis))
    ds = metrics.largest_exponent(lambda x: x @ matrix.T, rng.normal(size=(5, 4)), 30, 0.5, transient=100)
    np.testing.assert_allclose(ds.local_exponent, math.log(0.8) / 0.5, rtol=1e-6)
    assert ds.standard_error.item() < 1e-6


def test_exponent_of_a_module_leaves_it_as_it_was():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())
    ds = metrics.largest_exponent(network, torch.randn(2, 3, requires_grad=True), 20, 1.0, 10)
    assert ds.exponent.item() < 0 and all(p.grad is None for p in network.parameters())
    again = metrics.largest_exponent(network, torch.zeros(2, 3), 20, 1.0, 200)
    assert again.local_exponent[0].item() == pytest.approx(again.local_exponent[1].item(), abs=0.05)


def test_exponent_reports_escape_and_vanishing_tangents():
    start = np.array([[0.1], [2.0]])
    ds = metrics.largest_exponent(lambda x: 4 * x * (1 - x), start, 100, 1.0, transient=10)
    np.testing.assert_array_equal(ds.failed, [False, True])
    assert np.isfinite(ds.local_exponent[0]) and np.isnan([ds.local_exponent[1], ds.exponent]).all()
    flat = metrics.largest_exponent(lambda x: x * 0 + 1, start, 10, 1.0)
    assert (flat.local_exponent == -np.inf).all() and flat.exponent.item() == -np.inf
    assert not flat.failed.any() and np.isnan(flat.standard_error)


def test_exponent_is_reproducible_and_one_start_has_no_standard_error():
    step, start = (lambda x: torch.sin(3 * x @ torch.ones(2, 2, dtype=x.dtype))), np.array([[0.1, 0.2]])
    a, b = (metrics.largest_exponent(step, start, 50, 1.0, 5, seed=3) for _ in range(2))
    xr.testing.assert_identical(a, b)
    assert np.isnan(a.standard_error) and config(a)["seed"] == 3


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"start": [1.0, 2.0]}, ValueError, "start must have 2 dimensions"),
        ({"start": [[np.nan]]}, ValueError, "start must be finite"),
        ({"start": [[1j]]}, TypeError, "start must hold real numbers"),
        ({"start": np.zeros((0, 2))}, ValueError, "start must not be empty"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 1.0}, TypeError, "steps must be a whole number"),
        ({"dt": 0}, ValueError, "dt must be greater than 0"),
        ({"transient": -1}, ValueError, "transient must be at least 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"step": lambda x: x[:, :1]}, ValueError, r"step must keep the shape \(2, 3\)"),
        ({"step": lambda x: x.float()}, ValueError, "step must keep the shape .* got .*float32"),
        ({"step": lambda x: x - x.mean(0)}, ValueError, "step must map each row by itself"),
        ({"step": lambda x: x.numpy()}, TypeError, "step must return a tensor, got ndarray"),
    ],
)
def test_largest_exponent_refuses(change, kind, words):
    start = np.arange(6.0).reshape(2, 3)
    with pytest.raises(kind, match=words):
        metrics.largest_exponent(**{"step": lambda x: x / 2, "start": start, "steps": 5, "dt": 1.0} | change)
