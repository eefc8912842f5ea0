"""Figures of reaches.

hand_paths      where the hand went, with the targets
speed_profiles  how fast it was
loss_terms      what each term added to the loss, by iteration
adaptation      lateral deviation and initial angle by iteration, under the load and after it
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

__all__ = ["adaptation", "hand_paths", "loss_terms", "speed_profiles"]

_BLACK, _GREY = "#000000", "#8c8c8c"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A800")
_PANEL = 3.6  # inches


def hand_paths(reach: xr.Dataset, axes: Axes | None = None, colour: str = _COLOURS[0]) -> Axes:
    """Draw the path of the hand in every trial, and a ring of 2 mm radius about every target.

    `reach` is what `ReachFit.reach` returns. Where the hand is seen elsewhere, the dashed lines are the paths seen.
    """
    axes = axes or plt.subplots(figsize=(_PANEL, _PANEL), layout="constrained")[1]
    for trial in range(reach.sizes["trial"]):
        one = reach.isel(trial=trial)
        paths = {"-": one.position} if np.allclose(one.position, one.seen) else {"-": one.position, "--": one.seen}
        for style, path in paths.items():
            x, y = 100 * np.concatenate([one.start.values[None], path.transpose("time", "space").values]).T
            axes.plot(x, y, style, color=colour, lw=1.0 if style == "-" else 0.7)
        axes.add_patch(plt.Circle(100 * one.target.values, 0.2, fill=False, color=_BLACK, lw=0.8))
    axes.set_aspect("equal")
    axes.set(xlabel="x (cm)", ylabel="y (cm)")
    return _bare(axes)


def speed_profiles(reach: xr.Dataset, axes: Axes | None = None, colour: str = _COLOURS[0]) -> Axes:
    """Draw the speed of the hand in every trial, and their mean, over the time from the go cue."""
    axes = axes or plt.subplots(figsize=(_PANEL, 0.75 * _PANEL), layout="constrained")[1]
    speed = 100 * np.sqrt((reach.velocity**2).sum("space"))
    axes.plot(reach.time, speed.transpose("time", "trial"), color=colour, lw=0.6, alpha=0.4)
    axes.plot(reach.time, speed.mean("trial"), color=_BLACK, lw=1.6)
    axes.set(xlabel=f"time from the go cue ({reach.time.attrs['units']})", ylabel="speed (cm/s)", ylim=(0, None))
    return _bare(axes)


def loss_terms(history: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw the loss, the loss on held-out reaches and every term, by iteration; `history` is that of a `ReachFit`."""
    axes = axes or plt.subplots(figsize=(1.3 * _PANEL, 0.85 * _PANEL), layout="constrained")[1]
    axes.plot(history.iteration, history.loss, "-o", color=_BLACK, ms=3, lw=1.6, label="training loss")
    axes.plot(history.iteration, history.held_out_loss, "--", color=_BLACK, lw=1.2, label="held-out loss")
    terms = [name for name in history.data_vars if str(name).endswith("_loss") and name != "held_out_loss"]
    for colour, name in zip(_COLOURS, terms, strict=False):
        values = history[name].where(history[name] > 0)
        axes.plot(history.iteration, values, "-o", color=colour, ms=2.5, lw=1.0, label=str(name).removesuffix("_loss"))
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="iteration", ylabel="loss")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _bare(axes)


def adaptation(history: xr.Dataset, axes: Sequence[Axes] | NDArray | None = None) -> NDArray:
    """Draw lateral deviation and initial angle by iteration, under the load and in its absence.

    `history` is that of what `ReachFit.adapt` returns; `axes` are two. Returns the two axes.
    """
    if axes is None:
        axes = plt.subplots(1, 2, figsize=(2.2 * _PANEL, 0.8 * _PANEL), layout="constrained")[1]
    axes = np.asarray(axes)
    for ax, under, after, scale, label in (
        (axes[0], "lateral_deviation", "after_effect_deviation", 100, "lateral deviation (cm)"),
        (axes[1], "initial_angle", "after_effect_angle", 1, "initial angle (degrees)"),
    ):
        ax.axhline(0, color=_GREY, lw=0.8)
        ax.plot(history.iteration, scale * history[under], "-o", color=_COLOURS[0], ms=3, label="under the load")
        ax.plot(history.iteration, scale * history[after], "-s", color=_COLOURS[1], ms=3, label="load removed")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="iteration", ylabel=label)
        _bare(ax)
    axes[0].legend(frameon=False, fontsize=8)
    return axes


def _bare(axes: Axes) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    return axes
