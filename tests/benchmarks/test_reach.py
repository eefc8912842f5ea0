import numpy as np
import pytest
import xarray as xr

import reach
from rnnbias import LevenbergMarquardt
from systems import labels


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(reach, "LevenbergMarquardt", lambda: LevenbergMarquardt(iterations=1))


def run(out, *arguments):
    return reach.main(["--quick", "--units", "20", "--targets", "4", "--out", str(out), *arguments])


def test_a_run_leaves_a_table_labelled_scores_and_figures(tmp_path, capsys):
    assert run(tmp_path, "--seeds", "2") == 0
    ds = xr.load_dataset(tmp_path / "reach.nc", engine="h5netcdf")
    assert ds.error.dims == ("learner", "seed") and ds.error.attrs["units"] == "m"
    assert ds.position.sizes["trial"] == 4 and "unseen_position" in ds and "history_loss" in ds
    assert labels.config(ds)["task"]["targets"] == 4
    assert ds.noisy_error.attrs["units"] == "m" and bool((ds.moved > 0).all() & (ds.float32 > 0).all())
    text = (tmp_path / "reach.md").read_text()
    assert "bias noise | " in text and text.strip() in capsys.readouterr().out
    assert "bias, levenberg-marquardt" in text and "--seeds 2" in text
    assert {path.name for path in tmp_path.glob("*.png")} == {"paths.png", "speeds.png", "loss.png"}


def test_every_combination_that_can_learn_is_a_row(tmp_path):
    names = [
        learner.name
        for learner in reach.learners(["bias", "bias+weights"], ["adam", "levenberg-marquardt"], ["same", "own"])
    ]
    assert names == [
        "bias, levenberg-marquardt", "bias, adam", "bias, adam, its own scales", "bias and weights, adam",
        "bias and weights, adam, its own scales",
    ]  # fmt: skip
    assert [each.name for each in reach.learners(["bias"], ["levenberg-marquardt"], ["lazy"])] == [
        "bias, levenberg-marquardt, lazy"
    ]
    assert run(tmp_path, "--learn", "bias+weights", "--solver", "adam", "--scales", "own") == 0
    ds = xr.load_dataset(tmp_path / "reach.nc", engine="h5netcdf")
    assert ds.steps.item() == 20 and np.isnan(ds.seconds.item()) and np.isnan(ds.noisy_error.item())


def test_an_adaptation_leaves_its_own_table_and_figure(tmp_path):
    assert run(tmp_path, "--adapt", "rotation") == 0
    ds = xr.load_dataset(tmp_path / "adapt.nc", engine="h5netcdf")
    assert {"angle_early", "angle_after_effect", "deviation_size_late", "bias_change"} <= set(ds.data_vars)
    assert ds.float32.attrs["units"] == "m"
    text = (tmp_path / "adapt.md").read_text()
    assert "VisuomotorRotation(degrees=30.0)" in text and "damping=10.0" in text
    assert (tmp_path / "adaptation.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("--plant", "leg"), ("--units", "21"), ("--seeds", "0"), ("--learn", "bais"), ("--solver", "adamw"),
        ("--adapt", "wind"), ("--scales", "none"), ("--learn", "weights"), ("--sees", "all"), ("--targets", "0"),
    ],
)  # fmt: skip
def test_wrong_arguments_end_with_one_line_and_code_2(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as found:
        run(tmp_path, *arguments)
    error = capsys.readouterr().err
    assert found.value.code == 2 and error.startswith("reach.py: ") and error.count("\n") == 1
