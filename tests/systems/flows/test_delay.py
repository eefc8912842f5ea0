from dataclasses import replace

import numpy as np
import pytest
import torch

import systems
from systems.flows import measure
from systems.flows.delay import DelaySystem


def feedback(**changes):
    defaults = {
        "name": "feedback",
        "states": ["x"],
        "parameters": {"tau": 2.0, "k": 0.7},
        "delay": "tau",
        "field": lambda t, x, past, p: -p.k * past,
    }
    return DelaySystem(**{**defaults, **changes})


def test_method_of_steps_closed_form():
    """From a past of 1: 1 - k t for one delay, then + k^2 (t - tau)^2 / 2, then - k^3 (t - 2 tau)^3 / 6."""
    t = np.arange(0, 6.01, 0.3)
    k, tau = 0.7, 2.0
    after = lambda n: np.maximum(t - n * tau, 0)  # noqa: E731
    want = 1 - k * t + k**2 * after(1) ** 2 / 2 - k**3 * after(2) ** 3 / 6
    np.testing.assert_allclose(feedback().solve([[1.0], [2.0]], t)[:, :, 0], [want, 2 * want], atol=1e-13)


def test_accuracy_of_mackey_glass():
    system = systems.get("mackey_glass")
    start, times = [[0.5], [0.7]], np.arange(0.0, 300.0)
    finer = replace(system, pieces=33).solve(start, times)
    assert np.abs(system.solve(start, times) - finer).max() < 1e-11


def test_exponent_of_mackey_glass():
    """The tangent equation is itself a delay equation; its growth is the exponent."""
    glass = systems.get("mackey_glass")

    def field(t, state, past, p):
        y, w = past.unbind(-1)
        power = y**p.n
        slope = p.beta * (1 + (1 - p.n) * power) / (1 + power) ** 2
        return torch.stack([p.beta * y / (1 + power), slope * w], dim=-1) - p.gamma * state

    both = DelaySystem(name="tangent", states=["x", "v"], parameters=glass.parameters, field=field, delay="tau")
    start = np.stack([np.linspace(0.3, 0.8, 16), np.full(16, 1e-100)], axis=1)
    v = np.abs(both.solve(start, np.arange(0.0, 4001.0))[..., 1])
    growth = np.log(v[:, -60:].max(1) / v[:, 940:1000].max(1)) / 3001
    assert growth.mean() == pytest.approx(glass.lyapunov, abs=0.0015)


def test_too_few_pieces_are_refused():
    with pytest.raises(FloatingPointError, match="pieces"):
        replace(systems.get("mackey_glass"), pieces=1).solve([[0.5]], [0.0, 500.0])


def test_what_a_delay_cannot_do_is_refused():
    with pytest.raises(TypeError, match="delay"):
        feedback().integrate(torch.ones(1), torch.arange(2.0))
    with pytest.raises(TypeError, match="delay"):
        measure.lyapunov(feedback(), 10.0)
    with pytest.raises(ValueError, match="method"):
        feedback().solve([[1.0]], [0.0, 1.0], method="RK4")
    with pytest.raises(ValueError, match="delay"):
        feedback(delay="theta")
    with pytest.raises(ValueError, match="tau"):
        feedback(parameters={"tau": 0.0, "k": 1.0})
    with pytest.raises(ValueError, match="pieces"):
        feedback(pieces=0)
