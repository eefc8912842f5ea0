import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import systems
from systems import Lattice, System
from systems.flows.lattice import BOUNDARIES

PADS = {"periodic": "wrap", "edge": "edge", "zero": "constant"}


def some(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@given(before=st.integers(0, 4), after=st.integers(0, 4))
def test_neighbours_on_a_ring_are_those_of_roll(before, after):
    values = some(2, 3, 9)
    found = Lattice(before, after).gather(values)
    wanted = np.stack([np.roll(values, -k, -1) for k in range(-before, after + 1)], -1)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_beyond_the_ends_is_what_numpy_pads(boundary):
    values = some(2, 6)
    found = Lattice(3, 1, boundary).gather(values)
    padded = np.pad(values, [(0, 0), (3, 1)], PADS[boundary])
    np.testing.assert_array_equal(found, np.lib.stride_tricks.sliding_window_view(padded, 5, -1))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_spread_is_the_jacobian_of_what_is_gathered(boundary):
    """With weights (site, width) a site becomes the weighted sum of its neighbours."""
    lattice, weights, values = Lattice(2, 1, boundary), some(6, 4), some(6)
    jacobian = torch.autograd.functional.jacobian(lambda x: (lattice.gather(x) * weights).sum(-1), values)
    torch.testing.assert_close(lattice.spread(weights), jacobian)
    torch.testing.assert_close(lattice.spread(weights[None].expand(3, -1, -1))[2], jacobian)


def test_a_lattice_is_rebuilt_from_plain_values():
    lattice = Lattice(2, 0, "edge")
    assert Lattice(**lattice.to_dict()) == lattice and lattice.width == 3
    assert str(lattice) == "2 neighbours before and 0 after, boundary edge"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0), "before must be at least 0, got -1"),
        ((1, 0.5), "after must be a whole number, got 0.5"),
        ((1, 1, "open"), "boundary must be one of 'periodic', 'edge', 'zero', got 'open'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Lattice(*arguments)


def test_systems_say_whether_they_are_lattices():
    assert systems.get("lorenz63").lattice is None and systems.get("lorenz96", size=6).lattice is None
    ring = systems.get("lorenz96", forcing=10.0)
    assert ring.lattice == Lattice(4, 2) and systems.get("kuramoto_sivashinsky", size=32).lattice == Lattice(6, 6)
    with pytest.raises(ValueError, match="lattice must see at most all 2 sites, got 3"):
        System(name="two", states=("a", "b"), field=lambda t, x, p: -x, lattice=Lattice(1, 1))


def test_every_site_of_lorenz96_obeys_one_law_of_its_neighbours():
    """A sample later a site is what its neighbours alone make it, to fourth order of the step, and all sites alike."""
    system = systems.get("lorenz96", size=12)
    start = 8 + 3 * some(1, 12).numpy()
    times, (before, after) = [0.0, 0.02], (system.lattice.before, system.lattice.after)
    far = start.copy()
    far[0, [k % 12 for k in range(6 + after + 1, 6 - before + 12)]] += 1.0  # all that site 6 does not see
    one, other, turned = (system.solve(x, times)[0, 1] for x in (start, far, np.roll(start, 5)))
    assert abs(one - start[0])[6] > 0.1 and abs(one - other)[6] < 1e-2
    np.testing.assert_allclose(np.roll(one, 5), turned, rtol=1e-9)
