from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import forecast
from ladder import report
from ladder.data import Protocol, Task
from ladder.learners import LEARNERS, ladder
from rnnbias import RNN
from systems import labels

TINY = Protocol(
    units=10, samples=500, windows=4, reach=1.0, runs=2, run_steps=200, settle=10, cycles=2, starts=3,
    exponent_steps=20, esn_units=50, lm_iterations=2, adam_steps=3, full_steps=3, settings=2,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _tiny(short_transients):
    """Make --quick quicker still."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Protocol, "quick", classmethod(lambda cls: TINY))
        yield


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr(report, "draw", lambda scores, rows: iter(()))


def run(out, *arguments):
    return forecast.main(["--quick", "--out", str(out), *arguments])


@pytest.fixture(scope="module")
def whole(tmp_path_factory, _tiny):
    """All learners on one system."""
    out = tmp_path_factory.mktemp("whole")
    assert run(out) == 0
    return out


def scores(out):
    return xr.load_dataset(out / "forecast.nc", engine="h5netcdf")


def test_a_run_leaves_labelled_scores_a_table_and_figures(whole):
    ds = scores(whole)
    assert ds.valid_time.dims == ("seed", "system", "learner", "threshold", "window")
    assert list(ds.learner.values) == list(LEARNERS)
    assert not (ds.problem != "").any()
    assert labels.config(ds)["protocol"]["samples"] == TINY.samples
    assert all(var.attrs["units"] and var.attrs["long_name"] for var in ds.variables.values())
    for figure in ("traces", "attractors", "valid_time"):
        assert (whole / f"{figure}.png").stat().st_size > 10_000


def test_limit_cycles_are_scored_by_period_and_amplitude(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(report, "draw", lambda scores, rows: drawn.update({scores.system.item(): rows}) or ())
    run(tmp_path, "--systems", "cosine", "stuart_landau", "--learners", "persistence", "linear")
    ds = scores(tmp_path).sel(seed=0)
    assert list(ds.unit.values) == ["periods", "periods"]
    circle = ds.sel(system="cosine")
    assert circle.period_error.sel(learner="linear") < 1e-9  # the map of a circle is linear
    assert circle.amplitude_error.sel(learner="linear") < 1e-6
    assert np.isinf(circle.period_error.sel(learner="persistence"))
    assert [sorted(rows) for rows in drawn.values()] == [["linear", "persistence"]] * 2


def test_learned_numbers_are_matched(whole):
    learned = scores(whole).learned.sel(seed=0, system="lorenz63")
    found = {name: int(n) for name, n in zip(learned.learner.values, learned.values, strict=True)}
    assert found["bias"] == found["bias-twins"] == found["bias-lazy"] == found["bias-adam"] == 10
    assert found["esn-matched"] == found["esn-tuned"] == found["readout"] == 9
    assert found["full-adam"] == 1 + 7 and found["esn"] == 153 and found["nvar"] == 84
    assert found["persistence"] == found["truth"] == found["ceiling-rk4"] == 0


def test_floors_and_ceilings_are_what_they_should_be(whole):
    ds = scores(whole).sel(seed=0, system="lorenz63")
    assert ds.exponent.sel(learner="truth") == pytest.approx(0.9056)
    assert (ds.censored.sel(learner="ceiling-rk4") == TINY.windows).all()
    assert ds.constant_rate.sel(learner="persistence") == 1
    assert ds.d_stsp.sel(learner="truth") < ds.d_stsp.sel(learner="persistence")


def test_the_table_marks_roles_and_the_twin_of_each_bias_row(whole):
    lines = (whole / "forecast.md").read_text().splitlines()
    assert any("python benchmarks/forecast.py --quick" in line for line in lines)
    table = [line for line in lines if line.startswith("|")]
    assert len({len(line) for line in table[:19]}) == 1
    cells = {row[0]: row for row in ([c.strip() for c in line.split("|")[1:-1]] for line in table[:19])}
    assert {cells[name][1] for name in ("truth", "persistence")} == {"floor"}
    assert cells["ceiling-rk45"][1] == "ceiling" and cells["esn"][1] == "baseline"
    for name in ("bias", "bias-twins", "bias-lazy", "bias-adam"):
        assert cells[name][18] == cells["esn-tuned"][6] != ""


def test_bias_rows_say_what_they_bear_and_who_does_better(whole):
    ds = scores(whole).sel(seed=0, system="lorenz63")
    for name in ("moved", "float32"):
        assert (np.isfinite(ds[name]) == (ds.role == "biases only")).all()
    assert ds.moved.sel(learner="bias") > 1e3 * ds.moved.sel(learner="bias-lazy")
    text = (whole / "forecast.md").read_text()
    assert "- Longer than `bias` (" in text and "`ceiling" not in text.split("Longer than")[1].split("## ")[0]


def test_a_killed_run_keeps_its_rows_and_resume_makes_the_others(tmp_path, monkeypatch, capsys, undrawn):
    chosen = ["--systems", "cosine", "--learners", "persistence", "linear", "nvar"]
    real, made = forecast.make_row, []

    def until_killed(key, learner, task):
        if key.learner == "nvar" and not made.count("killed"):
            made.append("killed")
            raise KeyboardInterrupt
        made.append(key.learner)
        return real(key, learner, task)

    monkeypatch.setattr(forecast, "make_row", until_killed)
    assert run(tmp_path, *chosen) == 130
    assert sorted(p.name for p in (tmp_path / "rows").iterdir()) == [
        "cosine--linear--0.nc",
        "cosine--persistence--0.nc",
    ]
    assert "--resume" in capsys.readouterr().err
    assert run(tmp_path, *chosen, "--resume") == 0
    assert made == ["persistence", "linear", "killed", "nvar"]
    assert scores(tmp_path).sizes["learner"] == 3
    capsys.readouterr()
    again = ["--quick", *chosen, "--resume", "--out", str(tmp_path)]
    refused(capsys, "windows 4, now 5", *again, "--windows", "5")
    (tmp_path / "rows" / "cosine--linear--0.nc").write_bytes(b"nothing")
    refused(capsys, "cosine--linear--0.nc is damaged", *again)


def test_each_seed_has_its_weights_and_the_same_settings_give_the_same_scores(tmp_path, undrawn):
    for name in ("a", "b"):
        run(tmp_path / name, "--systems", "cosine", "--learners", "linear", "bias-adam", "--seeds", "2")
    a, b = (scores(tmp_path / n) for n in "ab")
    assert list(a.learner.values) == ["linear", "esn-tuned", "bias-adam"]  # the twin comes along
    xr.testing.assert_equal(a.drop_vars(["seconds", "cpu_seconds"]), b.drop_vars(["seconds", "cpu_seconds"]))
    first, second = a.nrmse.sel(system="cosine", learner="bias-adam")
    assert (first != second).all()
    assert np.isnan(a.nrmse.sel(learner="linear", seed=1)).all()


def test_a_median_that_the_end_of_the_windows_cuts_off_is_marked(tmp_path, undrawn):
    run(tmp_path, "--systems", "cosine", "--learners", "persistence", "linear", "--reach", "0.5")
    table = (tmp_path / "forecast.md").read_text()
    assert "closed loop over 0.5 Lyapunov times" in table
    cells = {line.split("|")[1].strip(): line.split("|")[7].strip() for line in table.splitlines() if line[:1] == "|"}
    assert cells["linear"] == "≥ 0.50" and not cells["persistence"].startswith("≥")


def test_a_learner_that_a_system_is_not_for_says_why(tmp_path, undrawn):
    run(tmp_path, "--systems", "mackey_glass", "--learners", "persistence", "ceiling-rk4")
    assert "`ceiling-rk4` has no scores: solver of mackey_glass" in (tmp_path / "forecast.md").read_text()


def refused(capsys, message, *arguments):
    with pytest.raises(SystemExit) as stop:
        forecast.main(list(arguments))
    said = capsys.readouterr().err
    assert stop.value.code == 2 and message in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("did you mean 'lorenz63'?", ["--systems", "lorentz63"]),
        ("did you mean 'bias-adam'?", ["--learners", "bias-adm"]),
        ("--windows must be at least 1, got 0", ["--windows", "0"]),
        ("--units must be at least 8", ["--units", "-2"]),
        ("--seeds must be at least 1", ["--seeds", "0"]),
        ("--reach must be greater than 0", ["--reach", "0"]),
        ("invalid int value: 'ten'", ["--windows", "ten"]),
        ("unrecognized arguments: --window", ["--window", "3"]),
        ("file/sub", ["--out", "file/sub"]),
    ],
)
def test_wrong_arguments_end_in_one_line_before_any_work(tmp_path, monkeypatch, capsys, message, arguments):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    refused(capsys, message, *arguments)
    assert not list(tmp_path.rglob("*.nc"))


def test_the_echo_state_network_is_reservoirpy_s():
    nodes = pytest.importorskip("reservoirpy.nodes")
    task = Task("lorenz63", TINY)
    learner = replace(ladder(TINY, 3)["esn"], units=300, ridge=1e-4)
    model = learner.fit(task, seed=4)
    assert learner.learned(model) == 3 * 301

    net = RNN(300, 3, 3, recipe=replace(learner.recipe, seed=4), learn="readout")
    assert torch.linalg.eigvals(net.recurrent).abs().max() == pytest.approx(0.9, abs=0.06)
    assert net.input.abs().max() <= 0.1 and 0.4 < net.biases.abs().max() <= 0.5
    arrays = {"W": net.recurrent.numpy(), "Win": net.input.numpy(), "bias": net.biases.numpy()}
    reservoir, ridge = nodes.Reservoir(lr=1.0, **arrays), nodes.Ridge(ridge=learner.ridge)
    values = task.train.trajectory.values[0]
    standard = model.free_map(values[:, None])[1][:, 300:].numpy()  # (rates, inputs) is the state of the map
    rates = reservoir.run(standard)
    ridge.fit(rates[learner.washout : -1], standard[learner.washout + 1 :])

    step, state = model.free_map(values[None])
    np.testing.assert_allclose(state[0, :300], rates[-1], atol=1e-12)
    theirs = ridge.run(state[:, :300].numpy())
    np.testing.assert_allclose(step(state)[:, 300:].detach(), theirs, atol=1e-6)
