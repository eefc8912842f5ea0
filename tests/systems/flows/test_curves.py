import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import systems
from systems.flows.curves import outline

SQUARE = [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("system", [systems.get("lissajous"), systems.get("figure_eight"), outline(SQUARE)])
def test_curves_close_after_a_period(system):
    x = system.simulate(duration=2.0, dt=0.02).trajectory[0].values
    np.testing.assert_allclose(x[50:], x[:50], atol=1e-9)


def test_figure_eight_follows_its_formula_and_attracts_from_afar():
    system = systems.get("figure_eight", period=2.0, rate=3.0)
    ds = system.simulate(duration=2.0, start=[[0.0, 0.0], [1.0, -2.0]])
    s = np.pi * ds.time.values
    curve = np.stack([np.sin(s), np.sin(s) * np.cos(s)], 1)
    np.testing.assert_allclose(ds.trajectory[0], curve, atol=1e-10)
    offset = np.exp(-3 * ds.time.values)[:, None] * [1.0, -2.0]
    np.testing.assert_allclose(ds.trajectory[1], curve + offset, atol=1e-10)


@settings(max_examples=10, deadline=None)
@given(a=st.integers(1, 5), b=st.integers(1, 5), delta=st.floats(0, 3))
def test_lissajous(a, b, delta):
    ds = systems.get("lissajous", a=a, b=b, delta=delta).simulate(duration=0.2)
    s = 2 * np.pi * ds.time.values
    np.testing.assert_allclose(ds.trajectory[0], np.stack([np.sin(a * s + delta), np.sin(b * s)], 1), atol=1e-9)


def test_outline_passes_through_its_points_at_chord_times():
    x = outline(SQUARE, period=6.0).simulate(duration=6.0, dt=1.0).trajectory[0].values
    np.testing.assert_allclose(x[[0, 2, 3, 5]], SQUARE, atol=1e-9)


def test_wrong_curves_are_refused():
    with pytest.raises(ValueError, match="points"):
        outline(SQUARE[:2])
    with pytest.raises(ValueError, match="points"):
        outline([*SQUARE, SQUARE[0]])
    with pytest.raises(ValueError, match="points"):
        outline([[0.0, 1.0, 2.0]])
    with pytest.raises(ValueError, match="a must be whole"):
        systems.get("lissajous", a=1.5)
    with pytest.raises(ValueError, match="period"):
        systems.get("figure_eight", period=-1.0)
