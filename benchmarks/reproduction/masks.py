"""Figure 2: learned biases against learned masks over the same frozen weights."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

import columns
from experiments import Plan, over_seeds
from pictures.learners import LEARNERS
from pictures.rows import ACCURACY, few
from reproduction import sources
from reproduction.figures import Claim, Figure, greater, known, spread
from rnnbias import analysis, plot
from rnnbias.problems import Classification, solve
from tables import aligned, number

__all__ = ["MASKS"]

_SMALL, _ACTIVE = 0.01, 0.1  # half-width of the first numbers; variance from which a unit counts as active
_LEARNERS = {"bias": "bias-uniform", "mask": "mask-annealed", "hard mask": "mask-hard"}
_SCORES = {
    "accuracy": ("1", "accuracy on test images"),
    "variance": ("1", "variance of each unit over the test images", "unit"),
    "kept": ("1", "units that answer some test image"),
    "seconds": ("s", "time to fit"),
    **columns.SCORES,
}


class _Cell(NamedTuple):
    learner: str
    seed: int
    order: int  # of the minibatches


@dataclass(frozen=True, eq=False)
class _FromNearZero(Classification):
    """What masks learn begins at U[-0.01, 0.01], as biases do."""

    def initialise(self, network: Any, train: Any, seed: int) -> None:
        if "mask" in network.learn:
            drawn = torch.Generator().manual_seed(seed)
            network.mask.data.uniform_(-_SMALL, _SMALL, generator=drawn)


def cells(plan: Plan) -> list[_Cell]:
    """The first seed with two orders of the minibatches, and with masks that are steps all along."""
    found = [_Cell(name, seed, 0) for seed in range(plan.seeds) for name in ("bias", "mask")]
    return [*found, _Cell("bias", 0, 1), *([] if plan.quick else [_Cell("hard mask", 0, 0)])]


def make(cell: _Cell, plan: Plan) -> Mapping[str, object]:
    """Learn, test, and look at the units."""
    data, size = sources.digits(plan), sources.protocol(plan)
    learner, units = LEARNERS[_LEARNERS[cell.learner]], size.mask_units
    began = time.perf_counter()
    fit = solve(
        _FromNearZero(data, brightness=learner.brightness), units=units, learn=learner.learn, seed=cell.seed,
        solver=replace(learner.solver, epochs=size.mask_epochs, seed=cell.order),
        recipe=learner.recipe(int(np.prod(data.shape)), units), progress=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    seen = analysis.task_variance({data.name: fit.rates(data.test)}).isel(task=0)
    return {
        "accuracy": float(fit.score(data).accuracy), "variance": seen.variance.values,
        "kept": float((seen.on > 0).sum()), "seconds": seconds,
        **columns.steadiness(fit, few(data)),
    }  # fmt: skip


def claims(data: xr.Dataset) -> list[Claim]:
    """Accuracy, correlation and variances of units."""
    first = data.sel(order=0)
    bias, mask = (first.sel(learner=name) for name in ("bias", "mask"))
    alike, again = _correlations(data)
    active = (bias.variance > _ACTIVE).sum("unit").where(bias.accuracy.notnull())
    means = [each.variance.mean("unit") for each in (bias, mask)]
    return [
        Claim(
            "biases are slightly more accurate than masks", "[second-hand]", "accuracy is higher, the same weights",
            f"ahead by {spread(100 * (bias.accuracy - mask.accuracy), '{:.2f}')} points",
            greater(bias.accuracy, mask.accuracy),
        ),
        Claim(
            "the variances of hidden units correlate by 0.46 between the two", "[second-hand]",
            "the correlation is positive and below that of two runs of bias learning",
            f"{spread(alike, '{:.2f}')}; two runs {again:.2f}",
            known(xr.where((alike > 0) & (alike < again), 1.0, xr.where(alike < 0, -1.0, 0.0)).where(alike.notnull())),
        ),
        Claim(
            "units of masked networks have lower variance", "[second-hand]", "the mean over units is lower",
            f"{spread(means[1])} against {spread(means[0])}", greater(*means),
        ),
        Claim(
            "more units are active under biases (about 6,000 of 10,000 of variance above 0.1) than the mask keeps "
            "(about 4,500)", "[second-hand]", "more units of variance above 0.1 under biases than the mask lets answer",
            f"{spread(active, '{:,.0f}')} against {spread(mask.kept, '{:,.0f}')} of {data.sizes['unit']:,}",
            greater(active, mask.kept),
        ),
    ]  # fmt: skip


def _correlations(data: xr.Dataset) -> tuple[xr.DataArray, float]:
    """Of unit variances: between biases and masks, by seed, and between two runs of bias learning."""
    bias = data.variance.sel(learner="bias")
    between = xr.corr(bias.sel(order=0), data.variance.sel(learner="mask", order=0), "unit")
    again = xr.corr(bias.sel(order=0), bias.sel(order=1), "unit") if 1 in data.order else between * np.nan
    return between, float(again.max())


def report(data: xr.Dataset) -> list[str]:
    """Every learner."""
    rows = []
    for name in data.learner.values:
        one = data.sel(learner=name, order=0)
        active = (one.variance > _ACTIVE).sum("unit").where(one.accuracy.notnull())
        other = xr.corr(one.variance, data.variance.sel(learner="bias", order=0), "unit")
        rows.append([
            str(name), LEARNERS[_LEARNERS[str(name)]].about, over_seeds(100 * one.accuracy, "{:.2f}"),
            over_seeds(one.kept, "{:,.0f}"), over_seeds(active, "{:,.0f}"),
            over_seeds(one.variance.mean("unit"), "{:.3f}"), over_seeds(other, "{:.2f}") if name != "bias" else "",
            over_seeds(one.seconds, "{:.0f}"),
        ])  # fmt: skip
    again = number(_correlations(data)[1], "{:.2f}")
    header = ["learner", "what it is", "accuracy (%)", "answer", f"variance > {_ACTIVE}", "mean variance"]
    return [
        "Median over seeds, and the range. *Answer*: units that answer some test image. *Correlation*: of the "
        f"variances of units with those under learned biases, the same weights; between two orders of the minibatches "
        f"of bias learning it is {again}. Masks that are a step function all along (straight-through), instead of a "
        "sigmoid that steepens, tell whether the schedule makes the difference.",
        "", *aligned([*header, "correlation", "seconds"], rows), "",
    ]  # fmt: skip


def picture(data: xr.Dataset) -> object:
    """Variances of units under biases and under masks, of the first seed that has both."""
    pairs = data.variance.sel(order=0, learner=["bias", "mask"]).dropna("seed")
    if not pairs.sizes["seed"]:
        return plt.figure()
    return plot.unit_agreement(*(pairs.isel(seed=0).sel(learner=name).rename(name) for name in ("bias", "mask")))


MASKS = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, picture=picture, claims=claims,
    title="Figure 2: biases against masks", skill=ACCURACY,
    settings=[
        ("images", "MNIST, 50,000 and 10,000 [paper]", "the same; the last sixth is held out and chooses the epoch"),
        ("solver", "Adam 0.01, 30 epochs, batch 512 [paper]", "the same"),
        ("first numbers", "U[-0.01, 0.01], biases of mask networks too [paper]", "the same"),
        ("frozen weights", "the same for both [second-hand]; uniform, 0.1 at most [inferred]", "the same"),
        ("units", "10,000 [second-hand]", "10,000"),
        (
            "masks", "a sigmoid that steepens on a schedule, a step at test [second-hand]; numbers unknown",
            "steepness 1 to 100 by equal ratios [guess]",
        ),
        ("brightness", "unknown", "0 to 1 [guess]; it decides how many variances exceed 0.1"),
    ],
)  # fmt: skip
