"""Figures of cognitive tasks.

answers         what a network answered, over what was right
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style

__all__ = ["answers"]

_MOST = 8  # trials drawn


def answers(data: xr.Dataset, axes: Sequence[Axes] | NDArray | Axes | None = None) -> NDArray:
    """Draw the answers over the targets where these count, a row a trial and a column an output.

    Parameters
    ----------
    data : xarray.Dataset
        `outputs`, `targets` and `mask` (trial, time, output), as `TaskFit.run` returns it; the first eight trials.
    axes : array of Axes, optional
        (trial, output).

    Returns
    -------
    The axes, (trial, output).
    """
    style.need(data, "outputs", "targets", "mask")
    data = data.isel(trial=slice(0, _MOST))
    rows, columns = data.sizes["trial"], data.sizes["output"]
    axes = style.grid(axes, rows, columns, (1.1 * style.PANEL, 0.35 * style.PANEL), sharex=True, sharey=True)
    for i, row in enumerate(axes):
        for j, ax in enumerate(row):
            one = data.isel(trial=i, output=j)
            right = np.where(one.mask.values > 0, one.targets.values, np.nan)
            ax.plot(data.time, right, color=style.BLACK, lw=2.2, label="right answer, where it counts")
            ax.plot(data.time, one.outputs, color=style.COLOURS[1], lw=1.1, label="answer")
            style.bare(ax)
            if i == 0:
                ax.set_title(str(data.output.values[j]), fontsize=9)
            if i == rows - 1:
                ax.set_xlabel("time (steps)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[0, 0].figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return axes
