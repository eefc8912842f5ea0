"""What every experiment of the scale benchmark is: cells that can be run one by one, and a part of the report."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch
import xarray as xr

from rnnbias import Recipe

__all__ = ["Cell", "Experiment", "alone", "peak", "recipe"]


class Cell(NamedTuple):
    """Which row: what is done, and with how many units."""

    condition: str
    size: int


@dataclass(frozen=True)
class Experiment:
    """Cells of a full or a quick run, how one is made, what is measured of it (units and meaning by name), what the
    report says, and what is drawn.
    """

    cells: Callable[[bool], list[Cell]]
    make: Callable[[Cell], Mapping[str, float]]
    scores: Mapping[str, tuple[str, str]]
    report: Callable[[xr.Dataset], list[str]]
    picture: Callable[[xr.Dataset], Any] | None = None


def recipe(structure: str) -> Recipe:
    """Ordinary weights, of which single precision loses nothing."""
    return Recipe(
        structure=structure, law="spherical", wiring="independent", gain=0.9, input_scale=1.0, readout_scale=3.0
    )


def alone(measure: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """What `measure` returns in a process of its own, so that memory is that of this alone."""
    with get_context("spawn").Pool(1, torch.set_num_threads, [torch.get_num_threads()]) as pool:
        return pool.apply(measure, arguments)


def peak() -> float:
    """The largest memory of this process so far (GiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
