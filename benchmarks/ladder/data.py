"""What all rows of a run share: the protocol, and the trials of a system."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import xarray as xr

import seeds
import systems
from rnnbias.datasets import Recording, Standardiser
from rnnbias.datasets.recordings import read, simulate
from rnnbias.evaluation import Forecaster, forecast_windows
from systems import System

__all__ = ["Protocol", "Task"]


@dataclass(frozen=True)
class Protocol:
    """What all rows of a run share; a row is resumed only under an equal one."""

    units: int = 603  # biases that learn
    samples: int = 5000
    windows: int = 200
    context: int = 100
    cycle_context: int = 10
    reach: float = 30.0  # length of a forecast, in Lyapunov times or periods
    runs: int = 20
    run_steps: int = 5000  # samples of each free run that count
    settle: int = 1000  # samples before them
    cycles: int = 100  # periods before them, for a limit cycle
    starts: int = 100  # of the exponent
    exponent_steps: int = 500
    esn_units: int = 500
    lm_iterations: int = 400
    adam_steps: int = 200
    full_steps: int = 1500
    settings: int = 200  # of each tuned peer, at most, that are tried

    @classmethod
    def quick(cls) -> Protocol:
        """A protocol for a look: the table has its form but not its meaning."""
        return cls(
            units=150, windows=20, reach=10.0, runs=2, run_steps=800, settle=200, starts=20,
            exponent_steps=150, esn_units=300, lm_iterations=4, adam_steps=20, full_steps=60,
            settings=8,
        )  # fmt: skip


class Task:
    """A system and its data: training trials, windows to forecast, and free runs of the truth."""

    def __init__(self, name: str, protocol: Protocol) -> None:
        self.name, self.protocol = name, protocol
        self.system: System = systems.get(name)
        self.dt = self.system.dt
        self.cyclic = self.system.lyapunov is None and self.system.period is not None

    @property
    def steps(self) -> int:
        """Samples that a window forecasts."""
        return round(self.protocol.reach * self.recording.unit / self.dt)

    @property
    def settle(self) -> int:
        """Samples of a free run before those that count."""
        if self.cyclic:
            return round(self.protocol.cycles * self.system.period / self.dt)
        return self.protocol.settle

    @property
    def context(self) -> int:
        """True samples before a forecast; few for a limit cycle, whose trials start off it."""
        return self.protocol.cycle_context if self.cyclic else self.protocol.context

    @cached_property
    def train(self) -> xr.Dataset:
        """The training data, simulated as `fit_system` does, from another seed."""
        return simulate(self.system, samples=self.protocol.samples, seed=seeds.TRAIN)

    @cached_property
    def recording(self) -> Recording:
        """The training data, as every learner reads them."""
        return read(self.train)

    @cached_property
    def standardiser(self) -> Standardiser:
        """Mean and standard deviation of all training data: the ruler of every row."""
        return Standardiser.of(self.recording.values)

    @cached_property
    def windows(self) -> xr.DataArray:
        """Independent trials: context and what follows."""
        return self._simulate(self.protocol.windows, self.context + self.steps, seeds.TEST)

    @cached_property
    def free(self) -> xr.DataArray:
        """Long trials: the first half are the truth of the free runs, the others an independent one."""
        return self._simulate(2 * self.protocol.runs, self.context + self.settle + self.protocol.run_steps, seeds.FREE)

    def forecast(self, model: Forecaster, trials: xr.DataArray) -> xr.Dataset:
        """Forecasts of whole trials after their context; see `forecast_windows`."""
        count, samples = trials.sizes["trial"], trials.sizes["time"] - self.context
        made = forecast_windows(model, trials, windows=count, context=self.context, steps=samples)
        return made.assign(
            mean=made["mean"].copy(data=self.standardiser.mean), scale=made.scale.copy(data=self.standardiser.scale)
        )

    def _simulate(self, trials: int, samples: int, seed: int) -> xr.DataArray:
        start = self.system.starts(trials, seed) if self.cyclic else None
        return self.system.simulate(trials=trials, duration=samples * self.dt, seed=seed, start=start).trajectory
