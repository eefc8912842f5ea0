"""Figures of approximated functions: error against the count of learned numbers, and the width that a proof needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style
from systems.labels import config

__all__ = ["error_against_count", "width_against_error"]


def error_against_count(data: xr.Dataset, axes: Sequence[Axes] | NDArray | None = None) -> NDArray:
    """Draw the relative error against the count of learned numbers, a panel a target and a line a learner.

    Lines are medians over seeds, bands reach from the best seed to the worst; a dotted line is what was promised.

    Parameters
    ----------
    data : xarray.Dataset
        `nrmse` and `learned` over (seed, target, learner, count), and, if wanted, `promise`; NaN where there is none.
    axes : sequence of Axes, optional
        One a target.

    Returns
    -------
    The axes, (target,).
    """
    targets = data.target.values
    if axes is None:
        columns = min(2, len(targets))
        down = -(-len(targets) // columns)
        grid = style.grid(None, down, columns, (1.4 * style.PANEL, 1.1 * style.PANEL), sharex=True).ravel()
        for spare in grid[len(targets) :]:
            spare.set_visible(False)
        axes = grid[: len(targets)]
    axes = np.asarray(axes, dtype=object).ravel()
    kinds: Mapping[str, str] = config(data).get("kinds", {})
    for ax, target in zip(axes, targets, strict=True):
        for k, learner in enumerate(data.learner.values):
            one = data.sel(target=target, learner=learner).dropna("count", how="all", subset=["nrmse"])
            if not one.sizes["count"]:
                continue
            x, error = one.learned.max("seed").values, one.nrmse
            look = style.look(k)
            ax.plot(x, error.median("seed"), ms=4, lw=1.3, label=learner, **look)
            ax.fill_between(x, error.min("seed"), error.max("seed"), alpha=0.15, lw=0, color=look["color"])
            if "promise" in one and one.promise.notnull().any():
                promised = one.promise.median("seed")
                ax.plot(x, promised, ls=":", lw=1.3, label=f"{learner}, promised", color=look["color"])
        ax.set_yscale("log")
        style.counts(ax)
        kind = kinds.get(str(target), "")
        ax.set_title(f"{target} ({kind})" if kind else str(target), fontsize=10)
        ax.set_xlabel("learned numbers")
        style.bare(ax)
    axes[0].set_ylabel("relative error")
    named = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    if (figure := axes[0].figure) is not None:
        figure.legend(named.values(), named.keys(), loc="outside right center", frameon=False, fontsize=8)
    return axes


def width_against_error(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw the width that the proof's construction needs against the error it promises, beside what learning reaches.

    Parameters
    ----------
    data : xarray.Dataset
        `width` over (dimension, tolerance), and `units` and `nrmse` over (dimension, count) of learned biases.
    axes : Axes, optional

    Returns
    -------
    The axes.
    """
    axes = style.one(axes, 2.1, 1.4)
    for k, dimension in enumerate(data.dimension.values):
        one, look = data.sel(dimension=dimension), style.look(k)
        text = f"construction, d = {dimension}"
        axes.plot(one.tolerance, one.width, ls="--", lw=1.3, color=look["color"], label=text)
        axes.plot(one.nrmse, one.units, ms=4, label=f"learned, d = {dimension}", **look)
    axes.set(xscale="log", yscale="log", xlabel="error (standard deviations of the target)", ylabel="units")
    axes.invert_xaxis()
    style.bare(axes)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes
