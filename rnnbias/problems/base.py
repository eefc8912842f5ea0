"""`Problem`: what is to be learned; `solve`: the one procedure that learns it and makes a `Fit`."""

from __future__ import annotations

import itertools
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import torch

from rnnbias.fit import Fit
from rnnbias.networks import ACTIVATIONS, TRAINABLE, Network, Recipe, find_device, hidden_widths, trainable_parts
from rnnbias.objectives import Objective
from rnnbias.solvers import Monitor, Solver, find_solver
from systems import checks

__all__ = ["Objectives", "Problem", "optimise", "solve"]


class Objectives(NamedTuple):
    """What is learned from, what early stopping watches, and what else the history records.

    `measure` gives quantities of a network by name, `units` the units and the long name of each. The best parameters
    are those with the lowest held-out loss, or the lowest of `judge`; `better` is the factor by which it must fall to
    count as better, and `patience` how many records without a better one end a stage at the latest.
    """

    train: Objective
    held_out: Objective
    measure: Callable[[Any], dict[str, float]] = lambda network: {}
    units: Mapping[str, tuple[str, str]] = {}
    judge: Objective | None = None
    better: float = 0.9
    patience: float = math.inf


class Problem(ABC):
    """What is to be learned, and everything that follows from it where the caller does not say.

    A subclass says how a network for it is drawn, what that learns from, and what kind of `Fit` comes of it. Whatever
    else it leaves alone has a default here.
    """

    #: What `learn=` may name.
    trainable: ClassVar[tuple[str, ...]] = TRAINABLE
    #: The activation of its networks.
    activation: ClassVar[str] = "tanh"
    #: Training loss at which learning ends.
    goal: ClassVar[float] = 0.0

    @abstractmethod
    def network(self, units: int | Sequence[int], **drawing: Any) -> Network:
        """Draw a network; `drawing` holds `recipe`, `learn`, `activation` and `device` as `RNN` and `FNN` take them."""

    @abstractmethod
    def objectives(self, network: Any, seed: int) -> Objectives:
        """The training and the held-out objective, with the precision and on the device of `network`."""

    def stages(self, network: Any, solver: Solver, seed: int) -> Iterator[Objectives]:
        """What is learned from, one stage after the other; each is asked for when the one before has been learned."""
        yield self.objectives(network, seed)

    @abstractmethod
    def fit(self, **fields: Any) -> Fit:
        """The `Fit` of these `fields`: network, solver, history and settings."""

    def solver(self, learn: tuple[str, ...], units: int | Sequence[int], seed: int) -> Solver | str | None:
        """The solver where none is asked for."""
        return None

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """The recipe where none is asked for."""
        return solver.recipe

    def dtype(self, solver: Solver) -> torch.dtype:
        """The precision of the networks."""
        return torch.float64

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """How many records without a better held-out loss (by a tenth) end the learning."""
        return 3

    def initialise(self, network: Any, train: Any, seed: int) -> None:  # noqa: B027
        """Choose the parameters from which learning starts; default: as they were drawn."""

    def settings(self, train: Any) -> dict[str, object]:
        """What the fit should remember of the problem and of `train`: plain numbers, strings, lists and dicts."""
        return {}


def solve(
    problem: Problem,
    *,
    units: int | Sequence[int] = 300,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    activation: str | None = None,
    patience: int | None = None,
    goal: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> Any:
    """Learn a problem: check the arguments, draw a network, learn under watch, and return the fit.

    Parameters
    ----------
    problem : Problem
        What is to be learned.
    units : int or sequence of int
        Units of the network, or of each layer.
    learn : str or set of str
        What is trainable: any of `problem.trainable`, which are "bias", "gain", "mask", "readout", "weights" and, in
        recurrent networks, "initial".
    solver : Solver or str, optional
        A solver or its name; default: the problem's.
    seed : int
        Of the frozen weights (it replaces the recipe's) and of whatever else is drawn.
    recipe : Recipe, optional
        Law, scales and wiring of the frozen weights; default: the problem's.
    activation : str, optional
        A key of `networks.ACTIVATIONS`; default: the problem's.
    patience : int, optional
        How many records without a better held-out loss (by a tenth) end the learning; default: the problem's.
    goal : float, optional
        Training loss at which learning ends; default: the problem's.
    device : str or torch.device
        "cpu" or "cuda".
    progress : bool
        Whether to show a progress bar. Ctrl-C ends learning and keeps the best.

    Returns
    -------
    Fit
        Of the problem's kind, with the parameters that did best on held-out data.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule, before any learning starts.
    RuntimeError
        If frozen weights changed.

    Notes
    -----
    Model: Williams et al., "Expressivity of Neural Networks with Random Weights and Learned Biases", ICLR 2025
    (arXiv:2407.00957). The same call with the same seed gives the same bits on the same machine and thread count.

    Examples
    --------
    >>> from rnnbias.problems import Regression
    >>> solve(Regression("runge", samples=100), units=40, progress=False).network.learned
    40
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem such as Regression('runge'), got {problem!r}")
    parts = trainable_parts(learn, problem.trainable)
    seed, device = checks.seed("seed", seed), find_device(device)
    if not isinstance(recipe, Recipe | None):
        raise TypeError(f"recipe must be a Recipe such as Recipe(law='uniform'), got {recipe!r}")
    phi = checks.choice("activation", problem.activation if activation is None else activation, ACTIVATIONS)
    patience, goal = _stopping(problem, parts, phi, patience, goal)
    hidden_widths(units)
    if solver is not None:
        solver = find_solver(solver, parts)
    solver = solver or find_solver(problem.solver(parts, units, seed), parts)
    recipe = replace(recipe or problem.recipe(solver, parts, phi), seed=seed)
    with warnings.catch_warnings():
        if activation is None:
            warnings.simplefilter("ignore", UserWarning)
        network = problem.network(
            units, recipe=recipe, learn=parts, activation=phi, device=device, dtype=problem.dtype(solver)
        )
    return optimise(problem, network, solver, seed=seed, patience=patience, goal=goal, progress=progress)


def optimise(
    problem: Problem,
    network: Network,
    solver: Solver,
    *,
    seed: int = 0,
    patience: int | None = None,
    goal: float | None = None,
    progress: bool = True,
) -> Any:
    """Learn a problem with a network that is there already, from its present parameters; see `solve`."""
    patience, goal = _stopping(problem, network.learn, network.activation, patience, goal)
    frozen, stages = network.digests(), problem.stages(network, solver, seed)
    first = next(stages)
    problem.initialise(network, first.train, seed)
    monitor = Monitor(
        network, first.held_out, patience, first.measure, progress, goal, judge=first.judge, better=first.better
    )
    for stage in itertools.chain([first], stages):
        if stage is not first:
            monitor.enter(stage.held_out, stage.judge, stage.measure, stage.better, stage.patience)
        solver.solve(network, stage.train, monitor)
        if monitor.interrupted:
            break
    if network.digests() != frozen:
        raise RuntimeError("frozen weights have changed during learning; please report this")
    settings = {
        **problem.settings(first.train),
        "patience": patience,
        "goal": goal,
        "interrupted": int(monitor.interrupted),
    }
    return problem.fit(network=network, solver=solver, history=monitor.history(first.units), settings=settings)


def _stopping(
    problem: Problem, learn: tuple[str, ...], activation: str, patience: int | None, goal: float | None
) -> tuple[int, float]:
    """Patience and goal as asked for, or the problem's."""
    patience = problem.patience(learn, activation) if patience is None else patience
    goal = problem.goal if goal is None else goal
    return checks.whole("patience", patience, at_least=1), checks.number("goal", goal, at_least=0)
