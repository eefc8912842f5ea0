"""The paper by its own protocol: a small run leaves a page with verdicts; verdicts follow from the numbers."""

import numpy as np
import pytest
import torch
import xarray as xr

import paper
from arguments import save, scores
from experiments import Plan
from reproduction import FIGURES, lorenz, theorem
from reproduction.figures import Claim, above, greater, section
from reproduction.permuting import Permutation
from rnnbias import RNN, Recipe
from rnnbias.evaluation import Runs, gather
from rnnbias.problems import Regression, solve

NAMES = ["1b", "1c", "2", "permutation"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("paper")
    assert paper.main(["--quick", "--seeds", "1", "--figure", *NAMES, "--out", str(out)]) == 0
    return out


def test_a_run_leaves_a_page_with_settings_claims_and_verdicts(report):
    files = {path.name for path in report.iterdir()}
    assert files == {"paper.md", "rows", "2.png", *(f"{name}.nc" for name in NAMES)}
    text = (report / "paper.md").read_text()
    for name, figure in FIGURES.items():
        assert (f"## {figure.title}: " in text) == (name in NAMES)
        assert f"--figure {name}" in text
    assert "[second-hand]" in text and "[guess]" in text and "Asked: " in text and "not run" in text
    assert text.count("*Bias noise*") == 2  # of biases against masks, and against permuted weights


def test_numbers_are_kept_by_cell(report):
    ds = xr.load_dataset(report / "2.nc", engine="h5netcdf")
    assert ds.variance.dims == ("learner", "seed", "order", "unit") and ds.accuracy.attrs["long_name"]
    assert 0 <= float(ds.accuracy.sel(learner="bias", seed=0, order=0)) <= 1
    tasks = xr.load_dataset(report / "1b.nc", engine="h5netcdf")
    assert (tasks.learned.sel(learner="bias") == 60).all()


def test_finished_rows_are_not_made_again_and_others_are_reported(report, monkeypatch):
    before = (report / "paper.md").read_text().split("\n", 4)[4]
    for figure in FIGURES.values():
        monkeypatch.setattr(type(figure), "row", lambda *_, **__: 1 / 0)
    assert paper.main(["--quick", "--seeds", "1", "--figure", *NAMES, "--resume", "--out", str(report)]) == 0
    assert (report / "paper.md").read_text().split("\n", 4)[4] == before
    assert paper.main(["--quick", "--seeds", "1", "--figure", "--out", str(report)]) == 0  # the page alone
    assert (report / "paper.md").read_text().split("\n", 4)[4] == before


def test_every_cell_is_another(tmp_path):
    for figure in FIGURES.values():
        cells = figure.cells(Plan(3, False, tmp_path))
        assert len({Runs(tmp_path, {}).path(cell) for cell in cells}) == len(cells) > 1
        assert set(figure.cells(Plan(1, False, tmp_path))) <= set(cells)


@pytest.mark.parametrize("name", FIGURES)
def test_whatever_rows_there_are_can_be_reported(name, tmp_path):
    figure, rng, sizes = FIGURES[name], np.random.default_rng(0), {"unit": 20, "tolerance": 9, "network": 3}
    cells = figure.cells(Plan(2, False, tmp_path))
    values = {key: rng.random([sizes[dim] for dim in dims]) for key, (_, _, *dims) in figure.scores.items()}
    row = scores({key: value[()] for key, value in values.items()}, figure.scores)
    for finished in ({cells[0]}, {cells[-1]}, set(cells)):
        rows = {cell: row if cell in finished else xr.Dataset() for cell in cells}
        data = gather(rows, cells[0]._fields, title="rows", config={"seed": 0})
        assert section(name, figure, data)[0].startswith(f"## {figure.title}: ")
        if figure.picture is not None:
            save(figure.picture(data), tmp_path / "picture.png", dpi=20)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([1, 1, 1], "reproduced"),
        ([-1, -1], "contradicted"),
        ([1, 0, 0], "partly"),
        ([1, 1, -1], "partly"),
        ([1, -1], "not"),
        ([0, 0], "not"),
        ([], "not run"),
    ],
)
def test_verdicts_follow_from_answers(answers, verdict):
    assert Claim("", "", "", "", answers).verdict == verdict


def test_questions_are_asked_of_what_was_run():
    first, second = xr.DataArray([1.0, 2.0, np.nan, 0.5]), xr.DataArray([0.0, 3.0, 1.0, np.nan])
    assert greater(first, second) == [1, -1] and above(first, 0.9) == [1, 1, 0]


def gains(weak, strong):
    """Figure 3 in numbers: R² of biases below and above a gain of 1; full training always serves."""
    dims = ("target", "activation", "learner", "gain", "seed")
    skill = np.full((2, 1, 2, 2, 3), 0.999)
    skill[:, :, 0, 0], skill[:, :, 0, 1] = weak, strong
    values = {name: (dims, skill if name == "r_squared" else np.ones_like(skill)) for name in FIGURES["3"].scores}
    places = {"target": ["cosine", "van_der_pol"], "activation": ["relu"], "learner": ["bias", "full"]}
    return xr.Dataset(values, {**places, "gain": [0.5, 1.2], "seed": [0, 1, 2]})


def test_the_claim_on_the_gain_is_judged_by_the_gain():
    for weak, verdict in ((0.4, "reproduced"), (0.999, "contradicted"), (0.95, "not")):
        claims = {claim.says: claim.verdict for claim in FIGURES["3"].claims(gains(weak, 0.999))}
        assert claims["any gain below 1 is ineffective for biases on van der Pol"] == verdict
        assert claims["high enough gains serve"] == "reproduced"


def test_permuted_weights_keep_their_values_and_learn():
    problem = Regression("runge", samples=200)
    recipe = Recipe(wiring="independent", input_scale=4.0, bias_scale=4.0, readout_scale=4.0)
    solver = Permutation(epochs=60, rate=3e-2, batch=60, every=15)
    fit = solve(problem, units=60, learn="readout", solver=solver, recipe=recipe, activation="relu", progress=False)
    network, start = fit.network, fit.network.redrawn()
    assert not torch.equal(network.readout, start.readout)
    assert torch.equal(network.readout.sort(1).values, start.readout.sort(1).values)
    train = problem.objectives(start, 0).train
    assert train.loss(network) < 0.2 * train.loss(start)


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"rate": 0.0}, {"every": 1.5}, {"seed": -1}])
def test_wrong_settings_of_permutation_are_named(changes):
    with pytest.raises((ValueError, TypeError), match=next(iter(changes))):
        Permutation(**changes)
    with pytest.raises(ValueError, match="Permutation"):
        Permutation().check(("bias",))


def test_no_network_within_the_window_errs_by_more_than_the_promise():
    small = RNN(3, 0, 2, recipe=Recipe(wiring="independent", gain=0.9, bias_scale=1.0), activation="relu")
    rate = small(torch.zeros(1, theorem._STEPS, 0, dtype=torch.float64)).rate[0]
    rng, window = torch.Generator().manual_seed(0), 1e-3
    signs = [
        torch.randint(2, (200, *size), generator=rng).double() * 2 - 1 for size in ((3, 3), (2, 3))
    ]  # corners of the window
    errors = theorem._errors(small, small.recurrent + window * signs[0], small.readout + window * signs[1])
    promise = theorem._promise(small, rate, window)
    assert 0 < float(errors.max()) <= promise
    assert theorem._window(small, rate, promise) == pytest.approx(window, rel=1e-6)
    half = theorem._measured(small, float(errors.median()))
    assert window < half < 10 * window  # draws from within a window err by less than its corners


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--figure", "6"], "--figure must be one of"),
        (["--seeds", "0"], "--seeds must be at least 1"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments_end_with_one_line(argv, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        paper.main([*argv, "--out", str(tmp_path)])
    error = capsys.readouterr().err
    assert end.value.code == 2 and message in error and error.count("\n") == 1


def test_the_half_width_is_that_of_the_autocorrelation(monkeypatch):
    class Cosine:
        def simulate(self, trials, duration, dt, seed, observed):
            time = np.arange(round(duration / dt)) * dt
            x = np.cos(2 * np.pi * time / 1.2 + np.linspace(0, 2 * np.pi, trials, endpoint=False)[:, None])
            return xr.Dataset({"trajectory": (("trial", "time", "state"), x[..., None])})

    monkeypatch.setattr(lorenz.systems, "get", lambda name: Cosine())
    assert lorenz.half_width(8, 24.0) == pytest.approx(1.2 / 6, abs=2e-3)


def test_one_coordinate_is_scored_driven_and_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(lorenz, "REACH", 1.0)
    monkeypatch.setattr(lorenz, "half_width", lambda trials, duration: 0.24)
    plan = Plan(1, True, tmp_path)
    found = lorenz.LORENZ.make(next(cell for cell in lorenz.cells(plan) if cell.learner == "second order"), plan)
    assert found["learned"] == 40 and found["r_squared"] < 1 and np.isfinite(found["valid_time"])
