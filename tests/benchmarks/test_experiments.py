"""Benchmarks made of experiments: one page of all rows there are, whichever part of them a run makes."""

from typing import NamedTuple

import pytest

import experiments
from experiments import Experiment


class Cell(NamedTuple):
    """Which row."""

    condition: str
    seed: int


def toy(name, refuses=()):
    """An experiment whose rows say their seed; some end in an error."""

    def make(cell, plan):
        if cell.seed in refuses:
            raise RuntimeError("no such seed")
        return {"number": float(cell.seed)}

    return Experiment(
        cells=lambda plan: [Cell(name, seed) for seed in range(plan.seeds)],
        make=make,
        scores={"number": ("1", "a number")},
        report=lambda data: [f"## {name}: {float(data.number.sum()):g}", ""],
    )


@pytest.fixture
def run(tmp_path):
    def run(*argv, **refuses):
        both = {name: toy(name, refuses.get(name, ())) for name in ("first", "second")}
        code = experiments.main("toy", "Toys", "Toys", both, [*argv, "--out", str(tmp_path)], seeds=3)
        return code, (tmp_path / "toy.md").read_text()

    return run


def test_experiments_that_are_not_named_are_reported_from_their_rows(run):
    code, page = run("--experiments", "first")
    assert code == 0 and "## first: 3" in page and "## second" not in page
    code, page = run("--experiments", "second", "--resume")
    assert code == 0 and "## first: 3" in page and "## second: 3" in page and "have been run" not in page


def test_a_page_says_how_many_rows_are_missing(run):
    code, page = run("--experiments", "first", first=(1,))
    assert code != 0 and "2 of 3 rows have been run." in page


def test_only_those_that_are_named_are_made_afresh(run, tmp_path):
    run()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows" / "second").glob("*.nc")}
    run("--experiments", "first")
    assert kept and kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "rows" / "second").glob("*.nc")}
