"""The bank benchmark: a small run leaves tables, figures and a bank; wrong arguments end it before work starts."""

import numpy as np
import pytest
import torch
import xarray as xr

import bank
import systems
from banks import EXPERIMENTS, data, family, fields, flows
from experiments import Plan
from rnnbias import LevenbergMarquardt, Recipe, SystemBank, fit_function
from rnnbias.evaluation import Runs


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    pytest.importorskip("dysts")
    out = tmp_path_factory.mktemp("bank")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_PART", 550)
        patch.setattr(data, "_PARTS", 1)
        patch.setattr(data, "_TRANSIENT", 50)
        patch.setattr(data, "_ENOUGH", 2e-8)
        patch.setattr(flows, "_QUICK", {"units": 20, "solver": LevenbergMarquardt(iterations=2)})
        patch.setattr(flows, "flows", lambda: ["Lorenz", "SprottB", "HyperRossler"])
        patch.setattr(family, "_QUICK", (20, 300))
        patch.setattr(family, "_STEPS", 200)
        patch.setattr(family, "_STARTS", 3)
        patch.setattr(family, "_RHO", (28, 32))
        patch.setattr(family, "_MU", (1.1,))
        patch.setattr(fields, "_UNITS", 20)
        patch.setattr(fields, "_TIMES", 200.0)
        assert bank.main(["--quick", "--out", str(out)]) == 0
    return out


def test_a_run_leaves_tables_numbers_figures_and_a_bank(report):
    names = {"bank.md", "flows-bank.nc", "rows", *(f"{name}.{end}" for name in EXPERIMENTS for end in ("nc", "png"))}
    assert {p.name for p in report.iterdir()} == names
    text = (report / "bank.md").read_text()
    assert "## Parameters that were not seen" in text and "## The flows of dysts" in text and "--quick" in text
    ds = xr.load_dataset(report / "flows.nc", engine="h5netcdf")
    kept = SystemBank.load(report / "flows-bank.nc")
    assert set(kept) == set(ds.flow.values) and ds.kept == len(kept) and ds.many > 0 and ds.alone > 0
    assert {fit.recording.name for fit in kept.values()} == {f"dysts:{name}" for name in kept}


def test_fields_are_those_that_are_named():
    states = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3)))
    _, rates = fields._FIELDS["Lorenz"]
    found = torch.stack(rates(*states.unbind(-1)), -1)
    torch.testing.assert_close(found, systems.get("lorenz63")(0.0, states))


def test_the_true_field_is_no_farther_than_its_own_solution():
    times = np.arange(0.0, 300.0, fields._STEP)
    system, start, _ = fields._scaled("SprottB", times)
    points = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    fit = fit_function(
        (points, system(0.0, torch.from_numpy(points)).numpy()),
        units=200,
        seed=1,
        progress=False,
        recipe=Recipe.shaping(gain=1.0, readout_scale=30.0),
    )
    truth = system.solve(start[None], times[:200], **fields._SOLVED)[0]
    run = fields._run(fit, start, times[:200])
    assert np.abs(truth).max() <= 1.1
    assert np.abs(run.values - truth[round(fields._SETTLED * 200) :]).max() < 0.02


def test_neighbours_part_at_the_rate_that_is_measured():
    steps = np.arange(700)
    gap = 1e-8 * np.exp(0.02 * steps)[None, :, None] * np.ones((4, 1, 2))
    np.testing.assert_allclose(data._parting(gap), 0.02)


def test_angles_are_seen_as_cosine_and_sine():
    values, names = data._seen(np.full((1, 2, 2), np.pi), ("x", "phase"), [1])
    assert names == ["x", "cos phase", "sin phase"]
    np.testing.assert_allclose(values[0, 0], [np.pi, -1, 0], atol=1e-15)


def test_every_cell_is_another(tmp_path):
    pytest.importorskip("dysts")
    for experiment in EXPERIMENTS.values():
        cells = experiment.cells(Plan(1, False, tmp_path))
        assert len({Runs(tmp_path, {}).path(cell) for cell in cells}) == len(cells) > 1


def test_wrong_arguments_end_with_one_line(capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        bank.main(["--experiments", "flow", "--out", str(tmp_path)])
    assert end.value.code == 2
    assert "--experiments must be one of" in capsys.readouterr().err
