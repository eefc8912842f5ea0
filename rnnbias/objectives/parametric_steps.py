"""Single steps under several conditions, learned by biases that are linear in what is known of each."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from rnnbias.networks import RNN, parameters
from rnnbias.objectives.base import Normal, Objective, Products
from rnnbias.objectives.sequences import Sequences
from rnnbias.objectives.single_steps import SingleSteps

__all__ = ["ParametricSteps"]


class ParametricSteps(Objective[RNN]):
    """Single steps under conditions c, whose biases are b_c = sum_f F_cf Z_f, Z being what the network learns.

    For parametric biases F_c is (1, z_c) and Z is b above M; for one condition and plain biases F is 1 and Z is b. With
    the Jacobian J_c of a condition that of all is the stack of F_c x J_c, and its transpose times itself the sum of
    (F_c F_c^T) x (J_c^T J_c), x being the Kronecker product.

    Parameters
    ----------
    steps : SingleSteps
        Of every condition.
    features : Tensor
        F (condition, feature), one feature for every row of what learns.
    """

    def __init__(self, steps: SingleSteps, features: Tensor) -> None:
        self.steps, self.features = steps, features

    @classmethod
    def of(cls, network: RNN, sequences: Sequences) -> Self:
        """The single steps of `sequences`, learned by plain biases."""
        steps = sequences.single_steps()
        one = SingleSteps(network, steps.inputs.transpose(0, 1), steps.targets.transpose(0, 1))
        return cls(one, torch.ones_like(network.start[:1, None]))

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (condition, sample, output)."""
        return self.steps.error(self._biases(network))

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        return type(self)(self.steps.subset(chosen), self.features[chosen])

    def __len__(self) -> int:
        return len(self.features)

    @torch.no_grad()
    def normal(self, network: RNN) -> Normal:
        """See `Objective.normal`."""
        features = self.features
        each = self.steps.normal(self._biases(network))

        def forward(vector: Tensor) -> Tensor:
            shifts = features @ vector.view(features.shape[1], -1)
            return torch.cat([one.products.forward(shift) for one, shift in zip(each, shifts, strict=True)])

        def backward(weight: Tensor) -> Tensor:
            parts = weight.view(len(features), -1)
            pulled = [one.products.backward(part) for one, part in zip(each, parts, strict=True)]
            return (features.mT @ torch.stack(pulled)).flatten()

        gram = torch.stack([torch.kron(torch.outer(f, f), one.gram) for f, one in zip(features, each, strict=True)])
        error = torch.cat([one.products.error for one in each])
        return Normal(Products(error, forward, backward), gram.sum(0))

    def _biases(self, network: RNN) -> Tensor:
        """How far the biases are shifted under each condition, (condition, unit)."""
        return self.features @ parameters.read(network).view(self.features.shape[1], -1)
