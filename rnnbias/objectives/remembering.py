"""Multiple shooting for networks that remember: free runs that begin with what the network has seen before them."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from rnnbias.networks import RNN
from rnnbias.objectives.shooting import FAR, ClosedLoop, Shooting

__all__ = ["RememberingShooting"]


class RememberingShooting(Shooting):
    """`Shooting` for networks with recurrent weights or a leak, whose state is the rates r and x.

    A run begins with the rates that the network has after the `context` before it, fed with what was observed; its x_0
    is estimated. Derivatives by the biases are adjoints, pulled back from every residual through the closed loop and on
    through the context; with a_t = d(residual)/dx_t and c_t = d(residual)/dr_t,

        l_t = (c_{t+1} + C^T scale a_{t+1}) * beta phi'(u_t),      d(residual)/db = sum_t l_t,
        c_t = W^T l_t - alpha (c_{t+1} + C^T scale a_{t+1}),       a_t = [a_{t+1}] + B^T l_t.

    The cost is that of residuals x (K + context) x 2 x rows of W x units operations.

    Parameters
    ----------
    observed, loop, noise, prior, starts
        As in `Shooting`.
    context : Tensor
        (run, time, state), what was observed before each run.
    """

    def __init__(
        self,
        observed: Tensor,
        loop: ClosedLoop,
        noise: Tensor,
        prior: float,
        starts: Tensor | None = None,
        *,
        context: Tensor,
    ) -> None:
        super().__init__(observed, loop, noise, prior, starts)
        self.context = context

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        other = super().subset(chosen)
        other.context = self.context[chosen]
        return other

    @property
    def washout(self) -> int:
        """See `Shooting.washout`."""
        return self.context.shape[1]

    def _rates(self, network: RNN) -> Tensor:
        """See `Shooting._rates`; those after the context."""
        return self._before(network)[1]

    def _run(self, network: RNN, starts: Tensor, rates: Tensor) -> Tensor:
        """See `Shooting.run`."""
        states = [starts]
        for _ in range(self.length):
            _, rates = network.advance(rates, network.external(states[-1]))
            states.append(self.loop.advance(states[-1], network.read(rates)).clamp(-FAR, FAR))
        return torch.stack(states, 1)

    def _before(self, network: RNN) -> tuple[Tensor, Tensor]:
        """Pre-activations (run, time, unit) during the context, and the rates (run, unit) after it."""
        if not self.context.shape[1]:
            rest = network.resting(len(self))
            return rest.new_empty(len(self), 0, network.units), rest
        trace = network(self.context)
        return trace.drive, trace.rate[:, -1]

    def _tangents(self, network: RNN, rates: Tensor) -> tuple[Tensor, Tensor]:
        """See `Shooting._tangents`; tangents of the rates go along."""
        wiring, now = network.wiring, self.starts
        by_rate = now.new_zeros(len(now), now.shape[1], network.units)
        by_state = torch.eye(now.shape[1], dtype=now.dtype, device=now.device).expand(len(now), -1, -1)
        out = [(now, by_state)]
        for _ in range(self.length):
            drive, rates = network.advance(rates, network.external(now))
            moved = wiring.spread(network.recurrence.apply(by_rate) + network.entry.apply(by_state))
            by_rate = network.slope(drive)[:, None] * moved - network.alpha * by_rate
            now = self.loop.advance(now, network.read(rates)).clamp(-FAR, FAR)
            step = self.loop.scale * network.read(by_rate)
            by_state = by_state + step if self.loop.increment else step
            out.append((now, by_state))
        runs, tangents = zip(*out, strict=True)
        return torch.stack(runs, 1), torch.stack(tangents, 1).mT

    def _sensitivities(self, network: RNN) -> tuple[Tensor, Tensor, Tensor]:
        """See `Shooting._sensitivities`; rows of later residuals come first, and are pulled back together."""
        wiring = network.wiring
        before, rate = self._before(network)
        now, drives, runs = self.starts, list(before.unbind(1)), [self.starts]
        for _ in range(self.length):
            drive, rate = network.advance(rate, network.external(now))
            drives.append(drive)
            now = self.loop.advance(now, network.read(rate)).clamp(-FAR, FAR)
            runs.append(now)
        count, states = now.shape
        unit = torch.eye(states, dtype=now.dtype, device=now.device).expand(count, 1, -1, -1)
        by_state, by_rate = unit[:, :0], now.new_empty(count, 0, states, network.units)
        total = now.new_zeros(count, 0, states, network.bias.numel())
        read = self.loop.scale[:, None] * wiring.oppose(network.readout)
        for step in reversed(range(len(drives))):
            free = step >= before.shape[1]
            if free:  # the residuals at the sample after this step join those of later ones
                by_state = torch.cat([by_state, unit], 1)
                by_rate = torch.cat([by_rate, now.new_zeros(count, 1, states, network.units)], 1)
                total = torch.cat([total, now.new_zeros(count, 1, states, total.shape[-1])], 1)
                by_rate = by_rate + by_state @ read
            local = by_rate * network.slope(drives[step])[:, None, None]
            total += wiring.to_biases(local)
            folded = wiring.gather(local)
            by_rate = network.recurrence.apply_transposed(folded) - network.alpha * by_rate
            if free:
                back = network.entry.apply_transposed(folded)
                by_state = by_state + back if self.loop.increment else back
        start = now.new_zeros(count, 1, states, total.shape[-1])
        by_bias = torch.cat([start, total.flip(1)], 1)
        by_start = torch.cat([unit, by_state.flip(1)], 1)
        return torch.stack(runs, 1), by_bias, by_start
