"""Other objectives for noisy data: their Jacobians against finite differences, and what noise leaves of them."""

import numpy as np
import pytest
import torch

import systems
from rivals import RIVALS, Rival, _forced, _penalised, _weak
from rnnbias import Recipe
from rnnbias.networks import parameters


@pytest.fixture(scope="module")
def setting():
    data = systems.get("lorenz63").simulate(duration=6.0, seed=1).trajectory
    problem = Rival(data + 0.4 * np.random.default_rng(0).normal(size=data.shape), seed=0, then=_weak)
    drawing = {"learn": ("bias",), "activation": "tanh", "device": "cpu", "dtype": torch.float64}
    net = problem.network(12, recipe=Recipe.shaping(readout_scale=5.0), **drawing)
    net.bias.data[:] = 0.3 * torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return problem, net, problem._standard(net)[0], torch.full((3,), 0.05, dtype=torch.float64)


@pytest.mark.parametrize("then", [_forced(0.2), _weak, _penalised])
def test_jacobians(setting, then):
    problem, net, fitting, noise = setting
    objective = next(then(problem, net, fitting, noise))
    found, start, columns = objective.linearise(net), parameters.read(net), []
    for k in range(len(start)):
        sides = []
        for sign in (1, -1):
            moved = start.clone()
            moved[k] += sign * 1e-6
            parameters.write(net, moved)
            sides.append(objective.residual(net).detach())
        columns.append((sides[0] - sides[1]) / 2e-6)
    parameters.write(net, start)
    torch.testing.assert_close(found.matrix, torch.stack(columns, 1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.error, objective.residual(net).detach())


def test_noise_of_the_data_has_unit_size_under_the_weak_form(setting):
    problem, net, fitting, noise = setting
    tests = next(_weak(problem, net, fitting, noise))._tests
    assert tests.diff(dim=1, prepend=torch.zeros(len(tests), 1), append=torch.zeros(len(tests), 1)).norm(
        dim=1
    ) == pytest.approx(np.ones(len(tests)), rel=0.02)


def test_full_forcing_is_single_steps(setting):
    """Drawn back all the way, every step begins at what was observed."""
    problem, net, fitting, noise = setting
    runs = next(_forced(1.0)(problem, net, fitting, noise))
    with torch.no_grad():
        ahead = runs.run(net, runs.starts)[:, 1:]
        rate = net.beta * net.activate(net.external(runs.observed[:, :-1]))[1]
        torch.testing.assert_close(ahead, runs.loop.advance(runs.observed[:, :-1], net.read(rate)))
    assert len(RIVALS) == 6
