import numpy as np
import pytest
import xarray as xr

import oscillate
from rnnbias import GaussNewton, fit_autonomous


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    out = tmp_path_factory.mktemp("oscillate")
    arguments = [
        *["--quick", "--target", "cosine", "--gains", "0.5", "1.2", "--learners", "bias", "full", "--out"],
        str(out),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oscillate, "_PERIODS", 10)
        assert oscillate.main(arguments) == 0
    return out, arguments


def test_a_run_leaves_labelled_scores_a_table_and_figures(swept):
    out, _ = swept
    ds = xr.load_dataset(out / "oscillate.nc", engine="h5netcdf")
    assert ds.passed.dims == ("seed", "gain", "learner") and ds.passed.shape == (1, 2, 2)
    assert (ds.learned.sel(learner="bias") == 60).all() and (abs(ds.learned.sel(learner="full") - 60) <= 8).all()
    assert float(ds.reach.sel(gain=0.5, learner="bias")[0]) < 0 < float(ds.reach.sel(gain=1.2, learner="bias")[0])
    assert (ds.moved.sel(learner="bias") > 0).all() and ds.moved.sel(learner="full").isnull().all()
    text = (out / "oscillate.md").read_text()
    assert "| 0.5 | bias | 60 |" in text and "no oscillation" in text
    for name in ("gain_sweep", "free_run", "eigenvalues"):
        assert (out / f"{name}.png").stat().st_size > 10_000
    cloud = xr.load_dataset(out / "eigenvalues.nc", engine="h5netcdf")
    assert list(cloud.stage.values) == ["before", "after"]


def test_what_robustness_looks_at_is_the_fit_over_the_periods_learned():
    fit = fit_autonomous(
        "van_der_pol", units=20, start="drawn", settle=0, solver=GaussNewton(iterations=1), progress=False
    )
    assert fit.skill() == max(float(fit.score().r_squared[0]), 0.0)


def test_finished_fits_are_not_made_again(swept, monkeypatch):
    out, arguments = swept
    before = xr.load_dataset(out / "oscillate.nc", engine="h5netcdf")
    monkeypatch.setattr(oscillate, "_PERIODS", 10)
    monkeypatch.setattr(oscillate, "fit_autonomous", None)
    assert oscillate.main([*arguments, "--resume"]) == 0
    after = xr.load_dataset(out / "oscillate.nc", engine="h5netcdf")
    for name in after.data_vars:
        np.testing.assert_array_equal(after[name], before[name])


def test_fits_of_other_settings_are_not_gone_on_from(swept, capsys):
    _, arguments = swept
    with pytest.raises(SystemExit) as ended:
        oscillate.main([*arguments, "--states", "y", "--resume"])
    assert ended.value.code == 2 and "other settings (states ['x'], now ['y'])" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("--target must have a period", ["--target", "lorenz63"]),
        ("--states must be one of", ["--states", "z"]),
        ("--gains must be", ["--gains", "0"]),
        ("--learners must be one of", ["--learners", "magic"]),
        ("--seeds must be", ["--seeds", "0"]),
        ("unrecognized arguments: --sed", ["--sed", "1"]),
    ],
)
def test_wrong_arguments_end_in_one_line(message, arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        oscillate.main([*arguments, "--out", str(tmp_path)])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and error.count("\n") == 1
