from dataclasses import replace

import numpy as np
import pytest
import torch

import systems
from systems.flows import measure
from systems.flows.spatial import RingSystem


def front(size=64):
    system = systems.get("kuramoto_sivashinsky", size=size)
    return system, system.simulate(trials=2, duration=0.25, seed=1).trajectory.values[:, 0]


def test_field_matches_the_equation():
    """At u = A sin q x the equation is elementary."""
    system = systems.get("kuramoto_sivashinsky", size=32)
    q = 2 * np.pi * 2 / 22
    x = np.arange(32) * 22 / 32
    want = -9 * q * np.sin(q * x) * np.cos(q * x) + 3 * (q**2 - q**4) * np.sin(q * x)
    np.testing.assert_allclose(system(0.0, torch.from_numpy(3 * np.sin(q * x))), want, atol=1e-12)


def test_heat_flow_is_exact():
    heat = RingSystem(
        name="heat", states=[f"u{i}" for i in range(16)], field=lambda t, u, p: 0 * u,
        linear=lambda p: -(np.arange(9.0) ** 2), step=10.0,
    )  # fmt: skip
    angle = 2 * np.pi * np.arange(16) / 16
    u = heat.solve([np.cos(3 * angle)], [0.0, 0.5])
    np.testing.assert_allclose(u[0, 1], np.exp(-4.5) * np.cos(3 * angle), atol=1e-14)


def test_etdrk4_against_dop853_and_its_order():
    system, start = front(size=32)
    times = np.arange(0, 2.01, 0.25)
    truth = system.solve(start, times, method="DOP853", rtol=1e-11, atol=1e-11)

    def error(step):
        return np.abs(replace(system, step=step).solve(start, times) - truth).max()

    assert error(0.025) < 1e-5
    assert error(0.025) / error(0.0125) > 8


def test_the_mean_stays_and_the_grid_resolves():
    system, start = front()
    u = system.solve(start, np.arange(0, 20, 0.25))
    assert np.abs(u.mean(-1)).max() < 1e-12
    power = np.abs(np.fft.rfft(u)).max((0, 1))
    assert power[28:].max() < 1e-7 * power.max()


def test_exponent():
    system = systems.get("kuramoto_sivashinsky", size=32)
    exponent, error = measure.lyapunov(replace(system, step=0.125), 250, trials=16)
    assert exponent == pytest.approx(system.lyapunov, abs=0.015) and error < 0.01
