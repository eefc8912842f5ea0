"""Figure 1A: accuracy against the count of learned numbers, down to networks of a few."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
from experiments import Plan, over_seeds
from pictures.learners import LEARNERS
from pictures.rows import ACCURACY, few
from reproduction import sources
from reproduction.figures import Claim, Figure, above, greater, known, spread
from rnnbias import plot
from tables import aligned

__all__ = ["WIDTHS"]

_EACH = 795  # numbers of a unit that learns all of its own: 784 weights in, 10 out, and a bias
_COUNTS, _MOST, _EPOCHS = (100, 300, 795, 1590, 3180, 4770, 9540), 4770, 20
_LEARNERS = {
    "uniform": "bias-uniform",
    "gaussian": "bias-gaussian",
    "full": "full",
    "full, slow": "full-low",
    "ours": "bias",
}
_FULL = ("full", "full, slow")
_SCORES = {
    "accuracy": ("1", "accuracy on test images"),
    "learned": ("1", "learned numbers"),
    "chance": ("1", "accuracy of naming the commonest class"),
    "seconds": ("s", "time to fit"),
    **columns.SCORES,
}


class _Cell(NamedTuple):
    learner: str
    numbers: int
    seed: int


def cells(plan: Plan) -> list[_Cell]:
    """As many biases as numbers of full networks; beyond 4,770 fewer learners."""
    counts = (100, 2 * _EACH) if plan.quick else _COUNTS
    return [
        _Cell(name, count, seed)
        for seed in range(plan.seeds)
        for count in counts
        for name in _LEARNERS
        if (name not in _FULL or count >= _EACH) and (count <= _MOST or name in ("uniform", *_FULL))
    ]


def make(cell: _Cell, plan: Plan) -> Mapping[str, float]:
    """Learn and test."""
    learner, data = LEARNERS[_LEARNERS[cell.learner]], sources.fashion(plan)
    learner = replace(learner, solver=replace(learner.solver, epochs=1 if plan.quick else _EPOCHS))
    units = cell.numbers // _EACH if cell.learner in _FULL else cell.numbers + cell.numbers % 2
    began = time.perf_counter()
    fit = learner.fit(data, units, cell.seed, progress=False)
    seconds = time.perf_counter() - began
    share = np.unique(data.test_labels, return_counts=True)[1].max() / len(data.test)
    return {
        "accuracy": float(fit.score(data).accuracy), "learned": fit.network.learned, "chance": float(share),
        "seconds": seconds, **columns.steadiness(fit, few(data)),
    }  # fmt: skip


def claims(data: xr.Dataset) -> list[Claim]:
    """All learn; where most is gained; which is better where."""
    counts = data.numbers.values
    few, most = min(n for n in counts if n >= _EACH), max(n for n in counts if n <= _MOST)
    bias, full = (data.accuracy.sel(learner=name) for name in ("uniform", "full"))
    end = data.accuracy.sel(numbers=most, learner=["uniform", "gaussian", "full"])
    gained = (bias.sel(numbers=most) - bias.sel(numbers=counts[0])) / (
        bias.sel(numbers=counts[-1]) - bias.sel(numbers=counts[0])
    )
    found = [Claim(
        "all three kinds of network learn", "[second-hand]", f"accuracy above twice chance at {most:,} numbers",
        f"accuracy {spread(end, '{:.1%}')}", above(end, 2 * float(data.chance.max())),
    )]  # fmt: skip
    if counts[-1] > most:
        found.append(Claim(
            "most of the gain comes below about 5,000 learned numbers", "[second-hand]",
            f"more than half of what biases gain from {counts[0]:,} to {counts[-1]:,} numbers is gained by {most:,}",
            f"{spread(gained, '{:.0%}')}", above(gained, 0.5),
        ))  # fmt: skip
    first, second = bias.sel(numbers=few), full.sel(numbers=few)
    found.append(Claim(
        "with very few learned numbers biases do better than full training", "[second-hand]",
        f"better at {few:,} numbers, the fewest that a full network can have",
        f"biases ahead by {spread(100 * (first - second), '{:.1f}')} points", greater(first, second),
    ))  # fmt: skip
    rest = [n for n in counts if n > few]
    behind = (full - bias).sel(numbers=rest)
    if rest:
        found.append(Claim(
            "full training is better at a matched count", "[second-hand, of the submission]",
            f"better at each count above {few:,}", f"ahead by {spread(100 * behind, '{:.1f}')} points",
            known(np.sign(behind)),
        ))  # fmt: skip
    return found


def report(data: xr.Dataset) -> list[str]:
    """Accuracy by count."""
    rows = [
        [str(name), *(over_seeds(100 * data.accuracy.sel(learner=name, numbers=n), "{:.1f}") for n in data.numbers)]
        for name in data.learner.values
    ]
    return [
        "Accuracy on test images in %, by the count of learned numbers; median over seeds, and the range. A full "
        f"network has {_EACH} numbers a unit, so that the fewest are those of one unit, which without output biases "
        "can name two classes at most: one wherever it answers, and one where it is silent.",
        "", *aligned(["learner", *(f"{n:,}" for n in data.numbers.values)], rows, words=1), "",
        *(f"- `{name}`: {LEARNERS[_LEARNERS[str(name)]].about}." for name in data.learner.values), "",
    ]  # fmt: skip


def picture(data: xr.Dataset) -> object:
    """Accuracy against learned numbers."""
    drawn = data[["accuracy", "learned"]].rename(numbers="units")
    return plot.accuracy_against(drawn.assign(learned=drawn.learned.max("seed")), "learned")


WIDTHS = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, picture=picture, claims=claims,
    title="Figure 1A: accuracy against learned numbers", skill=ACCURACY,
    settings=[
        (
            "images", "Fashion MNIST, 50,000 to train, 10,000 to test [paper]",
            "the same; the last sixth is held out and chooses the epoch",
        ),
        ("solver", "Adam 0.01, 20 epochs, batch 512 [paper]", "the same"),
        ("full networks", "Xavier uniform, gain 1 [paper]", "the same"),
        ("frozen weights", "U[-0.1, 0.1], or Gaussian of sd 1 / sqrt(inputs) [paper; the root inferred]", "the same"),
        ("first biases", "unknown", "uniform, 0.01 at most [guess]"),
        ("activation, loss", "ReLU, cross-entropy [inferred]", "the same"),
        ("widths", "unknown grid", ", ".join(f"{n:,}" for n in _COUNTS) + " learned numbers"),
        ("runs", "5 in the first version [paper]", "the seeds of the table"),
    ],
)  # fmt: skip
