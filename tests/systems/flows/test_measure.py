import pytest

from systems import System, get
from systems.flows import measure


def test_exponent_of_a_saddle():
    saddle = System(name="saddle", states=["x", "y"], field=lambda t, x, p: (0.5 * x[..., 0], -2 * x[..., 1]), dt=0.1)
    exponent, error = measure.lyapunov(saddle, 20.0)
    assert exponent == pytest.approx(0.5, abs=1e-4) and error < 1e-4


def test_exponent_of_a_limit_cycle_is_zero():
    exponent, _ = measure.lyapunov(get("stuart_landau"), 60.0, trials=2)
    assert exponent == pytest.approx(0, abs=1e-3)


def test_chaos_has_no_period():
    with pytest.raises(ValueError, match="no one period"):
        measure.period(get("lorenz63"), cycles=2, longest=300)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="duration"):
        measure.lyapunov(get("lorenz63"), 0.5)
    with pytest.raises(ValueError, match="trials"):
        measure.lyapunov(get("lorenz63"), 50.0, trials=1)
    with pytest.raises(ValueError, match="cycles"):
        measure.period(get("cosine"), cycles=1)
