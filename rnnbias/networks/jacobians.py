"""Derivatives of a recurrent network's outputs with respect to its trainable biases.

For u_t = W r_{t-1} + B x_{t-1} + b and r_t = -alpha r_{t-1} + beta phi(u_t), with D_t = beta phi'(u_t),

    dy_t/db = sum_k A_k(t) * D_{t-k},     A_0(t) = C,     A_{k+1}(t) = -alpha A_k(t) + (A_k(t) * D_{t-k}) W.

`bias_jacobian` runs this recursion for many outputs and times at once, so that its cost is that of matrix products;
`jacobian_vector_product` and `vector_jacobian_product` give J v and J^T w without building J, for networks too wide for
it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rnnbias.networks.base import Trace
from rnnbias.networks.recurrent import RNN

__all__ = ["Jacobian", "bias_jacobian", "jacobian_vector_product", "vector_jacobian_product"]


class Jacobian(NamedTuple):
    """`matrix` (residual, bias), the recursion's `depth` and the largest `dropped` term."""

    matrix: Tensor
    depth: int
    dropped: float


@torch.no_grad()
def bias_jacobian(network: RNN, trace: Trace, counted: Tensor, tolerance: float = 0.0) -> Jacobian:
    """Return d(output)/d(bias) for the outputs that count.

    Parameters
    ----------
    network : RNN
        Its `gain` and `mask` must not be trainable.
    trace : Trace
        What `network(inputs)` returned; r_0 counts as fixed.
    counted : Tensor
        (trial, time, output), True for the outputs that are differentiated; rows follow `counted.nonzero()`.
    tolerance : float
        Stop once the next term's largest entry is below this fraction of the largest first one of the same output; 0
        keeps all terms and is exact. `dropped` of the result is the fraction at which the recursion stopped.

    Cost: rows x depth x 2 x rows of W x units operations.

    >>> net = RNN(4, 1, 1)
    >>> counted = torch.tensor([[False, False, True]])[..., None]
    >>> bias_jacobian(net, net(torch.ones(1, 3, 1, dtype=torch.float64)), counted).matrix.shape
    torch.Size([1, 2])
    """
    slope, wiring, recurrence = network.slope(trace.drive), network.wiring, network.recurrence
    where = counted.nonzero()
    matrix = slope.new_empty(len(where), network.bias.numel())
    depth, dropped = 0, 0.0
    for output in range(network.outputs):
        rows = torch.nonzero(where[:, 2] == output).flatten()
        rows = rows[where[rows, 1].argsort(descending=True, stable=True)]  # those that reach k steps back come first
        trial, time, _ = where[rows].unbind(1)
        carry = wiring.oppose(network.readout[output]).expand(len(rows), -1)
        adjoint = carry * slope[trial, time]
        total = wiring.to_biases(adjoint)
        scale = float(total.abs().max()) or 1.0 if len(rows) else 1.0
        for k in range(1, slope.shape[1] if network.remembers else 1):
            reach = int((time >= k).sum())
            if not reach:
                break
            back = recurrence.apply_transposed(wiring.gather(adjoint[:reach]))
            carry = back - network.alpha * carry[:reach] if network.alpha else back
            adjoint = carry * slope[trial[:reach], time[:reach] - k]
            term = wiring.to_biases(adjoint)
            total[:reach] += term
            depth, size = max(depth, k), float(term.abs().max()) / scale
            if size <= tolerance:
                dropped = max(dropped, size)
                break
        matrix[rows] = total
    return Jacobian(matrix, depth, dropped)


@torch.no_grad()
def jacobian_vector_product(network: RNN, trace: Trace, vector: Tensor) -> Tensor:
    """Return J v, (trial, time, output), for v (bias,): one pass forward in time."""
    slope, wiring, recurrence = network.slope(trace.drive), network.wiring, network.recurrence
    bias = wiring.to_units(vector)
    rate = torch.zeros_like(slope[:, 0])
    out = []
    for t in range(slope.shape[1]):
        rate = slope[:, t] * (wiring.spread(recurrence.apply(rate)) + bias) - network.alpha * rate
        out.append(network.read(rate))
    return torch.stack(out, 1)


@torch.no_grad()
def vector_jacobian_product(network: RNN, trace: Trace, weight: Tensor) -> Tensor:
    """Return J^T w, (bias,), for w (trial, time, output): one pass backward in time."""
    slope, wiring, recurrence = network.slope(trace.drive), network.wiring, network.recurrence
    adjoint = torch.zeros_like(slope[:, 0])
    total = torch.zeros_like(slope[0, 0])
    for t in reversed(range(slope.shape[1])):
        adjoint = adjoint + wiring.oppose(weight[:, t] @ network.readout)
        local = adjoint * slope[:, t]
        total = total + local.sum(0)
        adjoint = recurrence.apply_transposed(wiring.gather(local)) - network.alpha * adjoint
    return wiring.to_biases(total)
