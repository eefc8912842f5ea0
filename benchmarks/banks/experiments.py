"""What an experiment of the bank benchmark is: its rows are Datasets, put together in a way of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import xarray as xr

import experiments
from experiments import Plan

__all__ = ["Cell", "Experiment"]


class Cell(NamedTuple):
    """Which row: what is done, and to what."""

    condition: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Experiment(experiments.Experiment):
    """An experiment, and how all rows are put together, and what else of them is left in a folder."""

    make: Callable[[Cell, Plan], xr.Dataset]
    scores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gathered: Callable[[Mapping[Cell, xr.Dataset], Path], xr.Dataset]

    def row(self, cell: Cell, plan: Plan) -> xr.Dataset:
        """See `experiments.Experiment.row`."""
        return self.make(cell, plan)

    def together(self, runs: Mapping[Cell, xr.Dataset], out: Path, title: str) -> xr.Dataset:
        """See `experiments.Experiment.together`."""
        return self.gathered(runs, out).assign_attrs(title=title)
