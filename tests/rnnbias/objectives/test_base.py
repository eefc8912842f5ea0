import pytest
import torch

from rnnbias.networks import RNN, WIRINGS, Recipe, parameters
from rnnbias.objectives import Objective, Sequences, gram


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(wiring="push-pull", learn="bias", **changes):
    net = RNN(
        8,
        2,
        2,
        recipe=Recipe(seed=1, wiring=wiring, gain=0.7, input_scale=0.5, readout_scale=2.0),
        learn=learn,
        **changes,
    )
    parameters.write(net, parameters.read(net) + 0.2 * normal(3, net.learned))
    return net


SEQUENCES = Sequences(normal(0, 3, 7, 2), normal(1, 3, 5, 2), washout=2)


def differences(examples, net, step=1e-6):
    """The Jacobian by central differences."""
    numbers, columns = parameters.read(net), []
    for move in step * torch.eye(len(numbers), dtype=torch.float64):
        sides = []
        for sign in (1, -1):
            parameters.write(net, numbers + sign * move)
            sides.append(examples.residual(net).detach().flatten())
        columns.append((sides[0] - sides[1]) / (2 * step))
    parameters.write(net, numbers)
    return torch.stack(columns, 1)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("learn", ["bias", "gain", ["bias", "initial"], ["bias", "gain", "readout", "initial"]])
def test_the_jacobian_agrees_with_differences(wiring, learn):
    net = network(wiring, learn, alpha=-0.4, beta=0.6)
    error, matrix, _ = SEQUENCES.linearise(net)
    torch.testing.assert_close(error, SEQUENCES.residual(net).detach().flatten())
    torch.testing.assert_close(matrix, differences(SEQUENCES, net), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("learn", ["bias", ["bias", "gain", "initial"]])
def test_products_are_those_of_the_jacobian(learn):
    net = network(learn=learn)
    matrix = SEQUENCES.linearise(net).matrix
    products = SEQUENCES.products(net)
    v, w = normal(4, matrix.shape[1]), normal(5, matrix.shape[0])
    torch.testing.assert_close(products.forward(v), matrix @ v)
    torch.testing.assert_close(products.backward(w), matrix.T @ w)


def test_the_fast_jacobian_of_biases_is_the_general_one():
    net = network()
    fast, general = SEQUENCES.linearise(net), Objective.linearise(SEQUENCES, net)
    torch.testing.assert_close(fast.matrix, general.matrix)
    torch.testing.assert_close(fast.error, general.error)
    v = normal(4, net.learned)
    torch.testing.assert_close(SEQUENCES.products(net).forward(v), Objective.products(SEQUENCES, net).forward(v))


def test_a_part_has_the_trials_chosen():
    net, some = network(), SEQUENCES.subset(torch.tensor([2, 0]))
    assert len(SEQUENCES) == 3 and len(some) == 2
    torch.testing.assert_close(some.residual(net), SEQUENCES.residual(net)[[2, 0]])


def test_a_loss_that_is_not_finite_is_infinite():
    net = network()
    assert SEQUENCES.loss(net) == pytest.approx(SEQUENCES.residual(net).square().mean().item())
    assert Sequences(SEQUENCES.inputs, SEQUENCES.targets * float("nan"), 2).loss(net) == float("inf")


def test_numbers_go_out_and_come_back():
    net = network(learn={"bias", "gain", "readout"})
    numbers = parameters.read(net)
    assert numbers.shape == (net.learned,)
    parameters.write(net, torch.arange(net.learned, dtype=torch.float64))
    assert parameters.read(net).tolist() == list(range(net.learned)) and not torch.equal(numbers, parameters.read(net))


@pytest.mark.parametrize("shape", [(5, 1), (40, 128), (40, 129), (3, 50, 300)])
def test_a_gram_matrix_is_the_product(shape):
    matrix = normal(0, *shape)
    torch.testing.assert_close(gram(matrix), matrix.mT @ matrix, rtol=0, atol=1e-12)
