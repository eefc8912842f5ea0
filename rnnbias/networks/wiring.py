"""Between rows and units: under push-pull wiring a row serves a pair of units, otherwise (fan 1) one.

`share` and `gather` are each other's transpose, and so are `oppose` and `difference`.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["difference", "gather", "oppose", "share"]


def share(rows: Tensor, fan: int) -> Tensor:
    """Give each row's value to all its units: (..., row) -> (..., unit)."""
    return rows.repeat_interleave(fan, -1) if fan == 2 else rows


def gather(units: Tensor, fan: int) -> Tensor:
    """Sum over the units of each row: (..., unit) -> (..., row)."""
    return units[..., 0::2] + units[..., 1::2] if fan == 2 else units


def oppose(rows: Tensor, fan: int) -> Tensor:
    """Give each row's value to one unit of its pair and the negative to the other."""
    return torch.stack([rows, -rows], -1).flatten(-2) if fan == 2 else rows


def difference(units: Tensor, fan: int) -> Tensor:
    """Subtract the second unit of each pair from the first: (..., unit) -> (..., row)."""
    return units[..., 0::2] - units[..., 1::2] if fan == 2 else units
