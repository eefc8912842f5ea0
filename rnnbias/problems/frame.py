"""The frame a network sees data in: standardised inputs, normalised targets, segments with a washout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnbias.datasets import Standardiser
from rnnbias.networks import RNN
from rnnbias.objectives import ClosedLoop, RememberingShooting, Sequences, Shooting
from systems import Lattice, checks

__all__ = ["OUTPUTS", "Frame", "closed_loop", "denoised", "open_loop", "segments", "shooting", "single_steps", "starts"]

_LOST = 4.0  # times the usual squared error of a run
#: What the output stands for: the normalised increment over the horizon, or the standardised state itself.
OUTPUTS = ("increment", "state")


class Frame(NamedTuple):
    """Statistics of the training data, and what the network predicts.

    Inputs are the standardised `states`. The output y predicts `horizon` samples ahead of x_t: as the increment
    (x_{t+horizon} - x_t) / scale, or as the state x_{t+horizon} itself, where `steps` standardises nothing:

        x_{t+horizon} = [x_t] + steps.mean + steps.scale y

    `delays` are how many samples the network sees of the past, x_t among them, and how far each is from the next. On a
    `lattice` the states are sites, mean and scale are those of all together, and one network predicts each site from
    its neighbours: to the network every site is a trial of its own.
    """

    states: Standardiser
    steps: Standardiser
    output: str
    horizon: int
    delays: tuple[int, int] = (1, 1)
    lattice: Lattice | None = None

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        output: str,
        horizon: int,
        names: Sequence[str] | None = None,
        delays: tuple[int, int] = (1, 1),
        lattice: Lattice | None = None,
    ) -> Frame:
        """Measure the frame of training data (trial, time, state); refuse a constant state or step."""
        checks.choice("output", output, OUTPUTS)

        def measured(values: np.ndarray, name: str) -> Standardiser:
            return Standardiser.of(values, name, names) if lattice is None else Standardiser.shared(values, name)

        states = measured(values, "the value of a state")
        change = "the change of a state over the horizon"
        measured(values[:, horizon:] - values[:, :-horizon], change)
        if output == "state":
            steps = Standardiser(np.zeros_like(states.mean), np.ones_like(states.scale))
        else:
            standard = (values - states.mean) / states.scale
            steps = measured(standard[:, horizon:] - standard[:, :-horizon], change)
        return cls(states, steps, output, horizon, delays, lattice)

    @property
    def reach(self) -> int:
        """How many samples back the network sees."""
        count, spacing = self.delays
        return (count - 1) * spacing

    def inputs(self, standard: Tensor) -> Tensor:
        """What the network sees of trials (trial, time, state) at each time; before the first sample, that sample.

        (trial, time, input), or, on a lattice, (trial x site, time, input).
        """
        padded = torch.cat([standard[:, :1].expand(-1, self.reach, -1), standard], 1)
        lags = range(0, self.reach + 1, self.delays[1])
        seen = [padded[:, self.reach - lag : padded.shape[1] - lag] for lag in lags]
        if self.lattice is None:
            return torch.cat(seen, -1)
        return torch.cat([self.lattice.gather(each) for each in seen], -1).transpose(1, 2).flatten(0, 1)

    def folded(self, values: Tensor) -> Tensor:
        """Trials (trial, time, state) as the network has them, on a lattice (trial x site, time, 1)."""
        return values if self.lattice is None else values.transpose(1, 2).flatten(0, 1)[..., None]

    def unfolded(self, outputs: Tensor, trials: int) -> Tensor:
        """What the network gives as trials (trial, time, state): the inverse of `folded`."""
        return outputs if self.lattice is None else outputs[..., 0].unflatten(0, (trials, -1)).transpose(1, 2)

    def predict(self, now: Tensor, output: Tensor) -> Tensor:
        """The standardised state `horizon` samples after `now`."""
        step = output.new_tensor(self.steps.mean) + output * output.new_tensor(self.steps.scale)
        return now + step if self.output == "increment" else step

    def target(self, now: Tensor, then: Tensor) -> Tensor:
        """The output that would predict `then` from `now`: the inverse of `predict`."""
        step = then - now if self.output == "increment" else then
        return (step - step.new_tensor(self.steps.mean)) / step.new_tensor(self.steps.scale)

    def loop(self, like: Tensor) -> ClosedLoop:
        """How outputs become inputs, with the type and device of `like`; for horizon 1."""
        mean, scale = (like.new_tensor(x) for x in self.steps)
        lags = tuple(range(0, self.reach + 1, self.delays[1]))
        return ClosedLoop(mean, scale, self.output == "increment", lags, self.lattice)


def segments(standard: Tensor, frame: Frame, *, washout: int, length: int, seen: Tensor | None = None) -> Sequences:
    """Cut standardised trials (trial, time, state) into segments of equal length that cover them.

    Each segment has `washout` samples of input before the first output that counts, and `length` outputs that count.
    Inputs are true, or as `seen`: outputs should then lead from what is seen to the truth.
    """
    seen = standard if seen is None else seen
    usable = standard.shape[1] - washout - frame.horizon
    length = min(length, usable)
    count = math.ceil(usable / length)
    firsts = np.linspace(0, usable - length, count).round().astype(int)
    entering = frame.inputs(seen)
    inputs = torch.cat([entering[:, f : f + washout + length] for f in firsts])
    now, later = (
        torch.cat([values[:, f + ahead : f + ahead + length] for f in firsts])
        for values, ahead in ((seen, washout), (standard, washout + frame.horizon))
    )
    return Sequences(inputs, frame.folded(frame.target(now, later)), washout)


def single_steps(standard: Tensor, frame: Frame, seen: Tensor | None = None) -> Sequences:
    """Every sample, and every site of it, as a trial of one step, for networks without memory; see `segments`."""
    return segments(standard, frame, washout=frame.reach, length=standard.shape[1], seen=seen).single_steps()


def shooting(
    network: RNN, frame: Frame, standard: Tensor, path: Tensor, length: int, noise: Tensor, prior: float, washout: int
) -> Shooting:
    """Free runs of `length` samples through trials (trial, time, state), each beginning where the last ended.

    Their starts are looked for from `path`, which is like the trials. Where the network remembers, each run follows
    `washout` samples of it, or as many as the trials can spare.
    """
    washout = min(washout, standard.shape[1] // 3) if network.remembers else 0
    loop = frame.loop(network.start)
    length = min(length, standard.shape[1] - washout - loop.window)
    observed, before = (_runs(each[:, washout:], length, loop.window) for each in (standard, path))
    parts = (observed, loop, noise, prior, before[:, : loop.window].flatten(1))
    if not network.remembers:
        return Shooting(*parts)
    count = len(observed) // len(standard)
    before = path.unfold(1, washout, length)[:, :count] if washout else path[:, :0].expand(-1, count, -1, 0)
    return RememberingShooting(*parts, context=before.transpose(-1, -2).flatten(0, 1))


def starts(runs: Shooting, path: Tensor) -> Tensor:
    """The samples of `path` (trial, time, state) with which the runs of `shooting` begin, (run, window x state)."""
    window = runs.loop.window
    return _runs(path[:, runs.washout :], runs.length, window)[:, :window].flatten(1)


def denoised(runs: Shooting, network: RNN, standard: Tensor, path: Tensor | None = None) -> Tensor:
    """The runs of `shooting` put together again, like `standard`; what they left out is as it is there.

    Runs that are lost, more than twice as far from what was observed as is usual, are as in `path` where it is given.
    """
    found, window = runs.denoised(network), runs.loop.window
    if path is not None:
        far = (found - runs.observed).square().mean((1, 2))
        before = _runs(path[:, runs.washout :], runs.length, window)
        found = torch.where((far > _LOST * far.median())[:, None, None], before, found)
    parts, first = found.unflatten(0, (len(standard), -1)), window - 1
    began = torch.cat([standard[:, : runs.washout], parts[:, 0, :first]], 1)
    path = torch.cat([began, parts[:, :, first:-1].flatten(1, 2), parts[:, -1, -1:]], 1)
    return torch.cat([path, standard[:, path.shape[1] :]], 1)


def _runs(standard: Tensor, length: int, window: int) -> Tensor:
    """Trials (trial, time, state) cut into (run, window + length, state); each begins where the last ended."""
    return standard.unfold(1, window + length, length).transpose(-1, -2).flatten(0, 1)


@torch.no_grad()
def open_loop(network: RNN, frame: Frame, inputs: Tensor) -> Tensor:
    """Predict `horizon` samples ahead of every true input (trial, time, state)."""
    return frame.predict(inputs, frame.unfolded(network.read(network(frame.inputs(inputs)).rate), len(inputs)))


@torch.no_grad()
def closed_loop(network: RNN, frame: Frame, context: Tensor, steps: int) -> Tensor:
    """Run on for `steps` samples after `context` (trial, time, state), predictions serving as inputs."""
    rate, loop = network(frame.inputs(context)).rate, frame.loop(context)
    output = frame.unfolded(network.read(rate[:, -frame.horizon :]), len(context))
    ahead = frame.predict(context[:, -frame.horizon :], output)
    coming = list(ahead.unbind(1))
    rate, path = rate[:, -1], [context[:, 0]] * frame.reach + list(context.unbind(1))
    for _ in range(steps):
        path.append(coming.pop(0))
        _, rate = network.advance(rate, network.external(loop.given(path)))
        coming.append(frame.predict(path[-1], network.read(rate).view_as(path[-1])))
    return torch.stack(path[-steps:], 1)
