"""Single steps of networks without memory, under many conditions at once: what depends on no bias is computed once."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor

from rnnbias.networks import RNN
from rnnbias.objectives.base import Normal, Products, gram

__all__ = ["SingleSteps"]

_BLOCK = 2**16  # numbers that a processor's cache holds
_LARGEST = 300.0  # pre-activations beyond which tanh is 1 and its exponential may overflow


class SingleSteps:
    """Single steps of a tanh network without memory, each condition with inputs, targets and biases of its own.

        y = C tanh(u + b),      u = B x + start,      E = y - target

    The frozen B and the inputs never change, so e^{2u} is kept: as tanh(u + b) = 1 - 2 / (1 + e^{2u} e^{2b}), other
    biases are tried without another exponential. The Jacobian D C with respect to b, D being the units' slopes, is
    never built: its transpose times itself is (D^T D) * (C^T C), entry by entry, whatever the number of outputs.

    Parameters
    ----------
    network : RNN
        Without memory, tanh, a bias for each unit (no push-pull wiring); only its biases may learn. Its learned numbers
        are not used.
    inputs : Tensor
        (condition, sample, input).
    targets : Tensor
        (condition, sample, output).

    Raises ValueError where the network is another.
    """

    def __init__(self, network: RNN, inputs: Tensor, targets: Tensor) -> None:
        if not self.serves(network):
            raise ValueError(
                "network must be without memory, of tanh units with a bias each, such as Recipe.shaping() draws it, "
                f"got {network!r}"
            )
        drive = network.wiring.spread(network.entry.apply(inputs) + network.start)
        self.grown = (2 * drive).clamp_(-2 * _LARGEST, 2 * _LARGEST).exp_()
        self.targets, self.readout = targets, network.beta * network.wiring.oppose(network.readout)

    @staticmethod
    def serves(network: RNN) -> bool:
        """Whether single steps of a network can be learned so."""
        return not network.remembers and network.wiring.units_per_bias == 1 and network.activation == "tanh"

    def __len__(self) -> int:
        """How many conditions there are."""
        return len(self.targets)

    def subset(self, chosen: Tensor | slice) -> Self:
        """Some of the conditions."""
        other = copy.copy(self)
        other.grown, other.targets = self.grown[chosen], self.targets[chosen]
        return other

    def error(self, biases: Tensor) -> Tensor:
        """E (condition, sample, output) for biases (condition, unit)."""
        shift, found = (2 * biases).exp()[:, None], torch.empty_like(self.targets)
        block = max(1, _BLOCK // biases.numel()) if biases.device.type == "cpu" else found.shape[1]
        for part, grown in zip(found.split(block, 1), self.grown.split(block, 1), strict=True):
            part.copy_((grown * shift).add_(1).reciprocal_() @ (-2 * self.readout.mT))
        return found.add_(self.readout.sum(1)).sub_(self.targets)

    def normal(self, biases: Tensor) -> list[Normal]:
        """E, J and J^T J of every condition by itself, at biases (condition, unit)."""
        shift, alike = (2 * biases).exp()[:, None], self.readout.mT @ self.readout
        slope = (self.grown * shift).add_(1).reciprocal_()  # (1 - tanh) / 2, and then the slope of tanh
        error = slope @ (-2 * self.readout.mT) + self.readout.sum(1) - self.targets
        slope = slope.sub_(slope.square()).mul_(4)
        squared = gram(slope) * alike
        return [self._condition(*each) for each in zip(error, slope, squared, strict=True)]

    def _condition(self, error: Tensor, slope: Tensor, squared: Tensor) -> Normal:
        readout = self.readout

        def forward(shift: Tensor) -> Tensor:
            return (slope @ (readout * shift).mT).flatten()

        def backward(weight: Tensor) -> Tensor:
            return ((weight.view_as(error).mT @ slope) * readout).sum(0)

        return Normal(Products(error.flatten(), forward, backward), squared)
