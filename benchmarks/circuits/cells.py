"""What rows of the connectome benchmark are called, and how well one circuit does what another does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from rnnbias import ActivityFit

__all__ = ["SKILL", "Cell", "chosen", "shares"]

#: What robustness is measured by.
SKILL = "R² of all neurons under fresh stimuli (1 serves as spread where all biases began at 0)"


class Cell(NamedTuple):
    """Which row: a condition of an experiment, its size (neurons recorded, units), and a seed."""

    condition: str
    size: int
    seed: int


def shares(fit: ActivityFit, truth: xr.DataArray, inputs: np.ndarray) -> dict[str, float]:
    """Errors on recorded and on other neurons, as shares of their variance and of the untaught error, and how far their
    correlation is from 1.
    """
    score = fit.score(truth, inputs)
    found = {}
    for name, where in (("recorded", score.recorded.values), ("unrecorded", ~score.recorded.values)):
        error, variance, untaught = (score[key].values[where].sum() for key in ("error", "variance", "untaught_error"))
        found[name] = error / variance if where.any() else np.nan
        found[f"{name}_of_prior"] = error / untaught if where.any() else np.nan
        correlation = np.abs(score.correlation.values[where])
        found[f"{name}_miss"] = 1 - float(np.nanmean(correlation)) if where.any() else np.nan
    return {name: float(value) for name, value in found.items()}


def chosen(data: xr.Dataset, condition: str) -> Sequence[int]:
    """The sizes at which a condition was run, ascending."""
    seconds = data.seconds.sel(condition=condition)
    return [int(size) for size in np.sort(data["size"].values) if seconds.sel(size=size).notnull().any()]
