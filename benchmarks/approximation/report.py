"""The tables of `approximate.py`."""

from __future__ import annotations

import numpy as np
import xarray as xr

import columns
from approximation.cells import PROVED
from systems import labels
from tables import aligned, number

__all__ = ["write"]


def write(found: xr.Dataset, needed: xr.Dataset, *, command: str, seconds: float, workers: int) -> str:
    """The report as Markdown."""
    kinds = labels.config(found)["kinds"]
    lines = [
        "# Functions approximated by learned biases",
        "",
        f"`{command}`",
        "",
        f"{seconds:.0f} s with {workers} process(es); {labels.source()}.",
        "",
        "Relative error (root mean square over the standard deviation of the target) on 5,000 unseen points, median "
        f"over {found.sizes['seed']} seed(s), by how many numbers learn, or the nearest count that a network can have. "
        "Activations are tanh, but ReLU for the learners that say so, the construction and its weights; tanh is "
        "outside the theorem, for it never falls silent.",
    ]
    for target in found.target.values:
        one = found.sel(target=target)
        counts = one["count"].values[one.nrmse.notnull().any(("seed", "learner")).values]
        cells = []
        for learner in one.learner.values:
            row = one.sel(learner=learner, count=counts)
            cells.append([str(learner), "", *(number(v, "{:.1e}") for v in row.nrmse.median("seed").values)])
            if row.promise.notnull().any():
                promised = row.promise.median("seed").values
                cells.append(["promised largest error", "", *(number(v, "{:.1e}") for v in promised)])
        lines += ["", f"## {target} ({kinds[str(target)]})", ""]
        lines += aligned(["learner", "", *(f"{n:,}" for n in counts)], cells)
        lines += ["", *_steadiness(one)]
    lines += ["", columns.note("one over the error")]
    lines += ["", "## How wide the proof's network must be", "", *_law(needed), "", "## Time", "", *_time(found)]
    return "\n".join(lines) + "\n"


def _steadiness(found: xr.Dataset) -> list[str]:
    """How robust learned biases are, by learner and count."""
    middle = found.median("seed")
    rows = [middle.sel(learner=learner, count=count) for learner in found.learner for count in found["count"]]
    cells = [
        [str(row.learner.values), f"{int(row['count']):,}", number(row.nrmse, "{:.1e}"), *columns.words(row, "{:.1e}")]
        for row in rows
        if np.isfinite(row.moved)
    ]
    return aligned(["biases", "learned", "error", *columns.HEADER], cells)


def _law(needed: xr.Dataset) -> list[str]:
    about = labels.config(needed)
    text = (
        f"A Gaussian bump in d inputs; a trained ReLU network of {about['small_units']} units; R = {about['margin']} "
        f"times its largest weight; probability of failure {about['failure']}. Units after which the construction "
        "promises that the wide network is everywhere within the tolerance (in standard deviations) of the small one. "
        "Beside it, what biases learned by Levenberg-Marquardt reach on the same target: relative error (units)."
    )
    tolerances = needed.tolerance.values
    cells = []
    for d in needed.dimension.values:
        one = needed.sel(dimension=d)
        cells.append([f"construction, d = {d}", "", *(number(v, "{:.0e}") for v in one.width.values)])
    table = aligned(["", "", *(f"{t:.0e}" for t in tolerances)], cells)
    learned = []
    for d in needed.dimension.values:
        one = needed.sel(dimension=d)
        pairs = zip(one.nrmse.values, one.units.values, strict=True)
        learned.append([f"learned, d = {d}", "", *(f"{e:.0e} ({int(u):,})" for e, u in pairs)])
    counts = [f"{n:,}" for n in needed["count"].values]
    return [text, "", *table, "", *aligned(["by learned numbers", "", *counts], learned)]


def _time(found: xr.Dataset) -> list[str]:
    """Seconds to learn the largest network of each learner, median over seeds and targets."""
    cells = []
    for learner in found.learner.values:
        one = found.sel(learner=learner).dropna("count", how="all", subset=["nrmse"])
        if one.sizes["count"]:
            last = one.isel(count=-1)
            what = "to match" if learner == PROVED[0] else "to learn"
            seconds = float(np.nanmedian(last.seconds.values))
            cells.append([str(learner), what, f"{int(np.nanmax(last.learned.values)):,}", f"{seconds:.1f}"])
    return aligned(["learner", "", "learned numbers", "seconds on one core"], cells)
