"""Figures of reaches.

hand_paths      where the hand went, with the targets
speed_profiles  how fast it was
adaptation      lateral deviation and initial angle by iteration, under the load and after it
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style

__all__ = ["adaptation", "hand_paths", "speed_profiles"]


def hand_paths(reach: xr.Dataset, axes: Axes | None = None, colour: str = style.COLOURS[0]) -> Axes:
    """Draw the path of the hand in every trial, and a ring of 2 mm radius about every target.

    `reach` is what `ReachFit.reach` returns. Where the hand is seen elsewhere, the dashed lines are the paths seen.
    """
    style.need(reach, "position", "seen", "start", "target")
    axes = style.one(axes, 1.3, 1.3)
    for trial in range(reach.sizes["trial"]):
        one = reach.isel(trial=trial)
        paths = {"-": one.position} if np.allclose(one.position, one.seen) else {"-": one.position, "--": one.seen}
        for dash, path in paths.items():
            x, y = 100 * np.concatenate([one.start.values[None], path.transpose("time", "space").values]).T
            axes.plot(x, y, dash, color=colour, lw=1.0 if dash == "-" else 0.7)
        axes.add_patch(plt.Circle(100 * one.target.values, 0.2, fill=False, color=style.BLACK, lw=0.8))
    axes.set_aspect("equal")
    axes.set(xlabel="x (cm)", ylabel="y (cm)")
    style.bare(axes)
    return axes


def speed_profiles(reach: xr.Dataset, axes: Axes | None = None, colour: str = style.COLOURS[0]) -> Axes:
    """Draw the speed of the hand in every trial, and their mean, over the time from the go cue."""
    style.need(reach, "velocity")
    axes = style.one(axes, 1.3, 1.0)
    speed = 100 * np.sqrt((reach.velocity**2).sum("space"))
    axes.plot(reach.time, speed.transpose("time", "trial"), color=colour, lw=0.6, alpha=0.4)
    axes.plot(reach.time, speed.mean("trial"), color=style.BLACK, lw=1.6)
    axes.set(xlabel=style.label(reach.time), ylabel="speed (cm/s)", ylim=(0, None))
    style.bare(axes)
    return axes


def adaptation(history: xr.Dataset, axes: Sequence[Axes] | NDArray | None = None) -> NDArray:
    """Draw lateral deviation and initial angle by iteration, under the load and in its absence.

    `history` is that of what `ReachFit.adapt` returns; `axes` are two. Returns the two axes.
    """
    style.need(history, "lateral_deviation", "after_effect_deviation", "initial_angle", "after_effect_angle")
    axes = style.grid(axes, 1, 2, (1.4 * style.PANEL, 0.9 * style.PANEL)).ravel()
    for ax, under, after, scale, label in (
        (axes[0], "lateral_deviation", "after_effect_deviation", 100, "lateral deviation (cm)"),
        (axes[1], "initial_angle", "after_effect_angle", 1, "initial angle (degrees)"),
    ):
        ax.axhline(0, color=style.GREY, lw=0.8)
        ax.plot(history.iteration, scale * history[under], "-o", color=style.COLOURS[0], ms=3, label="under the load")
        ax.plot(history.iteration, scale * history[after], "-s", color=style.COLOURS[1], ms=3, label="load removed")
        ax.set(xlabel=style.label(history.iteration), ylabel=label)
        style.whole_numbers(ax)
        style.bare(ax)
    axes[0].legend(frameon=False, fontsize=8)
    return axes
