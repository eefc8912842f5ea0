import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from systems import plants, tasks
from systems.plants.loads import CurlField, VisuomotorRotation
from systems.tasks.reaching import TASKS, CentreOut, RandomReach, Reaching, Session

POINT, ARM = plants.get("point"), plants.get("arm")


def push(inputs, memory):
    return 0.1 * inputs[:, :2], None


def seen_by(session, controller=push):
    return session.run(controller).inputs


@given(st.integers(0, 300), st.sampled_from([0.01, 0.005, 0.002, 0.001]))
def test_every_whole_number_of_steps_is_a_delay(steps, dt):
    plant = plants.get("point", dt=dt)
    session = Session(CentreOut(duration=dt, sees="both", vision_delay=steps * dt), plant)
    assert session._vision == steps


@given(st.integers(0, 300), st.floats(1e-3, 0.999))
def test_a_part_of_a_step_is_no_delay(steps, part):
    task = CentreOut(sees="both", proprioception_delay=(steps + part) * 0.01)
    with pytest.raises(ValueError, match=r"proprioception_delay must be a whole number of time steps of 0.01 s"):
        Session(task, POINT)


def test_delayed_sight_is_the_sight_of_then():
    prompt = CentreOut(targets=3, sees="both", duration=0.4)
    late = replace(prompt, vision_delay=0.07, proprioception_delay=0.02)
    forced = lambda inputs, memory: (0.1 * inputs[:, :2], None)  # noqa: E731  (the target alone drives)
    now, then = (seen_by(Session(task, POINT), forced) for task in (prompt, late))
    torch.testing.assert_close(then[:, 7:, 2:4], now[:, :-7, 2:4])
    torch.testing.assert_close(then[:, 2:, 4:], now[:, :-2, 4:])
    assert (then[:, :7, 2:4] == 0).all()


def test_what_the_controller_sees():
    for sees, width in (("target", 2), ("hand", 4), ("both", 6)):
        task = CentreOut(targets=4, sees=sees, duration=0.3)
        session = Session(task, POINT)
        movement = session.run(push)
        assert movement.inputs.shape[2] == width == task.inputs
        before = torch.cat([session.start[:, None], movement.position[:, :-1]], 1) / 0.07
        target = session.target[:, None].expand_as(before) / 0.07
        if sees == "hand":
            torch.testing.assert_close(movement.inputs[..., :2], before - target)
        else:
            torch.testing.assert_close(movement.inputs[..., :2], target)
        if sees == "both":
            torch.testing.assert_close(movement.inputs[..., 2:4], before)
    waiting = CentreOut(targets=4, wait=0.2, duration=0.3)
    session = Session(waiting, POINT)
    cue = seen_by(session)[..., -1]
    assert waiting.inputs == 3 and (cue[:, :20] == 0).all() and (cue[:, 20:] == 1).all()
    np.testing.assert_allclose(session.time[[0, 19, -1]], [-0.19, 0.0, 0.3], atol=1e-12)


def test_noise_has_the_size_asked_for_and_is_drawn_for_each_channel_and_trial():
    task = CentreOut(
        targets=50, sees="both", duration=0.5, vision_noise=0.01, proprioception_noise=0.1, motor_noise=0.3, seed=4
    )
    quiet = replace(task, vision_noise=0.0, proprioception_noise=0.0, motor_noise=0.0)
    still = lambda inputs, memory: (0.0 * inputs[:, :2], None)  # noqa: E731
    noisy, clean = (seen_by(Session(replace(t, motor_noise=0.0), POINT), still) for t in (task, quiet))
    noise = (noisy - clean)[..., 2:] * torch.tensor([0.07, 0.07, *[1.875 * 0.07 / 0.5] * 2])
    np.testing.assert_allclose(noise.std((0, 1)), [0.01, 0.01, 0.1, 0.1], rtol=0.1)
    correlation = np.corrcoef(noise.flatten(0, 1).T)
    assert np.abs(correlation - np.eye(4)).max() < 0.1
    force = Session(replace(task, duration=0.01), plants.get("point-reference")).run(still).force[:, 0]
    assert float(force.std()) == pytest.approx(0.3, rel=0.15)
    again = seen_by(Session(task, POINT), push)
    assert torch.equal(again, seen_by(Session(task, POINT), push))
    assert not torch.equal(again, seen_by(Session(task, POINT, seed=5), push))
    repeated = Session(replace(task, targets=2, repeats=3), POINT)
    assert len(repeated) == 6 and not torch.equal(*seen_by(repeated)[:2])


def test_parts_keep_their_noise():
    task = CentreOut(targets=6, sees="both", duration=0.3, vision_noise=0.01, motor_noise=0.1)
    session = Session(task, POINT)
    whole, part = session.run(push), session.subset(torch.tensor([4, 0])).run(push)
    torch.testing.assert_close(part.position, whole.position[[4, 0]])


@pytest.mark.parametrize("plant", [POINT, ARM])
def test_a_session_is_the_plant_stepped_by_hand(plant):
    task = CentreOut(targets=3, duration=0.2, load=CurlField(15.0))
    session = Session(task, plant)
    movement = session.run(push)
    state = plant.rest(session.start)
    for t in range(20):
        state = plant.step(state, 0.1 * session.target / 0.07, lambda p, v: CurlField(15.0).force(p, v, p, p))
        torch.testing.assert_close(movement.state[:, t], state)
    torch.testing.assert_close(movement.position[:, -1], plant.hand(state).position)


def test_a_turned_sight_leaves_the_hand_where_it_is():
    task = CentreOut(targets=4, duration=0.3)
    plain, turned = (Session(t, POINT).run(push) for t in (task, replace(task, load=VisuomotorRotation(90.0))))
    torch.testing.assert_close(plain.position, turned.position)
    torch.testing.assert_close(turned.seen[..., 0], -plain.position[..., 1])
    watching = replace(task, sees="both", load=VisuomotorRotation(90.0))
    inputs = Session(watching, POINT).run(push).inputs
    torch.testing.assert_close(inputs[:, 1:, 2], -plain.position[:, :-1, 1] / 0.07)


def test_unseen_targets_are_on_the_circle_and_none_of_the_seen():
    task = CentreOut(targets=24, distance=0.1)
    for count in (5, 24, 360):
        start, new = task.unseen(count)
        assert len(new) == count and (start == 0).all()
        np.testing.assert_allclose(np.hypot(*new.T), 0.1)
        gap = np.linalg.norm(new[:, None] - task.reaches()[1], axis=2).min()
        assert gap > 0.1 * np.pi / 24 / 20
    random = RandomReach(trials=10, seed=3)
    assert not np.isin(random.unseen(10)[1], random.reaches()[1]).any()
    np.testing.assert_array_equal(random.reaches()[0], RandomReach(trials=10, seed=3).reaches()[0])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_survives_json_and_tells_what_it_is(name):
    task = TASKS[name](load=CurlField(3.0), vision_delay=0.07)
    assert Reaching.from_dict(json.loads(json.dumps(task.to_dict()))) == task
    assert tasks.available()[name] and tasks.get(name, load=CurlField(3.0), vision_delay=0.07) == task


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance": -0.07}, "distance must be greater than 0"),
        ({"duration": float("nan")}, "duration must be finite"),
        ({"vision_delay": -0.01}, "vision_delay must be at least 0"),
        ({"motor_noise": float("inf")}, "motor_noise must be finite"),
        ({"hold": 2.0}, "hold must be at most 1.0"),
        ({"sees": "all"}, "sees must be one of 'target', 'hand', 'both'"),
        ({"targets": 0}, "targets must be at least 1"),
        ({"repeats": 0}, "repeats must be at least 1"),
    ],
)
def test_bad_tasks_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CentreOut(**change)


def test_other_impossible_tasks_are_refused():
    with pytest.raises(TypeError, match="load must be a Load"):
        CentreOut(load="curl")
    with pytest.raises(ValueError, match="sees of a RandomReach"):
        RandomReach(sees="target")
    with pytest.raises(ValueError, match="target must be within reach of the arm"):
        Session(CentreOut(distance=0.3), ARM)
    with pytest.raises(ValueError, match=r"duration must be a whole number of time steps of 0.01 s, got 0.995 s"):
        Session(CentreOut(duration=0.995), POINT)
    with pytest.raises(ValueError, match="target must differ from start"):
        Session(CentreOut(), POINT, ([[0.0, 0.0]], [[0.0, 0.0]]))
    with pytest.raises(ValueError, match="target must be finite"):
        Session(CentreOut(), POINT, ([[0.0, 0.0]], [[0.0, np.nan]]))
    with pytest.raises(ValueError, match="task must be one of"):
        Reaching.from_dict({"task": "centre-in", "load": {"load": "none"}})
