"""Linear models e + J s of an objective's residuals around the present parameters, and their damped minima.

LinearModel       what a solver asks of one
DenseModel        J is built and factored, by columns or by rows: any damping is then cheap
GramModel         J^T J is known without J: half the digits, for a fraction of the work
MatrixFreeModel   J is known only through J v and J^T w; steps come from LSMR
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rnnbias.networks import Network, parameters
from rnnbias.objectives import Objective, Products

__all__ = ["DenseModel", "GramModel", "LinearModel", "MatrixFreeModel"]

_LSMR_STEPS = 200
_POWER_STEPS = 8


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

    def __init__(self, products: Products, gram: Tensor) -> None:
        self.error, self.forward, self.backward = products
        self.squares, self.vectors = torch.linalg.eigh(gram)

    def apply(self, step: Tensor) -> Tensor:
        """See `LinearModel.apply`."""
        return self.forward(step)

    def fit(self, target: Tensor, damping: float) -> Tensor:
        """See `LinearModel.fit`."""
        shrink = 1 / (self.squares.clamp(min=0) + damping**2 * self.squares[-1])
        return self.vectors @ (shrink * (self.vectors.mT @ self.backward(target)))


class MatrixFreeModel(LinearModel):
    """J known only through J v and J^T w; `largest` is its largest singular value, by power iteration."""

    depth = float("nan")

    def __init__(self, network: Network, objective: Objective, tolerance: float = 0.0) -> None:
        from scipy.sparse.linalg import LinearOperator

        self.error, forward, backward = objective.products(network)
        shape = (self.error.numel(), parameters.read(network).numel())

        def on_arrays(product: Callable[[Tensor], Tensor]) -> Callable[[np.ndarray], np.ndarray]:
            return lambda vector: product(torch.from_numpy(vector).to(self.error)).cpu().numpy()

        matvec, rmatvec = on_arrays(forward), on_arrays(backward)
        self.operator = LinearOperator(shape, matvec=matvec, rmatvec=rmatvec, dtype=np.float64)
        probe = np.random.default_rng(0).standard_normal(shape[1])
        for _ in range(_POWER_STEPS):
            probe = rmatvec(matvec(probe / np.linalg.norm(probe)))
        self.largest = float(np.sqrt(np.linalg.norm(probe)))

    def fit(self, target: Tensor, damping: float) -> Tensor:
        """See `LinearModel.fit`."""
        from scipy.sparse.linalg import lsmr

        mu = damping * self.largest
        wanted = target.cpu().numpy()
        found = lsmr(self.operator, wanted, damp=mu, atol=0, btol=0, conlim=0, maxiter=_LSMR_STEPS)[0]
        return torch.from_numpy(found).to(self.error)

    def apply(self, step: Tensor) -> Tensor:
        """See `LinearModel.apply`."""
        return torch.from_numpy(self.operator.matvec(step.cpu().numpy())).to(self.error)
