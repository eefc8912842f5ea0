import numpy as np
import pytest
import xarray as xr

from rnnbias import plot
from rnnbias.plot import style


def test_the_beginning_and_the_end_of_a_run_are_drawn_over_the_target():
    time = np.arange(200) * 0.1
    wave = np.sin(2 * np.pi * time / 2.0)
    run = xr.Dataset(
        {
            "trajectory": (("trial", "time", "state"), np.stack([wave, 0.9 * wave])[..., None]),
            "target": (("trial", "time", "state"), np.stack([wave, wave])[..., None]),
        },
        {"time": ("time", time, {"units": "s"}), "state": ["x"], "state_units": ("state", ["m"])},
        {"period": 2.0},
    )
    axes = plot.free_runs(run, periods=3.0, trial=1)
    first, last = axes[0]
    assert first.lines[0].get_xdata().max() < 3.0 and last.lines[0].get_xdata().min() > 9.95 - 3.0
    np.testing.assert_array_equal(first.lines[1].get_ydata(), 0.9 * wave[time < 6.0])
    assert first.get_ylabel() == "x (m)" and last.get_xlabel() == "time (periods)"
    with pytest.raises(ValueError, match="target"):
        plot.free_runs(run.drop_vars("target"))


def test_the_sweep_has_a_line_of_medians_for_each_learner():
    values = np.array([[[0.2, 0.9], [0.99, 0.95]], [[-3.0, 0.8], [1.0, 0.9]], [[0.4, 0.7], [0.98, 0.99]]])
    data = xr.DataArray(
        values,
        {"gain": [0.8, 1.2], "learner": ["bias", "full"], "seed": [0, 1, 2]},
        ("seed", "gain", "learner"),
        attrs={"long_name": "score", "units": "1"},
    )
    axes = plot.gain_sweep(data)
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["bias", "full"]
    np.testing.assert_allclose(lines["bias"].get_ydata(), [0.2, 0.99])
    assert lines["full"].get_color() == style.COLOURS[1] and axes.get_ylabel() == "score"
