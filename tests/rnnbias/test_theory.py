import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom

from rnnbias import FNN, Recipe
from rnnbias.theory import balanced, construct, edge, random_network, width_needed


def small(units=4, inputs=2, outputs=1, seed=0, learn="bias"):
    recipe = Recipe(seed=seed, wiring="independent", input_scale=0.7, readout_scale=1.0, bias_scale=0.5)
    return FNN(units, inputs, outputs, recipe=recipe, learn=learn)


def corners_and_grid(box, points=25):
    sides = [torch.linspace(low, high, points, dtype=torch.float64) for low, high in box]
    return torch.stack(torch.meshgrid(*sides, indexing="ij"), -1).reshape(-1, len(box))


def largest_difference(one, two, box):
    with torch.no_grad():
        return (one(corners_and_grid(box)) - two(corners_and_grid(box))).abs().amax(0).numpy()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6), st.integers(6, 400),
    st.floats(-2, 1), st.floats(0.1, 3),
)  # fmt: skip
def test_the_promise_holds(units, inputs, outputs, seed, width, low, side):
    net = balanced(small(units, inputs, outputs, seed))
    box = [(low, low + side)] * inputs
    built = construct(net, random_network(width, net, edge=1.2 * edge(net), seed=seed + 1), box)
    assert (largest_difference(built.network, net, box) <= built.promise).all()


def test_the_promise_is_met_somewhere():
    """A bound that no input comes near would be cheap: here one unit's bound is reached at a corner."""
    net = small(1, 1, 1)
    box = [(-1, 1)]
    ratios = []
    for seed in range(20):
        built = construct(net, random_network(30, net, edge=2.0, seed=seed), box)
        ratios.append(float(largest_difference(built.network, net, box)[0] / built.promise[0]))
    assert max(ratios) > 0.9


def test_an_exact_copy_among_the_random_units_is_found():
    net = small(3, 2, 2)
    wide = random_network(50, net, edge=1.5, seed=2)
    with torch.no_grad():
        wide.weight_1[[7, 30, 4]] = net.weight_1
        wide.readout[:, [7, 30, 4]] = net.readout
    built = construct(net, wide, [(-1, 1)] * 2)
    assert built.match.tolist() == [7, 30, 4] and built.window == 0
    assert largest_difference(built.network, net, [(-1, 1)] * 2).max() <= built.promise.max() < 1e-12


def test_only_matched_units_fire():
    net = small()
    built = construct(net, random_network(500, net, edge=1.5, seed=0), [(-1, 1)] * 2)
    with torch.no_grad():
        rate = built.network.trace(corners_and_grid([(-1, 1)] * 2)).rate
    fires = np.flatnonzero((rate > 0).any(0).numpy())
    assert set(fires) <= set(built.match.tolist()) and len(set(built.match.tolist())) == 4


def test_the_frozen_weights_are_those_of_the_wide_network():
    net = small()
    wide = random_network(60, net, edge=1.5, seed=0)
    before = wide.digests()
    built = construct(net, wide, [(-1, 1)] * 2)
    assert built.network.digests() == before == wide.digests()
    assert (wide.bias == 0).all()


def test_the_matching_is_the_cheapest_of_all():
    net, box = small(4, 1, 1, seed=3), [(-1, 1)]
    wide = random_network(12, net, edge=1.5, seed=5)
    w, c, b = net.weight_1[:, 0], net.readout[0], net.biases.detach()
    peak = torch.relu(b + w.abs())
    there, read = wide.weight_1[:, 0], wide.readout[0]
    cost = (read - c[:, None]).abs() * peak[:, None] + read.abs() * (there - w[:, None]).abs()
    rows, columns = linear_sum_assignment(cost.numpy())
    built = construct(net, wide, box)
    assert built.promise[0] == pytest.approx(float(cost[rows, columns].sum()), rel=1e-9)


def test_wider_networks_hold_the_narrow_ones_and_promise_more():
    net = balanced(small(5, 1, 1))
    promises = [
        construct(net, random_network(m, net, edge=1.1 * edge(net), seed=1), [(-1, 1)]).promise[0]
        for m in (10, 100, 1000, 10000)
    ]
    assert all(b < a for a, b in itertools.pairwise(promises))
    assert promises[-1] < promises[1] / 5


def test_balancing_changes_no_output_and_lowers_the_edge():
    net = small(6, 3, 2, seed=4)
    with torch.no_grad():
        net.weight_1[0] *= 50
        net.readout[:, 1] *= 80
        net.readout[:, 2] = 0
    flat = balanced(net)
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(flat(x), net(x), rtol=1e-12, atol=1e-13)
    assert edge(flat) < edge(net)
    inward = flat.weight_1.abs().amax(1)
    torch.testing.assert_close(inward[[0, 1, 3, 4, 5]], flat.readout.abs().amax(0)[[0, 1, 3, 4, 5]])


def test_the_width_promised_is_enough_in_most_draws():
    net, box = balanced(small(2, 1, 1, seed=1)), [(-1, 1)]
    r = 1.5 * edge(net)
    found = width_needed(net, box, 0.3, edge=r, failure=0.1)
    width = int(np.ceil(found.width[0]))
    assert 10 < width < 20000
    met = [construct(net, random_network(width, net, edge=r, seed=s), box).promise[0] <= 0.3 for s in range(10)]
    assert sum(met) >= 9


def test_the_width_is_that_of_the_law_and_safe_for_the_binomial():
    net = balanced(small(3, 2, 1, seed=2))
    r = 3 * edge(net)
    found = width_needed(net, [(-1, 1)] * 2, [1e-2, 1e-3, 1e-4], edge=r, failure=0.05)
    np.testing.assert_allclose(np.log10(found.width.values[1:] / found.width.values[:-1]), 3, atol=0.05)
    chance = (found.window.values / r) ** 3
    assert (3 * binom.cdf(2, np.ceil(found.width.values), chance) <= 0.05 * (1 + 1e-6)).all()
    assert (3 * binom.cdf(2, np.ceil(0.8 * found.width.values), chance) > 0.05).all()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: construct(FNN(4, 2, 1), FNN(8, 2, 1), [(-1, 1)] * 2), "small must be an FNN with one hidden layer"),
        (lambda: construct(small(), FNN((8, 8), 2, 1), [(-1, 1)] * 2), "wide must be an FNN with one hidden layer"),
        (lambda: construct(small(learn=("bias", "gain")), small(), [(-1, 1)] * 2), "no learned gains or masks"),
        (lambda: construct(small(), small(inputs=3), [(-1, 1)] * 2), "wide must have 2 inputs"),
        (lambda: construct(small(), small(3), [(-1, 1)] * 2), "at least the 4 units"),
        (lambda: construct(small(), small(), [(-1, 1)]), "box must have shape"),
        (lambda: construct(small(), small(), [(1, -1)] * 2), "low < high"),
        (lambda: width_needed(small(), [(-1, 1)] * 2, 0.1, edge=0.1), "edge must be greater than"),
        (lambda: width_needed(small(), [(-1, 1)] * 2, 0.0, edge=9.0), "tolerance must be positive"),
        (lambda: random_network(4, small(), edge=-1.0, seed=0), "edge must be greater than 0"),
    ],
)
def test_what_the_theorem_does_not_cover_is_refused(call, error):
    with pytest.raises((ValueError, TypeError), match=error):
        call()


@pytest.mark.parametrize("learn", ["bias", {"bias", "weights", "readout"}])
def test_a_balanced_network_is_the_same_function_whatever_learned(learn):
    network = small(8, learn=learn)
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(balanced(network)(x), network(x))


def test_structured_weights_cannot_be_balanced():
    with pytest.raises(ValueError, match="network must have dense weights"):
        balanced(FNN(64, 64, 1, recipe=Recipe(structure="hadamard", wiring="independent")))
