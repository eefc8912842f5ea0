"""One round of learning: data in a network's frame, split in two, and free runs to judge the result by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.datasets.recordings import Recording
from rnnbias.networks.base import RNN
from rnnbias.objectives.base import Sequences
from rnnbias.problems.frame import Frame, closed_loop, segments
from rnnbias.solvers import Monitor, Solver

__all__ = ["FreeRuns", "Lesson"]

_LENGTH = 100  # outputs that count in one training segment
_WINDOWS = 8  # held-out free runs
_PATIENCE = 3  # records without a better held-out loss before a solver stops
_VALID = 0.4  # threshold of the valid time shown while learning


@dataclass(frozen=True)
class Lesson:
    """What is learned from: standardised trials (trial, time, state) to fit and to hold out."""

    frame: Frame
    fitting: Tensor
    held_out: Tensor
    washout: int
    unit: float

    @classmethod
    def of(
        cls,
        data: Recording,
        *,
        output: str,
        horizon: int,
        washout: int,
        holdout: float,
        device: torch.device,
    ) -> Lesson:
        """Split a recording and measure its frame on the part that is fitted."""
        fitting, held = _split(data.values, holdout, washout, horizon)
        _refuse_constant(fitting, data.states, horizon)
        frame = Frame.of(fitting, output, horizon)
        like = torch.empty(0, dtype=torch.float64, device=device)
        return cls(
            frame,
            frame.standardise(fitting, like),
            frame.standardise(held, like),
            washout,
            data.dt / data.unit,
        )

    def learn(self, network: RNN, solver: Solver, *, jitter: float, seed: int, progress: bool) -> Monitor:
        """Let `solver` teach `network`; returns the record."""
        monitor = Monitor(network, self._tested, _PATIENCE, self._gauge, progress)
        solver.teach(network, self._cut(self.fitting, jitter, seed), monitor)
        return monitor

    def history(self, monitor: Monitor, unit_name: str) -> xr.Dataset:
        """What `monitor` recorded, valid times in `unit_name`."""
        text = f"median valid time on held-out data (threshold {_VALID})"
        return monitor.history({"valid_time": (unit_name, text)})

    @torch.no_grad()
    def step_error(self, network: RNN) -> float:
        """Root-mean-square error of predictions from held-out inputs, in standard deviations of the states."""
        error = self._tested.residual(network)
        return float((error * error.new_tensor(self.frame.step_scale)).square().mean().sqrt().nan_to_num(torch.inf))

    @cached_property
    def free_runs(self) -> FreeRuns:
        """Closed-loop runs through the held-out data."""
        washout = _affordable(self.washout, self.held_out.shape[1], self.frame.horizon)
        context = max(washout, self.frame.horizon)
        steps = max(1, (self.held_out.shape[1] - context) // 2)
        firsts = np.unique(np.linspace(0, self.held_out.shape[1] - context - steps, _WINDOWS).astype(int))
        windows = torch.cat([self.held_out[:, f : f + context + steps] for f in firsts])[:_WINDOWS]
        return FreeRuns(self.frame, windows[:, :context], windows[:, context:], self.unit)

    def _gauge(self, network: RNN) -> dict[str, float]:
        return {"valid_time": self.free_runs.valid_time(network)}

    @cached_property
    def _tested(self) -> Sequences:
        return self._cut(self.held_out, 0.0, 0)

    def _cut(self, standard: Tensor, jitter: float, seed: int) -> Sequences:
        washout = _affordable(self.washout, standard.shape[1], self.frame.horizon)
        return segments(standard, self.frame, washout=washout, length=_LENGTH, jitter=jitter, seed=seed)


@dataclass(frozen=True)
class FreeRuns:
    """Held-out windows: `context` and the `truth` that follows it, both (trial, time, state)."""

    frame: Frame
    context: Tensor
    truth: Tensor
    unit: float

    def error(self, network: RNN) -> Tensor:
        """Error in standard deviations of the free run at each window and time, (trial, time)."""
        ahead = closed_loop(network, self.frame, self.context, self.truth.shape[1])
        return (ahead - self.truth).square().mean(-1).sqrt().nan_to_num(torch.inf)

    def valid_time(self, network: RNN) -> float:
        """Median time until the error passes 0.4, in Lyapunov times, periods or time units."""
        good = self.error(network) <= _VALID
        return float(good.cumprod(1).sum(1).to(torch.float64).median()) * self.unit

    def judge(self, network: RNN) -> tuple[float, bool]:
        """Mean logarithm (base 10) of the error, and whether every run stays valid to its end."""
        error = self.error(network)
        return float(error.clamp(1e-12, 10.0).log10().mean()), bool((error <= _VALID).all())


def _affordable(washout: int, samples: int, horizon: int) -> int:
    """The washout that a trial of this length can spare: at most a third of it."""
    return min(washout, max(0, (samples - horizon) // 3))


def _split(values: np.ndarray, holdout: float, washout: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Split into training and held-out data; held-out ends of trials keep their washout before them."""
    trials, samples, _ = values.shape
    whole = trials >= 10
    kept = samples if whole else samples - max(round(holdout * samples), horizon + 8)
    if kept < horizon + 16:
        raise ValueError(f"the recording must be longer than {samples} samples for horizon {horizon}: too short")
    if whole:
        first = trials - max(1, round(holdout * trials))
        return values[:first], values[first:]
    return values[:, :kept], values[:, max(0, kept - washout) :]


def _refuse_constant(values: np.ndarray, states: tuple[str, ...], horizon: int) -> None:
    """Refuse what cannot be standardised: to rounding, a state that never changes, or always by as much."""
    for what, of in (
        ("value", values),
        ("change over the horizon", values[:, horizon:] - values[:, :-horizon]),
    ):
        still = of.std((0, 1)) <= 1e-12 * np.abs(values).max((0, 1))
        if still.any():
            raise ValueError(f"the {what} of state {states[still.argmax()]!r} must not be constant: leave it out")
