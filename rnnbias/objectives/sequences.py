"""Sequences that drive a recurrent network, and the outputs that it should give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from rnnbias.networks import RNN, Trace, bias_jacobian, jacobian_vector_product, vector_jacobian_product
from rnnbias.objectives.base import Linearisation, Objective, Products

__all__ = ["Sequences"]


@dataclass(frozen=True)
class Sequences(Objective[RNN]):
    """Sequences that drive a recurrent network from r_0, and targets for its outputs.

    The residuals are outputs minus targets after the first `washout` steps, where they count. Where the biases alone
    are trainable, the Jacobian is `networks.bias_jacobian`.

    Parameters
    ----------
    inputs : Tensor
        (trial, time, input).
    targets : Tensor
        (trial, time - washout, output).
    washout : int
        Leading steps whose outputs do not count.
    counted : Tensor, optional
        Like `targets`, True for the outputs that count; default: all.
    """

    inputs: Tensor
    targets: Tensor
    washout: int = 0
    counted: Tensor | None = None

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (trial, time - washout, output), or (residual,) with `counted`."""
        return self._residual(network, network(self.inputs))

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        counted = None if self.counted is None else self.counted[chosen]
        return type(self)(self.inputs[chosen], self.targets[chosen], self.washout, counted)

    def __len__(self) -> int:
        return len(self.inputs)

    def single_steps(self) -> Self:
        """The steps after the washout, each a trial of its own, for networks without memory."""
        inputs, targets = self.inputs[:, self.washout :], self.targets
        return type(self)(inputs.flatten(0, 1)[:, None], targets.flatten(0, 1)[:, None])

    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`."""
        if network.learn != ("bias",):
            return super().linearise(network, tolerance)
        with torch.no_grad():
            trace = network(self.inputs)
            error = self._residual(network, trace).flatten()
        found = bias_jacobian(network, trace, self._mask, tolerance)
        return Linearisation(error, found.matrix, float(found.depth))

    def products(self, network: RNN) -> Products:
        """See `Objective.products`."""
        if network.learn != ("bias",):
            return super().products(network)
        with torch.no_grad():
            trace = network(self.inputs)
            error = self._residual(network, trace).flatten()
        mask = self._mask

        def backward(weight: Tensor) -> Tensor:
            full = weight.new_zeros(mask.shape)
            full[mask] = weight
            return vector_jacobian_product(network, trace, full)

        return Products(error, lambda vector: jacobian_vector_product(network, trace, vector)[mask], backward)

    @torch.no_grad()
    def regression(self, network: RNN) -> tuple[Tensor, Tensor]:
        """See `Objective.regression`."""
        if self.counted is not None:
            return super().regression(network)
        rates = network(self.inputs).rate[:, self.washout :].flatten(0, 1)
        return network.wiring.contrast(rates), self.targets.flatten(0, 1)

    def _residual(self, network: RNN, trace: Trace) -> Tensor:
        error = network.read(trace.rate[:, self.washout :]) - self.targets
        return error if self.counted is None else error[self.counted]

    @property
    def _mask(self) -> Tensor:
        """(trial, time, output), True for the outputs that count."""
        trials, times, outputs = self.targets.shape
        mask = torch.zeros(trials, self.washout + times, outputs, dtype=torch.bool, device=self.targets.device)
        mask[:, self.washout :] = True if self.counted is None else self.counted
        return mask
