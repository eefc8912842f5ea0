"""What the first frozen layer feels, computed once: its weights never move, so W x of every trial is kept.

While W is frozen, the logits above one hidden layer are

    y_k = sum_i C_ki m_i phi(g_i (u_i + b_i)),      u = W x

and u never changes. The gradient of the cross-entropy with respect to a number of unit i is sum_k C_ki (G^T X)_ki,
with G = softmax(y) - one-hot (trial, output) and X = m g phi' for a bias, m phi' (u + b) for a gain, and phi for a
mask: two thin products a block of trials that stays in the cache, and neither autograd nor the inputs again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rnnbias.networks import ACTIVATIONS, FNN, Operator

__all__ = ["BLOCK", "FirstLayer", "cross_entropy_gradients"]

BLOCK = 32  # trials whose rates are held at once
_MAKING = 1000  # trials whose drives are computed at once
_HALF_LIMIT = 6e4  # the largest number that half precision holds, with a margin


class FirstLayer:
    """W x of every trial, for the weights W (row, input) of a first layer and inputs x (trial, input).

    Kept in the inputs' own precision where that takes at most `memory` bytes, in half precision where only that does,
    and otherwise computed again whenever asked for; `storage` says which.

    >>> from rnnbias.networks import Dense
    >>> first = FirstLayer(torch.ones(3, 2), Dense(torch.tensor([[1.0, 2.0]])), memory=1e3)
    >>> first.drive(torch.tensor([0, 2])).tolist(), first.storage
    ([[3.0], [3.0]], 'kept in float32, 0.00 GB')
    """

    def __init__(self, inputs: Tensor, weight: Operator, memory: float) -> None:
        self.inputs, self.weight = inputs, weight
        self.kept: Tensor | None = None
        numbers = len(inputs) * weight.shape[0]
        for dtype in (inputs.dtype, torch.float16):
            needed = numbers * dtype.itemsize
            if needed <= memory and self._keep(dtype):
                self.storage = f"kept in {str(dtype).removeprefix('torch.')}, {needed / 1e9:.2f} GB"
                return
        self.storage = f"computed at every batch: {2 * numbers / 1e9:.2f} GB in float16 exceed {memory / 1e9:.2f} GB"

    def drive(self, chosen: Tensor) -> Tensor:
        """W x of these trials, (trial, row): a fresh array."""
        if self.kept is None:
            return self.weight.apply(self.inputs[chosen])
        found = self.kept.index_select(0, chosen)
        return found.to(self.inputs.dtype)

    @torch.no_grad()
    def _keep(self, dtype: torch.dtype) -> bool:
        """Compute all; False where half precision does not hold them."""
        kept = torch.empty(len(self.inputs), self.weight.shape[0], dtype=dtype, device=self.inputs.device)
        for rows, some in zip(kept.split(_MAKING), self.inputs.split(_MAKING), strict=True):
            drive = self.weight.apply(some)
            if dtype == torch.float16 and drive.abs().max() > _HALF_LIMIT:
                return False
            rows.copy_(drive)
        self.kept = kept
        return True


@torch.no_grad()
def cross_entropy_gradients(
    network: FNN, first: FirstLayer, labels: Tensor, chosen: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Mean cross-entropy over the chosen trials, and its gradients in the order of `network.parameters()`.

    For a network with one hidden layer whose weights do not learn. `labels` (trial,) are those of all trials.
    """
    sums = _Gradients(network)
    total: Any = sum(sums.visit(first.drive(part), labels[part]) for part in chosen.split(BLOCK))
    found = sums.gradients()
    return total / len(chosen), [found[name] / len(chosen) for name, _ in network.named_parameters()]


class _Gradients:
    """The sums over trials from which every gradient is made.

    The units of a pair are visited one after the other: they share what drives them, and `sides` says which units
    they are and with which sign they are read.
    """

    def __init__(self, network: FNN) -> None:
        self.network, self.learn = network, network.learn
        self.phi, self.relu = ACTIVATIONS[network.activation], network.activation == "relu"
        fan = network.wiring.units_per_row
        self.sides = [(slice(k, None, fan), 1 - 2 * k) for k in range(fan)]
        biases, masks = network.biases, network.masks
        self.bias = [biases[units].contiguous() for units, _ in self.sides]
        self.mask = [masks[units].contiguous() for units, _ in self.sides]
        self.gain = [network.gain[units].contiguous() for units, _ in self.sides]
        self.sums: dict[str, list[Any]] = {part: [0.0] * fan for part in ("bias", "gain", "mask")}
        self.read: Any = 0.0

    def visit(self, drive: Tensor, labels: Tensor) -> Tensor:
        """Add the trials of `drive` (trial, row), which may be overwritten; returns their summed cross-entropy."""
        felt = []
        for k in range(len(self.sides)):
            last = k == len(self.sides) - 1
            moved = drive.add_(self.bias[k]) if last else drive + self.bias[k]
            now = moved * self.gain[k] if "gain" in self.learn else moved
            rate = self.phi.value(now)
            felt.append((moved, now, rate, rate * self.mask[k] if "mask" in self.learn else rate))
        seen = felt[0][3] - felt[1][3] if len(felt) == 2 else felt[0][3]
        logits = seen @ self.network.readout.T
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        wrong = torch.softmax(logits, 1)
        wrong[torch.arange(len(labels), device=labels.device), labels] -= 1
        if "readout" in self.learn:
            self.read = self.read + wrong.T @ seen
        for k, (moved, now, rate, _) in enumerate(felt):
            if "mask" in self.learn:
                self.sums["mask"][k] += wrong.T @ rate
            if "bias" in self.learn or "gain" in self.learn:
                slope = rate.sign_() if self.relu else self.phi.slope(now)  # nobody needs the rate any more
                if "bias" in self.learn:
                    self.sums["bias"][k] += wrong.T @ slope
                if "gain" in self.learn:
                    self.sums["gain"][k] += wrong.T @ slope.mul_(moved)
        return loss

    def gradients(self) -> dict[str, Tensor]:
        """Gradients of the summed cross-entropy, by the name of the parameter."""
        network, found = self.network, {}
        masks = network.masks if "mask" in self.learn else 1.0
        if "bias" in self.learn:
            gains = network.gain if "gain" in self.learn else 1.0
            found["bias"] = network.wiring.to_biases(gains * masks * self._pulled("bias"))
        if "gain" in self.learn:
            found["gain"] = masks * self._pulled("gain")
        if "mask" in self.learn:
            steepness = 1.0 if network.steepness is None else network.steepness
            soft = torch.sigmoid(steepness * network.mask)
            found["mask"] = steepness * soft * (1 - soft) * self._pulled("mask")
        if "readout" in self.learn:
            found["readout"] = self.read
        return found

    def _pulled(self, part: str) -> Tensor:
        """sum_k C_ki (G^T X)_ki for every unit i."""
        readout = self.network.readout
        signed = [sign * (readout * each).sum(0) for (_, sign), each in zip(self.sides, self.sums[part], strict=True)]
        return torch.stack(signed, -1).flatten()
