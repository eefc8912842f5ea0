"""Figures of how units organise by task.

task_clusters         the clusters' task variances
bias_correlations     the correlation of bias and task variance in each cluster
unit_agreement        unit variances of one network against those of another
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from rnnbias.plot import style

__all__ = ["bias_correlations", "task_clusters", "unit_agreement"]


def task_clusters(found: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw what `analysis.clusters` found: relative task variance, a row a cluster and a column a task."""
    style.need(found, "centroid", "size")
    if axes is None:
        count, tasks = found.centroid.shape
        axes = style.one(None, 0.55 + 0.18 * tasks, 0.5 + 0.11 * count)
    image = axes.imshow(found.centroid, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(found.sizes["task"]), found.task.values, rotation=45, ha="right", fontsize=8)
    sizes = [f"{k + 1} ({int(size):,})" for k, size in enumerate(found["size"].values)]
    axes.set_yticks(range(len(sizes)), sizes, fontsize=8)
    axes.set_ylabel("cluster (units)")
    axes.figure.colorbar(image, ax=axes, label="task variance, relative to a unit's largest", shrink=0.9)
    return axes


def bias_correlations(found: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw what `analysis.correlation` found: the mean of each cluster over two null standard deviations in grey."""
    style.need(found, "mean", "p_value", "null_sd")
    axes = style.one(axes, 1.4, 1.1)
    places = np.arange(1, found.sizes["cluster"] + 1)
    null: dict[str, Any] = {"color": style.GREY, "alpha": 0.35, "width": 0.9, "label": "±2 sd, null"}
    axes.bar(places, 4 * found.null_sd, bottom=-2 * found.null_sd, **null)
    for sign, words in ((True, "p < 0.05"), (False, "p ≥ 0.05")):
        chosen = (found.p_value.values < 0.05) == sign
        look: dict[str, Any] = {"mfc": style.COLOURS[0] if sign else "white", "mec": style.COLOURS[0], "ms": 6}
        axes.plot(places[chosen], found["mean"].values[chosen], "o", ls="", label=words, **look)
    axes.axhline(0, color=style.BLACK, lw=0.6)
    axes.set_xticks(places)
    axes.set_xlabel("cluster")
    axes.set_ylabel("correlation of bias\nand task variance")
    axes.set_ylim(-1.05, 1.05)
    axes.legend(frameon=False, fontsize=8, loc="lower right", ncols=3)
    style.bare(axes)
    return axes


def unit_agreement(first: xr.DataArray, second: xr.DataArray, axes: Axes | None = None) -> Axes:
    """Draw the variance of each unit in one network against that in another, with their correlation."""
    axes = style.one(axes, 1.1, 1.1)
    axes.plot(first, second, ".", ms=1.5, alpha=0.3, color=style.COLOURS[0], rasterized=True)
    largest = float(max(np.quantile(first, 0.999), np.quantile(second, 0.999)))
    axes.plot([0, largest], [0, largest], color=style.GREY, lw=0.8)
    axes.set(xlim=(0, largest), ylim=(0, largest), aspect="equal")
    axes.set_title(f"r = {np.corrcoef(first, second)[0, 1]:.2f}", fontsize=10)
    axes.set_xlabel(f"unit variance, {first.name}")
    axes.set_ylabel(f"unit variance, {second.name}")
    style.bare(axes)
    return axes
