"""Learners: each makes a model of a task."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import torch
import xarray as xr

import peers
from ladder.data import Protocol, Task
from rnnbias import Adam, LevenbergMarquardt, Recipe, Ridge, SystemFit, fit_system
from rnnbias.datasets import Recording, Standardiser
from rnnbias.datasets.recordings import hides_states
from rnnbias.evaluation import NVAR, Forecaster, LinearAutoregression, Persistence
from rnnbias.evaluation.baselines import Baseline, least_squares
from rnnbias.evaluation.forecasters import label
from systems import checks

__all__ = ["LEARNERS", "Learner", "Twin", "ladder"]


@dataclass(frozen=True)
class Known:
    """A forecaster that learned nothing: `ahead` gives the values that follow a context (trial, time, state)."""

    recording: Recording
    standardiser: Standardiser
    ahead: Callable[[np.ndarray, int], np.ndarray]
    learned: int = 0

    def forecast(self, context: xr.DataArray, steps: int) -> xr.Dataset:
        """See `Forecaster.forecast`."""
        times = np.arange(1, steps + 1) * self.recording.dt
        return label(self.recording, times, title="truth", config={}, forecast=self.ahead(context.values, steps))


@dataclass(frozen=True, kw_only=True)
class Learner(ABC):
    """A row of the ladder.

    `seeded`: has random weights; `windows`: forecasts so many at most; `free`: runs freely.
    """

    about: str
    role: str
    seeded: bool = False
    windows: int | None = None
    free: bool = True

    @abstractmethod
    def fit(self, task: Task, seed: int) -> Forecaster:
        """Learn the task."""

    def learned(self, model: Forecaster) -> int:
        """How many numbers it learned."""
        return model.learned


@dataclass(frozen=True, kw_only=True)
class Twin(Learner):
    """The truth against an independent truth: the floor of D_stsp and D_H."""

    windows: int | None = 0

    def fit(self, task: Task, seed: int) -> Known:
        """Learn nothing: "forecast" other trials."""
        others = task.free[task.protocol.runs :, task.context :].values
        return Known(task.recording, task.standardiser, lambda context, steps: others[:, :steps])


@dataclass(frozen=True, kw_only=True)
class Restart(Learner):
    """The true equations, restarted on every window with a coarser solver."""

    method: str
    free: bool = False

    def fit(self, task: Task, seed: int) -> Known:
        """Learn nothing: integrate."""
        checks.choice(f"solver of {task.name}", self.method, task.system.methods)

        def ahead(context: np.ndarray, steps: int) -> np.ndarray:
            times = (context.shape[1] - 1 + np.arange(steps + 1)) * task.dt
            options = {"method": self.method, "rtol": 1e-3, "atol": 1e-6}
            return task.system.solve(context[:, -1], times, **options)[:, 1:]

        return Known(task.recording, task.standardiser, ahead)


@dataclass(frozen=True, kw_only=True)
class Classic(Learner):
    """A baseline without a network."""

    baseline: Baseline

    def fit(self, task: Task, seed: int) -> Baseline:
        """Fit the baseline to the training trial."""
        return replace(self.baseline).fit(task.train)


@dataclass(frozen=True, kw_only=True)
class Peer(Learner):
    """One that is tuned on the training trial: `make` knows the task and the seed."""

    make: Callable[[Task, int], Forecaster]
    role: str = "baseline"

    def fit(self, task: Task, seed: int) -> Forecaster:
        """Tune it, and fit it to the training trial."""
        return self.make(task, seed)


@dataclass(frozen=True, kw_only=True)
class Network(Learner):
    """One of our own networks, by `fit_system`."""

    units: int
    solver: Adam | LevenbergMarquardt | Ridge
    recipe: Recipe | None
    learn: tuple[str, ...] = ("bias",)
    output: str = "increment"
    closed_loop: tuple[int, ...] | None = None
    seeded: bool = True

    def fit(self, task: Task, seed: int) -> SystemFit:
        """Fit the network to the training trial."""
        fit = fit_system(
            task.train,
            units=self.units,
            learn=self.learn,
            solver=replace(self.solver, seed=seed) if isinstance(self.solver, Adam) else self.solver,
            recipe=self.recipe,
            hidden=hides_states(task.system, task.system.size),
            output=self.output,
            closed_loop=self.closed_loop,
            seed=seed,
            progress=sys.stderr.isatty(),
        )
        if fit.settings["interrupted"]:  # a row that was cut short is no row
            raise KeyboardInterrupt
        return fit


@dataclass(frozen=True, kw_only=True)
class Echo(Learner):
    """An echo-state network as reservoirpy has it: tanh units, a ridge readout of the state and an intercept."""

    units: int
    recipe: Recipe
    ridge: float = 1e-8
    washout: int = 100
    role: str = "baseline"
    seeded: bool = True

    def fit(self, task: Task, seed: int) -> SystemFit:
        """Fit the readout, and then once more together with its intercept, on all training samples."""
        fit = fit_system(
            task.train,
            units=self.units,
            learn="readout",
            solver=Ridge(self.ridge),
            recipe=self.recipe,
            output="state",
            holdout=0.01,
            seed=seed,
            progress=False,
        )
        standard = fit.standardiser.transform(task.train.trajectory.values, fit.network.start)
        washout = min(self.washout, task.context, standard.shape[1] // 3)
        then = standard[:, washout + 1 :].flatten(0, 1)
        with torch.no_grad():
            rates = fit.network(standard[:, :-1]).rate[:, washout:].flatten(0, 1)
            middle, level = rates.mean(0), then.mean(0)
            fit.network.readout.copy_(least_squares(rates - middle, then - level, self.ridge).T)
            intercept = level - fit.network.readout @ middle
        steps = fit.frame.steps._replace(mean=intercept.numpy())
        return replace(fit, frame=fit.frame._replace(steps=steps))

    def learned(self, model: SystemFit) -> int:
        """The readout and its intercept."""
        return model.learned + model.network.outputs


def ladder(protocol: Protocol, states: int) -> dict[str, Learner]:
    """All learners by name, from floor to ceiling, for a system with so many states."""
    learned = protocol.units  # of the bias rows
    readout = max(1, learned // states)
    full = max(1, int(sqrt((states + 0.5) ** 2 + learned) - (states + 0.5)))  # n^2 + (2 states + 1) n numbers
    esn = Recipe(
        law="uniform", wiring="independent", gain=0.9, input_scale=0.1 / sqrt(3), bias_scale=0.5 / sqrt(3),
        readout_scale=1.0,
    )  # fmt: skip
    lm = LevenbergMarquardt(iterations=protocol.lm_iterations)
    adam = Adam(iterations=protocol.adam_steps, every=max(1, protocol.adam_steps // 6))
    slow = Adam(iterations=protocol.full_steps, every=max(1, protocol.full_steps // 6), rate=1e-2)
    ours = {"role": "biases only"}
    return {
        "truth": Twin(about="an independent truth against the truth: the floor of D_stsp and D_H", role="floor"),
        "persistence": Classic(about="nothing changes", role="floor", baseline=Persistence()),
        "linear": Classic(about="linear autoregression on 5 delays", role="baseline", baseline=LinearAutoregression()),
        "nvar": Classic(
            about="quadratic delay features, k = 2, ridge 2.5e-6 (Gauthier et al. 2021)",
            role="baseline",
            baseline=NVAR(),
        ),
        "esn-nobias": Echo(
            about="echo-state network without bias: spectral radius 0.9, inputs U(-0.1, 0.1), ridge 1e-8",
            units=protocol.esn_units,
            recipe=replace(esn, bias_scale=0.0),
        ),
        "esn": Echo(about="the same with random bias U(-0.5, 0.5)", units=protocol.esn_units, recipe=esn),
        "esn-matched": Echo(
            about="the same with as many learned numbers as the bias rows",
            units=max(1, readout - 1),
            recipe=esn,
        ),
        "esn-tuned": Peer(
            about="an echo-state network of as many learned numbers; radius, scales, leak and ridge tuned on the "
            "training trial",
            make=lambda task, seed: peers.echo_state(task.train, learned, seed, protocol.settings),
            seeded=True,
        ),
        "polynomial": Peer(
            about="polynomial regression; total degree, delays and ridge tuned on the training trial",
            make=lambda task, seed: peers.polynomial(task.train, protocol.settings),
        ),
        "readout": Network(
            about="as many learned numbers in the readout of weakly driven units, ridge by held-out single steps",
            role="baseline",
            units=readout,
            learn=("readout",),
            solver=Ridge(),
            recipe=Ridge.recipe,
        ),
        "bias-adam": Network(
            about=f"biases by {adam.iterations} steps of Adam, independent wiring",
            units=learned,
            solver=adam,
            recipe=Adam.recipe,
            **ours,
        ),
        "bias-lazy": Network(
            about="the lazy limit: a linear regression on the slopes of untaught units, by biases that hardly move",
            units=2 * learned,
            solver=replace(lm, iterations=min(lm.iterations, 30)),
            recipe=Recipe.lazy(),
            closed_loop=(),
            **ours,
        ),
        "bias-twins": Network(
            about="biases by Levenberg-Marquardt, pairs of like units, readout 30 / sqrt(units)",
            units=learned - learned % 2,
            solver=lm,
            recipe=Recipe.shaping(wiring="twins", readout_scale=30.0),
            **ours,
        ),
        "bias": Network(
            about="biases by Levenberg-Marquardt, independent units, readout 10 / sqrt(units): the default",
            units=learned,
            solver=lm,
            recipe=None,  # chosen by fit_system
            **ours,
        ),
        "full-adam": Network(
            about=f"all weights and biases by {slow.iterations} steps of Adam",
            role="baseline",
            units=full,
            learn=("bias", "readout", "weights"),
            solver=slow,
            recipe=Adam.recipe,
        ),
        "ceiling-rk4": Restart(about="the true equations by RK4, one step a sample", role="ceiling", method="RK4"),
        "ceiling-rk45": Restart(
            about="the true equations by scipy's RK45 at its default tolerances (rtol 1e-3), 30 windows",
            role="ceiling",
            method="RK45",
            windows=30,
        ),
    }


LEARNERS = tuple(ladder(Protocol(), 3))
