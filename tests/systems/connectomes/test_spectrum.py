import numpy as np
import pytest
from scipy import sparse

from systems.connectomes.spectrum import radius


def largest(weights):
    return max(abs(np.linalg.eigvals(weights)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("density", [0.02, 0.05, 0.3])
def test_it_is_the_largest_absolute_eigenvalue(seed, density):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(60, 60)) * (rng.random((60, 60)) < density)
    assert radius(sparse.csr_array(weights)) == pytest.approx(largest(weights), rel=1e-9, abs=1e-12)


def test_wiring_without_loops_has_none():
    rng = np.random.default_rng(0)
    weights = np.tril(rng.normal(size=(30, 30)), -1)
    order = rng.permutation(30)
    assert radius(sparse.csr_array(weights[order][:, order])) == 0.0


def test_a_neuron_on_itself_is_a_loop():
    assert radius(sparse.csr_array([[0.0, 5.0], [0.0, -0.25]])) == 0.25


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_many_neurons_on_loops_among_more_that_are_not(mean):
    rng = np.random.default_rng(1)
    units = 1200
    weights = rng.normal(mean, size=(units, units)) * (rng.random((units, units)) < 0.01)
    around = sparse.block_array(
        [[sparse.csr_array(weights), None], [sparse.eye_array(units), sparse.csr_array((units, units))]]
    )
    assert radius(sparse.csr_array(around)) == pytest.approx(largest(weights), rel=1e-4)
