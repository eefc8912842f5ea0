"""What a solver learns from: residuals over trials, the loss made of them, and their derivatives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, NamedTuple, Self, TypeVar

import torch
from torch import Tensor

from rnnbias.networks import Network

__all__ = ["Linearisation", "Normal", "Objective", "Products", "finite", "gram"]

N = TypeVar("N", bound=Network)

_ROWS = 256  # rows of a Jacobian that reverse-mode differentiation makes at once
_COLUMNS = 128  # of a Gram matrix that are made at once


class Linearisation(NamedTuple):
    """The model e + J s: `error` e (residual,), `matrix` J (residual, parameter) and the `depth` of its making."""

    error: Tensor
    matrix: Tensor
    depth: float = math.nan


class Products(NamedTuple):
    """The model e + J s with J known only through `forward`, v -> J v, and `backward`, w -> J^T w."""

    error: Tensor
    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor], Tensor]


class Normal(NamedTuple):
    """`products` with J, and the `gram` matrix J^T J (parameter, parameter), where that is cheaper than J."""

    products: Products
    gram: Tensor


class Objective(ABC, Generic[N]):
    """Trials to learn from; the loss is the mean square of their residuals, unless a subclass has another `cost`.

    A subclass says what the residuals are, and overrides the derivatives where it knows a faster exact way than
    differentiation in reverse. Columns of a Jacobian follow `network.parameters()`, flattened.
    """

    @property
    def regular(self) -> bool:
        """Whether the singular values of the Jacobian J have a floor, so that J^T J says as much as J."""
        return False

    @abstractmethod
    def residual(self, network: N) -> Tensor:
        """Residuals, (trial, ...), differentiable."""

    @abstractmethod
    def subset(self, chosen: Tensor) -> Self:
        """The objective on these trials only."""

    @abstractmethod
    def __len__(self) -> int:
        """How many trials there are."""

    def cost(self, network: N) -> Tensor:
        """The loss, differentiable: what descent goes down."""
        return self.residual(network).square().mean()

    @torch.no_grad()
    def loss(self, network: N) -> float:
        """The loss; infinite where it is not finite."""
        return finite(self.cost(network))

    def regression(self, network: N) -> tuple[Tensor, Tensor]:
        """Features (sample, row) and targets (sample, output) of the linear problem that the readout solves."""
        raise TypeError(f"solver Ridge needs residuals that are linear in the readout, {type(self).__name__} are not")

    @torch.enable_grad()
    def linearise(self, network: N, tolerance: float = 0.0) -> Linearisation:
        """Residuals and their Jacobian; `tolerance` is the relative size of what may be dropped from it."""
        error = self.residual(network).flatten()
        unit = torch.eye(len(error), dtype=error.dtype, device=error.device)
        blocks = [_pulled(error, network, rows) for rows in unit.split(_ROWS)]
        return Linearisation(error.detach(), torch.cat(blocks))

    def normal(self, network: N) -> Normal | None:
        """Residuals with J^T J and no J, where that saves most of the work; default: nothing is saved."""
        return None

    @torch.enable_grad()
    def products(self, network: N) -> Products:
        """Residuals, and products with their Jacobian."""
        error = self.residual(network).flatten()
        parameters = list(network.parameters())
        dual = torch.zeros_like(error, requires_grad=True)
        pulled = torch.cat([g.flatten() for g in torch.autograd.grad(error, parameters, dual, create_graph=True)])

        def forward(vector: Tensor) -> Tensor:
            return torch.autograd.grad(pulled, dual, vector, retain_graph=True)[0]

        def backward(weight: Tensor) -> Tensor:
            return _pulled(error, network, weight[None])[0]

        return Products(error.detach(), forward, backward)


def finite(loss: Tensor) -> float:
    """A loss as a number, infinite where it is none."""
    found = float(loss)
    return found if math.isfinite(found) else math.inf


def gram(matrix: Tensor) -> Tensor:
    """M^T M (..., column, column) for M = `matrix` (..., row, column): of what is symmetric, only half is multiplied.

    >>> gram(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2.],
            [2., 4.]])
    """
    columns = matrix.shape[-1]
    found = matrix.new_empty(*matrix.shape[:-2], columns, columns)
    for k in range(0, columns, _COLUMNS):
        some, rest = slice(k, k + _COLUMNS), slice(k, None)
        part = matrix[..., some].mT @ matrix[..., rest]
        found[..., some, rest], found[..., rest, some] = part, part.mT
    return found


def _pulled(error: Tensor, network: Network, weights: Tensor) -> Tensor:
    """J^T w for each row w of `weights`, (row, parameter)."""
    found = torch.autograd.grad(
        error, list(network.parameters()), weights, retain_graph=True, is_grads_batched=True, materialize_grads=True
    )
    return torch.cat([g.flatten(1) for g in found], 1)
