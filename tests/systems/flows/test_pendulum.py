import numpy as np
import pytest

import systems
from systems.flows.pendulum import energy


def test_energy_is_conserved_and_as_drawn():
    pendulum = systems.get("double_pendulum", energy=-5.0, m2=0.5, l1=1.3)
    x = pendulum.simulate(trials=4, duration=6.0, seed=2).trajectory.values
    np.testing.assert_allclose(energy(x, pendulum.p), -5.0, atol=1e-8)
    np.testing.assert_allclose(x[..., 0] ** 2 + x[..., 1] ** 2, 1, atol=1e-10)
    np.testing.assert_allclose(x[..., 2] ** 2 + x[..., 3] ** 2, 1, atol=1e-10)


def test_normal_modes_of_small_swings():
    """With equal rods and masses w^2 = g / l (2 -+ sqrt 2), and the angles are in ratio 1 to +-sqrt 2."""
    pendulum = systems.get("double_pendulum")
    for sign in (1, -1):
        angle = 1e-4 * np.array([1, sign * np.sqrt(2)])
        start = [[np.sin(angle[0]), np.cos(angle[0]), np.sin(angle[1]), np.cos(angle[1]), 0, 0]]
        times = np.arange(100) * 0.02
        swing = pendulum.solve(start, times)[0, :, 0]
        np.testing.assert_allclose(swing, 1e-4 * np.cos(np.sqrt(9.81 * (2 - sign * np.sqrt(2))) * times), atol=1e-9)


def test_too_little_energy_is_refused():
    with pytest.raises(ValueError, match="energy"):
        systems.get("double_pendulum", energy=-30.0)
