"""Trials that belong to classes: what a solver learns from when a network classifies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from rnnbias.networks import FNN
from rnnbias.objectives.base import Objective
from rnnbias.objectives.first_layer import FirstLayer, cross_entropy_gradients

__all__ = ["CrossEntropy", "OneHot"]

_BLOCK = 100  # trials whose rates are held at once where no gradient is wanted


@dataclass(frozen=True)
class OneHot(Objective[FNN]):
    """Inputs of known class; the residuals are the outputs minus one-hot targets.

    Parameters
    ----------
    inputs : Tensor (trial, input)
    labels : Tensor (trial,)
        Whole numbers.
    first : FirstLayer, optional
        W x of the same trials, where the first layer does not learn.
    chosen : Tensor, optional
        Indices of the trials that count; default: all.
    """

    inputs: Tensor
    labels: Tensor
    first: FirstLayer | None = None
    chosen: Tensor | None = None

    @property
    def indices(self) -> Tensor:
        """Of the trials that count."""
        return torch.arange(len(self.labels), device=self.labels.device) if self.chosen is None else self.chosen

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        return replace(self, chosen=self.indices[chosen])

    def __len__(self) -> int:
        return len(self.indices)

    def logits(self, network: FNN, chosen: Tensor) -> Tensor:
        """Outputs (trial, output) for the trials of these indices."""
        if self.first is None:
            return network(self.inputs[chosen])
        return network.read(network.trace_above(self.first.drive(chosen)).rate)

    def residual(self, network: FNN) -> Tensor:
        """See `Objective.residual`; (trial, output)."""
        one_hot = functional.one_hot(self.labels[self.indices], network.outputs)
        return self.logits(network, self.indices) - one_hot.to(network.start.dtype)

    @torch.no_grad()
    def regression(self, network: FNN) -> tuple[Tensor, Tensor]:
        """See `Objective.regression`."""
        rates = [network.wiring.contrast(rate[:, network.layers[-1].units_at]) for rate in self.rates(network)]
        one_hot = functional.one_hot(self.labels[self.indices], network.outputs)
        return torch.cat(rates), one_hot.to(network.start.dtype)

    @torch.no_grad()
    def rates(self, network: FNN) -> Iterator[Tensor]:
        """Rates (trial, unit of all layers), some trials at a time."""
        for some in self.indices.split(_BLOCK):
            found = (
                network.trace(self.inputs[some]) if self.first is None else network.trace_above(self.first.drive(some))
            )
            yield found.rate

    @torch.no_grad()
    def accuracy(self, network: FNN) -> float:
        """Fraction of the trials whose largest output is that of their class."""
        return self._mean(network, lambda logits, labels: (logits.argmax(1) == labels).sum())

    def _mean(self, network: FNN, measure: Callable[[Tensor, Tensor], Tensor]) -> float:
        found = [float(measure(self.logits(network, some), self.labels[some])) for some in self.indices.split(_BLOCK)]
        return sum(found) / len(self)


@dataclass(frozen=True)
class CrossEntropy(OneHot):
    """The same, learned by the cross-entropy of the softmax of the outputs: the mean of -log p(label).

    With one hidden layer and a `FirstLayer`, gradients are those of `cross_entropy_gradients`; otherwise they come from
    reverse-mode differentiation.
    """

    def cost(self, network: FNN) -> Tensor:
        """See `Objective.cost`."""
        if self.first is not None and len(network.layers) == 1:
            value, gradients = cross_entropy_gradients(network, self.first, self.labels, self.indices)
            return _Known.apply(value, gradients, *network.parameters())
        return functional.cross_entropy(self.logits(network, self.indices), self.labels[self.indices])

    @torch.no_grad()
    def loss(self, network: FNN) -> float:
        """See `Objective.loss`."""
        found = self._mean(network, lambda logits, labels: functional.cross_entropy(logits, labels, reduction="sum"))
        return found if found == found else float("inf")


class _Known(torch.autograd.Function):
    """A number whose gradients are known already."""

    @staticmethod
    def forward(ctx, value: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        """Return the number."""
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx, above: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients."""
        return None, None, *(above * gradient for gradient in ctx.gradients)
