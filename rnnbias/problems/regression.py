"""`fit_function`: learn a static function with frozen weights; `FunctionFit`: evaluate what was learned."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.datasets import Samples, Standardiser, Target, functions
from rnnbias.fit import Fit
from rnnbias.networks import FNN, Recipe
from rnnbias.objectives import Points
from rnnbias.problems.base import Objectives, Problem, solve
from rnnbias.solvers import Adam, LevenbergMarquardt, Ridge, Solver
from systems import checks
from systems.functions import Function
from systems.labels import Labelled, dataset

__all__ = ["FunctionFit", "Regression", "fit_function"]

_MOST_WORK = 2e10  # operations of one Levenberg-Marquardt iteration: some eight seconds on a core


def fit_function(
    target: Target,
    *,
    units: int | Sequence[int] = 500,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    box: ArrayLike | None = None,
    samples: int = 2000,
    activation: str | None = None,
    holdout: float = 0.1,
    patience: int | None = None,
    goal: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> FunctionFit:
    """Learn a static function with a feedforward network whose random weights are frozen.

        y = C phi(W x + b)

    x and y are standardised by the samples that are learned from. Only the parts in `learn` change.

    Parameters
    ----------
    target : str, Function, callable, pair of arrays or xarray object
        What to learn: a name from `systems.functions.available()`; a function of points (sample, input), with `box`; or
        samples: (x, y), a Dataset with `x` (trial, input) and `y` (trial, output), or a DataArray on a grid, whose
        dimensions but "output" are the inputs. See `rnnbias.datasets.functions.read`.
    units : int or sequence of int
        Units of the hidden layer, or of each.
    solver : Solver or str, optional
        A solver or its name. Default: `Ridge` for the readout alone; `Adam` for masks, and where an iteration of the
        second order would take ten seconds; `LevenbergMarquardt` for everything else.
    seed : int
        Of the weights (it replaces the recipe's), the points drawn and the solver's minibatches.
    recipe : Recipe, optional
        Scales, law and wiring of the frozen weights. Default: independent units, all bent alike (law "spherical");
        inputs of scale 2.7 / inputs, or 4 where there is one; biases of as much spread as what drives the units; a
        readout of scale 10, with "relu" 4, and 1 where more than biases and gains learn. See Notes.
    box : array (input, 2), optional
        (low, high) of each input, for a function of your own.
    samples : int
        How many points are drawn of a function; unused with data.
    holdout : float
        Fraction of the samples held out for early stopping.
    learn, activation, patience, goal, device, progress
        See `solve`. An activation that never falls silent gives a warning if asked for; see `FNN`. Default: "tanh";
        patience 10, and 20 where more than biases and gains learn. The loss is standardised.

    Returns
    -------
    FunctionFit

    Notes
    -----
    Measured, tanh, 300 biases, 1,500 samples, relative error on unseen points, and in brackets that of as many biases
    in twice the units under `Recipe.lazy(gain=1.0, input_scale=1.0)`: Franke 6e-4 to 1e-3 (3e-4), Gaussian 1e-2 (3e-4),
    Runge 1e-7 (1e-5), Weierstrass 0.25 (0.24), cone 6e-3 (4e-3), checkerboard 0.53 (0.41), arm 1e-3 (2e-5), Genz's
    oscillatory function of three inputs 0.016 (0.026), Friedman's of ten 0.42 (0.74). Biases move by 0.4 to 2, under
    the lazy recipe by 1e-6 to 2e-3. Steeper units suit rough functions and flatter ones smooth functions: change
    `input_scale` and `bias_scale` together.

    Examples
    --------
    >>> fit = fit_function(lambda x: np.sin(3 * x[:, 0]), box=[(-1, 1)], units=60, samples=200, progress=False)
    >>> fit.network.learned
    60
    >>> round(float(fit.predict([[0.5]]).prediction[0, 0]), 3), round(np.sin(1.5).item(), 3)
    (0.997, 0.997)
    """
    problem = Regression(target, box=box, samples=samples, seed=seed, holdout=holdout)
    return solve(
        problem, units=units, learn=learn, solver=solver, seed=seed, recipe=recipe, activation=activation,
        patience=patience, goal=goal, device=device, progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class Regression(Problem):
    """A static function; arguments as in `fit_function`."""

    trainable = FNN.parts

    target: Any
    box: ArrayLike | None = None
    samples: int = 2000
    seed: int = 0
    holdout: float = 0.1

    def __post_init__(self) -> None:
        checks.whole("samples", self.samples, at_least=20, at_most=10**7)
        checks.seed("seed", self.seed)
        checks.number("holdout", self.holdout, above=0, at_most=0.5)

    @cached_property
    def data(self) -> Samples:
        """What is learned from."""
        return functions.read(self.target, box=self.box, samples=self.samples, seed=self.seed)

    def solver(self, learn: tuple[str, ...], units: Any, seed: int) -> Solver:
        """See `Problem.solver`: the second order, unless a mask is trainable or an iteration would take ten seconds."""
        if learn == ("readout",):
            return Ridge()
        second = LevenbergMarquardt(iterations=200)
        first = Adam(iterations=5000, batch=256, rate=1e-2, every=100, seed=seed)
        if "mask" in learn:
            return first
        recipe = self.recipe(second, learn, self.activation)
        sizes = {"units": units, "inputs": len(self.data.inputs), "outputs": len(self.data.outputs)}
        parameters = FNN.count({**sizes, "learn": learn, "recipe": recipe.to_dict()})
        residuals = self.data.y.size
        heavy = residuals * parameters * min(residuals, parameters) > _MOST_WORK
        return first if heavy or 8 * residuals * parameters > second.memory else second

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """See `Problem.recipe`: the more inputs, the flatter each unit, and biases as wide as what drives them."""
        inputs, readout = len(self.data.inputs), 1.0
        if set(learn) <= {"bias", "gain"}:
            readout = 4.0 if activation == "relu" else 10.0
        steepness = 4.0 if inputs == 1 else 2.7 / inputs
        return Recipe.shaping(
            gain=1.0, input_scale=steepness, bias_scale=steepness * math.sqrt(inputs), readout_scale=readout
        )

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`: many, because the way of the biases is curved."""
        return 10 if set(learn) <= {"bias", "gain"} else 20

    def network(self, units: Any, **drawing: Any) -> FNN:
        """See `Problem.network`."""
        return FNN(units, len(self.data.inputs), len(self.data.outputs), **drawing)

    def objectives(self, network: FNN, seed: int) -> Objectives:
        """See `Problem.objectives`."""
        x, y = self._scaled
        inputs, targets = x.transform(self.data.x, network.start), y.transform(self.data.y, network.start)
        train, held_out = (Points(inputs[rows], targets[rows]) for rows in self._split)
        return Objectives(train, held_out)

    def settings(self, train: Any) -> dict[str, object]:
        """See `Problem.settings`."""
        return {"samples": len(self.data.x), "holdout": self.holdout}

    def fit(self, **fields: Any) -> FunctionFit:
        """See `Problem.fit`."""
        about = self.data._replace(x=self.data.x[:0], y=self.data.y[:0], grid={})
        return FunctionFit(x=self._scaled[0], y=self._scaled[1], samples=about, **fields)

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Which samples are learned from and which held out, at random."""
        order = np.random.default_rng(self.seed).permutation(len(self.data.x))
        held = max(1, round(self.holdout * len(order)))
        return np.sort(order[held:]), np.sort(order[:held])

    @cached_property
    def _scaled(self) -> tuple[Standardiser, Standardiser]:
        train = self._split[0]
        x, y = self.data.x[train], self.data.y[train]
        return Standardiser.of(x, "x", self.data.inputs), Standardiser.of(y, "y", self.data.outputs)


@dataclass(frozen=True, kw_only=True)
class FunctionFit(Fit):
    """A learned static function.

    Attributes
    ----------
    network, solver, history, settings
        See `Fit`.
    x, y : Standardiser
        How inputs and outputs were standardised.
    samples : Samples
        The description of what was learned (names, units, box), without its samples.
    """

    network: FNN
    x: Standardiser
    y: Standardiser
    samples: Samples

    kind: ClassVar[str] = "function"

    @property
    def name(self) -> str:
        """The name of the function or data."""
        return self.samples.name

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        units = [self.samples.units[name] for name in (*self.samples.inputs, *self.samples.outputs)]
        return {"name": self.name, "units": units}

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`."""
        return {
            **self.x.labelled("input", "the inputs", "x_"),
            **self.y.labelled("output", "the outputs", "y_"),
            "low": Labelled("input", self.samples.box[:, 0], "1", "lower ends of the box"),
            "high": Labelled("input", self.samples.box[:, 1], "1", "upper ends of the box"),
            "input": Labelled("input", list(self.samples.inputs), "1", "input"),
            "output": Labelled("output", list(self.samples.outputs), "1", "output"),
        }

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        network = fields["network"]
        box = np.stack(
            [checks.array(name, arrays[name].values, shape=(network.inputs,)) for name in ("low", "high")], 1
        )
        inputs, outputs = (tuple(map(str, arrays[dim].values)) for dim in ("input", "output"))
        units = dict(zip((*inputs, *outputs), map(str, about["units"]), strict=True))
        x_empty, y_empty = np.empty((0, network.inputs)), np.empty((0, network.outputs))
        samples = Samples(x_empty, y_empty, box, inputs, outputs, units, str(about["name"]), {})
        x = Standardiser.restored(arrays, network.inputs, "x_")
        y = Standardiser.restored(arrays, network.outputs, "y_")
        return cls(x=x, y=y, samples=samples, **fields)

    @torch.no_grad()
    def evaluate(self, x: ArrayLike) -> np.ndarray:
        """The learned function as plain arrays: x (sample, input) to y (sample, output)."""
        x = checks.array("x", x, shape=(None, self.network.inputs))
        return self.y.inverse(self.network(self.x.transform(x, self.network.start)))

    def predict(self, points: ArrayLike | xr.Dataset | xr.DataArray) -> xr.Dataset:
        """Evaluate the learned function.

        `points` is an array (sample, input), a Dataset with `x` (trial, input), or a DataArray on a grid of the learned
        inputs. Returns a Dataset with `prediction` (trial, output), or over the dimensions of the grid and `output`.
        Points outside the box of the samples give a warning: nothing was learned about them.
        """
        x, grid = functions.read_points(points, self.samples.inputs)
        outside = ((x < self.samples.box[:, 0]) | (x > self.samples.box[:, 1])).any(1)
        if outside.any():
            warnings.warn(f"{outside.sum()} of {len(x)} points are outside the box that was learned", stacklevel=2)
        y = self.evaluate(x)
        about = self.samples
        coords = {"output": Labelled("output", list(about.outputs), "1", "output")}
        coords["output_units"] = Labelled(
            "output", [about.units[n] for n in about.outputs], "1", "units of each output"
        )
        text = f"{about.name} as learned"
        if grid:
            sides = {name: Labelled(name, values, about.units[name], name) for name, values in grid.items()}
            shaped = y.reshape(*map(len, grid.values()), -1)
            found = {"prediction": Labelled((*grid, "output"), shaped, "1", text)}
            return dataset(found, {**sides, **coords}, title=f"prediction of {about.name}", config=self.configuration())
        coords["trial"] = Labelled("trial", np.arange(len(x)), "1", "sample")
        coords["input"] = Labelled("input", list(about.inputs), "1", "input")
        found = {
            "prediction": Labelled(("trial", "output"), y, "1", text),
            "x": Labelled(("trial", "input"), x, "1", "point"),
        }
        return dataset(found, coords, title=f"prediction of {about.name}", config=self.configuration())

    def score(self, test: Target, *, samples: int = 10000, seed: int = 1) -> xr.Dataset:
        """Errors on samples that the network has not seen.

        `test` is anything that `fit_function` takes; functions are sampled with `seed`, those of your own in the box
        that was learned. Returns a Dataset with `rmse`, `relative_error` (rmse over the standard deviation of the true
        values) and `largest_error` over `output`, `nrmse` (the root mean square of the relative errors), and the count
        of learned numbers in `attrs["learned"]`.
        """
        data = self._read(test, samples, seed)
        error = self.evaluate(data.x) - data.y
        rmse, spread = np.sqrt((error**2).mean(0)), data.y.std(0)
        relative = rmse / np.where(spread > 0, spread, np.nan)
        found = {
            "rmse": Labelled("output", rmse, "1", "root-mean-square error"),
            "relative_error": Labelled("output", relative, "1", "root-mean-square error over standard deviation"),
            "largest_error": Labelled("output", np.abs(error).max(0), "1", "largest error"),
            "nrmse": Labelled((), math.sqrt((relative**2).mean()), "1", "relative error, over all outputs"),
        }
        coords = {"output": Labelled("output", list(self.samples.outputs), "1", "output")}
        ds = dataset(found, coords, title=f"score of {self!r}", config=self.configuration())
        return ds.assign_attrs(learned=self.network.learned)

    def skill(self, test: Target | None = None) -> float:
        """1 / relative error, over all outputs, on samples as in `score`; default: of the function by this name."""
        return 1 / float(self.score(self.name if test is None else test).nrmse)

    def stimuli(self, test: Target | None = None) -> Tensor:
        """What the network is given of 1,000 samples, as in `skill`; (sample, input)."""
        return self.x.transform(self._read(self.name if test is None else test, 1000, 1).x, self.network.start)

    def _read(self, test: Target, samples: int, seed: int) -> Samples:
        """Samples of the learned kind."""
        own = callable(test) and not isinstance(test, Function)
        data = functions.read(test, box=self.samples.box if own else None, samples=samples, seed=seed)
        if (len(data.inputs), len(data.outputs)) != (self.network.inputs, self.network.outputs):
            raise ValueError(
                f"test must have {self.network.inputs} inputs and {self.network.outputs} outputs, got "
                f"{len(data.inputs)} and {len(data.outputs)}"
            )
        return data
