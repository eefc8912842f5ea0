"""A million units of which the biases learn: driven by a sine, and as a function of one number."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace

import torch
import xarray as xr

import columns
from alone import alone, peak
from experiments import Experiment, Plan
from rnnbias import FNN, RNN, LevenbergMarquardt
from rnnbias.networks import Network
from rnnbias.objectives import Objective, Points, Sequences
from rnnbias.solvers import Monitor
from scaling.cells import Cell, recipe
from tables import aligned, number

__all__ = ["TASKS"]

_PERIOD, _WASHOUT, _STEPS, _LATER = 7.3, 8, 28, 100.4  # of the sine, in steps
_POINTS = 16
_ITERATIONS = 2
_SOLVER = LevenbergMarquardt(iterations=_ITERATIONS, memory=1e6)  # J is never built
_SCORES = {
    "learned": ("1", "biases that learn"),
    "before": ("1", "error before learning, as a share of the variance"),
    "train": ("1", "error on what was learned"),
    "error": ("1", "error on what was not seen"),
    "draw": ("s", "time to draw the network"),
    "seconds": ("s", "time to learn"),
    "memory": ("GiB", "largest memory of the process"),
    **columns.SCORES,
}


def cells(plan: Plan) -> list[Cell]:
    """Small networks of both kinds and precisions beside one another, and a million units."""
    kinds = ("dense, float32", "hadamard, float32", "hadamard, float64")
    few = [Cell(f"{task}, {kind}", 2**9 if plan.quick else 2**12) for task in _TASKS for kind in kinds]
    return few if plan.quick else [*few, *(Cell(f"{task}, hadamard, float32", 2**20) for task in _TASKS)]


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """Measured in a process of its own."""
    return alone(_measure, *cell)


def _measure(condition: str, units: int) -> dict[str, float]:
    task, kind, precision = condition.split(", ")
    start = time.perf_counter()
    network, train, test = _TASKS[task](units, kind, getattr(torch, precision))
    drawn = time.perf_counter()
    before = test.loss(network)
    monitor = Monitor(network, test, patience=9, progress=False, judge=train)
    _SOLVER.solve(network, train, monitor)
    seconds = time.perf_counter() - drawn
    return {
        "learned": network.learned,
        "before": before,
        "train": train.loss(network),
        "error": test.loss(network),
        "draw": drawn - start,
        "seconds": seconds,
        "memory": peak(),
        **columns.steadiness(network, lambda network: 1 / test.loss(network)),
    }


def _driven(units: int, kind: str, dtype: torch.dtype) -> tuple[Network, Objective, Objective]:
    """A sine comes in and one of twice its frequency should come out; tested on a later stretch, at other phases."""

    def stretch(first: float) -> Sequences:
        phase = (first + torch.arange(_STEPS, dtype=dtype)[None, :, None]) * (2 * math.pi / _PERIOD)
        return Sequences(phase.sin(), math.sqrt(2) * (2 * phase[:, _WASHOUT:]).cos(), _WASHOUT)

    return RNN(units, 1, 1, recipe=recipe(kind), dtype=dtype), stretch(0.0), stretch(_LATER)


def _static(units: int, kind: str, dtype: torch.dtype) -> tuple[Network, Objective, Objective]:
    """Runge's function, standardised, by two hidden layers; tested between the points."""

    def points(x: torch.Tensor) -> Points:
        return Points(x[:, None], (1 / (1 + 25 * x**2) - 0.2747)[:, None] / 0.2866)

    grid = torch.linspace(-1, 1, 2 * _POINTS - 1, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # tanh suits a smooth function, though the theorem covers relu
        network = FNN(
            (units // 2,) * 2, 1, 1, recipe=replace(recipe(kind), law="gaussian", gain=1.0, input_scale=3.0),
            activation="tanh", dtype=dtype,
        )  # fmt: skip
    return network, points(grid[::2]), points(grid[1::2])


_TASKS = {"driven": _driven, "static": _static}


def report(data: xr.Dataset) -> list[str]:
    """The table."""
    forms = {
        "learned": "{:,.0f}", "before": "{:.2g}", "train": "{:.1e}", "error": "{:.1e}", "draw": "{:.1f}",
        "seconds": "{:.0f}", "memory": "{:.2f}",
    }  # fmt: skip
    rows = [
        [
            str(condition),
            f"{size:,}",
            *(number(one[n], form) for n, form in forms.items()),
            *columns.words(one, "{:.1e}"),
        ]
        for size in sorted(data["size"].values)
        for condition in data.condition.values
        if (one := data.sel(condition=condition, size=size)).learned.notnull()
    ]
    header = ["task", "units", "biases", "before", "learned", "not seen", "s to draw", "s to learn", "GiB"]
    header += columns.HEADER
    return [
        "## Biases that learn", "",
        f"Driven: a sine of period {_PERIOD} steps comes in, one of twice its frequency should come out; "
        f"{_STEPS - _WASHOUT} steps are learned, a later stretch at other phases is not seen. Static: Runge's function "
        f"by two hidden layers, learned at {_POINTS} points and tested between them. {_ITERATIONS} iterations of "
        "Levenberg-Marquardt on products J v and J^T w. Errors are mean squares of what has variance 1.", "",
        *aligned(header, rows), "", columns.note("one over the error on what was not seen"), "",
    ]  # fmt: skip


TASKS = Experiment(cells, make, _SCORES, report)
