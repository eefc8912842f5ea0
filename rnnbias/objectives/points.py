"""Points at which a feedforward network should take given values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnbias.networks import FNN, layer_jacobian
from rnnbias.objectives.base import Linearisation, Objective

__all__ = ["Points"]


@dataclass(frozen=True)
class Points(Objective[FNN]):
    """Points at which a feedforward network should take given values.

    The residuals are outputs minus targets; their Jacobian is `networks.layer_jacobian`.

    Parameters
    ----------
    inputs : Tensor
        (trial, input); a trial is one point.
    targets : Tensor
        (trial, output).
    """

    inputs: Tensor
    targets: Tensor

    def residual(self, network: FNN) -> Tensor:
        """See `Objective.residual`; (trial, output)."""
        return network(self.inputs) - self.targets

    def subset(self, chosen: Tensor) -> Points:
        """See `Objective.subset`."""
        return Points(self.inputs[chosen], self.targets[chosen])

    def __len__(self) -> int:
        return len(self.inputs)

    @torch.no_grad()
    def linearise(self, network: FNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`."""
        return Linearisation(self.residual(network).flatten(), layer_jacobian(network, self.inputs).flatten(0, 1))

    @torch.no_grad()
    def regression(self, network: FNN) -> tuple[Tensor, Tensor]:
        """See `Objective.regression`."""
        last = network.trace(self.inputs).rate[:, network.layers[-1].units_at]
        return network.wiring.contrast(last), self.targets
