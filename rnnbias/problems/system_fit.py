"""`SystemFit`: forecast with what `fit_system` learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.datasets import Recording, Standardiser
from rnnbias.evaluation.forecasters import Data, label, read_like
from rnnbias.evaluation.forecasts import score_forecasts
from rnnbias.fit import Fit
from rnnbias.networks import RNN
from rnnbias.problems.frame import OUTPUTS, Frame, closed_loop, denoised, open_loop, shooting
from rnnbias.problems.free_runs import VALID, ending
from systems import Lattice, checks
from systems.labels import Labelled

__all__ = ["SystemFit"]

_TRIED = 25  # forecasts by which skill is told
_FILTER = 40  # samples from which the start of a forecast is estimated, where no setting says how many


@dataclass(frozen=True, kw_only=True)
class SystemFit(Fit):
    """A network that learned a system or a recording, with the frame it sees data in.

    Attributes
    ----------
    network, solver, history, settings
        As in `Fit`; the history also has the valid time of held-out free runs.
    frame : Frame
        Training statistics and the meaning of the output.
    recording : Recording
        The description of what was learned (states, units, step), without its samples.
    """

    network: RNN
    frame: Frame
    recording: Recording

    kind: ClassVar[str] = "system"

    @property
    def name(self) -> str:
        """The name of the system or recording."""
        return self.recording.name

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        recording = {key: value for key, value in self.recording._asdict().items() if key != "values"}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in recording.items()}
        frame = self.frame
        about = {"output": frame.output, "horizon": frame.horizon, "delays": list(frame.delays), "recording": plain}
        return about if frame.lattice is None else {**about, "lattice": frame.lattice.to_dict()}

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`."""
        return {
            **self.frame.states.labelled("state", "the training data"),
            **self.frame.steps.labelled("state", "the normalised step", "step_"),
            "state": Labelled("state", list(self.recording.states), "1", "state"),
        }

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        stored, network, states = about["recording"], fields["network"], len(about["recording"]["states"])
        count, spacing = (checks.whole("delays", each, at_least=1) for each in about.get("delays", (1, 1)))
        lattice = Lattice(**about["lattice"]) if "lattice" in about else None
        ends = (states, states) if lattice is None else (lattice.width, 1)
        if ends != (network.inputs / count, network.outputs) or states != len(stored["state_units"]):
            raise ValueError("the numbers of states disagree")
        frame = Frame(
            Standardiser.restored(arrays, states),
            Standardiser.restored(arrays, states, "step_"),
            checks.choice("output", about["output"], OUTPUTS),
            checks.whole("horizon", about["horizon"], at_least=1),
            (count, spacing),
            lattice,
        )
        recording = Recording(
            values=np.empty((0, 0, states)),
            dt=checks.number("dt", stored["dt"], above=0),
            states=tuple(stored["states"]),
            state_units=tuple(stored["state_units"]),
            time_units=str(stored["time_units"]),
            unit=checks.number("unit", stored["unit"], above=0),
            unit_name=str(stored["unit_name"]),
            name=str(stored["name"]),
        )
        return cls(frame=frame, recording=recording, **fields)

    def __repr__(self) -> str:
        lattice = self.frame.lattice
        shared = "" if lattice is None else f"; shared by {len(self.recording.states)} sites, {lattice}"
        return f"{super().__repr__()[:-1]}{shared}{ending(self.settings)}>"

    @property
    def standardiser(self) -> Standardiser:
        """Mean and standard deviation of the training data."""
        return self.frame.states

    def drive(self, inputs: Data) -> xr.Dataset:
        """Predict `horizon` samples ahead of every sample of `inputs`, the true inputs being given throughout.

        Returns a Dataset with `prediction` (trial, time, state), where `time` is the time predicted for.
        Early predictions suffer from a past that is not known; the first `washout` of them did not count in learning.
        """
        data = read_like(self.recording, inputs)
        standard = self.frame.states.transform(data.values, self.network.start)
        ahead = self.frame.states.inverse(open_loop(self.network, self.frame, standard))
        times = (np.arange(ahead.shape[1]) + self.frame.horizon) * data.dt
        title = "one-step prediction from true inputs"
        return label(self.recording, times, title=title, config=self.configuration(), prediction=ahead)

    def forecast(self, context: Data, steps: int, *, denoise: bool | None = None) -> xr.Dataset:
        """Run on alone for `steps` samples after `context`: the network's predictions become its inputs.

        `context` is data of the learned kind, (time, state) or (trial, time, state), of at least `horizon` samples;
        longer ones (`washout` and more) let the memory of the network settle or fill its delays. With `denoise` the run
        begins at what is behind the last samples (see `denoise`) instead of the very last; default: where the fit
        learned in closed loop, which it does from noisy data. They are 40, but on a lattice as many as held-out runs
        bear (`settings["filter"]`). Returns a Dataset with `forecast` (trial, time, state); `time` is 0 at the last
        sample of the context.
        """
        steps = checks.whole("steps", steps, at_least=1, at_most=10**8)
        data = read_like(self.recording, context)
        if data.values.shape[1] < self.frame.horizon:
            raise ValueError(f"context must have at least {self.frame.horizon} samples, got {data.values.shape[1]}")
        standard = self.frame.states.transform(data.values, self.network.start)
        if self.settings.get("noise") if denoise is None else denoise:
            standard = self.filtered(standard, int(self.settings.get("filter", _FILTER)))
        ahead = self.frame.states.inverse(closed_loop(self.network, self.frame, standard, steps))
        times = np.arange(1, steps + 1) * data.dt
        return label(self.recording, times, title="free-running forecast", config=self.configuration(), forecast=ahead)

    def denoise(self, data: Data, *, length: int = 40) -> xr.Dataset:
        """Estimate what is behind noisy data: free runs of `length` samples that come nearest to them.

        Returns a Dataset with `trajectory` (trial, time, state); where the network remembers, the first samples, which
        it needs to begin with, are as they were.
        """
        read, length = read_like(self.recording, data), checks.whole("length", length, at_least=3)
        path = self._behind(self.frame.states.transform(read.values, self.network.start), length)
        found = self.frame.states.inverse(path)
        times = np.arange(found.shape[1]) * read.dt
        title = "trajectory behind noisy data"
        return label(self.recording, times, title=title, config=self.configuration(), trajectory=found)

    def filtered(self, standard: Tensor, length: int) -> Tensor:
        """The end of a standardised context (trial, time, state), its last `length` samples as what is behind them."""
        before = self._washout(standard) + self.frame.reach
        return self._behind(standard[:, -(before + length + 1) :], length)

    def _washout(self, standard: Tensor) -> int:
        """Samples that a network which remembers sees before a run through trials (trial, time, state)."""
        return min(int(self.settings["washout"]), standard.shape[1] // 3) if self.network.remembers else 0

    def _behind(self, standard: Tensor, length: int) -> Tensor:
        """What is behind trials (trial, time, state): free runs of `length` samples that come nearest to them."""
        network, frame = self.network, self.frame
        if frame.horizon != 1:
            raise ValueError(f"denoise needs a fit with horizon=1, got horizon={frame.horizon}")
        washout = self._washout(standard)
        path, lengths = standard, [min(length, standard.shape[1] - washout - frame.reach - 1)]
        if lengths[0] < 1:
            return standard
        while lengths[-1] > 5:
            lengths.append(lengths[-1] // 2)
        for each in reversed(lengths):  # the longer a run, the nearer its start must be to begin with
            runs = shooting(network, frame, standard, path, each, torch.ones_like(standard[0, 0]), math.inf, washout)
            runs.settle(network)
            path = denoised(runs, network, standard, path)
        return path

    def free_map(self, context: Data) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map that `forecast` iterates, for dynamical analysis, and its state after `context`.

        Its state is (rates, the last standardised inputs that the network sees or passes on, oldest first), (trial,
        unit + state), or more states by delays, and on a lattice the rates of every site; the map is differentiable and
        batched, as `metrics.largest_exponent` wants it. Only for `horizon` 1.
        """
        if self.frame.horizon != 1:
            raise ValueError(f"free_map needs a fit with horizon=1, got horizon={self.frame.horizon}")
        network, frame = self.network, self.frame
        loop = frame.loop(network.start)
        standard = frame.states.transform(read_like(self.recording, context).values, network.start)
        seen = loop.window * standard.shape[2]

        def step(state: Tensor) -> Tensor:
            rate, path = state[:, :-seen].reshape(-1, network.units), list(state[:, -seen:].chunk(loop.window, 1))
            path = [*path[1:], frame.predict(path[-1], network.read(rate).view_as(path[-1]))]
            rate = network.advance(rate, network.external(loop.given(path)))[1]
            return torch.cat([rate.view(len(state), state.shape[1] - seen), *path], 1)

        with torch.no_grad():
            rate = network(frame.inputs(standard)).rate[:, -1].reshape(len(standard), -1)
        path = [standard[:, 0]] * frame.reach + list(standard.unbind(1))
        return step, torch.cat([rate, *path[-loop.window :]], 1)

    def score(
        self,
        test: Data,
        *,
        windows: int = 100,
        context: int = 100,
        steps: int | None = None,
        threshold: Iterable[float] = (0.3, 0.4, 0.5),
    ) -> xr.Dataset:
        """Score closed-loop forecasts on windows of data that the network has not seen.

        See `evaluation.score_forecasts`; `context` must be at least `horizon`.
        """
        checks.whole("context", context, at_least=self.frame.horizon)
        return score_forecasts(self, test, windows=windows, context=context, steps=steps, threshold=threshold)

    def skill(self, test: Data) -> float:
        """The median valid time (threshold 0.4) of 25 forecasts of data that the network has not seen."""
        return float(self.score(test, windows=_TRIED, threshold=[VALID]).valid_time.median())

    def stimuli(self, test: Data) -> Tensor:
        """What the network is given of data: standardised states and their delays, (trial, time, input)."""
        standard = self.frame.states.transform(read_like(self.recording, test).values, self.network.start)
        return self.frame.inputs(standard)
