from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.connectomes import Connectome, celegans, degree_preserving, scrambled_signs, shuffled_identities


def edges(connectome):
    return set(zip(*np.nonzero(connectome.dense()), strict=True))


@given(units=st.integers(1, 12), density=st.floats(0, 1), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_degrees_and_outgoing_weights_are_kept(units, density, seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(units, units)) * (rng.random((units, units)) < density)
    one = Connectome.of(weights)
    found = degree_preserving(one, seed).dense()
    for axis in (0, 1):
        np.testing.assert_array_equal((found != 0).sum(axis), (weights != 0).sum(axis))
    np.testing.assert_array_equal(np.diag(found), np.diag(weights))
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(weights, axis=0))


def test_the_worm_is_rewired():
    worm = celegans()
    found = degree_preserving(worm, 0)
    assert found.synapses == worm.synapses and len(edges(found) & edges(worm)) < 0.2 * worm.synapses
    assert found.name == "celegans (degrees kept, seed 0)" and found.annotations == worm.annotations
    assert degree_preserving(worm, 0).digest == found.digest != degree_preserving(worm, 1).digest


def test_all_wirings_of_the_same_degrees_are_equally_likely():
    weights = np.zeros((4, 4))
    for pre, post in [(0, 1), (0, 2), (1, 2), (2, 3), (3, 0), (1, 3)]:
        weights[post, pre] = 1
    one, draws = Connectome.of(weights), 400
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    possible = []
    for chosen in combinations(pairs, one.synapses):
        other = np.zeros((4, 4))
        other[tuple(np.transpose(chosen))] = 1
        if all((other.sum(axis) == weights.sum(axis)).all() for axis in (0, 1)):
            possible.append(other.tobytes())
    found = [degree_preserving(one, seed).dense().tobytes() for seed in range(draws)]
    counts = np.array([found.count(each) for each in possible])
    expected = draws / len(possible)
    assert len(possible) == 8 and counts.sum() == draws
    assert ((counts - expected) ** 2 / expected).sum() < 24.3  # of chi squared with 7 degrees of freedom, 1 in 1,000


def test_identities_are_shuffled_but_not_the_wiring():
    worm = celegans()
    found = shuffled_identities(worm, 3)
    assert found.digest != worm.digest and found.neurons == worm.neurons
    assert found.dense().trace() == worm.dense().trace()
    degrees = [sorted(zip((c.dense() != 0).sum(0), (c.dense() != 0).sum(1), strict=True)) for c in (found, worm)]
    assert degrees[0] == degrees[1]
    np.testing.assert_allclose(
        np.sort(abs(np.linalg.eigvals(found.dense())))[-3:], np.sort(abs(np.linalg.eigvals(worm.dense())))[-3:]
    )


def test_signs_are_scrambled_but_not_magnitudes():
    worm = celegans()
    found = scrambled_signs(worm, 3)
    np.testing.assert_array_equal(abs(found.dense()), abs(worm.dense()))
    assert (found.weights.data < 0).sum() == (worm.weights.data < 0).sum() and found.digest != worm.digest
    assert scrambled_signs(worm, 3).digest == found.digest != scrambled_signs(worm, 4).digest


@pytest.mark.parametrize("shuffle", [degree_preserving, shuffled_identities, scrambled_signs])
def test_seeds_are_checked(shuffle):
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        shuffle(celegans(), -1)
