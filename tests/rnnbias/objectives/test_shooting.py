import numpy as np
import pytest
import torch

from rnnbias.networks import RNN, WIRINGS, Recipe, parameters
from rnnbias.objectives import ClosedLoop, Shooting
from rnnbias.solvers import LevenbergMarquardt, Monitor
from systems import Lattice
from systems.flows.lattice import BOUNDARIES

LOOP = ClosedLoop(torch.tensor([0.01, -0.02]).double(), torch.tensor([0.2, 0.1]).double(), True)
NOISE = torch.tensor([0.1, 0.2]).double()


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(wiring="independent", units=8, moved=0.3, seed=0, delays=1, **more):
    recipe = Recipe(wiring=wiring, gain=0.0, input_scale=0.8, readout_scale=2.0, seed=seed)
    net = RNN(units, 2 * delays, 2, recipe=recipe, **more)
    net.bias.data += moved * normal(*net.bias.shape, seed=seed + 1)
    return net


def by_hand(net, bias, starts, observed, loop=LOOP):
    """All residuals as a function of biases and starts."""
    states = list(starts.unflatten(1, (-1, 2)).unbind(1))
    for _ in range(observed.shape[1] - len(states)):
        seen = torch.cat([states[-1 - lag] for lag in loop.lags], 1)
        drive = net.wiring.spread(seen @ net.input.T) + net.shifted(bias)
        step = loop.mean + loop.scale * net.read(torch.tanh(drive))
        states.append((states[-1] if loop.increment else 0) + step)
    error = (torch.stack(states, 1) - observed) / NOISE
    return torch.cat([error.flatten(), bias / 2.0])


@pytest.mark.parametrize("lags", [(0,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("increment", [True, False])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_elimination_is_the_full_solve(wiring, increment, lags):
    net, observed = network(wiring, delays=len(lags)), 0.5 * normal(4, 5 + lags[-1] + 1, 2, seed=3)
    loop = LOOP._replace(increment=increment, lags=lags)
    shooting = Shooting(observed, loop, NOISE, 2.0)
    shooting.settle(net, 30)
    error, matrix, _ = shooting.linearise(net)
    bias, starts = net.bias.detach(), shooting.starts
    torch.testing.assert_close(error, by_hand(net, bias, starts, observed, loop))
    by_bias, by_start = torch.autograd.functional.jacobian(
        lambda b, s: by_hand(net, b, s, observed, loop), (bias, starts)
    )
    joint = torch.cat([by_bias, by_start.flatten(1)], 1)
    step = torch.linalg.lstsq(joint, -error[:, None]).solution[: len(bias), 0]
    torch.testing.assert_close(torch.linalg.lstsq(matrix, -error[:, None]).solution[:, 0], step, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_gradient_is_that_of_finite_differences(wiring):
    """Of the loss whose starts are the best for every set of biases."""
    net, observed = network(wiring), 0.5 * normal(4, 6, 2, seed=3)

    def loss(numbers):
        parameters.write(net, numbers)
        shooting = Shooting(observed, LOOP, NOISE, 2.0)
        shooting.settle(net, 40)
        return float(shooting.residual(net).detach().square().sum())

    numbers, found = parameters.read(net), []
    for unit in torch.eye(len(numbers), dtype=torch.float64):
        found.append((loss(numbers + 1e-5 * unit) - loss(numbers - 1e-5 * unit)) / 2e-5)
    parameters.write(net, numbers)
    shooting = Shooting(observed, LOOP, NOISE, 2.0)
    shooting.settle(net, 40)
    error, matrix, _ = shooting.linearise(net)
    torch.testing.assert_close(2 * matrix.T @ error, torch.tensor(found).double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lags", [(0,), (0, 2)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_on_a_lattice_runs_and_gradient_are_those_of_its_sites(boundary, lags):
    """By hand, site after site, and by finite differences of the loss whose starts are the best."""
    lattice, sites = Lattice(2, 1, boundary), 5
    net = RNN(6, 4 * len(lags), 1, recipe=Recipe(wiring="independent", gain=0.0, input_scale=0.8, readout_scale=2.0))
    loop = ClosedLoop(torch.full((sites,), 0.01).double(), torch.full((sites,), 0.2).double(), True, lags, lattice)
    observed = 0.5 * normal(3, 5 + lags[-1], sites, seed=3)
    shooting = Shooting(observed, loop, torch.full((sites,), 0.1).double(), 2.0)
    path = list(observed[:, : loop.window].unbind(1))
    while len(path) < observed.shape[1]:
        seen = [lattice.gather(path[-1 - lag]) for lag in lags]
        outputs = [net.read(torch.tanh(net.external(torch.cat([x[:, i] for x in seen], 1)))) for i in range(sites)]
        path.append(path[-1] + 0.01 + 0.2 * torch.cat(outputs, 1))
    torch.testing.assert_close(shooting.run(net, shooting.starts), torch.stack(path, 1))

    def loss(numbers):
        parameters.write(net, numbers)
        fresh = shooting.restarted(shooting.starts)
        fresh.settle(net, 40)
        return float(fresh.residual(net).detach().square().sum())

    numbers = parameters.read(net)
    found = [(loss(numbers + 1e-5 * u) - loss(numbers - 1e-5 * u)) / 2e-5 for u in torch.eye(6, dtype=torch.float64)]
    parameters.write(net, numbers)
    shooting.settle(net, 40)
    error, matrix, _ = shooting.linearise(net)
    torch.testing.assert_close(2 * matrix.T @ error, torch.tensor(found).double(), rtol=1e-5, atol=1e-6)


def test_starts_follow_the_biases_to_first_order():
    net, observed = network(), 0.5 * normal(4, 6, 2, seed=3)
    shooting = Shooting(observed, LOOP, NOISE, 2.0)
    shooting.settle(net, 40)
    model = shooting.linearise(net)
    step = 1e-4 * normal(*net.bias.shape, seed=5)
    parameters.write(net, parameters.read(net) + step)
    torch.testing.assert_close(shooting.residual(net), model.error + model.matrix @ step, rtol=0, atol=1e-6)


def test_known_biases_are_recovered_within_their_error_bars():
    """A teacher's free runs, seen with noise: the errors of the biases are as large as the posterior says."""
    teacher, student = network(units=6, moved=0.4), network(units=6, moved=0.0)
    starts, noise = normal(150, 2, seed=7), torch.full((2,), 0.02).double()
    blank = Shooting(torch.zeros(150, 21, 2).double(), LOOP, noise, 1.0)
    truth = blank.run(teacher, starts).detach()
    train = Shooting(truth + 0.02 * normal(*truth.shape, seed=8), LOOP, noise, 1.0)
    monitor = Monitor(student, train, 5, progress=False, judge=train)
    LevenbergMarquardt(iterations=40).solve(student, train, monitor)
    matrix = train.linearise(student).matrix
    sd = torch.linalg.inv(matrix.T @ matrix).diagonal().sqrt()
    off = (student.biases - teacher.biases).detach() / sd
    assert 0.3 < float(off.square().mean().sqrt()) < 1.7
    assert float(sd.max()) < 0.1  # the prior's is 1
    assert train.loss(student) == pytest.approx(1.0, abs=0.15)
    runs, noisy = train.denoised(student) - truth, train.observed - truth
    assert float(runs.square().mean()) < 0.1 * float(noisy.square().mean())
    np.testing.assert_allclose(train.spread(student), noise, rtol=0.1)


def test_a_run_that_escapes_costs_but_breaks_nothing():
    net = network(moved=0.0)
    shooting = Shooting(normal(3, 30, 2), LOOP._replace(scale=torch.full((2,), 1e4).double()), NOISE, 1.0)
    assert np.isfinite(shooting.loss(net)) and shooting.linearise(net).matrix.isfinite().all()
