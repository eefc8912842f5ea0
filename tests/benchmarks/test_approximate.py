import numpy as np
import pytest
import xarray as xr

import approximate
from approximation import law
from approximation.cells import COUNTED, PROVED, Cell, Plan, make
from rnnbias import fit_function
from systems import functions

TINY = Plan(counts=(10,), widths=(20, 40), law=(10,), most=((PROVED[1], 20), ("mask", 0)))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("approximate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "quick", classmethod(lambda cls: TINY))
        patch.setattr(law, "_DIMENSIONS", (1, 2))
        patch.setattr(law, "_UNITS", 4)
        assert approximate.main(["--quick", "--targets", "runge", "--out", str(out)]) == 0
    return out


def test_a_run_leaves_tables_numbers_and_figures(report):
    assert {p.name for p in report.iterdir()} == {
        "approximate.md", "approximate.nc", "law.nc", "error.png", "law.png", "rows",
    }  # fmt: skip
    text = (report / "approximate.md").read_text()
    assert "## runge (analytic)" in text and "--quick" in text
    for learner in (*COUNTED, *PROVED):
        assert (f"| {learner} " in text) == (learner != "mask")


def test_numbers_are_labelled_and_gaps_are_nan(report):
    ds = xr.load_dataset(report / "approximate.nc", engine="h5netcdf")
    assert ds.nrmse.dims == ("seed", "target", "learner", "count")
    one = ds.isel(seed=0, target=0)
    assert one["count"].values.tolist() == [10, 20, 40]
    assert np.isfinite(one.nrmse.sel(learner="bias", count=10)) and np.isnan(one.nrmse.sel(learner="bias", count=40))
    assert np.isfinite(one.promise.sel(learner=PROVED[0], count=40))
    moved = one.moved.sel(count=10)
    assert moved.sel(learner="bias (lazy)") < 0.1 < moved.sel(learner="bias") and np.isnan(moved.sel(learner="readout"))
    biases = one.sel(learner="bias", count=10)
    assert biases.float32.item() == pytest.approx(biases.nrmse.item(), rel=1e-3)
    needed = xr.load_dataset(report / "law.nc", engine="h5netcdf")
    assert (needed.width.diff("tolerance") > 0).all() and (needed.width.diff("dimension") > 0).all()


def test_the_construction_keeps_its_promise(report):
    one = xr.load_dataset(report / "approximate.nc", engine="h5netcdf").sel(learner=PROVED[0])
    promised = one.promise.dropna("count", how="all")
    # a root mean square is no larger than the largest error; both are in standard deviations, of other samples
    assert (one.nrmse.sel(count=promised["count"]) <= 1.05 * promised).all()


def test_a_cell_is_what_the_library_does():
    one = make(Cell("runge", "readout", 20, 5))
    score = fit_function("runge", units=20, learn="readout", samples=1000, seed=5, progress=False)
    test = functions.get("runge").sample(5000, seed=5 + 2**30)
    assert one.nrmse.item() == pytest.approx(float(score.score(test).nrmse), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--targets", "frank"], "did you mean 'franke'"),
        (["--learners", "biases"], "--learners must be one of"),
        (["--seeds", "0"], "--seeds must be at least 1"),
        (["--widths", "1"], "--widths must be at least 2"),
        (["--quik"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_end_with_one_line(arguments, error, capsys):
    with pytest.raises(SystemExit) as ended:
        approximate.main(arguments)
    assert ended.value.code == 2
    assert error in capsys.readouterr().err
