from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

import systems
from rnnbias import fit_system
from rnnbias.networks import RNN, WIRINGS, Recipe, trainable_parts
from rnnbias.objectives import Sequences
from rnnbias.solvers import Adam, LevenbergMarquardt, Monitor

LM = LevenbergMarquardt(iterations=25)
WASHOUT = 2


def network(wiring="push-pull", units=16, **changes):
    recipe = Recipe(seed=1, wiring=wiring, gain=0.5, input_scale=0.7, readout_scale=2.0)
    return RNN(units, 2, 2, recipe=recipe, **changes)


def inputs(seed=0, trials=12, times=8):
    return torch.randn(trials, times, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(teacher, seed=0, noise=0.0):
    """Inputs, and what the teacher makes of them."""
    x = inputs(seed)
    with torch.no_grad():
        y = teacher.read(teacher(x).rate[:, WASHOUT:])
    hiss = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed + 100), dtype=torch.float64)
    return Sequences(x, y + noise * hiss, WASHOUT)


def teach(wiring="push-pull", size=0.3, **changes):
    teacher = network(wiring, **changes)
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        teacher.bias.copy_(size * torch.randn(teacher.bias.shape, generator=rng, dtype=torch.float64))
    return teacher


def learn(net, solver, train, held_out=None, patience=10):
    monitor = Monitor(net, held_out or train, patience, measure=lambda _: {"valid_time": 0.0}, progress=False)
    solver.solve(net, train, monitor)
    return monitor


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize(("geodesic", "memory"), [(True, 2e9), (False, 2e9), (True, 1)])
def test_the_teachers_biases_are_found(wiring, geodesic, memory):
    teacher, student = teach(wiring), network(wiring)
    frozen = student.digests()
    train = batch(teacher)
    before = train.loss(student)
    learn(student, replace(LM, geodesic=geodesic, memory=memory), train, batch(teacher, seed=1))
    assert train.loss(student) < 1e-20 < 1e-4 < before
    assert batch(teacher, seed=2).loss(student) < 1e-20
    torch.testing.assert_close(student.bias, teacher.bias, rtol=1e-7, atol=1e-7)
    assert student.digests() == frozen


@pytest.mark.parametrize("memory", [2e9, 1])
def test_a_linear_problem_is_solved_like_least_squares(memory):
    """A large readout makes the outputs linear in biases as small as are needed."""
    recipe = Recipe(seed=1, gain=0.5, input_scale=0.7, readout_scale=1e8)
    net, train = RNN(16, 2, 2, recipe=recipe), batch(teach(), noise=0.1)
    error = train.residual(net).detach().flatten().numpy()
    matrix = train.linearise(net).matrix.numpy()
    step, *_ = np.linalg.lstsq(matrix, -error, rcond=None)
    best = np.square(matrix @ step + error).mean()
    monitor = learn(net, replace(LM, iterations=8, memory=memory, tolerance=0.0), train)
    assert train.loss(net) == pytest.approx(best, rel=1e-6)
    torch.testing.assert_close(net.bias.detach(), torch.from_numpy(step), rtol=1e-4, atol=1e-12)
    assert best < monitor.records[0]["loss"] / 2


@pytest.mark.parametrize("geodesic", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_where_the_training_data_decide_the_loss_never_rises(geodesic, activation):
    net = network(activation=activation)
    train = batch(teach(size=1.0), noise=0.1)
    monitor = learn(net, replace(LM, geodesic=geodesic), train)
    losses = [entry["loss"] for entry in monitor.records]
    assert len(losses) > 2 and (np.diff(losses) <= 0).all() and losses[-1] < losses[0] / 2
    assert losses[-1] == train.loss(net)


def test_patience_follows_the_curved_way_of_independent_units():
    """Taking the lowest loss of all dampings at every iteration ends at 0.60."""
    lorenz = systems.get("lorenz63")
    train = lorenz.simulate(duration=400 * lorenz.dt, seed=0)
    fit = fit_system(train, units=50, recipe=Adam.recipe, solver=LM, seed=0, progress=False)
    assert np.sqrt(np.nanmin(fit.history.held_out_loss)) < 0.3


def test_the_answer_is_stationary():
    net, train = network(), batch(teach(size=1.0), noise=0.1)
    learn(net, replace(LM, iterations=60), train)
    loss = train.residual(net).square().mean()
    (gradient,) = torch.autograd.grad(loss, net.bias)
    (start,) = torch.autograd.grad(train.residual(fresh := network()).square().mean(), fresh.bias)
    assert gradient.norm() < 1e-4 * start.norm()


def test_without_the_matrix_the_answer_is_the_same():
    train = batch(teach(size=1.0), noise=0.1)
    ends = []
    for memory in (2e9, 1):
        net = network()
        monitor = learn(net, replace(LM, memory=memory, tolerance=0.0), train)
        ends.append((net.bias.detach(), monitor.records[-1]["loss"]))
    torch.testing.assert_close(ends[0][0], ends[1][0], rtol=1e-4, atol=1e-4)
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-8)


def test_the_best_on_held_out_data_is_kept():
    """Held-out targets of another teacher soon disagree: learning stops, and its best numbers come back."""
    train, held = batch(teach(size=1.0)), batch(teach(size=0.9), seed=1, noise=0.3)
    net = network()
    monitor = learn(net, LM, train, held, patience=2)
    seen = [entry["held_out_loss"] for entry in monitor.records]
    assert len(monitor.records) < 26
    assert held.loss(net) == min(seen)


def test_patience_counts_records_without_a_better_one():
    net, train = network(), batch(teach())
    monitor = learn(net, LM, train, batch(teach()), patience=1)
    losses = [entry["held_out_loss"] for entry in monitor.records]
    assert monitor.records[0]["iteration"] == 0
    assert all(after < 0.9 * before for before, after in pairwise(losses[:-1]))


def test_a_network_that_is_right_already_stays():
    net = teach()
    before = net.bias.detach().clone()
    monitor = learn(net, LM, batch(net))
    assert torch.equal(net.bias, before) and len(monitor.records) == 1


def test_ctrl_c_keeps_the_best_so_far(monkeypatch):
    net, train, record = network(), batch(teach()), Monitor.record
    kept = []

    def interrupt(self, *args, **more):
        if len(self.records) == 3:
            raise KeyboardInterrupt
        record(self, *args, **more)
        kept.append(self.network.bias.detach().clone())

    monkeypatch.setattr(Monitor, "record", interrupt)
    monitor = learn(net, LM, train)
    assert monitor.interrupted and len(monitor.records) == 3
    assert torch.equal(net.bias, kept[2]) and not torch.equal(net.bias, kept[1])


def test_an_error_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(Monitor, "record", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        learn(network(), LM, batch(teach()))


def test_the_same_problem_gives_the_same_bits():
    ends = []
    for _ in range(2):
        learn(net := network(), replace(LM, iterations=5), batch(teach(), noise=0.1))
        ends.append(net.bias.detach())
    assert torch.equal(*ends)


def test_the_history_has_the_solvers_own_quantities():
    monitor = learn(network(), replace(LM, iterations=3), batch(teach()))
    for k, entry in enumerate(monitor.records):
        assert entry["iteration"] == k and 0 < entry["damping"] < 1e4
        assert {"loss", "held_out_loss", "valid_time"} <= set(entry)
    assert all({"gain_ratio", "depth"} <= set(entry) for entry in monitor.records[1:])
    assert all(entry["gain_ratio"] <= 1 + 1e-6 for entry in monitor.records[1:])


@pytest.mark.parametrize("parts", ["mask", ["bias", "mask"], ["mask", "weights"]])
def test_it_learns_no_masks(parts):
    with pytest.raises(ValueError, match="learn must be without mask for LevenbergMarquardt; use Adam"):
        LM.check(trainable_parts(parts))
    LM.check(("bias",))


@pytest.mark.parametrize(
    "parts", [["bias", "readout"], ["bias", "initial"], ["bias", "gain", "initial"], ["bias", "weights"]]
)
def test_other_smooth_parts_are_learned_too(parts):
    net, train = network(learn=parts), batch(teach(size=0.1))
    before, frozen = train.loss(net), net.digests()
    learn(net, replace(LM, iterations=8), train)
    assert train.loss(net) < before / 10 and net.digests() == frozen


@pytest.mark.parametrize("memory", [2e9, 1])
def test_with_more_numbers_than_residuals_the_steps_are_the_smallest(memory):
    """A nearly linear problem of 4 residuals and 16 numbers: the answer is that of least norm."""
    recipe = Recipe(seed=1, gain=0.5, input_scale=0.7, readout_scale=1e8)
    net = RNN(32, 2, 2, recipe=recipe)
    train = Sequences(inputs(trials=2, times=3), torch.ones(2, 1, 2, dtype=torch.float64), WASHOUT)
    error, matrix, _ = train.linearise(net)
    learn(net, replace(LM, iterations=4, memory=memory, tolerance=0.0), train)
    assert train.loss(net) < 1e-14  # rounding at this readout
    smallest, *_ = np.linalg.lstsq(matrix.numpy(), -error.numpy(), rcond=None)
    torch.testing.assert_close(net.bias.detach(), torch.from_numpy(smallest), rtol=1e-4, atol=1e-12)


def test_a_start_that_is_not_finite_ends_at_once():
    net, train = network(), batch(teach())
    broken = replace(train, targets=torch.full_like(train.targets, float("nan")))
    monitor = learn(net, LM, broken)
    assert len(monitor.records) == 1 and torch.isfinite(net.bias).all()


def test_learning_ends_at_its_goal():
    net, train = network(), batch(teach())
    monitor = Monitor(net, train, 10, progress=False, goal=1e-3)
    LM.solve(net, train, monitor)
    losses = [entry["loss"] for entry in monitor.records]
    assert losses[-1] <= 1e-3 and all(loss > 1e-3 for loss in losses[:-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "iterations"),
        ({"iterations": 2.5}, "iterations"),
        ({"damping": 0}, "damping"),
        ({"tolerance": -1e-9}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"memory": 0}, "memory"),
        ({"memory": "2GB"}, "memory"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LevenbergMarquardt(**changes)


def test_settings_come_back():
    solver = LevenbergMarquardt(iterations=7, damping=0.5, geodesic=False)
    settings = solver.to_dict()
    assert settings.pop("name") == "LevenbergMarquardt" and LevenbergMarquardt(**settings) == solver
