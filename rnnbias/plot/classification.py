"""Figures of classification.

accuracy_against     accuracy against width or the count of learned numbers
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from rnnbias.plot import style
from systems import checks

__all__ = ["accuracy_against"]


def accuracy_against(data: xr.Dataset, x: str = "units", axes: Axes | None = None) -> Axes:
    """Draw the accuracy of each learner against `x` on a logarithmic axis: means over seeds, and the range as a band.

    Parameters
    ----------
    data : xarray.Dataset
        `accuracy` (learner, units, seed) and `learned` (learner, units), NaN where there is none.
    x : str
        "units" or "learned".
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    checks.choice("x", x, ("units", "learned"))
    style.need(data, "accuracy", "learned", "units")
    axes = style.one(axes, 1.8, 1.4)
    for k, learner in enumerate(data.learner.values):
        of = data.sel(learner=learner)
        across = (of.learned if x == "learned" else of.units).values.astype(float)
        mean, low, high = (getattr(of.accuracy, f)("seed").values for f in ("mean", "min", "max"))
        kept = np.isfinite(mean) & np.isfinite(across)
        if not kept.any():
            continue
        look = style.look(k)
        axes.fill_between(across[kept], low[kept], high[kept], color=look["color"], alpha=0.2, lw=0)
        axes.plot(across[kept], mean[kept], ms=5, lw=1.4, label=str(learner), **look)
    style.counts(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("units" if x == "units" else "learned numbers")
    axes.set_ylabel("accuracy on test images")
    axes.grid(axis="y", lw=0.4, alpha=0.6)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    style.bare(axes)
    return axes
