import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from rnnbias.networks import RNN, TRAINABLE, Recipe, parameters, trainable_parts
from rnnbias.objectives import Sequences
from rnnbias.solvers import Adam, Monitor

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
    monitor = Monitor(net, held_out or train, patience, measure=lambda _: {"valid_time": 0.0}, progress=False)
    solver.solve(net, train, monitor)
    return monitor


@pytest.mark.parametrize("parts", ["bias", TRAINABLE])
def test_the_loss_falls_by_a_large_factor(parts):
    net = network(parts)
    before, frozen = task().loss(net), net.digests()
    monitor = learn(net, held_out=task(seed=1))
    assert task().loss(net) < before / 30
    assert task(seed=2).loss(net) < before / 10
    assert [entry["iteration"] for entry in monitor.records] == [50, 100, 150, 200]
    assert net.digests() == frozen


@pytest.mark.parametrize("part", TRAINABLE)
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


def test_epochs_use_every_trial_once_and_are_recorded_each(monkeypatch):
    seen, subset = [], Sequences.subset
    monkeypatch.setattr(Sequences, "subset", lambda self, chosen: seen.append(chosen) or subset(self, chosen))
    monitor = learn(network(), Adam(epochs=3, batch=5))
    assert [len(chosen) for chosen in seen] == [5, 5, 5, 1] * 3
    for k in range(3):
        assert torch.cat(seen[4 * k : 4 * k + 4]).sort().values.tolist() == list(range(16))
    assert not torch.equal(seen[0], seen[4])
    assert [entry["iteration"] for entry in monitor.records] == [4, 8, 12]


def test_the_rate_falls_or_stays():
    """One number whose gradient is always one moves by the rate each step."""

    def path(**options):
        ends = []
        for steps in (10, 20):
            moved = network()
            monitor = Monitor(moved, Slope(), 99, progress=False)
            Adam(iterations=steps, every=steps, rate=0.1, batch=1, clip=None, **options).solve(moved, Slope(), monitor)
            ends.append(-moved.bias[0].item())
        return ends

    class Slope(Sequences):
        def __init__(self):
            pass

        def cost(self, net):
            return net.bias.sum()

        def subset(self, chosen):
            return self

        def __len__(self):
            return 1

    assert path(decay="none") == pytest.approx([1.0, 2.0], rel=1e-5)
    assert path(decay="cosine")[1] == pytest.approx(1.0, rel=0.1)


def torchs_own(optimiser, steps, decay, clip):
    """The biases after each step of an optimiser of torch, over one trial."""
    net, train, path = network(), task(trials=1), []
    optimiser = optimiser(net.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=0.03 / 100)
    for _ in range(steps):
        optimiser.zero_grad()
        train.cost(net).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimiser.step()
        if decay == "cosine":
            schedule.step()
        path.append(net.bias.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("decay", ["none", "cosine"])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_it_goes_where_torchs_own_goes_to_the_last_bit(clip, decay, weight_decay):
    steps, net, train, path = 30, network(), task(trials=1), []
    monitor = Monitor(net, train, 99, lambda n: {"s": path.append(n.bias.detach().clone()) or 0.0}, progress=False)
    solver = Adam(iterations=steps, every=1, rate=0.03, clip=clip, decay=decay, weight_decay=weight_decay)
    solver.solve(net, train, monitor)

    coupled = partial(torch.optim.Adam, lr=0.03, weight_decay=weight_decay)
    assert torch.equal(torch.stack(path), torchs_own(coupled, steps, decay, clip))
    if weight_decay:
        decoupled = partial(torch.optim.AdamW, lr=0.03, weight_decay=weight_decay)
        assert not torch.equal(torch.stack(path), torchs_own(decoupled, steps, decay, clip))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("decay", ["none", "cosine"])
def test_the_schedule_spans_all_epochs_of_minibatches_as_torchs_own_does(decay, weight_decay):
    net, own, train, path, expected = network(TRAINABLE), network(TRAINABLE), task(), [], []
    measure = lambda n: {"s": path.append(parameters.read(n)) or 0.0}  # noqa: E731
    solver = Adam(epochs=3, batch=5, rate=0.03, clip=None, decay=decay, weight_decay=weight_decay)
    solver.solve(net, train, Monitor(net, train, 99, measure, progress=False))

    optimiser = torch.optim.Adam(own.parameters(), lr=0.03, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 12, eta_min=0.03 / 100)
    chooser = torch.Generator().manual_seed(0)
    for _ in range(3):
        for chosen in torch.randperm(16, generator=chooser).split(5):
            optimiser.zero_grad()
            train.subset(chosen).cost(own).backward()
            optimiser.step()
            if decay == "cosine":
                schedule.step()
        expected.append(parameters.read(own))
    assert torch.equal(torch.stack(path), torch.stack(expected))


def test_weight_decay_shrinks_what_is_learned():
    sizes = []
    for weight_decay in (0.0, 0.1):
        learn(net := network(), replace(ADAM, weight_decay=weight_decay))
        sizes.append(net.bias.detach().norm())
    assert sizes[1] < 0.5 * sizes[0]


def test_masks_are_steep_while_learning_and_step_functions_in_every_record(monkeypatch):
    used, recorded = [], []
    residual = Sequences.residual
    monkeypatch.setattr(Sequences, "residual", lambda self, net: used.append(net.steepness) or residual(self, net))
    net = network("mask")
    monitor = Monitor(net, task(), 99, lambda n: {"s": recorded.append(n.steepness) or 0.0}, progress=False)
    Adam(iterations=5, every=5, steepness=(1.0, 16.0)).solve(net, task(), monitor)
    assert used[:5] == pytest.approx([1, 2, 4, 8, 16]) and used[5:] == [None]
    assert recorded == [None] and net.steepness is None


def test_masks_are_step_functions_after_ctrl_c(monkeypatch):
    def interrupt(*args, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(Sequences, "subset", interrupt)
    learn(net := network("mask"), Adam(iterations=5, steepness=(1.0, 16.0)))
    assert net.steepness is None


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
    for part in (*TRAINABLE, TRAINABLE):
        ADAM.check(trainable_parts(part))


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
        ({"epochs": 0}, "epochs"),
        ({"decay": "linear"}, "decay"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"weight_decay": float("nan")}, "weight_decay"),
        ({"weight_decay": "0.1"}, "weight_decay"),
        ({"steepness": (1.0,)}, "steepness"),
        ({"steepness": (0.0, 1.0)}, "steepness"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Adam(**changes)


def test_settings_come_back():
    for solver in (ADAM, Adam(epochs=2, clip=None, steepness=[1, 10], weight_decay=0.1)):
        settings = solver.to_dict()
        assert settings.pop("name") == "Adam" and Adam(**json.loads(json.dumps(settings))) == solver
