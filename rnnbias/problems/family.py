"""`fit_family`: learn a system at several values of its parameters at once; `FamilyFit`: have it at any others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

import systems
from rnnbias.datasets import Recording, Standardiser, recordings
from rnnbias.evaluation.forecasters import Data
from rnnbias.fit import Fit
from rnnbias.networks import ParametricRNN, Recipe
from rnnbias.objectives import ParametricSteps, SingleSteps
from rnnbias.problems.base import Objectives, Problem, solve
from rnnbias.problems.frame import Frame
from rnnbias.problems.free_runs import STAYS, FreeRuns, ending, long_run, warn
from rnnbias.problems.system_fit import SystemFit
from rnnbias.solvers import LevenbergMarquardt, Solver
from systems import System, checks
from systems.labels import Labelled

__all__ = ["Family", "FamilyFit", "fit_family"]

_LEARN = ("bias", "modulation")


def fit_family(
    system: str | System | Sequence[xr.Dataset | xr.DataArray | ArrayLike],
    parameters: Mapping[str, Sequence[float]],
    *,
    units: int = 300,
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    samples: int = 2000,
    dt: float | None = None,
    observed: str | Iterable[str] | None = None,
    holdout: float = 0.1,
    patience: int | None = None,
    goal: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> FamilyFit:
    """Learn a system at several values of its parameters, by biases that are linear in them.

        r_t = tanh(B x_{t-1} + b(z)),      y_t = C r_t,      b(z) = b + M^T z

    x are the standardised states, z the standardised parameters; b and M learn, from single steps at every condition
    together. So the fit has the system at parameters between those that it saw, and some way beyond.

    Parameters
    ----------
    system : str, System or sequence of recordings
        What to learn: a name from `systems.available()`, a `System`, or a recording for every condition, all of one
        shape; see `fit_system`.
    parameters : mapping
        The values of every parameter, one for each condition, as in {"rho": [26, 28, 30]}.
    units : int
        Network size; (1 + parameters) times as many numbers learn.
    solver, patience, goal, device, progress
        As in `fit_system`.
    recipe : Recipe, optional
        Without recurrent weights or push-pull wiring; default: `Recipe.shaping()`, with inputs of 1 for a system
        that settles on a cycle. (Periods of van der Pol's oscillator, a fifth beyond the values learned from, were off
        by 8 to 16 % with the usual inputs of 0.3 and by less than 1 % with 1: 300 units, 3,000 samples.)
    seed : int
        Of the weights and the simulated data.
    samples : int
        Length of the data simulated for each condition.
    dt, observed
        As in `fit_system`.
    holdout : float
        Fraction at the end of every trial that is held out for early stopping.

    Returns
    -------
    FamilyFit

    Warns
    -----
    UserWarning
        Where a long free run at one of the conditions escapes, freezes or drifts; `Fit.settings["free_run"]` and the
        representation say that too.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule: an unknown parameter, fewer than two conditions or conditions that
        do not differ, recordings of other shapes or states.

    Examples
    --------
    >>> fit = fit_family("van_der_pol", {"mu": [1.0, 1.5, 2.0]}, units=20, samples=1000, progress=False)
    >>> fit.learned, fit.at(mu=1.8).network.learned
    (40, 20)
    """
    problem = Family(
        system, parameters, samples=samples, dt=dt, observed=observed, seed=seed, holdout=holdout,
    )  # fmt: skip
    fit = solve(
        problem, units=units, learn=_LEARN, solver=solver, seed=seed, recipe=recipe, patience=patience, goal=goal,
        device=device, progress=progress,
    )  # fmt: skip
    warn(fit.settings)
    return fit


@dataclass(frozen=True)
class Family(Problem):
    """Forecasting a system at several values of its parameters; arguments as in `fit_family`."""

    source: Any
    parameters: Mapping[str, Sequence[float]]
    samples: int = 2000
    dt: float | None = None
    observed: str | Iterable[str] | None = None
    seed: int = 0
    holdout: float = 0.1

    trainable: ClassVar[tuple[str, ...]] = _LEARN

    def __post_init__(self) -> None:
        checks.whole("samples", self.samples, at_least=recordings.SHORTEST, at_most=10**7)
        checks.seed("seed", self.seed)
        checks.number("holdout", self.holdout, above=0, at_most=0.5)
        if not isinstance(self.parameters, Mapping) or not self.parameters:
            raise TypeError(f"parameters must be values by name such as {{'rho': [26, 28]}}, got {self.parameters!r}")
        columns = [checks.array(name, values, ndim=1) for name, values in self.parameters.items()]
        if len({len(column) for column in columns}) > 1 or len(columns[0]) < 2:
            raise ValueError(f"parameters must have one value each for two or more conditions, got {self.parameters}")
        self.standardiser  # noqa: B018, for its errors

    @property
    def conditions(self) -> np.ndarray:
        """The values of the parameters, (condition, parameter)."""
        return np.stack([np.asarray(values, dtype=float) for values in self.parameters.values()], 1)

    @cached_property
    def system(self) -> System | None:
        """The system, where it is known."""
        found = systems.get(self.source) if isinstance(self.source, str) else self.source
        return found if isinstance(found, System) else None

    @cached_property
    def recordings(self) -> list[Recording]:
        """What is learned from under every condition."""
        system = self.system
        if system is not None:
            each = [dict(zip(self.parameters, values, strict=True)) for values in self.conditions.tolist()]
            found = [
                recordings.record(
                    system.with_parameters(**values), samples=self.samples, dt=self.dt, seed=self.seed,
                    observed=self.observed, cyclic=self._cyclic,
                )
                for values in each
            ]  # fmt: skip
        else:
            found = [recordings.read(one, self.dt, self.observed) for one in self.source]
        if len(found) != len(self.conditions):
            raise ValueError(f"parameters must have a value for each recording, {len(found)}, got {self.parameters}")
        first = found[0]
        for k, other in enumerate(found):
            if (other.values.shape, other.states) != (first.values.shape, first.states) or other.dt != first.dt:
                raise ValueError(
                    f"recordings must have one step, states and shape, but the first has {first.dt:g}, "
                    f"{list(first.states)} and {first.values.shape}, number {k} {other.dt:g}, {list(other.states)} and "
                    f"{other.values.shape}"
                )
        return found

    @cached_property
    def standardiser(self) -> Standardiser:
        """Mean and standard deviation of the parameters."""
        return Standardiser.of(self.conditions, "a parameter", list(self.parameters))

    @cached_property
    def frame(self) -> Frame:
        """The statistics of the part that is fitted, of all conditions together."""
        return Frame.of(np.concatenate(self._split[0]), "increment", 1, self.recordings[0].states)

    def network(self, units: Any, **drawing: Any) -> ParametricRNN:
        """See `Problem.network`."""
        if drawing["learn"] != _LEARN:
            raise ValueError(f"learn must be {set(_LEARN)} for a family, got {set(drawing['learn'])}")
        states = len(self.recordings[0].states)
        return ParametricRNN(units, states, states, parameters=len(self.parameters), **drawing)

    def objectives(self, network: ParametricRNN, seed: int) -> Objectives:
        """See `Problem.objectives`."""
        z = self.standardiser.transform(self.conditions, network.start)
        features = torch.cat([torch.ones_like(z[:, :1]), z], 1)
        fitting, held_out = (
            ParametricSteps(self._steps(network, self.frame.states.transform(part, network.start)), features)
            for part in self._split
        )
        return Objectives(fitting, held_out)

    def solver(self, learn: tuple[str, ...], units: Any, seed: int) -> Solver:
        """See `Problem.solver`."""
        return LevenbergMarquardt(iterations=200)

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`."""
        return 10

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """See `Problem.recipe`; trials onto a cycle turn too sharply for units that are bent as little as usual."""
        return Recipe.shaping(input_scale=1.0) if self._cyclic else Recipe.shaping()

    def settings(self, train: Any) -> dict[str, object]:
        """See `Problem.settings`."""
        return {"samples": int(np.prod(self.recordings[0].values.shape[:2])), "holdout": self.holdout}

    def fit(self, **fields: Any) -> FamilyFit:
        """See `Problem.fit`; a long free run at every condition says whether the network stays with what it learned."""
        first = self.recordings[0]
        fields["settings"]["free_run"] = self._fate(fields["network"])
        described = first._replace(values=first.values[:0], unit=1.0, unit_name=first.time_units)
        conditions = xr.DataArray(self.conditions, {"parameter": list(self.parameters)}, ("condition", "parameter"))
        return FamilyFit(
            frame=self.frame, recording=described, conditions=conditions, standardiser=self.standardiser, **fields
        )

    def _fate(self, network: ParametricRNN) -> str:
        """What becomes of a long free run at the first condition where it does not stay."""
        for values, fitting in zip(self.conditions, self._split[0], strict=True):
            last = self.frame.states.transform(fitting[:1, -1:], network.start)
            runs = FreeRuns(self.frame, last, last, self.recordings[0].dt)
            one = network.at(self.standardiser.transform(values, network.start))
            if (fate := runs.fate(one, long_run(fitting))) != STAYS:
                return f"{fate} at {_named(self.parameters, values)}"
        return STAYS

    @property
    def _cyclic(self) -> bool:
        return self.system is not None and recordings.is_cyclic(self.system)

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and held-out data, both (condition, trial, time, state)."""
        values = np.stack([each.values for each in self.recordings])
        last = values.shape[2] - max(2, round(self.holdout * values.shape[2]))
        return values[:, :, :last], values[:, :, last:]

    def _steps(self, network: ParametricRNN, standard: Tensor) -> SingleSteps:
        now, then = standard[:, :, :-1].flatten(1, 2), standard[:, :, 1:].flatten(1, 2)
        return SingleSteps(network, now, self.frame.target(now, then))


@dataclass(frozen=True, kw_only=True)
class FamilyFit(Fit):
    """A network that learned a system at several values of its parameters.

    Attributes
    ----------
    network, solver, history, settings
        As in `Fit`.
    frame : Frame
        Training statistics and the meaning of the output, of all conditions together.
    recording : Recording
        The description of what was learned, without its samples.
    conditions : xarray.DataArray
        (condition, parameter), the values of the parameters that were learned from.
    standardiser : Standardiser
        Mean and standard deviation of the parameters.
    """

    network: ParametricRNN
    frame: Frame
    recording: Recording
    conditions: xr.DataArray
    standardiser: Standardiser

    kind: ClassVar[str] = "family"

    @property
    def name(self) -> str:
        """The name of the system or recording."""
        return self.recording.name

    def at(self, **values: float) -> SystemFit:
        """The fit of the system at these values of all its parameters, which need not be among those learned from.

        >>> fit = fit_family("van_der_pol", {"mu": [1.0, 1.5, 2.0]}, units=30, samples=500, progress=False)
        >>> fit.at(mu=1.8)
        <SystemFit of 'van_der_pol (mu=1.8)': 30 units, 30 learned numbers (bias), LevenbergMarquardt, ...>
        """
        names = self.conditions.parameter.values.tolist()
        for name in values:
            checks.choice("parameter", name, names)
        if missing := [name for name in names if name not in values]:
            raise ValueError(f"parameters must all be given, got none for {', '.join(missing)}")
        point = np.array([checks.number(name, values[name]) for name in names])
        z = self.standardiser.transform(point, self.network.start)
        return self._system(self.network.at(z), f"{self.name} ({_named(names, point)})")

    def score(self, test: Data, values: Mapping[str, float], **options: Any) -> xr.Dataset:
        """Score forecasts of a test at these values of the parameters; see `SystemFit.score`."""
        return self.at(**values).score(test, **options)

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        return self._system(self.network, self.name).about()

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`."""
        names = self.conditions.parameter.values.tolist()
        return {
            **self._system(self.network, self.name).arrays(),
            **self.standardiser.labelled("parameter", "the parameters", "parameter_"),
            "parameter": Labelled("parameter", names, "1", "parameter"),
            "conditions": Labelled(("condition", "parameter"), self.conditions.values, "1", "values learned from"),
        }

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        like, count = SystemFit.revive(about, arrays, **fields), len(fields["network"].modulation)
        names = [str(name) for name in arrays["parameter"].values]
        values = checks.array("conditions", arrays["conditions"].values, shape=(None, count))
        return cls(
            frame=like.frame,
            recording=like.recording,
            conditions=xr.DataArray(values, {"parameter": names}, ("condition", "parameter")),
            standardiser=Standardiser.restored(arrays, count, "parameter_"),
            **fields,
        )

    def _system(self, network: Any, name: str) -> SystemFit:
        return SystemFit(
            network=network,
            frame=self.frame,
            recording=self.recording._replace(name=name),
            solver=self.solver,
            history=self.history,
            settings={name: value for name, value in self.settings.items() if name != "free_run"},
        )

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}{ending(self.settings)}>"


def _named(names: Iterable[str], values: Iterable[float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in zip(names, values, strict=True))
