"""Derivatives of a feedforward network's outputs with respect to whatever learns, by one sweep back through the layers.

With u_k = W_k r_{k-1} + b_k, r_k = phi(g_k u_k) and y = C r_depth, the adjoint A_k = dy/dr_k starts at A_depth = C, and

    L_k = A_k phi'(g_k u_k),    A_{k-1} = (L_k g_k) W_k,
    dy/db_k = L_k g_k,    dy/dg_k = L_k u_k,    dy/dW_k = (L_k g_k) r_{k-1}^T,    dy/dC = r_depth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.feedforward import FNN

__all__ = ["layer_jacobian"]


@torch.no_grad()
def layer_jacobian(network: FNN, inputs: Tensor) -> Tensor:
    """Return d(output)/d(learned), (sample, output, learned), for inputs (sample, input).

    The learned numbers stand in the order of `network.parameters()`, each flattened. Exact; the cost is that of the
    matrix products of `outputs` backward passes. Raises ValueError where masks learn: a step function has no slope.

    >>> layer_jacobian(FNN((4, 6), 2, 1), torch.ones(3, 2, dtype=torch.float64)).shape
    torch.Size([3, 1, 5])
    """
    if "mask" in network.learn:
        raise ValueError("learn must not hold 'mask' where a Jacobian is needed: a step function has no slope")
    samples, outputs = len(inputs), network.outputs
    slope = ACTIVATIONS[network.activation].slope
    drive, rate = network.trace(inputs)
    found = {name: p.new_zeros(samples, outputs, *p.shape) for name, p in network.named_parameters()}
    if "readout" in found:
        seen = network.wiring.contrast(rate[:, network.layers[-1].units_at])
        for o in range(outputs):
            found["readout"][:, o, o] = seen
    adjoint = network.wiring.oppose(network.readout).expand(samples, outputs, network.widths[-1])
    for k in reversed(range(len(network.layers))):
        layer = network.layers[k]
        below = rate[:, network.layers[k - 1].units_at] if k else inputs
        local = adjoint * slope(drive[:, None, layer.units_at])
        if "gain" in found:
            fed = network.wiring.spread(layer.weight.apply(below)) + network.biases[layer.units_at]
            found["gain"][:, :, layer.units_at] = local * fed[:, None]
            local = local * network.gain[layer.units_at]
        if "bias" in found:
            found["bias"][:, :, layer.biases_at] = network.wiring.to_biases(local)
        folded = network.wiring.gather(local)
        if "weights" in network.learn:
            found[f"weight_{k + 1}"] = folded[..., None] * below[:, None, None]
        if k:
            adjoint = layer.weight.apply_transposed(folded)
    return torch.cat([part.flatten(2) for part in found.values()], 2)
