"""`fit_function`: learn a static function with frozen weights; `FunctionFit`: evaluate what was learned."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.datasets.functions import Samples, Target, read, read_points
from rnnbias.fit import Fit
from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import hidden_widths, learn_set
from rnnbias.networks.devices import find
from rnnbias.networks.feedforward import FNN
from rnnbias.networks.recipe import Recipe
from rnnbias.objectives.base import Points
from rnnbias.solvers import Adam, LevenbergMarquardt, Monitor, Ridge, Solver, choose
from systems import checks
from systems.functions import Function
from systems.labels import Labelled, dataset

__all__ = ["FunctionFit", "Scaling", "default_recipe", "default_solver", "fit_function"]

_MOST_WORK = 3e11  # operations of one Levenberg-Marquardt iteration: some twenty seconds on a core
_ACTIVATION = "tanh"  # learns smooth functions best


def fit_function(
    target: Target,
    *,
    units: int | Sequence[int] = 1000,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    box: ArrayLike | None = None,
    samples: int = 2000,
    activation: str | None = None,
    holdout: float = 0.1,
    goal: float = 0.0,
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
        Units of the hidden layer, or of each. Under push-pull wiring (the default with biases) half as many numbers
        learn.
    learn : str or set of str
        Any of "bias", "gain", "mask", "readout", "weights".
    solver : Solver or str, optional
        A solver or its name. Default: `Ridge` for the readout alone; `Adam` for masks, and where an iteration of the
        second order would take minutes; `LevenbergMarquardt` for everything else.
    seed : int
        Of the weights (it replaces the recipe's), the points drawn and the solver's minibatches.
    recipe : Recipe, optional
        Scales, law and wiring of the frozen weights. Default: the solver's own with inputs and layers at scale 1. With
        "relu" the readout has scale 10, because at a larger one the network is nearly linear in its biases and so
        made of steps; where more than biases and gains learn, units are independent and the readout has scale 1.
    box : array (input, 2), optional
        (low, high) of each input, for a function of your own.
    samples : int
        How many points are drawn of a function; unused with data.
    activation : str, optional
        A key of `ACTIVATIONS`; default "tanh". One that never falls silent gives a warning if asked for; see `FNN`.
    holdout : float
        Fraction of the samples held out for early stopping.
    goal : float
        Mean squared standardised error on the samples learned from, at which learning ends.
    device : str or torch.device
        "cpu" or "cuda".
    progress : bool
        Whether to show a progress bar. Ctrl-C ends learning and keeps the best.

    Returns
    -------
    FunctionFit

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule, before any learning starts.

    Notes
    -----
    Model: Williams et al., "Expressivity of Neural Networks with Random Weights and Learned Biases", ICLR 2025.
    The same call with the same seed gives the same bits on the same machine.

    Examples
    --------
    >>> fit = fit_function(lambda x: np.sin(3 * x[:, 0]), box=[(-1, 1)], units=60, samples=200, progress=False)
    >>> fit.network.learned
    30
    >>> round(float(fit.predict([[0.5]]).prediction[0, 0]), 3), round(np.sin(1.5).item(), 3)
    (0.997, 0.997)
    """
    parts = learn_set(learn, FNN.parts)
    seed = checks.seed("seed", seed)
    if not isinstance(recipe, Recipe | None):
        raise TypeError(f"recipe must be a Recipe such as Recipe(law='uniform'), got {recipe!r}")
    phi = _ACTIVATION if activation is None else checks.choice("activation", activation, ACTIVATIONS)
    samples = checks.whole("samples", samples, at_least=20, at_most=10**7)
    holdout = checks.number("holdout", holdout, above=0, at_most=0.5)
    goal = checks.number("goal", goal, at_least=0)
    device = find(device)
    widths = hidden_widths(units)
    if solver is not None:
        solver = choose(solver, parts)
    data = read(target, box=box, samples=samples, seed=seed)
    solver = solver or default_solver(parts, data, widths, seed)
    recipe = replace(recipe or default_recipe(solver, parts, phi), seed=seed)

    with warnings.catch_warnings():
        if activation is None:
            warnings.simplefilter("ignore", UserWarning)
        network = FNN(
            widths, len(data.inputs), len(data.outputs), recipe=recipe, learn=parts, activation=phi, device=device,
        )  # fmt: skip
    kept, held = _split(len(data.x), holdout, seed)
    x, y = Scaling.of("x", data.x[kept], data.inputs), Scaling.of("y", data.y[kept], data.outputs)
    inputs, targets = x.standardise(data.x, network.start), y.standardise(data.y, network.start)
    train, tested = (Points(inputs[rows], targets[rows]) for rows in (kept, held))
    monitor = Monitor(network, tested, _patience(parts, phi), progress=progress, goal=goal)
    solver.teach(network, train, monitor)
    settings = {
        "samples": len(data.x),
        "holdout": holdout,
        "goal": goal,
        "interrupted": int(monitor.interrupted),
    }
    about = data._replace(x=data.x[:0], y=data.y[:0], grid={})
    return FunctionFit(
        network=network, solver=solver, history=monitor.history({}), settings=settings, x=x, y=y, samples=about
    )


def default_recipe(solver: Solver, parts: tuple[str, ...], activation: str) -> Recipe:
    """The recipe that `fit_function` takes where none is given."""
    recipe = replace(solver.recipe, gain=1.0, input_scale=1.0)
    if not set(parts) <= {"bias", "gain"}:
        return replace(recipe, wiring="independent", readout_scale=1.0)
    return replace(recipe, readout_scale=10.0) if activation == "relu" else recipe


class Scaling(NamedTuple):
    """Mean and standard deviation of each input or output, (column,) each."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, what: str, values: np.ndarray, names: Sequence[str]) -> Self:
        """Measure `values` (sample, column); refuse a column that is constant to rounding."""
        mean, scale = values.mean(0), values.std(0)
        still = scale <= 1e-12 * np.abs(values).max(0)
        if still.any():
            raise ValueError(f"{what} must vary, but {names[still.argmax()]!r} is constant: leave it out")
        return cls(mean, scale)

    def standardise(self, values: np.ndarray, like: Tensor) -> Tensor:
        """From the data's units to the network's, as a tensor like `like`."""
        return torch.as_tensor((values - self.mean) / self.scale, dtype=like.dtype, device=like.device)

    def restore(self, standard: Tensor) -> np.ndarray:
        """From the network's units to the data's."""
        return standard.cpu().numpy() * self.scale + self.mean


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionFit(Fit):
    """A learned static function.

    Attributes
    ----------
    network, solver, history, settings
        See `Fit`.
    x, y : Scaling
        How inputs and outputs were standardised.
    samples : Samples
        The description of what was learned (names, units, box), without its samples.
    """

    network: FNN
    x: Scaling
    y: Scaling
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
            "x_mean": Labelled("input", self.x.mean, "1", "training mean of the inputs"),
            "x_scale": Labelled("input", self.x.scale, "1", "training standard deviation of the inputs"),
            "y_mean": Labelled("output", self.y.mean, "1", "training mean of the outputs"),
            "y_scale": Labelled("output", self.y.scale, "1", "training standard deviation of the outputs"),
            "low": Labelled("input", self.samples.box[:, 0], "1", "lower ends of the box"),
            "high": Labelled("input", self.samples.box[:, 1], "1", "upper ends of the box"),
            "input": Labelled("input", list(self.samples.inputs), "1", "input"),
            "output": Labelled("output", list(self.samples.outputs), "1", "output"),
        }

    @classmethod
    def revive(cls, about: dict[str, object], arrays: xr.Dataset, **fields: object) -> Self:
        """See `Fit.revive`."""
        network = fields["network"]
        sizes = {"x": network.inputs, "y": network.outputs}
        found = {
            name: checks.array(name, arrays[name].values, shape=(sizes[name[0]],))
            for name in ("x_mean", "x_scale", "y_mean", "y_scale")
        }
        if min(found["x_scale"].min(), found["y_scale"].min()) <= 0:
            raise ValueError("x_scale and y_scale must be positive")
        box = np.stack(
            [checks.array(name, arrays[name].values, shape=(network.inputs,)) for name in ("low", "high")], 1
        )
        inputs, outputs = (tuple(map(str, arrays[dim].values)) for dim in ("input", "output"))
        units = dict(zip((*inputs, *outputs), map(str, about["units"]), strict=True))
        empty = [np.empty((0, size)) for size in sizes.values()]
        samples = Samples(*empty, box, inputs, outputs, units, str(about["name"]), {})
        x, y = (Scaling(found[f"{v}_mean"], found[f"{v}_scale"]) for v in "xy")
        return cls(x=x, y=y, samples=samples, **fields)

    @torch.no_grad()
    def evaluate(self, x: ArrayLike) -> np.ndarray:
        """The learned function as plain arrays: x (sample, input) to y (sample, output)."""
        x = checks.array("x", x, shape=(None, self.network.inputs))
        return self.y.restore(self.network(self.x.standardise(x, self.network.start)))

    def predict(self, points: ArrayLike | xr.Dataset | xr.DataArray) -> xr.Dataset:
        """Evaluate the learned function.

        `points` is an array (sample, input), a Dataset with `x` (trial, input), or a DataArray on a grid of the learned
        inputs. Returns a Dataset with `prediction` (trial, output), or over the dimensions of the grid and `output`.
        Points outside the box of the samples give a warning: nothing was learned about them.
        """
        x, grid = read_points(points, self.samples.inputs)
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
        own = callable(test) and not isinstance(test, Function)
        data = read(test, box=self.samples.box if own else None, samples=samples, seed=seed)
        if (len(data.inputs), len(data.outputs)) != (self.network.inputs, self.network.outputs):
            raise ValueError(
                f"test must have {self.network.inputs} inputs and {self.network.outputs} outputs, got "
                f"{len(data.inputs)} and {len(data.outputs)}"
            )
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


def default_solver(parts: tuple[str, ...], data: Samples, widths: Sequence[int], seed: int) -> Solver:
    """The solver that `fit_function` takes where none is given."""
    if parts == ("readout",):
        return Ridge()
    second = LevenbergMarquardt() if set(parts) <= {"bias", "gain"} else LevenbergMarquardt(iterations=200)
    first = Adam(iterations=5000, batch=256, rate=1e-2, every=100, seed=seed)
    if "mask" in parts:
        return first
    shapes = FNN.shapes(
        {
            "units": list(widths),
            "inputs": len(data.inputs),
            "outputs": len(data.outputs),
            "learn": parts,
            "recipe": default_recipe(second, parts, _ACTIVATION).to_dict(),
        }
    )
    learned, residuals = sum(math.prod(shape) for shape in shapes.values()), data.y.size
    heavy = residuals * learned * min(residuals, learned) > _MOST_WORK or 8 * residuals * learned > second.memory
    return first if heavy else second


def _patience(parts: tuple[str, ...], activation: str) -> int:
    """How many records without a better held-out loss end learning: few where the network is nearly linear in it."""
    if not set(parts) <= {"bias", "gain"}:
        return 20
    return 10 if activation == "relu" else 4


def _split(samples: int, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which samples are learned from and which held out, at random."""
    order = np.random.default_rng(seed).permutation(samples)
    held = max(1, round(holdout * samples))
    return np.sort(order[held:]), np.sort(order[:held])
