"""Linear models e + J s of an objective's residuals around the present parameters, and their damped minima.

LinearModel       what a solver asks of one
DenseModel        J is built and factored, by columns or by rows: any damping is then cheap
GramModel         J^T J is known without J: half the digits, for a fraction of the work
MatrixFreeModel   J is known only through J v and J^T w, which make one Krylov space for all dampings
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from rnnbias.networks import Network, parameters
from rnnbias.objectives import Objective, Products, gram

__all__ = ["DenseModel", "GramModel", "LinearModel", "MatrixFreeModel"]

_KRYLOV = 200  # dimension of the space at most


class LinearModel(ABC):
    """The model e + J s: `error` e (residual,), J (residual, parameter), and the `depth` of J's making.

    Dampings mu are relative to the largest singular value of J.
    """

    error: Tensor
    depth: float

    @property
    def loss(self) -> float:
        """Mean square of e."""
        return float(self.error.square().mean())

    @abstractmethod
    def apply(self, step: Tensor) -> Tensor:
        """J s, (residual,), for s (parameter,)."""

    @abstractmethod
    def fit(self, target: Tensor, damping: float) -> Tensor:
        """The s (parameter,) with |J s - target|^2 + mu^2 |s|^2 least."""

    def step(self, damping: float) -> Tensor:
        """The s (parameter,) with |e + J s|^2 + mu^2 |s|^2 least."""
        return self.fit(-self.error, damping)

    def predict(self, step: Tensor) -> float:
        """Mean square of e + J s."""
        return float((self.error + self.apply(step)).square().mean())


class DenseModel(LinearModel):
    """J built and factored: with more residuals than parameters J = Q R, R = U S V^T; otherwise J^T = Q R.

    `singular` holds the singular values, (rank,), and `right` the right singular vectors, (rank, parameter).
    """

    def __init__(self, network: Network, objective: Objective, tolerance: float = 0.0) -> None:
        self.error, self.matrix, self.depth = objective.linearise(network, tolerance)
        residuals, n = self.matrix.shape
        if residuals > n:
            triangle = torch.linalg.qr(torch.cat([self.matrix, self.error[:, None]], 1), mode="r").R
            left, self.singular, self.right = torch.linalg.svd(triangle[:n, :n])
            self.target = left.T @ triangle[:n, n]
        else:
            wide, triangle = torch.linalg.qr(self.matrix.T)
            left, self.singular, right = torch.linalg.svd(triangle.T)
            self.right = right @ wide.T
            self.target = left.T @ self.error

    def step(self, damping: float) -> Tensor:
        """See `LinearModel.step`."""
        return -self.right.T @ (self.singular * self._shrink(damping) * self.target)

    def fit(self, target: Tensor, damping: float) -> Tensor:
        """See `LinearModel.fit`."""
        return self.right.T @ (self._shrink(damping) * (self.right @ (self.matrix.T @ target)))

    def apply(self, step: Tensor) -> Tensor:
        """See `LinearModel.apply`."""
        return self.matrix @ step

    def _shrink(self, damping: float) -> Tensor:
        return 1 / (self.singular**2 + (damping * self.singular[0]) ** 2)


class GramModel(LinearModel):
    """J^T J built and decomposed, J itself known only through `products`, J v and J^T w.

    Singular values below 1e-8 of the largest drown in rounding, so it serves for dampings above that.
    """

    depth = 0.0

    def __init__(self, products: Products, squared: Tensor) -> None:
        self.error, self.forward, self.backward = products
        self.squares, self.vectors = torch.linalg.eigh(squared)
        self.target = self._pulled(-self.error)

    @classmethod
    def squared(cls, network: Network, objective: Objective, tolerance: float = 0.0) -> GramModel:
        """With J^T J from J, for objectives that are `regular`."""
        error, matrix, _ = objective.linearise(network, tolerance)
        products = Products(error, lambda vector: matrix @ vector, lambda weight: matrix.mT @ weight)
        return cls(products, gram(matrix))

    def apply(self, step: Tensor) -> Tensor:
        """See `LinearModel.apply`."""
        return self.forward(step)

    def step(self, damping: float) -> Tensor:
        """See `LinearModel.step`."""
        return self._least(self.target, damping)

    def fit(self, target: Tensor, damping: float) -> Tensor:
        """See `LinearModel.fit`."""
        return self._least(self._pulled(target), damping)

    def _pulled(self, target: Tensor) -> Tensor:
        """J^T target, by eigenvectors of J^T J."""
        return self.vectors.mT @ self.backward(target)

    def _least(self, pulled: Tensor, damping: float) -> Tensor:
        return self.vectors @ (pulled / (self.squares.clamp(min=0) + damping**2 * self.squares[-1]))


class MatrixFreeModel(LinearModel):
    """J known only through J v and J^T w, by Golub and Kahan's bidiagonalisation J V = U L of at most 200 steps.

    V spans the Krylov space of J^T J from J^T e, in which the least squares of every damping are those of the small L:
    all dampings together cost as many products as one, and the space is whole, to rounding, after as many steps as
    there are residuals. V takes the memory of one vector of parameters a step; it and U are kept orthogonal. Reference:
    Golub & Kahan 1965, SIAM J. Numer. Anal. 2, 205; Paige & Saunders 1982, ACM Trans. Math. Softw. 8, 43.
    """

    depth = float("nan")

    def __init__(self, network: Network, objective: Objective, tolerance: float = 0.0) -> None:
        self.error, self._forward, self._backward = objective.products(network)
        self._parameters = parameters.read(network).numel()
        self._space = self._explored(-self.error)
        self.largest = next(iter(self._space.singular.tolist()), 1.0)

    def step(self, damping: float) -> Tensor:
        """See `LinearModel.step`."""
        return self._least(self._space, damping)

    def fit(self, target: Tensor, damping: float) -> Tensor:
        """See `LinearModel.fit`."""
        return self._least(self._explored(target), damping)

    def apply(self, step: Tensor) -> Tensor:
        """See `LinearModel.apply`."""
        return self._forward(step)

    def _least(self, space: _Space, damping: float) -> Tensor:
        shrunk = space.target * space.singular / (space.singular**2 + (damping * self.largest) ** 2)
        return (shrunk @ space.turned).to(space.basis) @ space.basis

    def _explored(self, target: Tensor) -> _Space:
        """The space from J^T `target`."""
        most = columns = min(_KRYLOV, len(target), self._parameters)
        left, right = target.new_empty(most + 1, len(target)), target.new_empty(most, self._parameters)
        lower, negligible = torch.zeros(most + 1, most, dtype=torch.float64), 10 * torch.finfo(target.dtype).eps
        size = _append(left, 0, target)
        for k in range(most):
            lower[k, k] = _append(right, k, self._backward(left[k]))
            if lower[k, k] <= negligible * lower.max():
                columns = k
                break
            lower[k + 1, k] = _append(left, k + 1, self._forward(right[k]))
            if lower[k + 1, k] <= negligible * lower.max():
                columns = k + 1
                break
        found, singular, turned = torch.linalg.svd(lower[: columns + 1, :columns], full_matrices=False)
        return _Space(singular, turned, size * found[0], right[:columns])


class _Space(NamedTuple):
    """J on a Krylov space: its `singular` values (mode,), their directions `turned` (mode, step) in the `basis` (step,
    parameter), and the target's part (mode,) along each.
    """

    singular: Tensor
    turned: Tensor
    target: Tensor
    basis: Tensor


def _append(basis: Tensor, k: int, vector: Tensor) -> float:
    """Make `vector` orthogonal to the first k of the basis, and the next of them; returns its length."""
    before = basis[:k]
    for _ in range(2):
        vector = vector - (before @ vector) @ before
    size = float(vector.norm())
    basis[k] = vector / (size or 1.0)
    return size
