"""Time and memory of one step of a network, dense and structured, against its units."""

from __future__ import annotations

import time
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

from alone import alone, peak
from experiments import Experiment, Plan
from rnnbias import RNN
from rnnbias.plot import style
from scaling.cells import Cell, recipe
from tables import aligned, number

__all__ = ["STEPS"]

_SIZES = [2**k for k in range(10, 21)]
_QUICK = [2**k for k in (9, 10, 11)]
_LARGEST = 2**14  # units of a dense network, which takes 3 GiB to draw
_FEWEST = 2**16  # units from which the slope is fitted
_REPEATS = 20
_STRUCTURES = ("dense", "hadamard", "low-rank")
_SCORES = {
    **{f"step {kind}": ("ms", f"time of processors for a step, {kind}") for kind in _STRUCTURES},
    **{f"wall {kind}": ("ms", f"shortest time of a step, {kind}") for kind in _STRUCTURES},
    **{f"draw {kind}": ("s", f"time to draw the network, {kind}") for kind in _STRUCTURES},
    **{f"frozen {kind}": ("MB", f"frozen and learned numbers, {kind}") for kind in _STRUCTURES},
    "memory": ("GiB", "largest memory of the process"),
}


def cells(plan: Plan) -> list[Cell]:
    """Sizes."""
    return [Cell("step", units) for units in (_QUICK if plan.quick else _SIZES)]


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """Dense and structured networks take turns, so that whatever else the machine does meets all of them."""
    return alone(_measure, cell.size)


def _measure(units: int) -> dict[str, float]:
    found: dict[str, float] = {}
    networks: dict[str, RNN] = {}
    for kind in _STRUCTURES:
        if kind == "dense" and units > _LARGEST:
            continue
        start = time.perf_counter()
        networks[kind] = RNN(units, 1, 1, recipe=recipe(kind), dtype=torch.float32)
        found[f"draw {kind}"] = time.perf_counter() - start
        found[f"frozen {kind}"] = sum(a.numel() * a.element_size() for a in networks[kind].state_dict().values()) / 1e6
    rate, seen, taken = torch.zeros(1, units), torch.ones(1, 1), {kind: [] for kind in networks}
    with torch.no_grad():
        for _ in range(_REPEATS + 1):
            for kind, network in networks.items():
                start, wall = time.process_time(), time.perf_counter()
                network.read(network.advance(rate, network.external(seen))[1])
                taken[kind].append((time.process_time() - start, time.perf_counter() - wall))
    for kind, times in taken.items():
        found[f"step {kind}"], found[f"wall {kind}"] = 1e3 * np.min(times[1:], axis=0)
    return {**found, "memory": peak()}


def report(data: xr.Dataset) -> list[str]:
    """The table, the slope and where the curves cross."""
    one = data.sel(condition="step")
    units = one["size"].values
    ratio = one["step dense"] / one["step hadamard"]
    rows = [
        [
            f"{n:,}", "",
            *(number(one[f"step {kind}"].sel(size=n), "{:.2f}") for kind in _STRUCTURES),
            number(ratio.sel(size=n), "{:.2f}"),
            number(one["wall hadamard"].sel(size=n), "{:.2f}"),
            *(number(one[f"draw {kind}"].sel(size=n), "{:.2f}") for kind in ("dense", "hadamard")),
            *(number(one[f"frozen {kind}"].sel(size=n), "{:.1f}") for kind in ("dense", "hadamard")),
        ]
        for n in units
    ]  # fmt: skip
    header = [
        "units", "", "ms, dense", "ms, hadamard", "ms, low rank", "dense / hadamard", "wall ms, hadamard",
        "s to draw, dense", "hadamard", "MB, dense", "hadamard",
    ]  # fmt: skip
    lines = [
        "## One step", "",
        f"One trial, one input and one output, float32; the shortest of {_REPEATS} steps, in which the networks take "
        "turns: time of the processors and, on the wall, with whatever else the machine did.", "",
        *aligned(header, rows), "",
    ]  # fmt: skip
    wide = units >= min(_FEWEST, units[-2])
    log = np.log(units[wide])
    slopes = [np.polyfit(x, np.log(one["step hadamard"].values[wide]), 1)[0] for x in (log, log + np.log(log))]
    lines.append(
        f"From {units[wide][0]:,} units on, time grows as n^{slopes[0]:.2f}, or as (n log n)^{slopes[1]:.2f}; n log n "
        f"itself grows there as n^{np.polyfit(log, log + np.log(log), 1)[0]:.2f}."
    )
    both = np.isfinite(ratio.values)
    return [*lines, _crossing(units[both], ratio.values[both]), ""]


def _crossing(units: np.ndarray, ratio: np.ndarray) -> str:
    below = np.flatnonzero(ratio < 1)
    if not len(below):
        return f"Transforms are faster than a dense matrix at every size, by {ratio.min():.1f} at least."
    last = below[-1]
    if last == len(units) - 1:
        return f"A dense matrix is faster up to {units[-1]:,} units."
    where = np.interp(0, np.log(ratio[last : last + 2]), np.log(units[last : last + 2]))
    return f"Transforms break even with a dense matrix at {np.exp(where):,.0f} units."


def picture(data: xr.Dataset) -> object:
    """Time and memory against units."""
    one = data.sel(condition="step")
    _, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for ax, name, words in zip(
        axes, ("step", "frozen"), ("time of a step (ms)", "numbers of the network (MB)"), strict=True
    ):
        for k, kind in enumerate(_STRUCTURES):
            ax.loglog(one["size"], one[f"{name} {kind}"], "o-", ms=3, color=style.COLOURS[k], label=kind)
        ax.set(xlabel="units", ylabel=words)
        style.bare(ax)
    units = one["size"].values
    growth = units * np.log(units)
    axes[0].loglog(units, one["step hadamard"].values[-1] * growth / growth[-1], ":", color="grey", label="n log n")
    axes[0].legend(frameon=False)
    return axes


STEPS = Experiment(cells, make, _SCORES, report, picture)
