"""Figures of networks that run by themselves.

free_runs       runs over their targets, at the beginning and at the end
gain_sweep      how well each learner does at each gain of the weights
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style

__all__ = ["free_runs", "gain_sweep"]


def free_runs(
    data: xr.Dataset, axes: Sequence[Axes] | NDArray | Axes | None = None, periods: float = 3.0, trial: int = 0
) -> NDArray:
    """Draw the first and the last `periods` of a free run over its target, a row a state.

    Parameters
    ----------
    data : xarray.Dataset
        `trajectory` and `target` (trial, time, state) with the attribute `period`, as `AutonomousFit.run` returns it.
    axes : array of Axes, optional
        (state, 2).
    periods : float
        Length of each part.
    trial : int
        Which run.

    Returns
    -------
    The axes, (state, 2).
    """
    style.need(data, "trajectory", "target")
    axes = style.grid(axes, data.sizes["state"], 2, (1.5 * style.PANEL, 0.6 * style.PANEL), sharey="row")
    time = data.time.values / data.attrs["period"]
    for row, state in zip(axes, data.state.values, strict=True):
        one = data.isel(trial=trial).sel(state=state)
        for ax, part in zip(row, (time < time[0] + periods, time > time[-1] - periods), strict=True):
            ax.plot(time[part], one.target.values[part], color=style.BLACK, lw=2.2, label="target")
            ax.plot(time[part], one.trajectory.values[part], color=style.COLOURS[1], lw=1.2, label="free run")
            style.bare(ax)
        row[0].set_ylabel(style.with_units(str(state), style.units_of(data, state)))
    for ax in axes[-1]:
        ax.set_xlabel("time (periods)")
    axes[0, 0].legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return axes


def gain_sweep(data: xr.DataArray, axes: Axes | None = None) -> Axes:
    """Draw a score against the gain of the weights: the median over seeds, with every seed as a point.

    Parameters
    ----------
    data : xarray.DataArray
        (seed, gain, learner), larger being better up to 1; its long name becomes the label.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    axes = style.one(axes)
    clipped = data.clip(min=0.0)
    count = data.sizes["learner"]
    for k, (name, one, colour) in enumerate(style.learners(clipped)):
        middle = one.median("seed")
        axes.plot(data.gain, middle, "-", color=colour, marker=style.look(k)["marker"], ms=5, label=name)
        aside = data.gain.values + 0.008 * (k - (count - 1) / 2)
        for seed in np.asarray(one.transpose("seed", "gain")):
            axes.plot(aside, seed, ".", color=colour, ms=3, alpha=0.5)
    axes.set(xlabel="gain of the weights", ylabel=style.label(data), ylim=(-0.04, 1.04))
    axes.set_xticks(np.unique(data.gain.values.round(1)))
    axes.legend(frameon=False, fontsize=8)
    style.bare(axes)
    return axes
