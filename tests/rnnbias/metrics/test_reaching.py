import numpy as np
import pytest
import xarray as xr

from rnnbias.metrics import reaching
from systems.labels import Labelled, dataset

T = np.arange(1, 101) * 0.01


def made(place, velocity, targets, starts=None, times=T):
    """Reaches whose hand is at `place` (trial, time, 2)."""
    targets = np.atleast_2d(targets).astype(float)
    starts = np.zeros_like(targets) if starts is None else np.atleast_2d(starts).astype(float)
    hand = ("trial", "time", "space")
    return dataset(
        {name: Labelled(hand, value, "m", name) for name, value in {"seen": place, "velocity": velocity}.items()},
        {
            "trial": Labelled("trial", np.arange(len(targets)), "1", "trial"),
            "time": Labelled("time", times, "s", "time"),
            "target": Labelled(("trial", "space"), targets, "m", "target"),
            "start": Labelled(("trial", "space"), starts, "m", "start"),
            "angle": Labelled("trial", np.zeros(len(targets)), "degree", "angle"),
        },
        title="made up", config={},
    )  # fmt: skip


def minimum_jerk(target, turn=0.0, start=(0.0, 0.0)):
    """A minimum-jerk reach of one second, turned by `turn` degrees about its start."""
    s = T[:, None]
    way, speed = 10 * s**3 - 15 * s**4 + 6 * s**5, 30 * s**2 - 60 * s**3 + 30 * s**4
    c, n = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    aim = np.array([[c, -n], [n, c]]) @ (np.array(target) - start)
    return (start + way * aim)[None], (speed * aim)[None]


def test_a_minimum_jerk_reach():
    place, velocity = minimum_jerk([0.0, 0.07])
    found = reaching.kinematics(made(place, velocity, [0.0, 0.07]))
    assert found.endpoint_error.item() == pytest.approx(0, abs=1e-12)
    assert found.peak_speed.item() == pytest.approx(1.875 * 0.07)
    assert found.peak_time.item() == pytest.approx(0.5)
    assert found.path_ratio.item() == pytest.approx(1)
    assert found.lateral_deviation.item() == pytest.approx(0, abs=1e-15)
    assert found.success.item()


@pytest.mark.parametrize("turn", [30.0, -20.0])
@pytest.mark.parametrize("start", [(0.0, 0.0), (0.02, -0.01)])
def test_a_turned_reach_deviates_to_the_left_where_it_is_turned_counter_clockwise(turn, start):
    target = np.array([0.05, 0.03])
    place, velocity = minimum_jerk(target, turn, np.array(start))
    reach, length = made(place, velocity, target, start), np.linalg.norm(target - start)
    assert reaching.initial_angle(reach).item() == pytest.approx(turn)
    half = length / 2  # minimum jerk is fastest half way
    assert reaching.lateral_deviation(reach).item() == pytest.approx(half * np.sin(np.radians(turn)))
    assert reaching.endpoint_error(reach).item() == pytest.approx(2 * length * np.sin(np.radians(abs(turn)) / 2))


def test_a_detour_has_a_longer_path():
    corner = np.concatenate([np.linspace([0, 0], [0.03, 0], 51)[1:], np.linspace([0.03, 0], [0.03, 0.04], 51)[1:]])
    ratio = reaching.path_ratio(made(corner[None], np.ones((1, 100, 2)), [0.03, 0.04]))
    assert ratio.item() == pytest.approx(0.07 / 0.05)


def test_what_is_before_the_go_cue_does_not_count():
    place, velocity = minimum_jerk([0.07, 0.0])
    early = made(place, velocity, [0.07, 0.0])
    wild = np.full((1, 20, 2), 9.0)
    late = made(
        np.concatenate([wild, place], 1),
        np.concatenate([wild, velocity], 1),
        [0.07, 0.0],
        times=np.arange(-19, 101) * 0.01,
    )
    xr.testing.assert_allclose(reaching.kinematics(early), reaching.kinematics(late))


def test_results_are_labelled_by_trial_and_can_be_kept(tmp_path):
    (a, u), (b, v) = minimum_jerk([0.07, 0.0]), minimum_jerk([0.0, 0.07], 90.0)
    reach = made(np.concatenate([a, b]), np.concatenate([u, v]), [[0.07, 0.0], [0.0, 0.07]])
    found = reaching.kinematics(reach.transpose("space", "time", "trial"), radius=0.02)
    np.testing.assert_array_equal(found.success, [True, False])
    assert found.lateral_deviation.attrs["units"] == "m" and found.initial_angle.attrs["units"] == "degree"
    found.to_netcdf(tmp_path / "kinematics.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="radius must be greater than 0"):
        reaching.success(reach, radius=0.0)
