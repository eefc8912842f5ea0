import numpy as np
import pytest
import torch

import systems
from systems.flows import measure


@pytest.mark.parametrize(
    ("name", "duration", "trials", "published", "tolerance"),
    [("lorenz63", 30, 12, 0.9056, 0.06), ("chen", 8, 12, 2.027, 0.25), ("lorenz96", 20, 12, 1.68, 0.2)],
)
def test_published_exponents(name, duration, trials, published, tolerance):
    system = systems.get(name)
    exponent, error = measure.lyapunov(system, duration, trials=trials, seed=3)
    assert exponent == pytest.approx(published, abs=tolerance)
    assert system.lyapunov == pytest.approx(published, abs=0.02 * published)
    assert error < tolerance


def test_lorenz_contracts_volumes_at_the_trace():
    lorenz = systems.get("lorenz63")
    x = torch.tensor([1.0, -2.0, 20.0], dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda x: lorenz(0.0, x))(x)
    assert jacobian.trace().item() == pytest.approx(-(10 + 1 + 8 / 3))


def test_fixed_points():
    wing = np.sqrt(8 / 3 * 27)
    lorenz = systems.get("lorenz63").solve([[wing, wing, 27.0]], [0.0, 0.5])
    np.testing.assert_allclose(lorenz[0, 1], [wing, wing, 27], rtol=1e-10)
    ring = systems.get("lorenz96", size=7, forcing=0.5).solve([[0.5] * 7], [0.0, 1.0])
    np.testing.assert_allclose(ring, 0.5)


def test_lorenz96_matches_its_formula_index_by_index():
    x = np.random.default_rng(0).standard_normal(6)
    want = [(x[(i + 1) % 6] - x[i - 2]) * x[i - 1] - x[i] + 8 for i in range(6)]
    np.testing.assert_allclose(systems.get("lorenz96", size=6)(0.0, torch.from_numpy(x)), want)


def test_duffing_carries_its_drive():
    ds = systems.get("duffing").simulate(trials=2, duration=20.0, seed=1).trajectory
    np.testing.assert_allclose(ds.sel(state="c") ** 2 + ds.sel(state="s") ** 2, 1, atol=1e-9)
    phase = np.unwrap(np.arctan2(ds.sel(state="s")[0], ds.sel(state="c")[0]))
    np.testing.assert_allclose(np.diff(phase), 1.2 * 0.1, rtol=1e-8)


def test_coarse_solvers_see_as_far_as_measured_elsewhere():
    """Default-tolerance RK23 lasts about 3 Lyapunov times on Lorenz-63, RK4 at dt 0.02 about 8."""
    lorenz = systems.get("lorenz63")
    start = lorenz.simulate(trials=6, duration=0.02, seed=5).trajectory.values[:, 0]
    times = np.arange(550) * 0.02
    truth = lorenz.solve(start, times)

    def valid_time(**settings):
        error = (lorenz.solve(start, times, **settings) - truth) / truth.std((0, 1))
        bad = np.sqrt((error**2).mean(-1)) > 0.4
        steps = np.where(bad.any(1), bad.argmax(1), len(times))
        return np.median(steps) * 0.02 * lorenz.lyapunov

    assert 1.5 < valid_time(method="RK23", rtol=1e-3, atol=1e-6) < 4.5
    assert 6 < valid_time(method="RK4") < 9.9
    assert valid_time(rtol=1e-9, atol=1e-9) > 9.9
