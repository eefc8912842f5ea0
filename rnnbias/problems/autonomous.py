"""`fit_autonomous`: teach a network without input to oscillate; `AutonomousFit`: let it run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from rnnbias import metrics
from rnnbias.datasets import Standardiser
from rnnbias.fit import Fit
from rnnbias.networks import RNN, Recipe
from rnnbias.objectives import FreeRun, Orbit
from rnnbias.problems.base import Objectives, Problem, solve
from rnnbias.problems.placement import place_best
from rnnbias.solvers import GaussNewton, Solver
from systems import System, checks
from systems.labels import Labelled, dataset

__all__ = ["Autonomous", "AutonomousFit", "fit_autonomous"]

_KICK = 0.5  # standard deviation of the rates of a kicked start
_FEW = 5  # periods by which skill is told
_HELD_OUT = 1  # child seed of the kicks held out


def fit_autonomous(
    system: str | System,
    *,
    units: int = 300,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    start: str = "hopf",
    observed: str | Iterable[str] | None = None,
    dt: float | None = None,
    periods: int = 3,
    settle: int = 1,
    growth: float = 0.05,
    activation: str = "tanh",
    alpha: float = -0.7,
    beta: float = 0.3,
    starts: int = 5,
    holdout: float = 0.4,
    patience: int | None = None,
    goal: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> AutonomousFit:
    """Teach a network without input to go round the limit cycle of `system` by itself.

        r_t = -alpha r_{t-1} + beta phi(W r_{t-1} + b),      y_t = C r_t

    y are the standardised states. The random weights are frozen and only the parts in `learn` change.

    Parameters
    ----------
    system : str or System
        A name from `systems.available()` or a `System`, with a period.
    solver : Solver or str, optional
        Default: `GaussNewton`, or `Adam` where weights or masks learn.
    seed : int
        Of the weights (it replaces the recipe's), the first biases, and the kicks.
    recipe : Recipe, optional
        Default: Gaussian weights of gain 1.2, a bias for every unit, readout scale 10 (`GaussNewton.recipe`); for
        `Adam` its own (`Adam.recipe`) with that gain.
    start : str
        "hopf": before the solver begins, biases are chosen under which rest is the source of an oscillation of the
        right period (see `rnnbias.problems.placement`); "drawn": the biases stay as the recipe draws them.
    observed : str or list of str, optional
        The states to be generated; default: the first.
    dt : float, optional
        The time that a step stands for; default: the system's.
    periods, settle : int
        Periods that count, and periods that a run may take before them to find the cycle. From drawn biases, whose
        activity may die out within a period, learning goes better with settle=0.
    growth : float
        Of the oscillation at its source, per step, with start "hopf".
    alpha, beta : float
        The leak of `RNN`.
    starts : int
        Runs in all, from rest and from kicked starts.
    holdout : float
        Fraction of them held out for early stopping.
    units, learn, activation, patience, goal, device, progress
        See `solve`; start "hopf" needs "tanh". Default: patience 8, goal 1e-5.

    Returns
    -------
    AutonomousFit

    Notes
    -----
    The network learns from runs from rest (r_0 = 0) and from kicked starts, three in all, so that the cycle attracts;
    each run may follow the orbit at a phase of its own. Early stopping watches two more kicked runs, which settle for
    twice as long.

    Model and experiment: Williams et al., ICLR 2025 (arXiv:2407.00957), Figure 3.

    Examples
    --------
    >>> fit = fit_autonomous("cosine", units=60, progress=False)
    >>> fit.network.learned
    60
    >>> bool(fit.score(periods=20).r_squared[0] > 0.99)
    True
    """
    problem = Autonomous(
        system, observed=observed, dt=dt, starts=starts, holdout=holdout, periods=periods, settle=settle,
        initialisation=start, growth=growth, alpha=alpha, beta=beta,
    )  # fmt: skip
    return solve(
        problem, units=units, learn=learn, solver=solver, seed=seed, recipe=recipe, activation=activation,
        patience=patience, goal=goal, device=device, progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class Autonomous(Problem):
    """Going round the limit cycle of a system without input; arguments as in `fit_autonomous`."""

    goal = 1e-5

    system: str | System
    observed: str | Iterable[str] | None = None
    dt: float | None = None
    starts: int = 5
    holdout: float = 0.4
    periods: int = 3
    settle: int = 1
    initialisation: str = "hopf"
    growth: float = 0.05
    alpha: float = -0.7
    beta: float = 0.3

    def __post_init__(self) -> None:
        checks.whole("starts", self.starts, at_least=2)
        checks.number("holdout", self.holdout, above=0, below=1)
        checks.whole("periods", self.periods, at_least=1)
        checks.whole("settle", self.settle, at_least=0)
        checks.choice("start", self.initialisation, ("hopf", "drawn"))
        checks.number("growth", self.growth, above=0)
        checks.number("alpha", self.alpha, at_least=-0.999, at_most=1)
        checks.number("beta", self.beta, above=0)

    @cached_property
    def target(self) -> Target:
        """The orbit."""
        return Target.of(self.system, self.dt, self.observed)

    def solver(self, learn: tuple[str, ...], units: Any, seed: int) -> Solver | None:
        """See `Problem.solver`."""
        return None if {"mask", "weights"} & set(learn) else GaussNewton()

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """See `Problem.recipe`."""
        usual = GaussNewton.recipe
        return replace(solver.recipe, gain=usual.gain) if solver.descends else usual

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`."""
        return 8

    def network(self, units: Any, **drawing: Any) -> RNN:
        """See `Problem.network`."""
        if self.initialisation == "hopf" and "bias" not in drawing["learn"]:
            learn = set(drawing["learn"])
            raise ValueError(f"start 'hopf' needs biases that learn, got learn={learn}; take start='drawn'")
        return RNN(units, 0, len(self.target.states), alpha=self.alpha, beta=self.beta, **drawing)

    def objectives(self, network: RNN, seed: int) -> Objectives:
        """See `Problem.objectives`; the held-out runs settle for twice as long."""
        orbit, each = self.target.orbit.to(network.start.device), self.target.orbit.period
        held = min(max(1, round(self.holdout * self.starts)), self.starts - 1)
        settle, steps = round(self.settle * each), round(self.periods * each)
        train = FreeRun(orbit, _kicks(self.starts - held, network, seed), settle, steps)
        kicks = _kicks(held + 1, network, seed, _HELD_OUT)[1:]
        return Objectives(train, FreeRun(orbit, kicks, round(2 * self.settle * each), steps))

    def initialise(self, network: RNN, train: FreeRun, seed: int) -> None:
        """See `Problem.initialise`."""
        if self.initialisation == "hopf":
            place_best(network, train, np.exp(self.growth + 2j * math.pi / self.target.orbit.period), seed)

    def settings(self, train: Any) -> dict[str, object]:
        """See `Problem.settings`."""
        names = ("starts", "holdout", "periods", "settle", "growth")
        return {"start": self.initialisation, **{name: getattr(self, name) for name in names}}

    def fit(self, **fields: Any) -> AutonomousFit:
        """See `Problem.fit`."""
        return AutonomousFit(target=self.target, **fields)


@dataclass(frozen=True)
class Target:
    """The orbit to be generated.

    `orbit` is in the network's units; `standardiser` brings those of the system there. `dt` is in `time_units`.
    """

    name: str
    orbit: Orbit
    standardiser: Standardiser
    states: tuple[str, ...]
    state_units: tuple[str, ...]
    dt: float
    time_units: str

    @classmethod
    def of(cls, system: str | System, dt: float | None, observed: str | Iterable[str] | None) -> Self:
        """Sample the orbit of a system."""
        system = systems.get(system) if isinstance(system, str) else system
        if not isinstance(system, System):
            raise TypeError(f"system must be a name or a System, got {system!r}")
        if system.period is None:
            raise ValueError(f"system must have a period, got {system!r}; `systems.flows.measure.period` finds one")
        dt = system.dt if dt is None else checks.number("dt", dt, above=0)
        if dt > system.period / 8:
            raise ValueError(f"dt must be at most an eighth of the period {system.period:.6g}, got {dt:.6g}")
        if observed is None:
            observed = system.states[:1]
        states = [observed] if isinstance(observed, str) else list(observed)
        orbit, standardiser = Orbit.of(system, dt, states).standardised()
        units = tuple(system.units[name] for name in states)
        return cls(system.name, orbit, standardiser, tuple(states), units, dt, system.units["time"])


@dataclass(frozen=True, kw_only=True)
class AutonomousFit(Fit):
    """A network that learned to oscillate by itself.

    Attributes
    ----------
    network, solver, history, settings
        As in `Fit`.
    target : Target
        The orbit that was learned, with its units and the time step.
    """

    network: RNN
    target: Target

    kind: ClassVar[str] = "autonomous"

    @property
    def name(self) -> str:
        """The name of the system."""
        return self.target.name

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        target = self.target
        return {
            "system": target.name,
            "period": target.orbit.period,
            "dt": target.dt,
            "time_units": target.time_units,
            "state_units": list(target.state_units),
        }

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`."""
        target = self.target
        return {
            "orbit": Labelled(("phase", "state"), target.orbit.samples.numpy(), "1", "standardised orbit"),
            **target.standardiser.labelled("state", "the orbit"),
            "state": Labelled("state", list(target.states), "1", "state"),
        }

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        states = fields["network"].outputs
        samples = checks.array("orbit", arrays["orbit"].values, shape=(None, states))
        if len(about["state_units"]) != states:
            raise ValueError("every state must have its units")
        target = Target(
            str(about["system"]),
            Orbit(torch.from_numpy(samples.copy()), checks.number("period", about["period"], at_least=8)),
            Standardiser.restored(arrays, states),
            tuple(str(name) for name in arrays["state"].values),
            tuple(str(units) for units in about["state_units"]),
            checks.number("dt", about["dt"], above=0),
            str(about["time_units"]),
        )
        return cls(target=target, **fields)

    def run(self, steps: int, *, trials: int = 1, seed: int = 0) -> xr.Dataset:
        """Let the network run by itself for `steps` steps, after those in which it settles.

        The first trial starts from rest, the others from kicked rates drawn with `seed`. Returns a Dataset with
        `trajectory` (trial, time, state) in the system's units, and `target`: the orbit at the phase that suits the
        first `periods` of each trial best.
        """
        steps = checks.whole("steps", steps, at_least=1, at_most=10**8)
        trials = checks.whole("trials", trials, at_least=1)
        outputs = self._outputs(steps, trials, checks.seed("seed", seed))
        phase = self.target.orbit.align(outputs[:, : self._window])
        states = torch.cat([self.target.orbit.at(steps, each[None]) for each in phase])
        target = self.target
        found = {
            "trajectory": (outputs, "free run of the network"),
            "target": (states, f"orbit of {target.name} in phase with the run"),
        }
        return dataset(
            {
                name: Labelled(
                    ("trial", "time", "state"), target.standardiser.inverse(values), target.state_units[0], text
                )
                for name, (values, text) in found.items()
            },
            {
                "trial": Labelled("trial", np.arange(trials), "1", "trial"),
                "time": Labelled("time", np.arange(steps) * target.dt, target.time_units, "time after settling"),
                "state": Labelled("state", list(target.states), "1", "state"),
                "state_units": Labelled("state", list(target.state_units), "1", "units of each state"),
            },
            title=f"free run of a network that learned {target.name}",
            config={**self.configuration(), "steps": steps, "trials": trials, "kick_seed": seed},
        ).assign_attrs(dt=target.dt, period=target.orbit.period * target.dt)

    def score(self, *, periods: int = 100, trials: int = 1, seed: int = 0) -> xr.Dataset:
        """Score a free run of `periods` periods, (2 or more).

        Returns a Dataset with `r_squared` (trial) over the periods that were learned, the run being in phase;
        `late_r_squared` (trial) over as many at the end of the run, brought into phase again: whether the shape lasts;
        `period_error`, `amplitude_error` and `failed` (trial, state) of `metrics.cycle_error` over the whole run. The
        count of learned numbers is `attrs["learned"]`. For trials and seed see `run`.
        """
        periods = checks.whole("periods", periods, at_least=2)
        run = self.run(max(round(periods * self.target.orbit.period), self._window), trials=trials, seed=seed)
        found = metrics.cycle_error(run.trajectory, run.target)
        late = run.trajectory.values[:, -self._window :]
        outputs = self.target.standardiser.transform(late, self.target.orbit.samples)
        states = self.target.orbit.at(self._window, self.target.orbit.align(outputs))
        first = [run[name].values[:, : self._window] for name in ("trajectory", "target")]
        for name, values, text in (
            ("r_squared", _r_squared(*first), "periods learned"),
            ("late_r_squared", _r_squared(outputs.numpy(), states.numpy()), "end of the run"),
        ):
            attrs = {"units": "1", "long_name": f"coefficient of determination, {text}"}
            found[name] = ("trial", values, attrs)
        return found.assign_attrs(title=f"score of {self!r}", learned=self.network.learned)

    def skill(self) -> float:
        """R² over the periods that were learned, 0 where it is negative."""
        return max(float(self.score(periods=_FEW).r_squared[0]), 0.0)

    def stimuli(self) -> Tensor:
        """What the network is given: nothing, for as long as it settles and is learned from, (1, time, 0)."""
        return self.network.start.new_empty(1, self._settle + self._window, 0)

    def free_map(self) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map that `run` iterates, for dynamical analysis, and its state (1, unit) once settled."""
        network = self.network

        def step(rate: Tensor) -> Tensor:
            return network.advance(rate, network.biases)[1]

        with torch.no_grad():
            rate = network.resting(1)
            for _ in range(self._settle):
                rate = step(rate)
        return step, rate

    @property
    def _settle(self) -> int:
        return round(self.settings["settle"] * self.target.orbit.period)

    @property
    def _window(self) -> int:
        return round(self.settings["periods"] * self.target.orbit.period)

    @torch.no_grad()
    def _outputs(self, steps: int, trials: int, seed: int) -> Tensor:
        """Standardised outputs after settling, (trial, time, state)."""
        network = self.network
        rate = network.resting(trials) + _kicks(trials, network, seed)
        out = []
        for step in range(self._settle + steps):
            rate = network.advance(rate, network.biases)[1]
            if step >= self._settle:
                out.append(network.read(rate))
        return torch.stack(out, 1).cpu()


def _kicks(trials: int, network: RNN, *seed: int) -> Tensor:
    """Offsets (trial, unit) from r_0; none in the first trial."""
    rng = np.random.default_rng(np.random.SeedSequence(seed[0], spawn_key=seed[1:]))
    kicks = _KICK * rng.standard_normal((trials, network.units))
    kicks[0] = 0.0
    return torch.from_numpy(kicks).to(network.start)


def _r_squared(outputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """1 - |y - x|^2 / |x - mean|^2 over time and state, states standardised by the target: (trial,)."""
    scale = target.std(1, keepdims=True)
    missed = np.mean(((outputs - target) / scale) ** 2, (1, 2))
    return 1 - np.nan_to_num(missed, nan=math.inf)
