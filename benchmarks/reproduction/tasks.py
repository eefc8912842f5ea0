"""Figure 1B and C: seven tasks on one frozen matrix, by biases and by full training, and how units organise by task."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from arguments import scores
from experiments import Plan, over_seeds
from pictures.learners import LEARNERS
from reproduction import sources
from reproduction.figures import Claim, Figure, known
from rnnbias import analysis
from rnnbias.storage import read_netcdf, write_netcdf
from tables import aligned, number

__all__ = ["CLUSTERS", "TASKS"]

_WIDE, _NARROW, _EPOCHS = 32000, 4000, 10
_LARGE = ("mnist", "fashion-mnist")
_LEARNERS = {"bias": "bias-uniform", "full": "full"}
_HARD = "kmnist"  # on which the paper has biases worse
_SIGNIFICANT = 2  # standard errors
_MOST = 15  # clusters
_UNITS = {
    "on": ("1", "fraction of the test images that the unit answers", "unit"),
    "variance": ("1", "variance of each unit over the test images", "unit"),
    "bias": ("1", "bias of each unit", "unit"),
}
_SCORES = {
    "accuracy": ("1", "accuracy on test images"),
    "learned": ("1", "learned numbers"),
    "trained": ("1", "images learned from"),
    "tested": ("1", "test images"),
    "seconds": ("s", "time to fit"),
}


class _Cell(NamedTuple):
    task: str
    learner: str
    units: int
    seed: int


def cells(plan: Plan) -> list[_Cell]:
    """Biases at the paper's width, the quick tasks first; full training of that width once; both at a smaller one."""
    tasks = sorted(sources.seven(plan), key=lambda name: name in _LARGE)
    if plan.quick:
        return [_Cell(task, name, 60, 0) for task in tasks[:4] for name in _LEARNERS]
    small = [task for task in tasks if task not in _LARGE]
    return list(dict.fromkeys([
        *(_Cell(task, "bias", _WIDE, 0) for task in small),
        *(_Cell(task, name, _NARROW, 0) for task in small for name in _LEARNERS),
        *(_Cell(task, "full", _WIDE, 0) for task in small[:1]),
        *(_Cell(task, "bias", _WIDE, 0) for task in tasks),
        *(_Cell(task, name, _NARROW, 0) for task in tasks for name in _LEARNERS),
        *(_Cell(task, "full", _WIDE, 0) for task in small),
        *(_Cell(task, "bias", _WIDE, seed) for seed in range(1, plan.seeds) for task in tasks),
        *(_Cell(task, "full", _WIDE, 0) for task in tasks),
    ]))  # fmt: skip


def make(cell: _Cell, plan: Plan) -> Mapping[str, float]:
    """Learn and test; what the units do is kept in the plan's folder."""
    data, learner = sources.take(cell.task, plan), LEARNERS[_LEARNERS[cell.learner]]
    learner = replace(learner, solver=replace(learner.solver, epochs=2 if plan.quick else _EPOCHS))
    began = time.perf_counter()
    fit = learner.fit(data, cell.units, cell.seed, progress=False)
    seconds = time.perf_counter() - began
    seen = analysis.task_variance({data.name: fit.rates(data.test)}).isel(task=0)
    values = {"on": seen.on.values, "variance": seen.variance.values, "bias": fit.network.biases.detach().numpy()}
    path = _units_of(cell, plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_netcdf(scores(values, _UNITS), path)
    return {
        "accuracy": float(fit.score(data).accuracy), "learned": fit.network.learned,
        "trained": float(fit.settings["images"]), "tested": float(len(data.test)), "seconds": seconds,
    }  # fmt: skip


def _units_of(cell: _Cell, plan: Plan) -> Path:
    return plan.folder / f"{'-'.join(map(str, cell))}.nc"


def claims(data: xr.Dataset) -> list[Claim]:
    """Biases against full training of the same network, task by task, at each width."""
    return [claim for units in sorted(data.units.values, reverse=True) for claim in _compared(data, int(units))]


def _compared(data: xr.Dataset, units: int) -> list[Claim]:
    bias, full = (data.accuracy.sel(units=units, learner=name, seed=0) for name in _LEARNERS)
    worse = (full - bias) / np.hypot(_error(bias, data), _error(full, data))
    asked = worse.notnull()
    others = asked & (data.task != _HARD)
    hard = data.task.values[(worse >= _SIGNIFICANT).values].tolist()
    each = ", ".join(
        f"{task} {100 * float(bias.sel(task=task)):.1f} against {100 * float(full.sel(task=task)):.1f} %"
        for task in data.task.values[asked.values]
    )
    found = [Claim(
        f"on most of seven tasks biases are as accurate as full training of the same network ({units:,} units)",
        "[paper]", "each task but KMNIST, which the paper excepts: biases worse by less than "
        f"{_SIGNIFICANT} standard errors of the two test accuracies (opposite: by more)", each or "nothing",
        known(xr.where(worse < _SIGNIFICANT, 1.0, -1.0).where(others)),
    )]  # fmt: skip
    if _HARD in data.task.values:
        answer = float(hard == [_HARD]) - float(bool(hard) and _HARD not in hard)
        found.append(Claim(
            f"they are significantly worse only on KMNIST ({units:,} units)", "[paper]",
            "worse by more on KMNIST, and on nothing else (opposite: on others only)",
            f"worse on {', '.join(hard) or 'nothing'}, of {int(asked.sum())} tasks",
            known(xr.where(asked.sel(task=[_HARD]) & others.any(), answer, np.nan)),
        ))  # fmt: skip
    return found


def _error(accuracy: xr.DataArray, data: xr.Dataset) -> xr.DataArray:
    """The standard error of an accuracy on so many test images."""
    return np.sqrt(accuracy * (1 - accuracy) / data.tested.max(("learner", "units", "seed")))


def report(data: xr.Dataset) -> list[str]:
    """Accuracy of every task, width and learner; what was not run, and what it would take."""
    kinds = [(learner, int(units)) for units in data.units[::-1] for learner in data.learner.values]
    rows = [
        [
            str(task), number(data.trained.sel(task=task).max(), "{:,.0f}"),
            *(over_seeds(100 * data.accuracy.sel(task=task, learner=learner, units=units), "{:.1f}")
              for learner, units in kinds),
        ]
        for task in data.task.values
    ]  # fmt: skip
    lines = [
        "Test accuracy in %, median over seeds and the range; empty where it was not run.", "",
        *aligned(["task", "images", *(f"{learner}, {units:,} units" for learner, units in kinds)], rows), "",
    ]  # fmt: skip
    wide = data.sel(learner="full", units=data.units.max(), seed=0)
    done = wide.seconds.notnull()
    if done.any():
        each = float((wide.seconds / wide.trained).median())
        missing = ", ".join(data.task.values[~done.values])
        lines += [
            f"Full training of {int(wide.learned.max()):,} numbers took {1000 * each:.1f} s for a thousand images, all "
            f"{_EPOCHS} epochs, in float32 on one core: {each * 50000 / 3600:.1f} hours for a task of 50,000 images."
            + (f" Not run for want of that time: {missing}." if missing else ""), "",
        ]  # fmt: skip
    return lines


TASKS = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, claims=claims,
    title="Figure 1B: seven tasks on one frozen matrix",
    settings=[
        (
            "tasks", "MNIST, KMNIST, Fashion MNIST, Osmanya [paper]; Ethiopic, N'Ko, Vai [inferred]",
            "MNIST, Fashion-MNIST; KMNIST's test images, split 8,000 to 2,000, for want of the others; four scripts "
            "drawn from fonts and deformed, not Afro-MNIST's",
        ),
        (
            "units", "32,000, so that 32,000 biases learn, and 25.4 million numbers fully [paper]",
            f"{_WIDE:,}; and {_NARROW:,}",
        ),
        ("frozen weights", "uniform [paper]", "U[-0.1, 0.1] as in Figure 1A [guess]"),
        ("solver", "as in Figure 1A [inferred]", f"Adam 0.01, {_EPOCHS} epochs, batch 512; float32"),
        ("what is significant", "unknown", f"{_SIGNIFICANT} standard errors of the two test accuracies"),
    ],
)  # fmt: skip


class _Kind(NamedTuple):
    learner: str
    units: int


_CLUSTERED = {
    "tasks": ("1", "tasks"),
    "clusters": ("1", "clusters, the count chosen by cross-validation"),
    "positive": ("1", "clusters in which bias and variance correlate positively"),
    "lowest": ("1", "lowest mean correlation of a cluster"),
    "highest": ("1", "highest mean correlation of a cluster"),
    "significant": ("1", "clusters whose correlation has p < 0.05, tasks shuffled"),
    "selective": ("1", "units of variance above 0.1 in some tasks only"),
}


def kinds(plan: Plan) -> list[_Kind]:
    """The networks of Figure 1B."""
    return list(dict.fromkeys(_Kind(cell.learner, cell.units) for cell in cells(plan)))


def organise(kind: _Kind, plan: Plan) -> Mapping[str, float]:
    """Cluster the units of the tasks whose networks there are by now; run it afresh when there are more."""
    paths = {cell.task: _units_of(cell, plan) for cell in cells(plan) if cell[1:] == (*kind, 0)}
    units = {task: read_netcdf(path) for task, path in paths.items() if path.exists()}
    if len(units) < 3:
        return {"tasks": float(len(units))}
    variance, bias, on = (
        xr.DataArray(np.stack([each[name] for each in units.values()]), {"task": list(units)}, ("task", "unit"))
        for name in ("variance", "bias", "on")
    )
    found = analysis.clusters(variance, most=_MOST if not plan.quick else 2)
    linked = analysis.correlation(bias, variance, found.cluster, permutations=200)
    mean = linked["mean"].dropna("cluster")
    return {
        "tasks": float(len(units)), "clusters": float(found.chosen), "positive": float((mean > 0).sum()),
        "lowest": float(mean.min()), "highest": float(mean.max()), "significant": float((linked.p_value < 0.05).sum()),
        "selective": float(analysis.switching(on, variance).selective),
    }  # fmt: skip


def cluster_claims(data: xr.Dataset) -> list[Claim]:
    """Of learned biases at the paper's width."""
    one = data.sel(learner="bias", units=data.units.max())
    asked = one.clusters.notnull()
    count, positive = int(one.clusters) if asked else 0, int(one.positive) if asked else 0
    return [
        Claim(
            "units fall into ten clusters or more", "[paper]", "ten or more, by cross-validation", f"{count} clusters",
            known(xr.where(one.clusters >= 10, 1.0, 0.0).where(asked)),
        ),
        Claim(
            "bias and task variance correlate positively in all clusters", "[paper]",
            "the mean correlation of each cluster is positive",
            f"{positive} of {count}, from {number(one.lowest, '{:+.2f}')} to {number(one.highest, '{:+.2f}')}",
            [1.0] * positive + [-1.0] * (count - positive),
        ),
    ]  # fmt: skip


def cluster_report(data: xr.Dataset) -> list[str]:
    """Every kind of network, fully trained ones too."""
    rows = [
        [
            f"{learner}, {units:,} units", number(one.tasks, "{:.0f}"), number(one.selective, "{:.0%}"),
            number(one.clusters, "{:.0f}"), number(one.positive, "{:.0f}"), number(one.significant, "{:.0f}"),
            f"{number(one.lowest, '{:+.2f}')} to {number(one.highest, '{:+.2f}')}",
        ]
        for units in data.units.values
        for learner in data.learner.values
        for one in [data.sel(learner=learner, units=units)]
        if one.clusters.notnull()
    ]  # fmt: skip
    header = ["networks", "tasks", "selective units", "clusters", "positive", "p < 0.05", "correlations"]
    return [
        "Spearman's correlation over tasks of a unit's bias with its variance, averaged in each cluster; p by "
        "shuffling tasks. That fully trained networks show it too says that a positive correlation is no mark of bias "
        "learning: a ReLU unit with a higher bias answers more.",
        "", *aligned(header, rows), "",
    ]  # fmt: skip


CLUSTERS = Figure(
    cells=kinds, make=organise, scores=_CLUSTERED, report=cluster_report, claims=cluster_claims,
    title="Figure 1C: units by their task variance",
    settings=[
        ("task variance", "variance of a unit over a task's test images [paper]", "the same"),
        (
            "clusters", "K-means, K by cross-validation [paper]",
            f"the same: held-out likelihood, one-standard-error rule, at most {_MOST}",
        ),
        ("correlation", "Spearman's, averaged over the units of a cluster [paper]", "the same"),
        ("networks", "those of Figure 1B [paper]", "the same, and fully trained ones"),
    ],
)  # fmt: skip
