"""Trials in which inputs drive a network and its answers count at some times only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from rnnbias.networks.base import RNN
from rnnbias.networks.jacobians import bias_rows
from rnnbias.objectives.base import Examples, Linearised

__all__ = ["Trials"]


@dataclass(frozen=True)
class Trials(Examples):
    """Trials with a mask: the residuals are outputs minus targets wherever `counted` is True, (residual,).

    `inputs` is (trial, time, input), `targets` and `counted` are (trial, time, output). Every run starts from r_0.
    """

    inputs: Tensor
    targets: Tensor
    counted: Tensor

    def residual(self, network: RNN) -> Tensor:
        """See `Examples.residual`."""
        return (network.read(network(self.inputs).rate) - self.targets)[self.counted]

    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearised:
        """See `Examples.linearise`."""
        if network.learn != ("bias",):
            return super().linearise(network, tolerance)
        with torch.no_grad():
            trace = network(self.inputs)
            error = (network.read(trace.rate) - self.targets)[self.counted]
        return Linearised(error, bias_rows(network, trace, self.counted, tolerance))

    def part(self, chosen: Tensor) -> Self:
        """See `Examples.part`."""
        return Trials(self.inputs[chosen], self.targets[chosen], self.counted[chosen])

    def __len__(self) -> int:
        return len(self.inputs)
