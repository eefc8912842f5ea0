"""`fit_task`: teach a network a cognitive task from trials; `TaskFit`: let it answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.fit import Fit
from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import RNN, learn_set
from rnnbias.networks.recipe import Recipe
from rnnbias.objectives.trials import Trials
from rnnbias.problems.placement import place_best
from rnnbias.solvers import GaussNewton, Monitor, Solver, choose
from systems import checks
from systems.labels import Labelled, dataset
from systems.tasks import cognitive
from systems.tasks.cognitive import CognitiveTask

__all__ = ["TaskFit", "fit_task"]

_RECIPE = replace(GaussNewton.recipe, gain=1.5, input_scale=1.0, readout_scale=5.0)
_GROWTH = 0.04  # per step, of the slowest direction that a placed start has, and from each to the next
_PATIENCE = 20
_GOAL = 1e-4
_STARTS = ("placed", "drawn")
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
    trials: int = 96,
    held_out: int = 16,
    every: int = 16,
    activation: str = "tanh",
    alpha: float = -0.7,
    beta: float = 0.3,
    progress: bool = True,
) -> TaskFit:
    """Teach a network a cognitive task: inputs drive it, and its outputs should be right where answers count.

        r_t = -alpha r_{t-1} + beta phi(W r_{t-1} + B x_{t-1} + b),      y_t = C r_t,      r_0 = 0

    The random weights are frozen and only the parts in `learn` change. No target is ever fed to the network.

    Parameters
    ----------
    task : str or CognitiveTask
        A name from `systems.tasks.cognitive.available()` or a task.
    units : int
        Network size.
    learn : str or set of str
        Any of "bias", "gain", "mask", "readout", "initial", "weights".
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
    trials, held_out : int
        Trials learned from, and others that early stopping watches.
    every : int
        Of the steps at which the answer counts, one in so many, drawn at random, is learned from.
    activation : str
        As in `RNN`; start "placed" needs "tanh".
    alpha, beta : float
        The leak of `RNN`.
    progress : bool
        Whether to show a progress bar. Ctrl-C ends learning and keeps the best.

    Returns
    -------
    TaskFit

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule, before any learning starts.

    Notes
    -----
    Model: Williams et al., ICLR 2025 (arXiv:2407.00957); the tasks are those that its reviewers asked for.

    Examples
    --------
    >>> from systems.tasks import cognitive
    >>> task = cognitive.get("flip_flop", bits=1)
    >>> fit = fit_task(task, units=100, trials=16, progress=False)
    >>> held = fit.run(task.memories(1000))
    >>> held.outputs[:, -1, 0].values.round().tolist()
    [-1.0, 1.0]
    """
    parts = learn_set(learn)
    if solver is None and not {"mask", "weights"} & set(parts):
        solver = GaussNewton()
    solver = choose(solver, parts)
    seed = checks.seed("seed", seed)
    if not isinstance(recipe, Recipe | None):
        raise TypeError(f"recipe must be a Recipe such as Recipe(law='uniform'), got {recipe!r}")
    checks.choice("start", start, _STARTS)
    checks.choice("activation", activation, ACTIVATIONS)
    alpha = checks.number("alpha", alpha, at_least=-0.999, at_most=1)
    trials, held_out = checks.whole("trials", trials, at_least=1), checks.whole("held_out", held_out, at_least=1)
    every = checks.whole("every", every, at_least=1)
    task = cognitive.get(task) if isinstance(task, str) else task
    if not isinstance(task, CognitiveTask):
        raise TypeError(f"task must be a name or a CognitiveTask, got {task!r}")
    if directions is None:
        directions = len(task.outputs)
    directions = checks.whole("directions", directions, at_least=1)
    network = RNN(
        units, len(task.inputs), len(task.outputs), recipe=replace(recipe or _RECIPE, seed=seed), learn=parts,
        activation=activation, alpha=alpha, beta=checks.number("beta", beta, above=0),
    )  # fmt: skip
    if start == "placed" and "bias" not in parts:
        raise ValueError(f"start 'placed' needs biases that learn, got learn={set(parts)}; take start='drawn'")

    everything = _read(task.trials(trials + held_out, seed=seed), every, seed)
    order = torch.arange(len(everything))
    train, tested = everything.part(order[:trials]), everything.part(order[trials:])
    if start == "placed":
        place_best(network, train, 1 + _GROWTH * np.arange(1, directions + 1), seed)
    monitor = Monitor(network, tested, _PATIENCE, progress=progress, goal=_GOAL)
    solver.teach(network, train, monitor)
    settings = {
        "start": start,
        "directions": directions,
        "trials": trials,
        "held_out": held_out,
        "every": every,
        "interrupted": int(monitor.interrupted),
    }
    return TaskFit(network=network, solver=solver, history=monitor.history({}), settings=settings, task=task)


@dataclass(frozen=True, kw_only=True, repr=False)
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
    def revive(cls, about: dict[str, object], arrays: xr.Dataset, **fields: object) -> Self:
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
            outputs = network.read(network(torch.from_numpy(inputs)).rate).numpy()
        answer = Labelled(("trial", "time", "output"), outputs, "1", "answer of the network")
        answers = dataset({"outputs": answer}, {}, title=f"answers of {self!r}", config=self.configuration())
        return trials.assign(outputs=answers.outputs).assign_attrs(answers.attrs)

    def score(self, trials: int = 100, *, seed: int = 1000) -> xr.Dataset:
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

    def free_map(self, trials: xr.Dataset) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map r -> r' without input, for dynamical analysis, and the states (trial, unit) at the end of trials."""
        network = self.network

        def step(rate: Tensor) -> Tensor:
            return network.advance(rate, network.biases)[1]

        with torch.no_grad():
            return step, network(torch.from_numpy(trials["inputs"].values)).rate[:, -1]


def _read(trials: xr.Dataset, every: int, seed: int) -> Trials:
    """Trials of which one in `every` steps, drawn at random, is learned from."""
    inputs, targets, mask = (torch.from_numpy(trials[name].values) for name in ("inputs", "targets", "mask"))
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    chosen = torch.from_numpy(rng.random(mask.shape[:2]) < 1 / every)
    return Trials(inputs, targets, (mask > 0) & chosen[..., None])
