"""Wirings: how the units of a network share rows of its frozen weights, and how their biases move."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["WIRINGS", "Wiring"]


@dataclass(frozen=True)
class Wiring:
    """Linear maps between units, rows of the frozen weights, and trainable biases.

    The units of a pair stand side by side: 2k and 2k + 1 share row k. `spread` and `gather` are each other's transpose,
    and so are `oppose` and `contrast`, and `to_units` and `to_biases`.

    Parameters
    ----------
    name : str
        As in `Recipe`.
    units_per_row : int
        1, or 2 where a pair shares its row of W and B and is read with opposite signs.
    units_per_bias : int
        1, or 2 where one trainable number moves the two biases of a pair apart.

    >>> WIRINGS["push-pull"].to_units(torch.tensor([1.0, 2.0])).tolist()
    [1.0, -1.0, 2.0, -2.0]
    """

    name: str
    units_per_row: int
    units_per_bias: int

    def rows(self, units: int, name: str = "units") -> int:
        """How many rows serve so many units; raises ValueError, naming the argument, where that is no whole number."""
        rows, odd = divmod(units, self.units_per_row)
        if odd:
            raise ValueError(f"{name} must be even under {self.name} wiring, got {units}")
        return rows

    def spread(self, rows: Tensor) -> Tensor:
        """Give each row's value to all its units: (..., row) -> (..., unit)."""
        return rows.repeat_interleave(2, -1) if self.units_per_row == 2 else rows

    def gather(self, units: Tensor) -> Tensor:
        """Sum over the units of each row: (..., unit) -> (..., row)."""
        return units[..., 0::2] + units[..., 1::2] if self.units_per_row == 2 else units

    def oppose(self, rows: Tensor) -> Tensor:
        """Give each row's value to its first unit and the negative to its second: (..., row) -> (..., unit)."""
        return _apart(rows) if self.units_per_row == 2 else rows

    def contrast(self, units: Tensor) -> Tensor:
        """What the readout sees of each row, its first unit minus its second: (..., unit) -> (..., row)."""
        return _difference(units) if self.units_per_row == 2 else units

    def to_units(self, biases: Tensor) -> Tensor:
        """How far trainable biases shift those of the units: (..., bias) -> (..., unit)."""
        return _apart(biases) if self.units_per_bias == 2 else biases

    def to_biases(self, units: Tensor) -> Tensor:
        """Pull gradients of the units' biases back to the trainable ones: (..., unit) -> (..., bias)."""
        return _difference(units) if self.units_per_bias == 2 else units


#: Wirings by the names that `Recipe.wiring` takes.
WIRINGS = {each.name: each for each in (Wiring("push-pull", 2, 2), Wiring("twins", 2, 1), Wiring("independent", 1, 1))}


def _apart(rows: Tensor) -> Tensor:
    return torch.stack([rows, -rows], -1).flatten(-2)


def _difference(units: Tensor) -> Tensor:
    return units[..., 0::2] - units[..., 1::2]
