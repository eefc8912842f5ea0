"""A recurrent network run through time, with derivatives that touch its weights once and not at every step.

    u_t = x_t + W r_{t-1},      r_t = beta phi(u_t) - alpha r_{t-1}

For a loss whose derivatives with respect to r_t and u_t are p_t and q_t, backpropagation through time is

    s_t = p_t + W^T d_{t+1} - alpha s_{t+1},      d_t = beta phi'(u_t) s_t + q_t

so that the derivative with respect to x_t is d_t, and that with respect to W is sum_t d_t r_{t-1}^T: one product of
matrices at the end, where differentiation step by step adds a matrix to another at every one of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rnnbias.networks.activations import Activation

__all__ = ["unrolled"]


def unrolled(
    external: Tensor, rate: Tensor, weight: Tensor, phi: Activation, alpha: float, beta: float
) -> tuple[Tensor, Tensor]:
    """u and r (trial, time, unit) for x = `external` (trial, time, unit), r_0 = `rate` (trial, unit) and W = `weight`.

    Derivatives of any order, in batches too.

    >>> from rnnbias.networks import ACTIVATIONS
    >>> x, weight = torch.ones(1, 2, 1), torch.tensor([[0.5]])
    >>> unrolled(x, torch.zeros(1, 1), weight, ACTIVATIONS["relu"], alpha=0.0, beta=1.0)[1].flatten()
    tensor([1.0000, 1.5000])
    """
    return _Unrolled.apply(external, rate, weight, phi, alpha, beta)


class _Unrolled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, external: Tensor, rate: Tensor, weight: Tensor, phi: Activation, alpha: float, beta: float
    ) -> tuple[Tensor, Tensor]:
        """See `unrolled`."""
        drives, rates, turned = torch.empty_like(external), torch.empty_like(external), weight.T
        now = rate
        for t in range(external.shape[1]):
            drives[:, t] = drive = torch.addmm(external[:, t], now, turned)
            fired = phi.value(drive)
            fired = fired if beta == 1 else beta * fired
            rates[:, t] = now = torch.sub(fired, now, alpha=alpha) if alpha else fired
        ctx.save_for_backward(drives, rates, rate, weight)
        ctx.phi, ctx.alpha, ctx.beta = phi, alpha, beta
        ctx.set_materialize_grads(False)
        return drives, rates

    @staticmethod
    def backward(ctx: Any, above_drive: Tensor | None, above_rate: Tensor | None) -> tuple[Tensor | None, ...]:
        """Derivatives with respect to `external`, `rate` and `weight`."""
        drives, rates, first, weight = ctx.saved_tensors
        slope, carried, deltas = ctx.beta * ctx.phi.slope(drives), torch.zeros_like(first), []
        for t in reversed(range(drives.shape[1])):
            felt = carried if above_rate is None else above_rate[:, t] + carried
            delta = felt * slope[:, t]
            delta = delta if above_drive is None else delta + above_drive[:, t]
            deltas.append(delta)
            carried = delta @ weight
            carried = carried - ctx.alpha * felt if ctx.alpha else carried
        delta = torch.stack(deltas[::-1], 1)
        before = torch.cat([first[:, None], rates[:, :-1]], 1)
        units = first.shape[-1]
        pulled = delta.reshape(-1, units).T @ before.reshape(-1, units) if ctx.needs_input_grad[2] else None
        return delta, carried, pulled, None, None, None
