from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnbias.examples import Sequences
from rnnbias.networks import LEARNABLE, RNN, learn_set
from rnnbias.solvers import Adam, Monitor
from rnnbias.weights import Recipe

ADAM = Adam(iterations=200, rate=0.03, batch=4, every=50)


def network(learn="bias", seed=1):
    recipe = Recipe(seed=seed, wiring="independent", gain=0.5, input_scale=0.7, readout_scale=2.0)
    return RNN(16, 2, 2, recipe=recipe, learn=learn)


def task(seed=0, trials=16, times=8, washout=2):
    """Inputs, and what a network with other biases makes of them."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(trials, times, 2, generator=rng, dtype=torch.float64)
    teacher = network()
    with torch.no_grad():
        z = 0.5 * torch.randn(16, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
        teacher.bias.copy_(z)
        return Sequences(x, teacher.read(teacher(x).rate[:, washout:]), washout)


def learn(net, solver=ADAM, train=None, held_out=None, patience=50):
    train = train or task()
    monitor = Monitor(net, held_out or train, patience, gauge=lambda _: {"valid_time": 0.0}, progress=False)
    solver.solve(net, train, monitor)
    return monitor


@pytest.mark.parametrize("parts", ["bias", LEARNABLE])
def test_the_loss_falls_by_a_large_factor(parts):
    net = network(parts)
    before, frozen = task().loss(net), net.digests()
    monitor = learn(net, held_out=task(seed=1))
    assert task().loss(net) < before / 30
    assert task(seed=2).loss(net) < before / 10
    assert [entry["iteration"] for entry in monitor.records] == [50, 100, 150, 200]
    assert net.digests() == frozen


@pytest.mark.parametrize("part", LEARNABLE)
def test_every_part_learns_alone_and_the_others_stay(part):
    net, fresh = network(part), network(part)
    # rates start at rest far before the outputs that count, so r_0 is seen only without a washout
    batch = task(washout=0) if part == "initial" else task()
    if part == "mask":  # what silencing units can do
        batch.targets.zero_()
    learn(net, Adam(iterations=40, rate=0.1, batch=8, every=10), batch)
    assert batch.loss(net) < 0.99 * batch.loss(fresh)
    assert net.digests() == fresh.digests()
    assert all(not torch.equal(a, b) for a, b in zip(net.parameters(), fresh.parameters(), strict=True))


def test_the_seed_is_that_of_the_minibatches():
    ends = []
    for seed in (0, 0, 1):
        learn(net := network(), Adam(iterations=10, batch=2, every=5, seed=seed))
        ends.append(net.bias.detach())
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    learn(network(), Adam(iterations=3))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_best_on_held_out_data_is_kept_and_patience_ends_learning():
    train = task(trials=1)
    held = Sequences(task(seed=1).inputs, -task(seed=1).targets, 2)  # what helps there harms here
    net = network()
    monitor = learn(net, Adam(iterations=300, rate=0.05, every=10), train, held, patience=3)
    seen = [entry["held_out_loss"] for entry in monitor.records]
    assert len(seen) < 30
    assert held.loss(net) == pytest.approx(min(seen), rel=1e-12)


def test_the_last_step_is_recorded():
    monitor = learn(network(), Adam(iterations=7, every=5))
    assert [entry["iteration"] for entry in monitor.records] == [5, 7]


def test_a_loss_that_is_no_number_ends_learning_with_the_numbers_of_the_start():
    net, train = network(), task()
    bad = replace(train, targets=torch.full_like(train.targets, np.inf))
    monitor = learn(net, Adam(iterations=50, every=5), bad, train)
    assert len(monitor.records) == 1 and net.bias.isfinite().all()


def test_ctrl_c_before_the_first_record_leaves_the_start(monkeypatch):
    def interrupt(*args, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "record", interrupt)
    net = network()
    monitor = learn(net)
    assert monitor.interrupted and not monitor.records and (net.bias == 0).all()


def test_it_learns_anything():
    for part in (*LEARNABLE, LEARNABLE):
        ADAM.check(learn_set(part))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "iterations"),
        ({"rate": 0}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"batch": 1.5}, "batch"),
        ({"every": 0}, "every"),
        ({"clip": -1}, "clip"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Adam(**changes)


def test_settings_come_back():
    settings = ADAM.to_dict()
    assert settings.pop("name") == "Adam" and Adam(**settings) == ADAM
