"""What every experiment of the bank benchmark is: cells that can be run one by one, and a part of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import xarray as xr

__all__ = ["Cell", "Experiment", "Plan"]


class Cell(NamedTuple):
    """Which row: what is done, and to what."""

    condition: str
    name: str


@dataclass(frozen=True)
class Plan:
    """How large a run is, and where it keeps what it makes on the way."""

    quick: bool
    folder: Path


@dataclass(frozen=True)
class Experiment:
    """Cells, how one is made, how all are put together (and what else is left in a folder), what the report says of
    that, and what it draws.
    """

    cells: Callable[[Plan], list[Cell]]
    make: Callable[[Cell, Plan], xr.Dataset]
    gather: Callable[[Mapping[Cell, xr.Dataset], Path], xr.Dataset]
    report: Callable[[xr.Dataset], list[str]]
    picture: Callable[[xr.Dataset], object]
