"""The scale benchmark: a small run leaves tables and figures; wrong arguments end it before work starts."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import scale
from scaling import steps, tasks
from scaling.cells import Cell


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("scale")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "alone", lambda measure, *given: measure(*given))
        patch.setattr(tasks, "alone", lambda measure, *given: measure(*given))
        patch.setattr(steps, "_QUICK", [64, 128, 256])
        patch.setattr(steps, "_LARGEST", 128)
        cells = [Cell("driven, hadamard, float32", 128), Cell("static, dense, float64", 128)]
        patch.setitem(scale.EXPERIMENTS, "tasks", replace(tasks.TASKS, cells=lambda plan: cells))
        assert scale.main(["--quick", "--out", str(out)]) == 0
    return out


def test_a_run_leaves_tables_and_figures(report):
    assert {p.name for p in report.iterdir()} == {"scale.md", "steps.nc", "steps.png", "tasks.nc", "rows"}
    text = (report / "scale.md").read_text()
    assert "## One step" in text and "## Biases that learn" in text and "time grows as n^" in text
    ds = xr.load_dataset(report / "steps.nc", engine="h5netcdf").sel(condition="step")
    assert ds["step dense"].notnull().values.tolist() == [True, True, False]
    np.testing.assert_allclose(ds["frozen hadamard"][-1] / ds["frozen hadamard"][0], 4.0)


def test_biases_learn_both_tasks(report):
    ds = xr.load_dataset(report / "tasks.nc", engine="h5netcdf").sel(size=128)
    assert (ds.error < 0.1 * ds.before).all() and (ds.learned == 128).all()
    assert "| driven, hadamard, float32 | 128 " in (report / "scale.md").read_text()


def test_where_the_curves_cross():
    units = np.array([100, 1000, 10000])
    assert "at 1,000 units" in steps._crossing(units, np.array([0.1, 0.9999999, 5.0]))
    assert "faster up to 10,000" in steps._crossing(units, np.array([0.1, 0.5, 0.9]))
    assert "at every size, by 1.5" in steps._crossing(units, np.array([1.5, 5.0, 9.0]))


@pytest.mark.parametrize("arguments", [["--experiments", "nothing"], ["--workers", "0"]])
def test_wrong_arguments_end_it_at_once(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        scale.main([*arguments, "--out", str(tmp_path)])
    assert ended.value.code == 2 and arguments[0] in capsys.readouterr().err
