import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from systems import plants
from systems.plants import PointMass
from systems.plants.loads import CurlField

NONE = torch.zeros(1, 2, dtype=torch.float64)


def run(plant, steps, command=NONE, external=None, velocity=(0.0, 0.0)):
    state = plant.rest(NONE)
    state[:, 2:4] = torch.tensor(velocity, dtype=torch.float64)
    for _ in range(steps):
        state = plant.step(state, command, *([] if external is None else [external]))
    return [x[0].numpy() for x in plant.hand(state)]


def test_a_constant_force_from_outside():
    """p = F t^2 / 2m, v = F t / m."""
    push = torch.tensor([[0.3, -0.1]], dtype=torch.float64)
    position, velocity, _ = run(PointMass(mass=2.0), 100, external=lambda p, v: push)
    np.testing.assert_allclose(position, [0.075, -0.025], rtol=1e-12)
    np.testing.assert_allclose(velocity, [0.15, -0.05], rtol=1e-12)


def test_a_constant_command():
    """f = u (1 - e^-t/tau), v = u (t - tau (1 - e^-t/tau)) / m, p = u (t^2/2 - tau t + tau^2 (1 - e^-t/tau)) / m."""
    plant, u, t = PointMass(mass=2.0, tau=0.05), 0.4, 0.3
    rest = 1 - math.exp(-t / plant.tau)
    position, velocity, force = run(plant, 30, torch.tensor([[u, 0.0]], dtype=torch.float64))
    assert force[0] == pytest.approx(u * rest, rel=1e-12)
    assert velocity[0] == pytest.approx(u * (t - plant.tau * rest) / 2, rel=1e-12)
    assert position[0] == pytest.approx(u * (t**2 / 2 - plant.tau * t + plant.tau**2 * rest) / 2, rel=1e-12)


def test_damping_slows_by_an_exponential():
    position, velocity, _ = run(PointMass(damping=3.0, mass=1.5), 50, velocity=(0.2, 0.0))
    assert velocity[0] == pytest.approx(0.2 * math.exp(-1.0), rel=1e-12)
    assert position[0] == pytest.approx(0.2 * (1 - math.exp(-1.0)) / 2, rel=1e-12)


def test_the_reference_update_is_the_published_one_and_gains_4_52():
    plant = plants.get("point-reference")
    state = torch.tensor([[0.1, 0.2, 0.3, -0.4, 0.5, 0.6]], dtype=torch.float64)
    after = plant.step(state, torch.tensor([[0.01, 0.02]], dtype=torch.float64))[0].tolist()
    decay = math.exp(-0.25)
    wanted = [0.1 + 0.003, 0.2 - 0.004, 0.3 + 0.005, -0.4 + 0.006, 0.5 * decay + 0.01, 0.6 * decay + 0.02]
    assert after == pytest.approx(wanted, rel=1e-14)
    _, _, force = run(plant, 500, torch.tensor([[1.0, 0.0]], dtype=torch.float64))
    assert force[0] == pytest.approx(1 / (1 - decay)) and force[0] == pytest.approx(4.52, abs=5e-3)


def test_a_curl_field_turns_the_velocity_clockwise_and_gives_no_energy():
    curl = CurlField(15.0)
    _, velocity, _ = run(PointMass(), 10, external=lambda p, v: curl.force(p, v, p, p), velocity=(0.0, 0.3))
    np.testing.assert_allclose(velocity, [0.3 * math.sin(1.5), 0.3 * math.cos(1.5)], atol=3e-6)
    _, velocity, _ = run(
        PointMass(update="reference"), 100, external=lambda p, v: curl.force(p, v, p, p), velocity=(0, 0.3)
    )
    assert np.hypot(*velocity) == pytest.approx(0.3 * (1 + 0.15**2) ** 50)  # the artefact that the docstring warns of


def test_against_scipy_with_a_load_and_a_command():
    plant = PointMass(mass=0.8, damping=0.5)
    curl = CurlField(15.0)

    def rate(t, x):
        _, v, f = x.reshape(3, 2)
        load = 15.0 * np.array([v[1], -v[0]])
        return np.concatenate([v, (f - 0.5 * v + load) / 0.8, (np.array([0.2, 0.1]) - f) / 0.04])

    truth = solve_ivp(rate, (0, 0.5), np.zeros(6), method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    command = torch.tensor([[0.2, 0.1]], dtype=torch.float64)
    found = run(plant, 50, command, external=lambda p, v: curl.force(p, v, p, p))
    np.testing.assert_allclose(np.concatenate(found), truth, rtol=1e-4)


@pytest.mark.parametrize("bad", [-1.0, 0.0, float("nan"), float("inf")])
def test_bad_masses_are_refused(bad):
    with pytest.raises(ValueError, match="mass"):
        PointMass(mass=bad)


def test_other_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="damping must be at least 0, got -1"):
        PointMass(damping=-1)
    with pytest.raises(TypeError, match="mass must be a number"):
        PointMass(mass="1")
    with pytest.raises(ValueError, match="update must be one of 'exact', 'reference'"):
        PointMass(update="euler")
