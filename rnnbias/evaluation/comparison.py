"""Biases, gains, masks, the readout or everything: what each learns at a matched count of learned numbers."""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from rnnbias.datasets.functions import Samples, Target, read
from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import learn_set
from rnnbias.networks.feedforward import FNN
from rnnbias.networks.recipe import Recipe
from rnnbias.problems.regression import FunctionFit, default_recipe, default_solver, fit_function
from rnnbias.solvers import Solver
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
    target: Target,
    *,
    learned: int = 300,
    learners: Iterable[str] | Mapping[str, str | Iterable[str]] = LEARNERS,
    seeds: int | Iterable[int] = 3,
    box: ArrayLike | None = None,
    samples: int = 2000,
    test: int = 5000,
    activation: str = "tanh",
    progress: bool = True,
) -> xr.Dataset:
    """Learn one target with networks of one hidden layer, each as wide as makes nearly `learned` numbers learn.

    Parameters
    ----------
    target
        As in `fit_function`. A function is sampled afresh for the test; of data, a fifth is kept for it.
    learned : int
        How many numbers should learn.
    learners : names or mapping
        Names in `LEARNERS`, or a mapping from names of your own to what `learn=` takes.
    seeds : int or sequence of int
        Seeds of weights, points and minibatches, or how many: 0, 1, ...
    box, samples
        As in `fit_function`.
    test : int
        Points of the test, where the target is a function.
    activation : str
        A key of `ACTIVATIONS`.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    xarray.Dataset
        `nrmse` and `seconds` over (seed, learner), `learned` and `units` over learner. Solvers and recipes are the
        defaults of `fit_function` for what learns.

    >>> found = compare("runge", learned=40, learners=("bias", "readout"), seeds=1, samples=200, progress=False)
    >>> found.learned.values.tolist(), found.units.values.tolist()
    ([40, 40], [80, 40])
    """
    learned = checks.whole("learned", learned, at_least=1, at_most=10**5)
    test = checks.whole("test", test, at_least=20)
    samples = checks.whole("samples", samples, at_least=20)
    checks.choice("activation", activation, ACTIVATIONS)
    named = isinstance(seeds, Iterable)
    chosen = (
        [checks.seed("seeds", s) for s in seeds] if named else list(range(checks.whole("seeds", seeds, at_least=1)))
    )
    if not chosen:
        raise ValueError("seeds must name at least one seed, got none")
    parts = _parts(learners)
    splits = {seed: _samples(target, box, samples, test, seed) for seed in chosen}
    shape = np.empty((len(chosen), len(parts)))
    error, seconds = shape, shape.copy()
    units, counts = (np.empty(len(parts), int) for _ in range(2))
    cells = list(itertools.product(enumerate(chosen), enumerate(parts.values())))
    for (i, seed), (j, learn) in tqdm(cells, disable=not progress, desc="comparing", leave=False):
        train, held_back = splits[seed]
        solver, recipe, width = matched(learned, learn, train, activation, seed)
        began = time.perf_counter()
        fit = _fit(train, width, learn, solver, recipe, activation, seed)
        seconds[i, j] = time.perf_counter() - began
        error[i, j] = float(fit.score((held_back.x, held_back.y)).nrmse)
        units[j], counts[j] = width, fit.network.learned
    about = {
        "seed": chosen[0], "target": splits[chosen[0]][0].name, "learned": learned, "samples": len(train.x),
        "activation": activation, "learners": {name: list(learn) for name, learn in parts.items()},
    }  # fmt: skip
    return dataset(
        {
            "nrmse": Labelled(("seed", "learner"), error, "1", "relative error on unseen samples"),
            "seconds": Labelled(("seed", "learner"), seconds, "s", "time to learn"),
            "learned": Labelled("learner", counts, "1", "learned numbers"),
            "units": Labelled("learner", units, "1", "hidden units"),
        },
        {
            "seed": Labelled("seed", chosen, "1", "seed"),
            "learner": Labelled("learner", list(parts), "1", "what learns"),
        },
        title=f"{about['target']} at {learned} learned numbers",
        config=about,
    )


def matched(
    learned: int, learn: tuple[str, ...], data: Samples, activation: str, seed: int
) -> tuple[Solver, Recipe, int]:
    """Solver, recipe and units with which nearly `learned` numbers learn."""
    units = 2
    for _ in range(2):  # how wide a network is can decide on the solver, and that on the wiring
        solver = default_solver(learn, data, (units,), seed)
        recipe = default_recipe(solver, learn, activation)
        fan = recipe.units_per_row
        settings = {"units": fan, "inputs": len(data.inputs), "outputs": len(data.outputs), "learn": learn}
        each = sum(math.prod(shape) for shape in FNN.shapes({**settings, "recipe": recipe.to_dict()}).values())
        units = fan * max(1, round(learned / each))
    return solver, recipe, units


def _fit(
    data: Samples, units: int, learn: tuple[str, ...], solver: Solver, recipe: Recipe, activation: str, seed: int
) -> FunctionFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the activation was chosen for all learners
        return fit_function(
            (data.x, data.y), units=units, learn=learn, solver=solver, recipe=recipe, activation=activation, seed=seed,
            progress=False,
        )  # fmt: skip


def _parts(learners: Iterable[str] | Mapping[str, str | Iterable[str]]) -> dict[str, tuple[str, ...]]:
    if isinstance(learners, Mapping):
        found = {str(name): learn_set(learn, FNN.parts) for name, learn in learners.items()}
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
        return read(target, box=box, samples=samples, seed=seed), read(target, box=box, samples=test, seed=other)
    data = read(target, box=box)
    order = np.random.default_rng(seed).permutation(len(data.x))
    rest, first = np.split(order, [max(1, len(order) // 5)])
    return data._replace(x=data.x[first], y=data.y[first]), data._replace(x=data.x[rest], y=data.y[rest])
