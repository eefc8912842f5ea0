import numpy as np
import pytest
import torch

from systems.integrate import dop853, rk4, rk4_step, scipy_method


def turn(t, x):
    return np.stack([-x[:, 1], x[:, 0]], axis=1)


def circle(times):
    return np.stack([np.cos(times), np.sin(times)], axis=1)


def test_dop853_on_a_circle():
    times = np.linspace(0, 20, 30)
    x = dop853(turn, np.array([[1.0, 0.0]]), times, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(x[0], circle(times), atol=1e-10)


def test_dop853_reaches_the_tolerance_from_far_too_long_a_step():
    times = np.array([0.0, 100.0])
    x = dop853(turn, np.array([[1.0, 0.0]]), times, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(x[0], circle(times), atol=1e-10)


def test_rk4_is_of_fourth_order():
    def error(n):
        times = np.linspace(0, 1, n + 1)
        return np.abs(rk4(turn, np.array([[1.0, 0.0]]), times)[0] - circle(times)).max()

    assert error(20) / error(40) == pytest.approx(16, rel=0.05)


def test_a_step_is_exact_where_the_rate_is_a_cubic_of_time():
    assert rk4_step(lambda t, x: 4 * t**3 + 0 * x, 1.0, np.zeros(1), 2.0)[0] == pytest.approx(3**4 - 1, rel=1e-14)


def test_arrays_and_tensors_step_alike():
    x = np.random.default_rng(0).normal(size=(4, 3))
    array, tensor = (rk4_step(lambda t, x: t * x - x**3, 0.3, x, 0.1) for x in (x, torch.from_numpy(x)))
    np.testing.assert_allclose(tensor, array, rtol=1e-15)


def test_scipy_failure_is_an_error():
    with pytest.raises(FloatingPointError, match="RK45"):
        scipy_method("RK45", lambda t, x: x**2, np.array([[1.0]]), np.array([0.0, 2.0]), rtol=1e-6, atol=1e-6)
