"""`fit_task`: teach a network a cognitive task from trials; `TaskFit`: let it answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.fit import Fit
from rnnbias.networks import RNN, Recipe
from rnnbias.objectives import Sequences
from rnnbias.problems.base import Objectives, Problem, solve
from rnnbias.problems.placement import place_best
from rnnbias.solvers import GaussNewton, Solver
from systems import checks
from systems.labels import Labelled, dataset
from systems.tasks import CognitiveTask, cognitive

__all__ = ["CognitiveProblem", "TaskFit", "fit_task"]

_GROWTH = 0.04  # per step, of the slowest direction that a placed start has, and from each to the next
_FRESH, _FRESH_SEED = 30, 1000  # trials by which skill is told, and the seed of those that were not learned from
_CLOSE = 0.5  # an answer is right within this distance of the target


def fit_task(
    task: str | CognitiveTask,
    *,
    units: int = 400,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    start: str = "placed",
    directions: int | None = None,
    trials: int = 112,
    holdout: float = 1 / 7,
    every: int = 16,
    activation: str = "tanh",
    alpha: float = -0.7,
    beta: float = 0.3,
    patience: int | None = None,
    goal: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> TaskFit:
    """Teach a network a cognitive task: inputs drive it, and its outputs should be right where answers count.

        r_t = -alpha r_{t-1} + beta phi(W r_{t-1} + B x_{t-1} + b),      y_t = C r_t,      r_0 = 0

    The random weights are frozen and only the parts in `learn` change. No target is ever fed to the network.

    Parameters
    ----------
    task : str or CognitiveTask
        A name from `systems.tasks.cognitive.available()` or a task.
    solver : Solver or str, optional
        Default: `GaussNewton`, or `Adam` where weights or a mask learn.
    seed : int
        Of the weights (it replaces the recipe's), the first biases, and the trials.
    recipe : Recipe, optional
        Default: Gaussian weights of gain 1.5, a bias for every unit, input scale 1, readout scale 5.
    start : str
        "placed": before the solver begins, biases are chosen under which the state at rest falls to either side along a
        few directions (see `rnnbias.problems.placement`), so that it can remember; "drawn": as the recipe draws them.
    directions : int, optional
        How many, with start "placed"; default: one for each output.
    trials : int
        Trials in all.
    holdout : float
        Fraction of them held out for early stopping.
    every : int
        Of the steps at which the answer counts, one in so many, drawn at random, is learned from.
    alpha, beta : float
        The leak of `RNN`.
    units, learn, activation, patience, goal, device, progress
        See `solve`; start "placed" needs "tanh". Default: patience 20, goal 1e-4.

    Returns
    -------
    TaskFit

    Notes
    -----
    Model: Williams et al., ICLR 2025 (arXiv:2407.00957); the tasks are those that its reviewers asked for.

    Examples
    --------
    >>> from systems.tasks import cognitive
    >>> task = cognitive.get("flip_flop", bits=1)
    >>> fit = fit_task(task, units=100, trials=32, holdout=0.5, progress=False)
    >>> held = fit.run(task.memories(1000))
    >>> held.outputs[:, -1, 0].values.round().tolist()
    [-1.0, 1.0]
    """
    problem = CognitiveProblem(
        task, trials=trials, holdout=holdout, every=every, initialisation=start, directions=directions, alpha=alpha,
        beta=beta,
    )  # fmt: skip
    return solve(
        problem, units=units, learn=learn, solver=solver, seed=seed, recipe=recipe, activation=activation,
        patience=patience, goal=goal, device=device, progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class CognitiveProblem(Problem):
    """Answering in the trials of a cognitive task; arguments as in `fit_task`."""

    goal = 1e-4

    source: str | CognitiveTask
    trials: int = 112
    holdout: float = 1 / 7
    every: int = 16
    initialisation: str = "placed"
    directions: int | None = None
    alpha: float = -0.7
    beta: float = 0.3

    def __post_init__(self) -> None:
        if not isinstance(self.source, str | CognitiveTask):
            raise TypeError(f"task must be a name or a CognitiveTask, got {self.source!r}")
        checks.whole("trials", self.trials, at_least=2)
        checks.number("holdout", self.holdout, above=0, below=1)
        checks.whole("every", self.every, at_least=1)
        checks.choice("start", self.initialisation, ("placed", "drawn"))
        if self.directions is not None:
            checks.whole("directions", self.directions, at_least=1)
        checks.number("alpha", self.alpha, at_least=-0.999, at_most=1)
        checks.number("beta", self.beta, above=0)

    @cached_property
    def task(self) -> CognitiveTask:
        """The task."""
        return cognitive.get(self.source) if isinstance(self.source, str) else self.source

    def solver(self, learn: tuple[str, ...], units: Any, seed: int) -> Solver | None:
        """See `Problem.solver`."""
        return None if {"mask", "weights"} & set(learn) else GaussNewton()

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """See `Problem.recipe`."""
        return replace(GaussNewton.recipe, gain=1.5, input_scale=1.0, readout_scale=5.0)

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`."""
        return 20

    def network(self, units: Any, **drawing: Any) -> RNN:
        """See `Problem.network`."""
        if self.initialisation == "placed" and "bias" not in drawing["learn"]:
            learn = set(drawing["learn"])
            raise ValueError(f"start 'placed' needs biases that learn, got learn={learn}; take start='drawn'")
        sizes = len(self.task.inputs), len(self.task.outputs)
        return RNN(units, *sizes, alpha=self.alpha, beta=self.beta, **drawing)

    def objectives(self, network: RNN, seed: int) -> Objectives:
        """See `Problem.objectives`; of the steps that count, one in `every`, drawn at random, is learned from."""
        drawn = self.task.trials(self.trials, seed=seed)
        inputs, targets, mask = (torch.from_numpy(drawn[name].values) for name in ("inputs", "targets", "mask"))
        rng = np.random.default_rng(np.random.SeedSequence(seed))
        chosen = torch.from_numpy(rng.random(mask.shape[:2]) < 1 / self.every)
        counted = (mask > 0) & chosen[..., None]
        like = network.start
        whole = Sequences(inputs.to(like), targets.to(like), counted=counted.to(like.device))
        held = min(max(1, round(self.holdout * self.trials)), self.trials - 1)
        train, held_out = torch.arange(self.trials).split([self.trials - held, held])
        return Objectives(whole.subset(train), whole.subset(held_out))

    def initialise(self, network: RNN, train: Sequences, seed: int) -> None:
        """See `Problem.initialise`."""
        if self.initialisation == "placed":
            count = self.directions or len(self.task.outputs)
            place_best(network, train, 1 + _GROWTH * np.arange(1, count + 1), seed)

    def settings(self, train: Any) -> dict[str, object]:
        """See `Problem.settings`."""
        return {
            "start": self.initialisation,
            "directions": self.directions or len(self.task.outputs),
            **{name: getattr(self, name) for name in ("trials", "holdout", "every")},
        }

    def fit(self, **fields: Any) -> TaskFit:
        """See `Problem.fit`."""
        return TaskFit(task=self.task, **fields)


@dataclass(frozen=True, kw_only=True)
class TaskFit(Fit):
    """A network that learned a cognitive task.

    Attributes
    ----------
    network, solver, history, settings
        As in `Fit`.
    task : CognitiveTask
        What was learned.
    """

    network: RNN
    task: CognitiveTask

    kind: ClassVar[str] = "task"

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.task.name

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        return {"task": self.task.name, "task_settings": asdict(self.task)}

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        task = cognitive.get(about["task"], **about["task_settings"])
        network = fields["network"]
        if (network.inputs, network.outputs) != (len(task.inputs), len(task.outputs)):
            raise ValueError("the numbers of inputs and outputs disagree")
        return cls(task=task, **fields)

    def run(self, trials: xr.Dataset) -> xr.Dataset:
        """Answer `trials`, as `task.trials` draws them; returns them with `outputs` (trial, time, output)."""
        network = self.network
        inputs = checks.array("trials", trials["inputs"].values, shape=(None, None, network.inputs))
        with torch.no_grad():
            outputs = network.read(network(torch.from_numpy(inputs).to(network.start)).rate).cpu().numpy()
        answer = Labelled(("trial", "time", "output"), outputs, "1", "answer of the network")
        answers = dataset({"outputs": answer}, {}, title=f"answers of {self!r}", config=self.configuration())
        return trials.assign(outputs=answers.outputs).assign_attrs(answers.attrs)

    def score(self, trials: int = 100, *, seed: int = _FRESH_SEED) -> xr.Dataset:
        """Score fresh trials.

        Returns a Dataset with `error` (trial), the root-mean-square error of the answers that count, and `correct`
        (trial), whether all of them are within 0.5 of the target; `r_squared` over all trials together. The count of
        learned numbers is `attrs["learned"]`.
        """
        found = self.run(self.task.trials(trials, seed=seed))
        counts = found.mask.values > 0
        miss = np.where(counts, found.outputs.values - found.targets.values, 0.0)
        error = np.sqrt((miss**2).sum((1, 2)) / counts.sum((1, 2)))
        spread = np.var(found.targets.values[counts])
        return dataset(
            {
                "error": Labelled("trial", error, "1", "root-mean-square error of the answers that count"),
                "correct": Labelled("trial", np.abs(miss).max((1, 2)) < _CLOSE, "1", "all answers right"),
                "r_squared": Labelled(
                    (), 1 - (miss**2).sum() / counts.sum() / spread, "1", "coefficient of determination"
                ),
            },
            {"trial": Labelled("trial", np.arange(len(error)), "1", "trial")},
            title=f"score of {self!r}",
            config={**self.configuration(), "trials": trials, "trial_seed": seed},
        ).assign_attrs(learned=self.network.learned)

    def skill(self) -> float:
        """R² over 30 fresh trials, 0 where it is negative."""
        return max(float(self.score(_FRESH).r_squared), 0.0)

    def stimuli(self) -> Tensor:
        """What the network is given in 30 fresh trials, (trial, time, input)."""
        return torch.from_numpy(self.task.trials(_FRESH, seed=_FRESH_SEED)["inputs"].values).to(self.network.start)

    def free_map(self, trials: xr.Dataset) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map r -> r' without input, for dynamical analysis, and the states (trial, unit) at the end of trials."""
        network = self.network

        def step(rate: Tensor) -> Tensor:
            return network.advance(rate, network.biases)[1]

        with torch.no_grad():
            return step, network(torch.from_numpy(trials["inputs"].values).to(network.start)).rate[:, -1]
