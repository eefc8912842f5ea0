"""What the experiments on scale share."""

from __future__ import annotations

from typing import NamedTuple

from rnnbias import Recipe

__all__ = ["Cell", "recipe"]


class Cell(NamedTuple):
    """Which row: what is done, and with how many units."""

    condition: str
    size: int


def recipe(structure: str) -> Recipe:
    """Ordinary weights, of which single precision loses nothing."""
    return Recipe(
        structure=structure, law="spherical", wiring="independent", gain=0.9, input_scale=1.0, readout_scale=3.0
    )
