from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnbias.networks import RNN, WIRINGS, Recipe, trainable_parts
from rnnbias.objectives import Sequences
from rnnbias.solvers import Monitor, Ridge


def network(wiring="independent", learn="readout", units=20):
    recipe = Recipe(seed=1, wiring=wiring, gain=0.5, input_scale=0.7, readout_scale=1.0)
    return RNN(units, 2, 3, recipe=recipe, learn=learn)


def task(seed=0, trials=2, times=60, washout=5):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(trials, times, 2, generator=rng, dtype=torch.float64)
    y = torch.stack([x[..., 0].cos(), x[..., 1], x[..., 0] * x[..., 1]], -1)[:, washout:]
    noise = 0.1 * torch.randn(y.shape, generator=rng, dtype=torch.float64)
    return Sequences(x, y + noise, washout)


def learn(net, solver, held_out=None, patience=30):
    monitor = Monitor(net, held_out or task(), patience, measure=lambda _: {"valid_time": 0.0}, progress=False)
    solver.solve(net, task(), monitor)
    return monitor


def features(net, batch):
    """One column for each column of the readout: what the outputs are linear in."""
    with torch.no_grad():
        rate = net(batch.inputs).rate[:, batch.washout :].flatten(0, 1).numpy()
    return rate if net.recipe.wiring == "independent" else rate[:, 0::2] - rate[:, 1::2]


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("ridge", [1e-8, 1e-2, 1.0, 100.0])
def test_it_is_augmented_least_squares(wiring, ridge):
    net, train = network(wiring), task()
    if wiring != "independent":  # the two units of a pair must differ to be of use
        net.bias += torch.linspace(0.1, 0.5, len(net.bias))
    frozen = net.digests()
    r, y = features(net, train), train.targets.flatten(0, 1).numpy()
    tall = np.concatenate([r, np.sqrt(ridge) * np.eye(r.shape[1])])
    answer, *_ = np.linalg.lstsq(tall, np.concatenate([y, np.zeros((r.shape[1], 3))]), rcond=None)
    learn(net, Ridge(ridge))
    np.testing.assert_allclose(net.readout.detach(), answer.T, rtol=1e-7, atol=1e-9)
    assert train.loss(net) == pytest.approx(np.square(r @ answer - y).mean(), rel=1e-9)
    assert net.digests() == frozen


def test_no_ridge_at_all_is_least_squares():
    net, train = network(), task()
    answer, *_ = np.linalg.lstsq(features(net, train), train.targets.flatten(0, 1).numpy(), rcond=None)
    learn(net, Ridge(0.0))
    np.testing.assert_allclose(net.readout.detach(), answer.T, rtol=1e-6, atol=1e-9)


def test_small_ridges_are_not_lost_to_the_square_of_the_condition_number():
    """Outputs that the rates make exactly come back to rounding, with nearly parallel rates too."""
    net = network(units=12)
    net.start[1], net.input[1], net.recurrent[1] = net.start[0] + 1e-9, net.input[0], net.recurrent[0]
    train = task()
    truth = torch.arange(36.0, dtype=torch.float64).reshape(3, 12)
    exact = replace(train, targets=torch.from_numpy(features(net, train)).reshape(2, 55, 12) @ truth.T)
    monitor = Monitor(net, exact, 30, measure=lambda _: {"valid_time": 0.0}, progress=False)
    Ridge(1e-26).solve(net, exact, monitor)
    assert exact.loss(net) < 1e-20 * float(exact.targets.square().mean())


def test_the_ridge_is_chosen_on_held_out_data():
    net, held = network(units=60), task(seed=1)
    monitor = learn(net, Ridge(), held)
    losses = [entry["held_out_loss"] for entry in monitor.records]
    ridges = [entry["ridge"] for entry in monitor.records]
    assert ridges == sorted(ridges, reverse=True) and len(set(ridges)) == len(ridges) > 3
    assert 0 < int(np.argmin(losses)) < len(losses) - 1  # both too much and too little do harm
    assert held.loss(net) == min(losses)
    learn(again := network(units=60), Ridge(ridges[int(np.argmin(losses))]), held)
    assert torch.equal(again.readout, net.readout)


@pytest.mark.parametrize("parts", ["bias", ["bias", "readout"], "weights"])
def test_it_learns_the_readout_only(parts):
    with pytest.raises(ValueError, match="Ridge needs learn='readout'"):
        Ridge().check(trainable_parts(parts))
    Ridge().check(("readout",))


@pytest.mark.parametrize("ridge", [-1, float("nan"), "1", True])
def test_wrong_settings_are_named(ridge):
    with pytest.raises((ValueError, TypeError), match="ridge"):
        Ridge(ridge)


def test_settings_come_back():
    for solver in (Ridge(), Ridge(0.5)):
        settings = solver.to_dict()
        assert settings.pop("name") == "Ridge" and Ridge(**settings) == solver
