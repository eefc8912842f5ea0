"""The frame a network sees data in: standardised inputs, normalised targets, segments with a washout."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnbias.networks.base import RNN
from rnnbias.objectives.base import Sequences
from systems import checks

__all__ = ["OUTPUTS", "Frame", "closed_loop", "open_loop", "segments"]

#: What the output stands for: the normalised increment over the horizon, or the standardised state itself.
OUTPUTS = ("increment", "state")
_NOISY = 3000  # samples that noise on the inputs needs


class Frame(NamedTuple):
    """Statistics of the training data, and what the network predicts.

    Inputs are (x - mean) / scale, each state by itself. The output y predicts `horizon` samples ahead,
    as the increment (x_{t+horizon} - x_t) / scale = step_mean + step_scale y, or as the state,
    where step_mean = 0 and step_scale = 1.
    """

    mean: np.ndarray
    scale: np.ndarray
    step_mean: np.ndarray
    step_scale: np.ndarray
    output: str
    horizon: int

    @classmethod
    def of(cls, values: np.ndarray, output: str, horizon: int) -> Frame:
        """Measure the frame of training data (trial, time, state)."""
        checks.choice("output", output, OUTPUTS)
        mean, scale = values.mean((0, 1)), values.std((0, 1))
        standard = (values - mean) / scale
        if output == "state":
            return cls(mean, scale, np.zeros_like(mean), np.ones_like(scale), output, horizon)
        step = standard[:, horizon:] - standard[:, :-horizon]
        return cls(mean, scale, step.mean((0, 1)), step.std((0, 1)), output, horizon)

    def standardise(self, values: np.ndarray, like: Tensor) -> Tensor:
        """From the data's units to the network's, as a tensor like `like`."""
        return torch.as_tensor((values - self.mean) / self.scale, dtype=like.dtype, device=like.device)

    def restore(self, standard: Tensor) -> np.ndarray:
        """From the network's units to the data's."""
        return standard.cpu().numpy() * self.scale + self.mean

    def predict(self, now: Tensor, output: Tensor) -> Tensor:
        """The standardised state `horizon` samples after `now`."""
        step = output.new_tensor(self.step_mean) + output * output.new_tensor(self.step_scale)
        return now + step if self.output == "increment" else step

    def target(self, now: Tensor, then: Tensor) -> Tensor:
        """The output that would predict `then` from `now`: the inverse of `predict`."""
        step = then - now if self.output == "increment" else then
        return (step - step.new_tensor(self.step_mean)) / step.new_tensor(self.step_scale)


def segments(
    standard: Tensor, frame: Frame, *, washout: int, length: int, jitter: float = 0.0, seed: int = 0
) -> Sequences:
    """Cut standardised trials (trial, time, state) into segments of equal length that cover them.

    Each segment has `washout` samples of true input before the first output that counts, and `length` outputs
    that count. `jitter` adds Gaussian noise of that size to the inputs, while the targets stay clean: the
    network then learns to come back to the data. Data of fewer than 3,000 samples are repeated that often, each time
    with noise of its own, lest a few noisy samples be learned by heart.
    """
    usable = standard.shape[1] - washout - frame.horizon
    length = min(length, usable)
    count = math.ceil(usable / length)
    firsts = np.linspace(0, usable - length, count).round().astype(int)
    inputs = torch.cat([standard[:, f : f + washout + length] for f in firsts])
    later = torch.cat([standard[:, f + washout + frame.horizon : f + washout + frame.horizon + length] for f in firsts])
    if jitter:
        copies = math.ceil(_NOISY / standard[..., 0].numel())
        inputs, later = inputs.repeat(copies, 1, 1), later.repeat(copies, 1, 1)
        noise = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(seed), dtype=inputs.dtype)
        inputs = inputs + jitter * noise.to(inputs.device)
    return Sequences(inputs, frame.target(inputs[:, washout:], later), washout)


@torch.no_grad()
def open_loop(network: RNN, frame: Frame, inputs: Tensor) -> Tensor:
    """Predict `horizon` samples ahead of every true input (trial, time, state)."""
    return frame.predict(inputs, network.read(network(inputs).rate))


@torch.no_grad()
def closed_loop(network: RNN, frame: Frame, context: Tensor, steps: int) -> Tensor:
    """Run on for `steps` samples after `context` (trial, time, state), predictions serving as inputs."""
    rate = network(context).rate
    ahead = frame.predict(context[:, -frame.horizon :], network.read(rate[:, -frame.horizon :]))
    coming = list(ahead.unbind(1))
    rate, out = rate[:, -1], []
    for _ in range(steps):
        now = coming.pop(0)
        out.append(now)
        _, rate = network.advance(rate, network.external(now))
        coming.append(frame.predict(now, network.read(rate)))
    return torch.stack(out, 1)
