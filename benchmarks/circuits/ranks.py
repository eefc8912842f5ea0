"""Circuits of rank two on a limit cycle, of any size: gains from seven neurons (Beiran & Litwin-Kumar 2025, Fig. 3)."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import xarray as xr

from circuits.cells import Cell, chosen, shares
from experiments import Experiment, Plan, over_seeds
from rnnbias import Circuit, fit_activity
from systems.connectomes import Connectome
from tables import aligned

__all__ = ["RANKS"]

_RECORDED = 7
_STEPS, _DECAY = 200, 0.1
_OVERLAP = np.array([[1.5, 3.0], [-3.0, 1.5]])  # of the two pairs of connectivity vectors: growth and rotation
_SPREAD = 0.9  # of gains around 1, cut off above 0
_NOISE = 1e-4  # that students reckon with; there is none
_SCORES = {
    "unrecorded_miss": ("1", "1 - |correlation| of other neurons, mean"),
    "untaught_miss": ("1", "the same before learning"),
    "unrecorded": ("1", "square error of other neurons over their variance"),
    "gain": ("1", "square error of gains over that of the prior's mean"),
    "seconds": ("s", "time to learn"),
}


def cells(plan: Plan) -> list[Cell]:
    """Sizes; the largest for the first seed alone."""
    if plan.quick:
        return [Cell("rank two", 60, 0)]
    return [
        Cell("rank two", size, seed)
        for seed in range(plan.seeds)
        for size in (100, 200, 400, 800)
        if seed == 0 or size < 800
    ]


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """One student."""
    rng, units = np.random.default_rng((cell.seed, cell.size, 3)), cell.size
    left = rng.standard_normal((units, 2))
    right = left @ np.linalg.solve(left.T @ left / units, _OVERLAP)
    wiring = Connectome.of(left @ right.T / units, name="rank two")
    gain = np.maximum(1 + _SPREAD * rng.standard_normal(units), 1e-3)
    settings = {"decay": _DECAY, "learn": "gain"}
    before = Circuit(wiring, gain=gain, initial=left[:, 0], **settings).run(400)
    settings["initial"] = before.current.values[0, -1]
    truth = Circuit(wiring, gain=gain, **settings).run(_STEPS).rate
    recorded = rng.permutation(units)[:_RECORDED]
    student = Circuit(wiring, **settings)
    began = time.perf_counter()
    fit = fit_activity(student, truth.isel(unit=recorded), prior=_SPREAD, noise=_NOISE, progress=False)
    seconds = time.perf_counter() - began
    silent = np.zeros((1, _STEPS, 0))
    found, start = shares(fit, truth, silent), shares(fit.before(), truth, silent)
    off = ((fit.network.gains.detach().numpy() - gain) ** 2).sum() / ((1 - gain) ** 2).sum()
    return {
        "unrecorded_miss": found["unrecorded_miss"], "untaught_miss": start["unrecorded_miss"],
        "unrecorded": found["unrecorded"], "gain": float(off), "seconds": seconds,
    }  # fmt: skip


def report(data: xr.Dataset) -> list[str]:
    """The table."""
    rows = []
    for size in chosen(data, "rank two"):
        one = data.sel(condition="rank two", size=size)
        names = ("untaught_miss", "unrecorded_miss", "unrecorded", "gain")
        rows.append([str(size), "", *(over_seeds(one[name]) for name in names), over_seeds(one.seconds, "{:.0f}")])
    return [
        "## Circuits of rank two", "",
        f"Gains alone learn, from {_RECORDED} neurons on a limit cycle, one trial of {_STEPS} steps without input or "
        f"noise ({_NOISE:g} is reckoned with).", "",
        *aligned(["units", "", "1 - corr, untaught", "1 - corr", "error, others", "gains", "seconds"], rows), "",
    ]  # fmt: skip


RANKS = Experiment(cells, make, _SCORES, report)
