import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from systems import labels
from systems.tasks import cognitive


def trial(task, seed):
    ds = task.trials(1, seed=seed)
    return (ds[name].values[0] for name in ("inputs", "targets", "mask"))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10**6))
def test_a_bit_is_the_sign_of_the_last_pulse_on_its_channel(bits, seed):
    task = cognitive.get("flip_flop", bits=bits)
    inputs, targets, mask = trial(task, seed)
    last, since = np.zeros(bits), np.full(bits, 10**6)
    for t in range(task.steps):
        on = inputs[t] != 0
        last, since = np.where(on, np.sign(inputs[t]), last), np.where(on, 0, since + 1)
        np.testing.assert_array_equal(targets[t], last)
        assert set(np.unique(inputs[t])) <= {-1.0, 0.0, 1.0}
        np.testing.assert_array_equal(mask[t] == 0, since <= task.grace)
    busy = (inputs[task.pulse :] != 0).sum(1)
    assert (inputs[: task.pulse] != 0).all() and busy.max(initial=0) <= 1


def test_all_memories_are_set_and_held_in_silence():
    task = cognitive.get("flip_flop", bits=3)
    ds = task.memories(50)
    assert len(np.unique(ds.targets.values[:, -1], axis=0)) == 8 and ds.sizes["time"] == 60
    assert (ds.inputs.values[:, task.pulse :] == 0).all()
    np.testing.assert_array_equal(ds.inputs.values[:, 0], ds.targets.values[:, 0])
    assert (ds.mask.values.sum(1) == 50).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_the_climb_takes_as_long_as_the_cues_were_apart(seed):
    task = cognitive.get("interval_timing")
    inputs, targets, mask = trial(task, seed)
    ready, second = (int(np.argmax(inputs[:, k])) for k in range(2))
    interval = second - ready
    assert task.shortest <= interval <= task.longest and (inputs.sum(0) == task.pulse).all()
    assert (targets[: second + 1] == 0).all()
    goal = int(np.argmax(targets[:, 0] == 1))
    assert goal == second + interval
    np.testing.assert_allclose(np.diff(targets[second : goal + 1, 0]), 1 / interval)
    assert mask[: goal + 1].all() and not mask[goal + 1 :].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10**6))
def test_the_answer_says_whether_sample_and_test_match(stimuli, seed):
    task = cognitive.get("delayed_match", stimuli=stimuli)
    inputs, targets, mask = trial(task, seed)
    on = np.flatnonzero(inputs.any(1))
    sample, test = int(inputs[on[0]].argmax()), int(inputs[on[-1]].argmax())
    assert len(on) == 2 * task.pulse
    delay = int(on[task.pulse] - on[task.pulse - 1]) - 1
    assert task.shortest <= delay <= task.longest
    counted = np.flatnonzero(mask[:, 0])
    assert len(counted) == task.answer and counted[0] == on[-1] + 1 + task.grace
    assert (targets[counted, 0] == (1 if sample == test else -1)).all()


def test_half_of_the_trials_match():
    ds = cognitive.get("delayed_match", stimuli=4).trials(2000)
    assert np.mean(ds.targets.values[:, -1] == 1) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("name", cognitive.available())
def test_trials_depend_on_seed_and_number_alone_and_are_kept(name, tmp_path):
    task = cognitive.get(name)
    ds = task.trials(4, seed=3)
    few = task.trials(2, seed=3)
    xr.testing.assert_equal(ds.isel(trial=slice(0, 2)), few)
    assert not np.array_equal(ds.inputs, task.trials(4, seed=4).inputs)
    assert ds.targets.dims == ("trial", "time", "output") and ds.sizes["time"] == task.steps
    ds.to_netcdf(tmp_path / "trials.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "trials.nc", engine="h5netcdf"), ds)
    assert labels.config(ds)["task"] == name and labels.config(ds)["seed"] == 3


@pytest.mark.parametrize(
    ("message", "name", "wrong"),
    [
        ("bits must be", "flip_flop", {"bits": 0}),
        ("longest must be", "flip_flop", {"shortest": 20, "longest": 10}),
        ("length must be", "flip_flop", {"length": 5}),
        ("shortest must be", "interval_timing", {"shortest": 2}),
        ("stimuli must be", "delayed_match", {"stimuli": 1}),
        ("answer must be", "delayed_match", {"answer": 0.5}),
    ],
)
def test_impossible_tasks_are_refused(message, name, wrong):
    with pytest.raises((ValueError, TypeError), match=message):
        cognitive.get(name, **wrong)


def test_wrong_names_and_counts_are_refused():
    with pytest.raises(ValueError, match="did you mean 'flip_flop'"):
        cognitive.get("flipflop")
    with pytest.raises(ValueError, match="count must be"):
        cognitive.get("flip_flop").trials(0)
    with pytest.raises(ValueError, match="hold must be"):
        cognitive.get("flip_flop").memories(0)
