"""Real recordings that no system of ours made, and what is wrong with recordings."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import recording
from rnnbias import LevenbergMarquardt
from rnnbias.datasets.recordings import read
from systems import labels

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def quick(monkeypatch):
    """A fit in a moment: one iteration and no search."""
    real, seen = recording.fit_system, []

    def fit_system(data, **options):
        seen.append((data, options))
        return real(data, solver=LevenbergMarquardt(iterations=1), closed_loop=(), **options)

    monkeypatch.setattr(recording, "fit_system", fit_system)
    return seen


def run(out, *arguments):
    return recording.main([*map(str, arguments), "--out", str(out)])


def test_sunspots_leave_a_table_scores_and_a_figure(tmp_path, quick):
    assert run(tmp_path, DATA / "sunspots.csv", "--units", 20, "--seeds", 2) == 0
    ds = xr.load_dataset(tmp_path / "recording.nc", engine="h5netcdf")
    assert list(ds.learner.values) == ["persistence", "linear, 5 delays", "linear, 50 delays", "nvar", "bias"]
    assert (
        ds.time.attrs["units"] == "yr"
        and ds.sizes["time"] == 77
        and ds.time[-1] == 77
        and labels.config(ds)["samples"] == 309
    )
    assert (ds.learned.sel(learner="bias") == 20).all() and np.isnan(ds.learned.sel(learner="nvar", seed=1))
    table = (tmp_path / "recording.md").read_text()
    assert "| bias " in table and "biases only" in table and "python benchmarks/recording.py" in table
    assert "*Moved*" in table and (ds.moved.sel(learner="bias") > 0).all()
    assert ds.float32.sel(learner="bias").values == pytest.approx(ds.step_error.sel(learner="bias").values, rel=1e-3)
    assert (tmp_path / "traces.png").stat().st_size > 10_000
    data, options = quick[0]
    assert data.sizes["time"] == 309 - 77  # the test is not learned from
    assert options == {"dt": None, "units": 20, "seed": 0, "progress": options["progress"]}  # and the rest is default


def test_scores_of_persistence_and_autoregression_are_what_numpy_says(tmp_path, quick):
    run(tmp_path, DATA / "sunspots.csv", "--units", 20)
    ds = xr.load_dataset(tmp_path / "recording.nc", engine="h5netcdf").isel(seed=0)
    x = np.loadtxt(DATA / "sunspots.csv", delimiter=",", skiprows=1)[:, 1]
    scale = x[:232].std()
    still = np.sqrt(np.mean(np.diff(x[231:]) ** 2)) / scale
    assert ds.step_error.sel(learner="persistence") == pytest.approx(still)
    delays = np.stack([np.ones(309 - 5), *(x[k : 304 + k] for k in range(5))], 1)
    weights = np.linalg.lstsq(delays[:227], x[5:232], rcond=None)[0]
    error = np.sqrt(np.mean((delays[227:] @ weights - x[232:]) ** 2)) / scale
    assert ds.step_error.sel(learner="linear, 5 delays") == pytest.approx(error)
    np.testing.assert_allclose(ds.free_run.sel(learner="persistence"), x[231])
    np.testing.assert_allclose(ds.truth[:, 0], x[232:])


def test_an_electrocardiogram_from_netcdf(tmp_path, quick):
    assert run(tmp_path, DATA / "ecg.nc", "--units", 20, "--test", 0.1) == 0
    ds = xr.load_dataset(tmp_path / "recording.nc", engine="h5netcdf")
    assert ds.valid_time.attrs["units"] == "s" and ds.time[-1] == pytest.approx(2.0)
    assert "Open Data Commons" in (tmp_path / "recording.md").read_text()
    assert np.isfinite(ds.spectral_distance).all()
    assert (ds.step_error.sel(learner="linear, 50 delays") < ds.step_error.sel(learner="persistence"))[0]


@pytest.mark.parametrize(
    ("lines", "message", "more"),
    [
        (["time,x", *(f"{t},{t % 7}" for t in range(40))], "too short", []),
        (["time,x", *(f"{t},{t % 7}" for t in range(60))], "too short", []),
        (["time,x", *(f"{t + 3 * (t > 200)},{t % 7}" for t in range(300))], "evenly sampled", []),
        (["time,x", *(f"{t},{'' if t == 9 else t % 7}" for t in range(300))], "must be finite, got 1 NaN", []),
        (["x", *(f"{t % 7}" for t in range(300))], "dt must be given", []),
        (["time,x", "0,1", "1,one"], "got 'one' on line 3, column 'x'", []),
        (["time,x", "0,1", "1"], "2 columns on every line, got 1 on 3", []),
        (["time,x", "0,1"], "did you mean 'x'", ["--variables", "xx"]),
        (["time,x", "0,1"], "--units must be at least 1", ["--units", "0"]),
        (["time,x", "0,1"], "--test must be at most 0.9", ["--test", "1"]),
        ([], "FILE must have a line of names", []),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_any_work(tmp_path, capsys, lines, message, more):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(SystemExit) as stop:
        run(tmp_path / "out", path, *more)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and message in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_files_of_another_kind_are_refused(tmp_path, capsys):
    for path in (tmp_path / "none.nc", tmp_path / "text.nc"):
        if path.stem == "text":
            path.write_text("no netCDF")
        with pytest.raises(SystemExit):
            run(tmp_path / "out", path)
        assert "FILE must" in capsys.readouterr().err


def test_the_recordings_are_what_they_are_said_to_be():
    sunspots = read(recording.open_recording(DATA / "sunspots.csv", None))
    assert sunspots.values.shape == (1, 309, 1) and sunspots.dt == 1 and sunspots.states == ("sunspots",)
    assert sunspots.values[0, 1957 - 1700, 0] == 190.2  # the highest maximum
    ecg = read(recording.open_recording(DATA / "ecg.nc", None))
    assert ecg.values.shape == (1, 7200, 1) and ecg.dt == pytest.approx(1 / 360) and ecg.state_units == ("mV",)
