"""Matrices known by their products, so that nobody asks how they are kept.

Operator   the products W x and W^T y
Dense      all entries
Hadamard   random signs and fast Walsh-Hadamard transforms
LowRank    two thin factors and a diagonal

`synapses.Sparse` is one more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor
from torch.nn import functional

__all__ = ["STRUCTURES", "Dense", "Hadamard", "LowRank", "Operator", "walsh_hadamard"]

_RADIX = 32  # of the transform: fewer passes through memory than by twos, and each a product of matrices


class Operator(ABC):
    """A matrix W of `shape` (row, column), known by its products; all derivatives pass through them."""

    shape: tuple[int, int]

    @abstractmethod
    def apply(self, x: Tensor) -> Tensor:
        """W x (..., row) for x (..., column)."""

    @abstractmethod
    def apply_transposed(self, y: Tensor) -> Tensor:
        """W^T y (..., column) for y (..., row)."""


@dataclass(frozen=True)
class Dense(Operator):
    """A matrix with all its entries, `weight` (row, column).

    >>> Dense(torch.tensor([[1.0, 2.0]])).apply(torch.tensor([3.0, 4.0]))
    tensor([11.])
    """

    weight: Tensor

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        """Rows and columns."""
        return self.weight.shape[0], self.weight.shape[1]

    def apply(self, x: Tensor) -> Tensor:
        """See `Operator.apply`."""
        return x @ self.weight.T

    def apply_transposed(self, y: Tensor) -> Tensor:
        """See `Operator.apply_transposed`."""
        return y @ self.weight


@dataclass(frozen=True)
class Hadamard(Operator):
    """Three rounds of random signs and a Walsh-Hadamard transform, in blocks of `side` rows, a power of two.

        W = [H D_3 H D_2 H D_1]      one such block, of signs of its own, for every `side` rows

    of which the leading `shape` is kept; columns are fewer than `side`, or as many. H is `walsh_hadamard`'s and each D
    a diagonal; a block is sqrt(side^3) times an orthogonal matrix where all D are signs. Products cost
    rows x log(side) operations, the numbers are 3 a row.

    `diagonals` is (3, block, side). Reference: Dong, Ohana, Rafayelyan & Krzakala 2020, NeurIPS (arXiv:2006.07310);
    Yu et al. 2016, NeurIPS (arXiv:1610.09072).

    >>> Hadamard((2, 2), torch.ones(3, 1, 2)).apply(torch.eye(2))
    tensor([[ 2.,  2.],
            [ 2., -2.]])
    """

    shape: tuple[int, int]
    diagonals: Tensor
    parts: ClassVar[dict[str, tuple[str, ...]]] = {"diagonals": ("round", "block", "place")}

    def apply(self, x: Tensor) -> Tensor:
        """See `Operator.apply`."""
        x = functional.pad(x, (0, self.diagonals.shape[2] - self.shape[1]))[..., None, :]
        for signs in self.diagonals:
            x = walsh_hadamard(signs * x)
        return x.flatten(-2)[..., : self.shape[0]]

    def apply_transposed(self, y: Tensor) -> Tensor:
        """See `Operator.apply_transposed`."""
        _, blocks, side = self.diagonals.shape
        y = functional.pad(y, (0, blocks * side - self.shape[0])).unflatten(-1, (blocks, side))
        for signs in self.diagonals.flip(0):
            y = signs * walsh_hadamard(y)
        return y.sum(-2)[..., : self.shape[1]]


@dataclass(frozen=True)
class LowRank(Operator):
    """Two thin factors and a diagonal, W = L R^T + D with `left` L (row, rank), `right` R (column, rank) and `diagonal`
    (the smaller of rows and columns,).

    >>> LowRank((2, 2), torch.ones(2, 1), torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 5.0])).apply(torch.eye(2)).T
    tensor([[1., 2.],
            [1., 7.]])
    """

    shape: tuple[int, int]
    left: Tensor
    right: Tensor
    diagonal: Tensor
    parts: ClassVar[dict[str, tuple[str, ...]]] = {
        "left": ("row", "rank"), "right": ("column", "rank"), "diagonal": ("place",),
    }  # fmt: skip

    def apply(self, x: Tensor) -> Tensor:
        """See `Operator.apply`."""
        return x @ self.right @ self.left.T + self._scaled(x, self.shape[0])

    def apply_transposed(self, y: Tensor) -> Tensor:
        """See `Operator.apply_transposed`."""
        return y @ self.left @ self.right.T + self._scaled(y, self.shape[1])

    def _scaled(self, x: Tensor, size: int) -> Tensor:
        few = len(self.diagonal)
        return functional.pad(self.diagonal * x[..., :few], (0, size - few))


#: What weights may be instead of dense, by the names that `Recipe.structure` takes.
STRUCTURES: dict[str, type[Hadamard] | type[LowRank]] = {"hadamard": Hadamard, "low-rank": LowRank}


def walsh_hadamard(x: Tensor) -> Tensor:
    """H x along the last dimension, of a power of two n, with H (n, n) of entries +-1 in Sylvester's order.

    H is its own transpose, and H H = n. The cost is n log n: H is a Kronecker product of small ones, applied one after
    the other.

    >>> walsh_hadamard(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor([10., -2., -4.,  0.])
    """
    shape, done = x.shape, 1
    while done < shape[-1]:
        radix = min(_RADIX, shape[-1] // done)
        small = torch.as_tensor(_hadamard(radix), dtype=x.dtype, device=x.device)
        x = x.reshape(-1, radix) @ small if done == 1 else small @ x.reshape(-1, radix, done)
        done *= radix
    return x.reshape(shape)


@lru_cache
def _hadamard(size: int) -> np.ndarray:
    """H with all its entries; no tensor, which could belong to a transform of torch's that is over."""
    return hadamard(size, dtype=float)
