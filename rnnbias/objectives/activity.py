"""Recorded activity of some neurons of a circuit, with a prior on what learns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from rnnbias.networks import Circuit
from rnnbias.objectives.base import Linearisation, Objective

__all__ = ["Activity", "Observed"]


@dataclass(frozen=True)
class Observed:
    """What is seen of a circuit: rates or currents of some units, through a slow indicator where there is one.

        c_t = c_{t-1} + smoothing (o_t - c_{t-1}),      c_1 = o_1

    with o the rates r or the currents h of `units` (recorded,); all outputs y = C r come after them where `outputs`.
    """

    units: Tensor
    quantity: str = "rate"
    smoothing: float = 1.0
    outputs: bool = False

    def of(self, current: Tensor, rate: Tensor, readout: Tensor) -> Tensor:
        """What is seen at one instant: (..., unit) -> (..., recorded + output)."""
        seen = (rate if self.quantity == "rate" else current)[..., self.units]
        return torch.cat([seen, rate @ readout.T], -1) if self.outputs else seen

    def smooth(self, before: Tensor | None, now: Tensor) -> Tensor:
        """The indicator's next value; the outputs are not seen through it."""
        if before is None or self.smoothing == 1:
            return now
        many = len(self.units)
        return torch.cat([torch.lerp(before[..., :many], now[..., :many], self.smoothing), now[..., many:]], -1)

    def follow(self, currents: Tensor, rates: Tensor, readout: Tensor) -> Tensor:
        """What is seen of a run: (trial, time, unit) -> (trial, time, recorded + output)."""
        seen = self.of(currents, rates, readout)
        if self.smoothing == 1:
            return seen
        out: list[Tensor] = []
        for now in seen.unbind(1):
            out.append(self.smooth(out[-1] if out else None, now))
        return torch.stack(out, 1)


@dataclass(frozen=True)
class Activity(Objective[Circuit]):
    """Trials in which some neurons of a circuit were recorded.

    The residuals are (seen - target) / noise where the targets are numbers, and `part / prior` for every part that
    learns and has a prior. Together they make minus twice the logarithm of a posterior, for Gaussian noise of this size
    and a Gaussian prior on the shifts of biases and gains; the loss, their mean square, is near 1 where the noise is
    that of the data.

    Parameters
    ----------
    inputs : Tensor
        (trial, time, input).
    targets : Tensor
        (trial, time, recorded + output), NaN where nothing was recorded; what was seen after each input.
    observed : Observed
        What is seen.
    noise : Tensor
        (recorded + output,), standard deviations.
    prior : mapping of str to float
        Standard deviations of the shifts of "bias" and "gain"; a part that is not in it is free.
    share : float
        The fraction of all trials that these are: a part of them bears as much of the prior.
    """

    inputs: Tensor
    targets: Tensor
    observed: Observed
    noise: Tensor
    prior: Mapping[str, float]
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.inputs)

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        share = self.share * len(chosen) / len(self)
        return replace(self, inputs=self.inputs[chosen], targets=self.targets[chosen], share=share)

    def quieter(self, noise: Tensor) -> Self:
        """The same with other noise."""
        return replace(self, noise=noise)

    def residual(self, network: Circuit) -> Tensor:
        """See `Objective.residual`; (residual,), those of the prior last."""
        weight = self._weights(network)
        shifts = torch.cat([parameter.flatten() for parameter in network.parameters()])
        noise = self.noise.expand(self.targets.shape)[self._counted]
        return torch.cat([self.misfit(network) / noise, (weight * shifts)[weight > 0]])

    def misfit(self, network: Circuit) -> Tensor:
        """Seen minus target, (target,), where there is one."""
        trace = network(self.inputs)
        return (self.observed.follow(trace.drive, trace.rate, network.readout) - self.targets)[self._counted]

    def linearise(self, network: Circuit, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`; derivatives by biases and gains are carried along (`Circuit.sensitivities`)."""
        if {*network.learn} - {"bias", "gain"}:
            return super().linearise(network, tolerance)
        with torch.no_grad():
            counted = self._counted
            places = (counted.flatten().cumsum(0) - 1).view_as(counted)
            matrix = self.targets.new_empty(int(counted.sum()), network.learned)
            seen: Tensor | None = None
            for t, (_, _, by_current, by_rate) in enumerate(network.sensitivities(self.inputs)):
                seen = self.observed.smooth(seen, self.observed.of(by_current, by_rate, network.readout))
                rows = (seen / self.noise).mT  # (trial, recorded + output, learned)
                matrix[places[:, t][counted[:, t]]] = rows[counted[:, t]]
            weight = self._weights(network)
            matrix = torch.cat([matrix, weight.diag()[weight > 0]])
        return Linearisation(self.residual(network).detach(), matrix)

    @property
    def _counted(self) -> Tensor:
        return ~self.targets.isnan()

    def _weights(self, network: Circuit) -> Tensor:
        """What each learned number is multiplied by in its residual, (learned,); 0 without a prior."""
        each = [
            parameter.new_full((parameter.numel(),), self.share**0.5 / self.prior.get(part, math.inf))
            for part, parameter in network.named_parameters()
        ]
        return torch.cat(each)
