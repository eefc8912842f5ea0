import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import systems
from systems.flows import measure


@settings(max_examples=10, deadline=None)
@given(frequency=st.floats(0.1, 10), phase=st.floats(0, 6))
def test_cosine(frequency, phase):
    system = systems.get("cosine", frequency=frequency)
    ds = system.simulate(duration=1.0, start=[[np.cos(phase), np.sin(phase)]])
    angle = 2 * np.pi * frequency * ds.time.values + phase
    np.testing.assert_allclose(ds.trajectory[0], np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-9)
    assert system.period == pytest.approx(1 / frequency)


def test_stuart_landau_radius_and_turn():
    """The square of the radius is logistic; on the cycle the turn is omega - shear sigma."""
    system = systems.get("stuart_landau", sigma=0.5, omega=2.0, shear=0.8)
    ds = system.simulate(duration=4.0, start=[[0.1, 0.0], [2.0, 0.0]])
    x, y = np.moveaxis(ds.trajectory.values, -1, 0)
    r0, decay = np.array([[0.01], [4.0]]), np.exp(-2 * 0.5 * ds.time.values)
    np.testing.assert_allclose(x**2 + y**2, 0.5 / (1 + (0.5 / r0 - 1) * decay), rtol=1e-10)
    assert measure.period(system) == pytest.approx(2 * np.pi / 1.6, rel=1e-9)
    assert system.period == pytest.approx(2 * np.pi / 1.6)


def test_published_period_and_amplitude_of_van_der_pol():
    system = systems.get("van_der_pol")
    assert measure.period(system, cycles=2, longest=150) == pytest.approx(6.6632868593, abs=1e-9)
    x = system.simulate(duration=system.period, dt=0.01).trajectory.sel(state="x")
    assert x.max().item() == pytest.approx(2.00861986, abs=1e-4)


def test_weak_van_der_pol_is_a_circle_of_radius_two():
    mu = 0.1
    system = systems.get("van_der_pol", mu=mu)
    assert system.period is None
    assert measure.period(system, cycles=2, longest=150) == pytest.approx(2 * np.pi * (1 + mu**2 / 16), abs=1e-4)


@pytest.mark.parametrize("name", ["fitzhugh_nagumo", "brusselator"])
def test_stored_periods(name):
    system = systems.get(name)
    assert measure.period(system, cycles=2, longest=170) == pytest.approx(system.period, rel=1e-8)


def test_quiet_below_the_bifurcation():
    x = systems.get("brusselator", b=1.5).simulate(duration=1.0).trajectory
    np.testing.assert_allclose(x, np.broadcast_to([1.0, 1.5], x.shape), atol=1e-5)
    with pytest.raises(ValueError, match="crosses"):
        measure.period(systems.get("fitzhugh_nagumo", current=0.0), longest=100)
