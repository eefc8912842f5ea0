"""Derivatives of a network's outputs with respect to its learned biases.

For u_t = W r_{t-1} + B x_{t-1} + b and r_t = -alpha r_{t-1} + beta phi(u_t), with D_t = beta phi'(u_t),

    dy_t/db = sum_k A_k(t) * D_{t-k},     A_0(t) = C,     A_{k+1}(t) = -alpha A_k(t) + (A_k(t) * D_{t-k}) W.

`bias_jacobian` runs this recursion for all times at once, so that its cost is that of matrix products; `bias_rows`
does so for chosen outputs at chosen times alone;
`forward_sweep` and `backward_sweep` give J v and J^T w without building J, for networks too wide for it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rnnbias.networks import wiring as pairs
from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import RNN, Trace

__all__ = ["Jacobian", "backward_sweep", "bias_jacobian", "bias_rows", "forward_sweep"]


class Jacobian(NamedTuple):
    """`matrix` (trial, time, output, learned), the recursion's `depth` and the largest `dropped` term."""

    matrix: Tensor
    depth: int
    dropped: float


def _slopes(network: RNN, trace: Trace) -> Tensor:
    return network.beta * ACTIVATIONS[network.activation].slope(trace.drive)


@torch.no_grad()
def bias_jacobian(network: RNN, trace: Trace, washout: int = 0, tolerance: float = 1e-8) -> Jacobian:
    """Return d(output)/d(learned bias) at every time from `washout` on.

    Parameters
    ----------
    network : RNN
        Its `gain` and `mask` must not be learned.
    trace : Trace
        What `network(inputs)` returned; r_0 counts as fixed.
    washout : int
        Leading steps whose outputs are not differentiated (their biases still count).
    tolerance : float
        Stop once the next term's largest entry is below this fraction of the Jacobian's largest; 0 keeps all
        terms and is exact. `dropped` of the result is the fraction at which the recursion stopped.

    Cost: depth x 2 x trials x times x outputs x rows x units operations.

    >>> net = RNN(4, 1, 1)
    >>> bias_jacobian(net, net(torch.ones(1, 5, 1, dtype=torch.float64))).matrix.shape
    torch.Size([1, 5, 1, 2])
    """
    slope = _slopes(network, trace)
    trials, times, units = slope.shape
    fan, outputs = network.fan, network.outputs
    matrix = slope.new_empty(trials, times - washout, outputs, units // network.tied)
    depth, dropped = 0, 0.0
    for o in range(outputs):
        column = pairs.oppose(network.readout[o], fan)
        adjoint = column * slope[:, washout:]
        total, folded = pairs.difference(adjoint, network.tied), pairs.gather(adjoint, fan)
        carry = column.expand(trials, times - washout, units) if network.alpha else None
        scale = float(total.abs().max()) or 1.0
        for k in range(1, times):
            first = max(k - washout, 0)  # earlier outputs have no bias k steps before them
            late = slice(first - max(k - 1 - washout, 0), None)
            back = folded[:, late] @ network.recurrent
            if carry is not None:
                back = back - network.alpha * carry[:, late]
                carry = back
            adjoint = back * slope[:, washout + first - k : times - k]
            term, folded = pairs.difference(adjoint, network.tied), pairs.gather(adjoint, fan)
            total[:, first:] += term
            depth, size = max(depth, k), float(term.abs().max()) / scale
            if size <= tolerance:
                dropped = max(dropped, size)
                break
        matrix[:, :, o] = total
    return Jacobian(matrix, depth, dropped)


@torch.no_grad()
def bias_rows(network: RNN, trace: Trace, chosen: Tensor, tolerance: float = 0.0) -> Tensor:
    """Return d(output)/d(learned bias), (residual, learned), where `chosen` (trial, time, output) is True.

    Rows follow `chosen.nonzero()`. `tolerance` is as in `bias_jacobian`, with the largest entry of the first terms as
    the measure. Cost: 2 x rows x the times before them x rows of W x units.

    >>> net = RNN(4, 1, 1)
    >>> chosen = torch.tensor([[False, False, True]])[..., None]
    >>> bias_rows(net, net(torch.ones(1, 3, 1, dtype=torch.float64)), chosen).shape
    torch.Size([1, 2])
    """
    slope, fan = _slopes(network, trace), network.fan
    trial, time, output = chosen.nonzero().unbind(1)
    late = time.argsort(descending=True)  # so that the rows which reach k steps back come first
    trial, time = trial[late], time[late]
    carry = pairs.oppose(network.readout[output[late]], fan)
    adjoint = carry * slope[trial, time]
    total = pairs.difference(adjoint, fan)
    scale = float(total.abs().max()) if len(total) else 1.0
    for k in range(1, slope.shape[1]):
        reach = int((time >= k).sum())
        if not reach:
            break
        carry = pairs.gather(adjoint[:reach], fan) @ network.recurrent - network.alpha * carry[:reach]
        adjoint = carry * slope[trial[:reach], time[:reach] - k]
        term = pairs.difference(adjoint, fan)
        total[:reach] += term
        if float(term.abs().max()) <= tolerance * scale:
            break
    return total[late.argsort()]


@torch.no_grad()
def forward_sweep(network: RNN, trace: Trace, vector: Tensor, washout: int = 0) -> Tensor:
    """Return J v, (trial, time, output), for v (learned,): one pass forward in time."""
    slope = _slopes(network, trace)
    bias = pairs.oppose(vector, network.tied)
    rate = torch.zeros_like(slope[:, 0])
    out = []
    for t in range(slope.shape[1]):
        drive = pairs.share(rate @ network.recurrent.T, network.fan) + bias
        rate = slope[:, t] * drive - network.alpha * rate
        if t >= washout:
            out.append(network.read(rate))
    return torch.stack(out, 1)


@torch.no_grad()
def backward_sweep(network: RNN, trace: Trace, weight: Tensor, washout: int = 0) -> Tensor:
    """Return J^T w, (learned,), for w (trial, time, output): one pass backward in time."""
    slope = _slopes(network, trace)
    adjoint = torch.zeros_like(slope[:, 0])
    total = torch.zeros_like(slope[0, 0])
    for t in reversed(range(slope.shape[1])):
        if t >= washout:
            adjoint = adjoint + pairs.oppose(weight[:, t - washout] @ network.readout, network.fan)
        local = adjoint * slope[:, t]
        total = total + local.sum(0)
        adjoint = pairs.gather(local, network.fan) @ network.recurrent - network.alpha * adjoint
    return pairs.difference(total, network.tied)
