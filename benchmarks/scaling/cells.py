"""What the experiments on scale share."""

from __future__ import annotations

import resource
from collections.abc import Callable
from multiprocessing import get_context
from typing import NamedTuple

import torch

from rnnbias import Recipe

__all__ = ["Cell", "alone", "peak", "recipe"]


class Cell(NamedTuple):
    """Which row: what is done, and with how many units."""

    condition: str
    size: int


def recipe(structure: str) -> Recipe:
    """Ordinary weights, of which single precision loses nothing."""
    return Recipe(
        structure=structure, law="spherical", wiring="independent", gain=0.9, input_scale=1.0, readout_scale=3.0
    )


def alone(measure: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """What `measure` returns in a process of its own, so that memory is that of this alone."""
    with get_context("spawn").Pool(1, torch.set_num_threads, [1]) as pool:
        return pool.apply(measure, arguments)


def peak() -> float:
    """The largest memory of this process so far (GiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
