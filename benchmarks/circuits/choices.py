"""Which neurons to record next: ten chosen against ten at random, and the linear theory of how few are enough."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from circuits import worms
from circuits.cells import Cell, chosen, shares
from experiments import Experiment, Plan, over_seeds
from rnnbias import ActivityFit, Circuit, fit_activity
from rnnbias.analysis import greedy_choice, record_next
from systems.connectomes import Connectome
from tables import aligned

__all__ = ["CHOICES", "LINEAR"]

_UNITS, _RANK, _RADIUS = 300, 60, 1.4
_KNOWN, _MORE = 3, 10  # neurons recorded before and afterwards
_TRIALS, _STEPS, _DECAY, _SPREAD, _NOISE = 6, 40, 0.2, worms.SPREAD, worms.NOISE
_WORMS = {"next, worm, a bias a class": True, "next, worm, a bias a neuron": False}  # whether biases are tied
_SIZES = (10, 30, 50, 60)
_SCORES = {
    "before": ("1", "square error of other neurons over their variance, from those recorded first"),
    "random": ("1", "the same from ten more at random, mean of three draws"),
    "chosen": ("1", "the same from ten more that were chosen"),
    "spared": ("1", "how much less error those chosen leave than those at random"),
    "seconds": ("s", "time to choose"),
}


def low_rank(rng: np.random.Generator, units: int, rank: int) -> np.ndarray:
    """Gaussian weights of radius 1.4 cut to so many of their singular vectors, drawn at random."""
    left, size, right = np.linalg.svd(_RADIUS / np.sqrt(units) * rng.standard_normal((units, units)))
    kept = rng.permutation(units)[:rank]
    return (left[:, kept] * size[kept]) @ right[kept]


class _Task(NamedTuple):
    """A circuit that has yet to learn, the one that it learns from, what drives them, and what is recorded first."""

    student: Circuit
    teacher: Circuit
    drive: np.ndarray
    fresh: np.ndarray
    known: int


def _low_rank_task(rng: np.random.Generator, units: int) -> _Task:
    wiring = Connectome.of(low_rank(rng, units, max(1, units // 5)), name="low rank")
    settings = {"inputs": rng.standard_normal((units, 2)), "decay": _DECAY}
    teacher = Circuit(wiring, bias=_SPREAD * rng.standard_normal(units), **settings)
    return _Task(Circuit(wiring, **settings), teacher, _slow(rng), _slow(rng), _KNOWN)


def _worm_task(rng: np.random.Generator, tied: bool) -> _Task:
    teacher = worms.drawn(rng, tied, worms.SPREAD)
    return _Task(worms.circuit(tied), teacher, worms.stimuli(rng), worms.stimuli(rng), worms.RECORDED)


def cells(plan: Plan) -> list[Cell]:
    """Networks for every seed."""
    sizes = {"next": 60} if plan.quick else {"next": _UNITS, **dict.fromkeys(_WORMS, 302)}
    return [Cell(name, size, seed) for seed in range(plan.seeds) for name, size in sizes.items()]


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """Record some neurons, choose ten more, and learn again."""
    rng = np.random.default_rng((cell.seed, 6))
    task = _low_rank_task(rng, cell.size) if cell.condition == "next" else _worm_task(rng, _WORMS[cell.condition])
    whole, test = task.teacher.run(task.drive).rate, task.teacher.run(task.fresh).rate
    whole = whole + _NOISE * rng.standard_normal(whole.shape)
    order = rng.permutation(cell.size)

    def learned(names: np.ndarray) -> tuple[xr.DataArray, ActivityFit]:
        seen = whole.isel(unit=names)
        return seen, fit_activity(copy.deepcopy(task.student), seen, task.drive, prior=_SPREAD, progress=False)

    def error(names: np.ndarray) -> float:
        return shares(learned(names)[1], test, task.fresh)["unrecorded"]

    first = order[: task.known]
    seen, fit = learned(first)
    began = time.perf_counter()
    found = record_next(fit, seen, task.drive, k=_MORE)
    seconds = time.perf_counter() - began
    best = task.student.connectome.index(found.neuron.values.tolist())
    drawn = [order[task.known + k * _MORE :][:_MORE] for k in range(1 if plan.quick else 3)]
    random = float(np.mean([error(np.concatenate([first, more])) for more in drawn]))
    good = error(np.concatenate([first, best]))
    return {
        "before": shares(fit, test, task.fresh)["unrecorded"], "random": random, "chosen": good,
        "spared": 1 - good / random, "seconds": seconds,
    }  # fmt: skip


def _slow(rng: np.random.Generator) -> np.ndarray:
    """Two smooth inputs."""
    inputs = rng.standard_normal((_TRIALS, _STEPS, 2))
    for t in range(1, _STEPS):
        inputs[:, t] = 0.8 * inputs[:, t - 1] + 0.6 * inputs[:, t]
    return inputs


def report(data: xr.Dataset) -> list[str]:
    """The table."""
    rows = []
    labels = {name: name.removeprefix("next, ") for name in _WORMS}
    for condition in data.condition.values:
        for size in chosen(data, condition):
            one = data.sel(condition=condition, size=size)
            names, forms = ("before", "random", "chosen", "spared", "seconds"), ("{:.3f}",) * 3 + ("{:.0%}", "{:.0f}")
            known = str(_KNOWN if condition == "next" else worms.RECORDED)
            found = [over_seeds(one[n], f) for n, f in zip(names, forms, strict=True)]
            rows.append([labels.get(condition, f"rank {size // 5}"), str(size), known, *found])
    header = ["network", "units", "recorded", "before", "ten at random", "ten chosen", "less error", "s to choose"]
    return [
        "## Which neurons to record next", "",
        f"Weights of rank {_RANK} of {_UNITS}, tanh neurons, under slow inputs; and the worm as above. Biases have a "
        f"spread of {_SPREAD}, recordings a noise of {_NOISE}. Some neurons are recorded; then {_MORE} more, chosen or "
        "at random (mean of three draws). Square error of the others under fresh inputs over their variance.", "",
        *aligned(header, rows), "",
    ]  # fmt: skip


CHOICES = Experiment(cells, make, _SCORES, report)


def _linear_cells(plan: Plan) -> list[Cell]:
    return [Cell("linear", size, seed) for seed in range(plan.seeds) for size in _SIZES]


def _linear(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """The fixed point x = pinv(I - W) W b of linear neurons: what M recorded ones leave of the prior."""
    began = time.perf_counter()
    weights = low_rank(np.random.default_rng((cell.seed, 7)), _UNITS, _RANK)
    response = np.linalg.pinv(np.eye(_UNITS) - weights) @ weights
    rng = np.random.default_rng((cell.seed, 8))
    drawn = [rng.permutation(_UNITS)[: cell.size] for _ in range(50)]
    everyone = np.arange(_UNITS)
    found = greedy_choice(torch.from_numpy(response[:, None]), 1e-9, everyone, everyone, cell.size)
    return {
        "chosen": _left(response, found.chosen),
        "random": float(np.mean([_left(response, which) for which in drawn])),
        "seconds": time.perf_counter() - began,
    }


def _left(response: np.ndarray, which: object) -> float:
    """The share of the prior's error that is left on all neurons."""
    basis = np.linalg.qr(response[which].T)[0]
    return float(((response - (response @ basis) @ basis.T) ** 2).sum() / (response**2).sum())


def _linear_report(data: xr.Dataset) -> list[str]:
    rows = []
    for size in chosen(data, "linear"):
        one = data.sel(condition="linear", size=size)
        rows.append([str(size), "", over_seeds(one.chosen, "{:.3f}"), over_seeds(one.random, "{:.3f}")])
    return [
        "## The linear theory", "",
        f"The fixed point of {_UNITS} linear neurons whose weights have rank {_RANK}: the share of the prior's error "
        "that is left on all neurons when so many are recorded without noise. It ends at as many as the rank.", "",
        *aligned(["recorded", "", "chosen", "at random"], rows), "",
    ]  # fmt: skip


LINEAR = Experiment(_linear_cells, _linear, _SCORES, _linear_report)
