"""Matrices of synapses, sparse from file to gradient."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnnbias.networks.operators import Operator

__all__ = ["Pattern", "Sparse"]

_SMALL = 512  # units up to which a dense matrix is faster whatever its density
_DENSE = 8  # entries a synapse up to which it is in larger networks


class Pattern(NamedTuple):
    """Where the synapses of a square matrix W (post, pre) are, in rows, and the same of its transpose.

    `columns` (synapse,) and `starts` (unit + 1,) are those of compressed sparse rows, `rows` the row of each synapse;
    `order` sorts the synapses by column, which makes `rows[order]` and `ends` the compressed rows of W^T.
    """

    columns: Tensor
    starts: Tensor
    rows: Tensor
    order: Tensor
    ends: Tensor

    @classmethod
    def of(cls, columns: Tensor, starts: Tensor) -> Pattern:
        """From compressed sparse rows."""
        units = len(starts) - 1
        rows = torch.arange(units, device=starts.device).repeat_interleave(starts.diff())
        counts = torch.bincount(columns, minlength=units)
        ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return cls(columns, starts, rows, columns.argsort(stable=True), ends)

    @property
    def units(self) -> int:
        """Rows of W."""
        return len(self.starts) - 1

    @property
    def dense(self) -> bool:
        """Whether products are faster with all entries written out."""
        return self.units <= _SMALL or self.units**2 <= _DENSE * len(self.columns)

    def matrix(self, values: Tensor, transposed: bool = False) -> Tensor:
        """W or W^T with these values, as a sparse tensor."""
        if transposed:
            parts = self.ends, self.rows[self.order], values[self.order]
        else:
            parts = self.starts, self.columns, values
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(*parts, (self.units, self.units), check_invariants=False)

    def written_out(self, values: Tensor) -> Tensor:
        """W with all its entries; differentiable."""
        empty = values.new_zeros(self.units, self.units)
        return empty.index_put((self.rows, self.columns), values)


@dataclass(frozen=True)
class Sparse(Operator):
    """A square matrix with these `values` (synapse,) where its pattern says, and all derivatives by them.

    >>> pattern = Pattern.of(torch.tensor([1, 0]), torch.tensor([0, 1, 2]))
    >>> Sparse(torch.tensor([2.0, 3.0]), pattern).apply(torch.tensor([[1.0, 10.0]]))
    tensor([[20.,  3.]])
    """

    values: Tensor
    pattern: Pattern

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        """Rows and columns."""
        return self.pattern.units, self.pattern.units

    def apply(self, x: Tensor) -> Tensor:
        """See `Operator.apply`."""
        return _Synaptic.apply(self.values, x, self.pattern, False)

    def apply_transposed(self, y: Tensor) -> Tensor:
        """See `Operator.apply_transposed`."""
        return _Synaptic.apply(self.values, y, self.pattern, True)


class _Synaptic(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, rates: Tensor, pattern: Pattern, transposed: bool) -> Tensor:
        flat = rates.reshape(-1, rates.shape[-1])
        return (pattern.matrix(values, transposed) @ flat.T).T.reshape(rates.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        values, rates, ctx.pattern, ctx.transposed = inputs
        ctx.save_for_backward(values, rates)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        values, rates = ctx.saved_tensors
        pattern, by_values = ctx.pattern, None
        if ctx.needs_input_grad[0]:
            post, pre = (rates, grad) if ctx.transposed else (grad, rates)
            pairs = zip(post.reshape(-1, pattern.units), pre.reshape(-1, pattern.units), strict=True)
            by_values = sum(p[pattern.rows] * q[pattern.columns] for p, q in pairs)
        by_rates = _Synaptic.apply(values, grad, pattern, not ctx.transposed) if ctx.needs_input_grad[1] else None
        return by_values, by_rates, None, None

    @staticmethod
    def vmap(info: Any, dims: tuple, values: Tensor, rates: Tensor, pattern: Pattern, transposed: bool) -> tuple:
        if dims[0] is not None:
            raise NotImplementedError("products with many sets of weights at once")
        return _Synaptic.apply(values, rates.movedim(dims[1], 0), pattern, transposed), 0
