"""Biases, gains, masks, the readout or everything: what each learns at a matched count of parameters."""

from __future__ import annotations

import bisect
import itertools
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from rnnbias.datasets import Samples, Target, functions
from rnnbias.networks import ACTIVATIONS, WIRINGS, Recipe, trainable_parts
from rnnbias.problems.base import Problem, solve
from rnnbias.problems.regression import Regression
from rnnbias.solvers import Solver, find_solver
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["LEARNERS", "compare", "matched"]

#: What learns, by the name of the learner. "readout" is a random vector functional link network (Pao et al. 1994).
LEARNERS: dict[str, tuple[str, ...]] = {
    "bias": ("bias",),
    "gain": ("gain",),
    "mask": ("mask",),
    "readout": ("readout",),
    "full": ("bias", "readout", "weights"),
}


def compare(
    target: Target | Problem,
    *,
    learned: int = 300,
    learners: Iterable[str] | Mapping[str, str | Iterable[str]] = LEARNERS,
    seeds: int | Iterable[int] = 3,
    box: ArrayLike | None = None,
    samples: int = 2000,
    test: Any = None,
    measure: str = "nrmse",
    activation: str | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Learn one target with networks of one hidden layer, each as wide as makes nearly `learned` numbers learn.

    Parameters
    ----------
    target : Problem, or as in `fit_function`
        A function is sampled afresh for the test; of data, a fifth is kept for it.
    learned : int
        How many numbers should learn.
    learners : names or mapping
        Names in `LEARNERS`, or a mapping from names of your own to what `learn=` takes.
    seeds : int or sequence of int
        Seeds of weights, points and minibatches, or how many: 0, 1, ...
    box, samples
        As in `fit_function`.
    test : optional
        Points of the test where the target is a function (default 5000); with a problem, what its `Fit.score` is given.
    measure : str
        Which variable of `Fit.score` is compared.
    activation : str, optional
        A key of `ACTIVATIONS`; default: the problem's.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    xarray.Dataset
        `measure` and `seconds` over (seed, learner), `learned` and `units` over learner. Solvers and recipes are the
        problem's defaults for what learns.

    >>> found = compare("runge", learned=40, learners=("bias", "readout"), seeds=1, samples=200, progress=False)
    >>> found.learned.values.tolist(), found.units.values.tolist()
    ([40, 40], [40, 40])
    """
    learned = checks.whole("learned", learned, at_least=1, at_most=10**5)
    if activation is not None:
        checks.choice("activation", activation, ACTIVATIONS)
    chosen = _seeds(seeds)
    if isinstance(target, Problem):
        score = {} if test is None else {"test": test}
        cells = {seed: (target, lambda fit: fit.score(**score)) for seed in chosen}
    else:
        samples = checks.whole("samples", samples, at_least=20)
        points = checks.whole("test", 5000 if test is None else test, at_least=20)
        cells = {seed: _regression(target, box, samples, points, seed) for seed in chosen}
    parts = _parts(learners, cells[chosen[0]][0])
    error = np.empty((len(chosen), len(parts)))
    seconds = error.copy()
    units, counts = (np.empty(len(parts), int) for _ in range(2))
    name = ""
    runs = list(itertools.product(enumerate(chosen), enumerate(parts.values())))
    for (i, seed), (j, learn) in tqdm(runs, disable=not progress, desc="comparing", leave=False):
        problem, judge = cells[seed]
        phi = problem.activation if activation is None else activation
        solver, recipe, width = matched(learned, learn, problem, phi, seed)
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the activation was chosen for all learners
            fit = solve(
                problem, units=width, learn=learn, solver=solver, recipe=recipe, activation=phi, seed=seed,
                progress=False,
            )  # fmt: skip
        seconds[i, j] = time.perf_counter() - began
        scored = judge(fit)
        error[i, j] = float(scored[checks.choice("measure", measure, map(str, scored.data_vars))].mean())
        units[j], counts[j], name = width, fit.learned, fit.name
    about = {
        "seed": chosen[0], "target": name, "learned": learned, "activation": activation,
        "learners": {key: list(learn) for key, learn in parts.items()},
    }  # fmt: skip
    return dataset(
        {
            measure: Labelled(("seed", "learner"), error, "1", f"{measure} on unseen data"),
            "seconds": Labelled(("seed", "learner"), seconds, "s", "time to learn"),
            "learned": Labelled("learner", counts, "1", "learned numbers"),
            "units": Labelled("learner", units, "1", "hidden units"),
        },
        {
            "seed": Labelled("seed", chosen, "1", "seed"),
            "learner": Labelled("learner", list(parts), "1", "what learns"),
        },
        title=f"{name} at {learned} learned numbers",
        config=about,
    )


def matched(
    learned: int, learn: tuple[str, ...], problem: Problem, activation: str, seed: int
) -> tuple[Solver, Recipe, int]:
    """Solver, recipe and units with which nearly `learned` numbers learn."""
    units = 2
    for _ in range(2):  # how wide a network is can decide on the solver, and that on the wiring
        solver = find_solver(problem.solver(learn, units, seed), learn)
        recipe = problem.recipe(solver, learn, activation)
        units = _width(learned, learn, problem, recipe, activation)
    return solver, recipe, units


def _width(learned: int, learn: tuple[str, ...], problem: Problem, recipe: Recipe, activation: str) -> int:
    """The units with which as nearly as can be `learned` numbers learn."""
    fan = WIRINGS[recipe.wiring].units_per_row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        small = problem.network(fan, recipe=recipe, learn=learn, activation=activation)

    def count(rows: int) -> int:
        return type(small).count({**small.to_dict(), "units": fan * rows})

    upper = 1
    while count(upper) < learned:
        upper *= 2
    rows = bisect.bisect_left(range(upper), learned, key=count)
    below, above = learned - count(max(1, rows - 1)), count(max(1, rows)) - learned
    lower = below < above or (below == above and rows % 2 == 1)
    return fan * max(1, rows - 1 if lower else rows)


def _regression(
    target: Target, box: ArrayLike | None, samples: int, test: int, seed: int
) -> tuple[Problem, Callable[[Any], xr.Dataset]]:
    """The problem for this seed, and how its fit is scored."""
    train, held_back = _samples(target, box, samples, test, seed)
    return Regression(train, seed=seed), lambda fit: fit.score((held_back.x, held_back.y))


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    if not isinstance(seeds, Iterable):
        return list(range(checks.whole("seeds", seeds, at_least=1)))
    chosen = [checks.seed("seeds", seed) for seed in seeds]
    if not chosen:
        raise ValueError("seeds must name at least one seed, got none")
    return chosen


def _parts(learners: Iterable[str] | Mapping[str, str | Iterable[str]], problem: Problem) -> dict[str, tuple[str, ...]]:
    if isinstance(learners, Mapping):
        found = {str(name): trainable_parts(learn, problem.trainable) for name, learn in learners.items()}
    else:
        names = [learners] if isinstance(learners, str) else list(learners)
        found = {checks.choice("learners", name, LEARNERS): LEARNERS[name] for name in names}
    if not found:
        raise ValueError("learners must name at least one learner, got none")
    return found


def _samples(target: Target, box: ArrayLike | None, samples: int, test: int, seed: int) -> tuple[Samples, Samples]:
    """Samples to learn from, and others for the test."""
    if isinstance(target, str) or callable(target):
        other = checks.seed("seeds", seed + 2**30)
        drawn = functions.read(target, box=box, samples=samples, seed=seed)
        return drawn, functions.read(target, box=box, samples=test, seed=other)
    data = functions.read(target, box=box)
    order = np.random.default_rng(seed).permutation(len(data.x))
    rest, first = np.split(order, [max(1, len(order) // 5)])
    return data._replace(x=data.x[first], y=data.y[first]), data._replace(x=data.x[rest], y=data.y[rest])
