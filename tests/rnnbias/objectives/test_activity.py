"""The residuals of recorded activity and their Jacobian, against finite differences."""

import itertools
import math

import numpy as np
import pytest
import torch

from rnnbias.networks import Circuit, parameters
from rnnbias.networks import synapses as wiring
from rnnbias.objectives import Activity, Observed
from systems.connectomes import Connectome


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def made(rng, quantity, **settings):
    weights = rng.standard_normal((8, 8)) * (rng.random((8, 8)) < 0.5)
    net = Circuit(Connectome.of(weights), inputs=2, outputs=1, learn={"bias", "gain"}, decay=0.4, **settings)
    parameters.write(net, torch.from_numpy(0.3 * rng.standard_normal(net.learned)))
    inputs, targets = (torch.from_numpy(rng.standard_normal((3, 6, k))) for k in (2, 4))
    targets[0, 2, 1] = targets[1, :, 2] = math.nan
    observed = Observed(torch.tensor([0, 3, 5]), quantity, 0.4, True)
    noise = torch.from_numpy(rng.uniform(0.5, 1.5, 4))
    return net, Activity(inputs, targets, observed, noise, {"bias": 0.7})


def differences(net, objective, step=1e-6):
    start, columns = parameters.read(net), []
    for k in range(len(start)):
        sides = []
        for sign in (1, -1):
            moved = start.clone()
            moved[k] += sign * step
            parameters.write(net, moved)
            sides.append(objective.residual(net).detach())
        columns.append((sides[0] - sides[1]) / (2 * step))
    parameters.write(net, start)
    return torch.stack(columns, 1)


@pytest.mark.parametrize(("quantity", "dense"), list(itertools.product(("rate", "current"), (True, False))))
def test_jacobian_and_products(rng, monkeypatch, quantity, dense):
    if not dense:
        monkeypatch.setattr(wiring, "_SMALL", 0)
        monkeypatch.setattr(wiring, "_DENSE", 0)
    net, objective = made(rng, quantity)
    assert net.pattern.dense == dense
    found, products = objective.linearise(net), objective.products(net)
    torch.testing.assert_close(found.matrix, differences(net, objective), atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(found.error, objective.residual(net).detach())
    vector, weight = (
        torch.from_numpy(rng.standard_normal(net.learned)),
        torch.from_numpy(rng.standard_normal(len(found.error))),
    )
    torch.testing.assert_close(products.forward(vector), found.matrix @ vector)
    torch.testing.assert_close(products.backward(weight), found.matrix.T @ weight)


def test_what_was_not_recorded_does_not_count(rng):
    net, objective = made(rng, "rate")
    assert len(objective.residual(net)) == 3 * 6 * 4 - 1 - 6 + 8
    assert len(objective.misfit(net)) == 3 * 6 * 4 - 1 - 6


def test_part_of_the_trials_bears_part_of_the_prior(rng):
    net, objective = made(rng, "rate")
    whole = objective.residual(net)[-8:].square().sum()
    halves = [objective.subset(torch.tensor(part)) for part in ([0], [1, 2])]
    torch.testing.assert_close(sum(half.residual(net)[-8:].square().sum() for half in halves), whole)


def test_a_slow_indicator(rng):
    """Against the recursion written out."""
    net, objective = made(rng, "rate")
    with torch.no_grad():
        trace = net(objective.inputs)
        found = objective.observed.follow(trace.drive, trace.rate, net.readout).numpy()
    seen = trace.rate[..., objective.observed.units].numpy()
    slow = seen[:, 0]
    for t in range(1, seen.shape[1]):
        slow = slow + 0.4 * (seen[:, t] - slow)
        np.testing.assert_allclose(found[:, t, :3], slow, atol=1e-14)
    np.testing.assert_allclose(found[..., 3:], (trace.rate @ net.readout.T).numpy(), atol=1e-14)
