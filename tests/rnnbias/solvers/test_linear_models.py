"""Linear models against one another and against least squares."""

import math

import numpy as np
import pytest
import torch

from rnnbias import RNN, Recipe
from rnnbias.objectives import ClosedLoop, Sequences, Shooting
from rnnbias.solvers import DenseModel, GramModel, MatrixFreeModel


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(units, trials, structure="dense"):
    recipe = Recipe(wiring="independent", structure=structure, gain=0.5, input_scale=0.7, readout_scale=2.0)
    network = RNN(units, 2, 2, recipe=recipe)
    return network, Sequences(normal(trials, 8, 2), normal(trials, 6, 2, seed=1), 2)


@pytest.mark.parametrize(("units", "trials"), [(20, 10), (60, 2), (64, 1)])
@pytest.mark.parametrize("structure", ["dense", "hadamard"])
def test_products_alone_give_the_steps_of_the_matrix(units, trials, structure):
    network, train = problem(units, trials, structure)
    dense, free = (kind(network, train) for kind in (DenseModel, MatrixFreeModel))
    assert free.largest == pytest.approx(float(dense.singular[0]), rel=1e-10)
    target, step = normal(len(dense.error), seed=2), normal(units, seed=3)
    torch.testing.assert_close(free.apply(step), dense.apply(step))
    for damping in (1.0, 1e-2, 1e-4):
        torch.testing.assert_close(free.step(damping), dense.step(damping), rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(free.fit(target, damping), dense.fit(target, damping), rtol=1e-6, atol=1e-9)
        assert free.predict(free.step(damping)) == pytest.approx(dense.predict(dense.step(damping)))


def test_a_prior_lets_the_square_of_the_matrix_say_as_much():
    network = RNN(20, 2, 2, recipe=Recipe.shaping(input_scale=0.8))
    loop = ClosedLoop(torch.zeros(2).double(), torch.ones(2).double(), True)
    train = Shooting(normal(6, 5, 2), loop, torch.full((2,), 0.05).double(), 1.0)
    assert train.regular and not problem(8, 3)[1].regular
    assert not Shooting(normal(6, 5, 2), loop, torch.ones(2).double(), math.inf).regular
    train.settle(network, 30)
    dense, squared = (kind(network, train) for kind in (DenseModel, GramModel.squared))
    target = normal(len(dense.error), seed=2)
    for damping in (1.0, 1e-2, 1e-4):
        torch.testing.assert_close(squared.step(damping), dense.step(damping), rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(squared.fit(target, damping), dense.fit(target, damping), rtol=1e-8, atol=1e-10)


def test_a_space_that_ends_early_is_no_failure():
    network, train = problem(12, 3)
    with torch.no_grad():
        reached = network.read(network(train.inputs).rate[:, 2:])
    still = MatrixFreeModel(network, Sequences(train.inputs, reached, 2))
    assert torch.equal(still.step(1e-3), torch.zeros(12, dtype=torch.float64))
    twice = Sequences(train.inputs[[0, 0]], train.targets[[0, 0]], 2)  # half of the residuals say nothing new
    matrix, error = train.subset(torch.tensor([0])).linearise(network).matrix, DenseModel(network, twice).error[:12]
    wanted = np.linalg.lstsq(
        np.vstack([matrix, 1e-3 * np.linalg.norm(matrix, 2) * np.eye(12)]), np.r_[-error, np.zeros(12)]
    )
    torch.testing.assert_close(MatrixFreeModel(network, twice).step(1e-3), torch.from_numpy(wanted[0]))
