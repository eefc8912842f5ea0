"""The cells of the sweep: one target, learner, count and seed each, so that they can be shared among processes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

import columns
from arguments import scores
from rnnbias import LevenbergMarquardt, Recipe, fit_function, theory
from rnnbias.evaluation import gather
from rnnbias.problems import LEARNERS, FunctionFit, Regression
from rnnbias.problems.comparison import matched
from systems import functions

__all__ = ["COUNTED", "PROVED", "TEST", "Cell", "Plan", "gathered", "make"]

#: At a matched count: the learners of `rnnbias.compare`, and biases under the lazy recipe and of ReLU units.
COUNTED = (*LEARNERS, "bias (lazy)", "bias (relu)")
#: The rest of the sweep, at as many units: the proof's biases, and learned biases over the same weights.
PROVED = ("construction", "construction's weights, learned")
_SMALL = (1, 2, 4, 8, 16, 32)  # units of the small networks that the construction may imitate
_MARGIN = 1.05  # R over gamma
TEST = 5000


@dataclass(frozen=True)
class Plan:
    """What a run covers: counts of learned numbers, units for the proof, and the most for learners that take long."""

    counts: tuple[int, ...] = (30, 100, 300, 1000)
    widths: tuple[int, ...] = (30, 100, 300, 1000, 10000)
    law: tuple[int, ...] = (30, 100, 300)
    most: tuple[tuple[str, int], ...] = (
        ("full", 300), ("mask", 300), ("gain", 300), ("bias (relu)", 300), (PROVED[1], 300),
    )  # fmt: skip

    @classmethod
    def quick(cls) -> Plan:
        """A run of well under a minute."""
        return cls(counts=(20, 50), widths=(50, 500), law=(20, 50), most=((PROVED[1], 50), ("mask", 0)))

    def cells(self, targets: Iterable[str], learners: Sequence[str], seeds: int) -> list[Cell]:
        """Everything to be run, the longest first, so that no process is left with one at the end."""
        most = dict(self.most)
        found = [
            Cell(target, learner, count, seed)
            for seed in range(seeds)
            for target in targets
            for learner in learners
            for count in (self.counts if learner in COUNTED else self.widths)
            if count <= most.get(learner, count)
        ]
        return sorted(found, key=lambda cell: -cell.count)


class Cell(NamedTuple):
    """One thing to learn or construct."""

    target: str
    learner: str
    count: int
    seed: int


#: What is measured of a cell: units, meaning.
SCORES = {
    "nrmse": ("1", "relative error on unseen points"),
    "learned": ("1", "learned numbers"),
    "units": ("1", "hidden units"),
    "seconds": ("s", "time to learn or construct"),
    "promise": ("1", "promised bound on the largest error, in standard deviations of the target"),
    **columns.SCORES,
}


def make(cell: Cell) -> xr.Dataset:
    """Learn or construct, and score."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # tanh never falls silent, as the report says
        makers = {PROVED[0]: _constructed, PROVED[1]: _learned_there, "bias (lazy)": _lazy}
        found = makers.get(cell.learner, _counted)(cell)
    return scores(dict.fromkeys(SCORES, np.nan) | found, SCORES)


def gathered(runs: Mapping[Cell, xr.Dataset]) -> xr.Dataset:
    """The cells as a Dataset over (seed, target, learner, count); NaN where there is none."""
    kinds = {cell.target: functions.get(cell.target).kind for cell in runs}
    found = gather(
        runs, Cell._fields, title="error against the count of learned numbers", config={"seed": 0, "kinds": kinds},
        references="Williams et al., ICLR 2025 (arXiv:2407.00957)",
    )  # fmt: skip
    known = [name for name in (*COUNTED, *PROVED) if name in found.learner.values]
    return found.sortby(["target", "count", "seed"]).sel(learner=known).transpose("seed", "target", "learner", "count")


def _counted(cell: Cell) -> dict[str, float]:
    learn = LEARNERS[cell.learner.removesuffix(" (relu)")]
    activation = "relu" if cell.learner.endswith(" (relu)") else "tanh"
    problem = Regression(cell.target, samples=_samples(cell.count), seed=cell.seed)
    solver, recipe, units = matched(cell.count, learn, problem, activation, cell.seed)
    return _fitted(cell, units=units, learn=learn, solver=solver, recipe=recipe, activation=activation)


def _lazy(cell: Cell) -> dict[str, float]:
    """As many biases in the limit in which they hardly move."""
    recipe = Recipe.lazy(gain=1.0, input_scale=1.0)
    return _fitted(cell, units=2 * cell.count, recipe=recipe, solver=LevenbergMarquardt(), patience=4)


def _fitted(cell: Cell, **options: Any) -> dict[str, float]:
    """Learn, and score; where biases alone learned, their robustness, with 1 / error as the skill."""
    began = time.perf_counter()
    fit = fit_function(cell.target, samples=_samples(cell.count), seed=cell.seed, progress=False, **options)
    seconds, test = time.perf_counter() - began, _test(cell)

    steady = columns.steadiness(fit, test)
    if steady:
        steady["float32"] = 1 / steady["float32"]
    return {
        "nrmse": float(fit.score(test).nrmse), "learned": fit.learned, "units": fit.network.units,
        "seconds": seconds, **steady,
    }  # fmt: skip


def _samples(count: int) -> int:
    return int(np.clip(5 * count, 1000, 5000))


class _Built(NamedTuple):
    """A wide network that imitates a small one, as a fit; R; and the largest error promised at the test's points."""

    fit: FunctionFit
    edge: float
    promise: float


@cache
def _small_networks(target: str, seed: int) -> tuple[FunctionFit, ...]:
    """Small ReLU networks, trained throughout."""
    return tuple(
        fit_function(
            target, units=units, learn=("bias", "weights", "readout"), activation="relu", samples=1000, seed=seed,
            progress=False,
        )
        for units in _SMALL
    )  # fmt: skip


def _best(cell: Cell) -> _Built:
    """The construction that does best on the samples which the small networks learned from."""
    seen = functions.get(cell.target).sample(1000, seed=cell.seed)
    built = [_imitate(fit, cell) for fit in _small_networks(cell.target, cell.seed) if fit.network.units <= cell.count]
    return min(built, key=lambda each: float(each.fit.score(seen).nrmse))


def _imitate(fit: FunctionFit, cell: Cell) -> _Built:
    small = theory.balanced(fit.network)
    edge = _MARGIN * theory.edge(small)
    wide = theory.random_network(cell.count, small, edge=edge, seed=cell.seed)
    built = theory.construct(small, wide, (fit.samples.box - fit.x.mean[:, None]) / fit.x.scale[:, None])
    test = _test(cell)
    own = np.abs(fit.evaluate(test.x.values) - test.y.values).max(0) / fit.y.scale
    return _Built(replace(fit, network=built.network), edge, float((own + built.promise).max()))


def _test(cell: Cell) -> xr.Dataset:
    return functions.get(cell.target).sample(TEST, seed=cell.seed + 2**30)


def _constructed(cell: Cell) -> dict[str, float]:
    _small_networks(cell.target, cell.seed)
    began = time.perf_counter()
    built = _best(cell)
    seconds = time.perf_counter() - began
    return {
        "nrmse": float(built.fit.score(_test(cell)).nrmse), "learned": built.fit.learned,
        "units": built.fit.network.units, "seconds": seconds, "promise": built.promise,
    }  # fmt: skip


def _learned_there(cell: Cell) -> dict[str, float]:
    """Biases learned over the weights that the construction uses at this width."""
    recipe = _best(cell).fit.network.recipe
    return _fitted(cell, units=cell.count, recipe=recipe, activation="relu", solver="levenberg-marquardt")
