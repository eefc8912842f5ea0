import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias.datasets import Standardiser
from rnnbias.networks import RNN, Recipe
from rnnbias.problems.frame import OUTPUTS, Frame, closed_loop, open_loop, segments

VALUES = np.cumsum(np.random.default_rng(0).normal(size=(2, 90, 3)), 1) * [1, 10, 0.1] + [5, 0, -2]
LIKE = torch.zeros((), dtype=torch.float64)

every_frame = pytest.mark.parametrize(
    ("output", "horizon"), [(output, horizon) for output in OUTPUTS for horizon in (1, 4)]
)


def network(states=3, seed=1, **changes):
    recipe = Recipe(seed=seed, gain=0.6, input_scale=0.5, readout_scale=1.0, wiring="independent")
    return RNN(12, states, states, recipe=recipe, **changes)


@every_frame
def test_the_statistics(output, horizon):
    frame = Frame.of(VALUES, output, horizon)
    standard = frame.states.transform(VALUES, LIKE).numpy()
    np.testing.assert_allclose(standard.mean((0, 1)), 0, atol=1e-13)
    np.testing.assert_allclose(standard.std((0, 1)), 1)
    x = torch.from_numpy(standard)
    targets = frame.target(x[:, :-horizon], x[:, horizon:]).numpy()
    if output == "increment":  # targets are standardised too
        np.testing.assert_allclose(targets.mean((0, 1)), 0, atol=1e-13)
        np.testing.assert_allclose(targets.std((0, 1)), 1)
    else:
        np.testing.assert_array_equal(targets, standard[:, horizon:])


@every_frame
def test_inverses(output, horizon):
    frame = Frame.of(VALUES, output, horizon)
    np.testing.assert_allclose(frame.states.inverse(frame.states.transform(VALUES, LIKE)), VALUES, rtol=1e-12)
    now, then = torch.randn(2, 5, 7, 3, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(frame.predict(now, frame.target(now, then)), then)
    torch.testing.assert_close(frame.target(now, frame.predict(now, then)), then)


def test_a_tensor_like_the_networks():
    single = Frame.of(VALUES, "state", 1).states.transform(VALUES, torch.zeros(1))
    assert single.dtype == torch.float32 and single.shape == (2, 90, 3)


def test_unknown_outputs_are_named():
    with pytest.raises(ValueError, match="output must be one of 'increment', 'state', got 'x'"):
        Frame.of(VALUES, "x", 1)


@settings(max_examples=60, deadline=None)
@given(
    trials=st.integers(1, 3),
    samples=st.integers(10, 60),
    washout=st.integers(0, 5),
    horizon=st.integers(1, 4),
    length=st.integers(1, 70),
)
def test_segments_cover_every_target_with_their_own_history(trials, samples, washout, horizon, length):
    clock = torch.arange(trials * samples, dtype=torch.float64).reshape(trials, samples, 1)
    unchanged = Standardiser(np.zeros(1), np.ones(1))
    frame = Frame(unchanged, unchanged, "state", horizon)
    batch = segments(clock, frame, washout=washout, length=length)
    assert batch.washout == washout
    assert batch.inputs.shape[1] == washout + batch.targets.shape[1] and batch.targets.shape[1] <= length
    assert (batch.inputs.diff(dim=1) == 1).all()  # runs of true input, never across trials
    assert torch.equal(batch.targets, batch.inputs[:, washout:] + horizon)
    assert set(batch.targets.flatten().tolist()) == set(clock[:, washout + horizon :].flatten().tolist())
    assert len(batch.inputs) == trials * -(-(samples - washout - horizon) // batch.targets.shape[1])


@every_frame
def test_inputs_are_the_past(output, horizon):
    frame = Frame.of(VALUES, output, horizon, delays=(3, 2))
    x = frame.states.transform(VALUES, LIKE)
    seen = frame.inputs(x)
    assert frame.reach == 4 and seen.shape == (2, 90, 9)
    for t in (0, 1, 3, 4, 50):
        wanted = torch.cat([x[:, max(t - lag, 0)] for lag in (0, 2, 4)], -1)
        assert torch.equal(seen[:, t], wanted)
    batch = segments(x, frame, washout=7, length=20)
    assert torch.equal(batch.inputs[0], seen[0, :27])
    torch.testing.assert_close(frame.predict(x[:, 7:27], batch.targets[:2]), x[:, 7 + horizon : 27 + horizon])


@every_frame
def test_targets_are_what_would_predict_the_data(output, horizon):
    frame = Frame.of(VALUES, output, horizon)
    x = frame.states.transform(VALUES, LIKE)
    batch = segments(x, frame, washout=7, length=500)
    then = frame.predict(batch.inputs[:, 7:], batch.targets)
    torch.testing.assert_close(then, x[:, 7 + horizon :])


@every_frame
def test_open_loop_is_the_network_on_true_inputs(output, horizon):
    net, frame = network(alpha=-0.3, beta=0.7), Frame.of(VALUES, output, horizon)
    x = frame.states.transform(VALUES, LIKE)
    with torch.no_grad():
        y = net.read(net(x).rate)
    wanted = y if output == "state" else x + torch.from_numpy(frame.steps.mean + y.numpy() * frame.steps.scale)
    torch.testing.assert_close(open_loop(net, frame, x), wanted)


@every_frame
@pytest.mark.parametrize("context", [4, 11])
def test_closed_loop_by_hand(output, horizon, context):
    """Write down all inputs, true ones and then predictions; every prediction lands `horizon` later."""
    net, frame = network(alpha=-0.3, beta=0.7), Frame.of(VALUES, output, horizon)
    x = frame.states.transform(VALUES, LIKE)[:, :context]
    steps = 9
    with torch.no_grad():
        rate, inputs = net.resting(2), list(x.unbind(1))
        predicted = {}
        for t in range(context + steps):
            now = inputs[t] if t < context else predicted[t]
            rate = net.advance(rate, net.external(now))[1]
            predicted[t + horizon] = frame.predict(now, net.read(rate))
        wanted = torch.stack([predicted[t] for t in range(context, context + steps)], 1)
    torch.testing.assert_close(closed_loop(net, frame, x, steps), wanted)


@every_frame
def test_the_first_free_steps_are_those_of_open_loop(output, horizon):
    net, frame = network(), Frame.of(VALUES, output, horizon)
    x = frame.states.transform(VALUES, LIKE)
    free = closed_loop(net, frame, x, horizon)
    torch.testing.assert_close(free, open_loop(net, frame, x)[:, -horizon:])


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_perfect_model_runs_on_perfectly(output, horizon):
    """ReLU units that never fall silent, without recurrence, make a linear map: here a rotation."""
    angle = 0.1
    t = np.arange(200) * angle
    values = np.stack([np.cos(t), np.sin(t)], 1)[None]
    frame = Frame.of(values[:, :150], output, horizon)
    net = RNN(4, 2, 2, recipe=Recipe(wiring="independent"), activation="relu", learn={"weights", "readout"})
    turn = np.array(
        [
            [np.cos(horizon * angle), -np.sin(horizon * angle)],
            [np.sin(horizon * angle), np.cos(horizon * angle)],
        ]
    )

    def fill(target, value):
        target.data.copy_(torch.as_tensor(value))

    # units are 10 +- x; the readout takes half their difference and turns it, in the frame's own units
    fill(net.recurrent, np.zeros((4, 4)))
    fill(net.input, [[1, 0], [-1, 0], [0, 1], [0, -1]])
    fill(net.start, np.full(4, 10.0))
    state = np.array([[0.5, -0.5, 0, 0], [0, 0, 0.5, -0.5]])
    standard_turn = np.diag(1 / frame.states.scale) @ turn @ np.diag(frame.states.scale)
    shift = (turn @ frame.states.mean - frame.states.mean) / frame.states.scale
    if output == "increment":
        standard_turn, shift = standard_turn - np.eye(2), shift - frame.steps.mean
    readout = standard_turn @ state + shift[:, None] / 40  # the four units sum to 40
    fill(net.readout, readout / frame.steps.scale[:, None])

    context = frame.states.transform(values[:, :50], net.start)
    ahead = frame.states.inverse(closed_loop(net, frame, context, 150))
    np.testing.assert_allclose(ahead, values[:, 50:], atol=1e-9)
