"""The connectome benchmark: a small run leaves tables; wrong arguments end it before work starts."""

import numpy as np
import pytest
import xarray as xr

import connectome
from circuits import EXPERIMENTS, choices, worms
from circuits.cells import Cell
from circuits.teachers import cycling
from experiments import Plan
from rnnbias.evaluation import Runs


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("connectome")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worms, "_TRIALS", 8)
        patch.setattr(worms, "_STEPS", 10)
        patch.setattr(choices, "_UNITS", 60)
        patch.setattr(choices, "_RANK", 12)
        patch.setattr(choices, "_SIZES", (4, 12))
        names = ["worm", "linear"]
        assert connectome.main(["--quick", "--seeds", "1", "--experiments", *names, "--out", str(out)]) == 0
    return out


def test_a_run_leaves_tables_and_numbers(report):
    assert {p.name for p in report.iterdir()} == {"connectome.md", "worm.nc", "worm.png", "linear.nc", "rows"}
    text = (report / "connectome.md").read_text()
    assert "## The worm" in text and "## The linear theory" in text and "--quick" in text
    ds = xr.load_dataset(report / "worm.nc", engine="h5netcdf")
    one = ds.sel(condition="class biases", size=20, seed=0)
    assert one.current < 0.7 and 0.5 < one.inside <= 1


def test_the_linear_theory_ends_at_the_rank(report):
    left = xr.load_dataset(report / "linear.nc", engine="h5netcdf").chosen.isel(condition=0, seed=0)
    assert (left.diff("size") < 0).all() and left.sel(size=12) < 1e-9


def test_the_task_is_as_published():
    data = cycling(40, 3)
    on = np.flatnonzero(data.inputs.any(("time", "input")).values)
    assert 0.6 < len(on) / 40 < 1
    for k in on:
        trial = data.isel(trial=k)
        step, channel = np.argwhere(trial.inputs.values)[0]
        assert 20 <= step < 50 and trial.inputs.sum() == 1
        answered = np.flatnonzero(trial.outputs.values[:, 0])
        assert answered[0] > step and answered[-1] - step < 10 * 2 * np.pi / 3 * (2, 5)[channel] + 1


def test_every_cell_is_another(tmp_path):
    plan = Plan(3, False, tmp_path)
    for experiment in EXPERIMENTS.values():
        cells = experiment.cells(plan)
        assert len({Runs(tmp_path, {}).path(cell) for cell in cells}) == len(cells) > 1
        assert all(isinstance(cell, Cell) for cell in cells)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--experiments", "wrm"], "--experiments must be one of"),
        (["--seeds", "0"], "--seeds must be at least 1"),
    ],
)
def test_wrong_arguments_end_with_one_line(argv, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        connectome.main([*argv, "--out", str(tmp_path)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
