"""Ridge regression of the readout, by singular values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from rnnbias.networks import Network, Recipe
from rnnbias.objectives import Objective
from rnnbias.solvers.base import Solver
from rnnbias.solvers.monitor import Monitor
from systems import checks

__all__ = ["Ridge"]

_PATH = [10.0**k for k in range(2, -17, -1)]


@dataclass(frozen=True)
class Ridge(Solver):
    """min_C sum_t |C r_t - y_t|^2 + ridge |C|^2, from the singular values of the rates.

    With R = U S V^T (time x unit) the answer is C^T = V S / (S^2 + ridge) U^T Y; the normal equations, which
    square the condition number, are never formed. `ridge=None` takes the value from 1e2, 1e1, ..., 1e-16
    with the lowest loss on held-out data.

    >>> Ridge(1e-8).ridge
    1e-08
    """

    ridge: float | None = None
    recipe: ClassVar[Recipe] = Recipe(wiring="independent", gain=0.1, input_scale=0.1, readout_scale=1.0)

    def __post_init__(self) -> None:
        if self.ridge is not None:
            checks.number("ridge", self.ridge, at_least=0)

    def check(self, learn: tuple[str, ...]) -> None:
        """Only the readout is linear in the output."""
        if learn != ("readout",):
            raise ValueError(f"solver Ridge needs learn='readout', got learn={set(learn)}")

    @torch.no_grad()
    def solve(self, network: Network, train: Objective, monitor: Monitor) -> None:
        """Solve for the readout; the history has one record for each ridge tried."""
        rates, targets = train.regression(network)
        left, singular, right = torch.linalg.svd(rates, full_matrices=False)
        target = left.T @ targets
        path = _PATH if self.ridge is None else [self.ridge]
        with monitor.watch(len(path)):
            for k, ridge in enumerate(path):
                shrunk = torch.where(singular > 0, singular / (singular**2 + ridge), 0.0)
                network.readout.copy_(((shrunk * right.T) @ target).T)
                loss = float((rates @ network.readout.T - targets).square().mean())
                if monitor.record(k + 1, loss, ridge=ridge):
                    break
