import numpy as np
import pytest
import torch

from rnnbias import RNN, Recipe
from rnnbias.problems.placement import place, placement

RECIPE = Recipe(seed=2, wiring="independent", gain=1.3, readout_scale=10.0)


def network(**more):
    return RNN(60, 0, 2, **{"recipe": RECIPE, "alpha": -0.6, "beta": 0.4, **more})


def eigenvalues(net, rest):
    rate = torch.from_numpy(rest)[None]
    with torch.no_grad():
        torch.testing.assert_close(net.advance(rate, net.biases)[1], rate, atol=1e-12, rtol=0)
    matrix = torch.autograd.functional.jacobian(lambda r: net.advance(r[None], net.biases)[1][0], rate[0])
    return np.linalg.eigvals(matrix.numpy())


@pytest.mark.parametrize("goals", [[np.exp(0.04 + 0.2j)], [1.05, 1.1], [1.06, np.exp(0.03 + 0.3j)]])
def test_rest_has_the_eigenvalues_asked_for_and_all_others_inside(goals):
    net = network()
    found = placement(net, goals)
    place(net, found.bias)
    np.testing.assert_allclose(net.biases.detach().numpy(), found.bias, atol=1e-12)
    values = eigenvalues(net, found.rest)
    np.testing.assert_allclose(found.placed, goals, atol=2e-3)
    for goal in goals:
        assert np.abs(values - goal).min() < 2e-3
    outside = np.sort(np.abs(values))[::-1]
    taken = sum(2 if np.imag(goal) else 1 for goal in goals)
    assert (outside[:taken] > 1).all()
    assert outside[taken] == pytest.approx(found.others, abs=1e-8) and found.others < 0.96
    with torch.no_grad():
        assert net.read(torch.from_numpy(found.rest)).abs().max() < 2.0


def test_weak_weights_cannot_be_made_to_grow():
    found = placement(network(recipe=Recipe(wiring="independent", gain=0.45)), [np.exp(0.05 + 0.2j)])
    assert abs(found.placed[0]) < 1 and found.others < 1


def test_same_seed_same_biases_and_weights_stay():
    net = network()
    before = net.digests()
    first, second = (placement(net, [1.05], seed=4).bias for _ in range(2))
    assert np.array_equal(first, second) and net.digests() == before
    assert not np.array_equal(first, placement(net, [1.05], seed=5).bias)


@pytest.mark.parametrize("change", [{"activation": "relu"}, {"recipe": Recipe()}])
def test_other_networks_are_refused(change):
    with pytest.raises(ValueError, match="tanh units with independent wiring"):
        placement(network(**change), [1.05])


def test_more_goals_than_eigenvalues_are_refused():
    with pytest.raises(ValueError, match="outnumber the eigenvalues of their kind"):
        placement(network(), 1 + 0.01 * np.arange(1, 61))
