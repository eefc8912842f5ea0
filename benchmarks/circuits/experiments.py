"""What every experiment of the connectome benchmark is: cells that can be run one by one, and a part of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from rnnbias import ActivityFit
from tables import number

__all__ = ["Cell", "Experiment", "Plan", "over_seeds", "shares"]


class Cell(NamedTuple):
    """Which row: a condition of an experiment, its size (neurons recorded, units), and a seed."""

    condition: str
    size: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """How large a run is."""

    seeds: int
    quick: bool
    folder: Path  # where teachers are kept


@dataclass(frozen=True)
class Experiment:
    """Cells, how one is made, what is measured of it (units and meaning by name), what the report says, and what it
    draws.
    """

    cells: Callable[[Plan], list[Cell]]
    make: Callable[[Cell, Plan], Mapping[str, float]]
    scores: Mapping[str, tuple[str, str]]
    report: Callable[[xr.Dataset], list[str]]
    picture: Callable[[Plan], object] | None = None


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


def over_seeds(values: xr.DataArray, form: str = "{:.1e}") -> str:
    """Median over seeds, and the range where there are several."""
    each = values.dropna("seed").values
    if not len(each):
        return ""
    middle = number(np.median(each), form)
    return middle if len(each) == 1 else f"{middle} ({number(min(each), form)} to {number(max(each), form)})"


def chosen(data: xr.Dataset, condition: str) -> Sequence[int]:
    """The sizes at which a condition was run."""
    seconds = data.seconds.sel(condition=condition)
    return [int(size) for size in data["size"].values if seconds.sel(size=size).notnull().any()]
