"""Nine vector fields on one network, learned from random states as in BANFF, and where their solutions go."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from torch import Tensor

import columns
from banks.experiments import Cell, Experiment
from experiments import Plan, over_seeds
from rnnbias import Adam, FunctionFit, LevenbergMarquardt, Recipe, fit_function, metrics
from rnnbias.evaluation import gather
from rnnbias.plot import style
from systems import System
from systems.flows.base import VectorField
from systems.labels import Labelled, dataset
from tables import aligned, number

__all__ = ["FIELDS"]

Rates = tuple[Tensor, Tensor, Tensor]

_UNITS, _POINTS = 300, 1000
_SEEDS = {"biases, second order": 3, "biases, Adam": 1}
_PATIENCE = 500  # records: Adam goes on to its end
_TIMES, _STEP, _SETTLED = 1000.0, 0.05, 0.1  # length of a run, its samples, and the part of it that is left out
_SHOWN = 8  # samples of a run from one that is drawn to the next
_SOLVED = {"method": "RK45", "rtol": 1e-6, "atol": 1e-8}


def _adam(epochs: int, every: int) -> Adam:
    return Adam(iterations=epochs, rate=0.01, batch=_POINTS, every=every, clip=None, decay="none")


_SOLVERS = {"biases, second order": LevenbergMarquardt(iterations=200), "biases, Adam": _adam(100_000, 200)}
_QUICK = {"biases, second order": LevenbergMarquardt(iterations=3), "biases, Adam": _adam(20, 10)}


def _jerk(damping: float, force: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Rates]:
    """x''' = force(x) - damping x'' - x'."""
    return lambda x, y, z: (y, z, force(x) - damping * z - y)


#: By name: how many times slower than as usually written, and the rates of change.
_FIELDS: dict[str, tuple[float, Callable[[Tensor, Tensor, Tensor], Rates]]] = {
    "Lorenz": (40, lambda x, y, z: (10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z)),
    "MO0": (10, _jerk(0.6, lambda x: x.abs() - 1)),
    "MO5": (10, _jerk(0.7, lambda x: x - x**3)),
    "MO7": (10, _jerk(0.6, lambda x: x**2 - x**4)),
    "MO13": (10, _jerk(1.0, lambda x: 6 * x.tanh() - 3 * x)),
    "Rikitake": (10, lambda x, y, z: (y * z - x, x * (z - 1) - y, 1 - x * y)),
    "SprottB": (10, lambda x, y, z: (y * z, x - y, 1 - x * y)),
    "SprottC": (10, lambda x, y, z: (y * z, x - y, 1 - x**2)),
    "SprottS": (10, lambda x, y, z: (-x - 4 * y, x + z**2, 1 + x)),
}
_START = {"Lorenz": (1.0, 1.0, 20.0), "MO7": (0.5, 0.1, 0.1), "Rikitake": (1.0, -1.0, 1.5)}
_USUAL = (0.1, 0.1, 0.1)


def cells(plan: Plan) -> list[Cell]:
    """Solvers and systems."""
    names = list(_FIELDS)[:1] if plan.quick else list(_FIELDS)
    return [Cell(*each) for each in itertools.product(_SOLVERS, names)]


def make(cell: Cell, plan: Plan) -> xr.Dataset:
    """Learn a field from random states, and compare where its solution goes with where the true one does."""
    duration = _TIMES / 10 if plan.quick else _TIMES
    times = np.arange(0.0, duration, _STEP)
    system, start, other = _scaled(cell.name, times)
    learned, unseen = (_sampled(system, seed) for seed in (12345, 54321))
    truth, apart = (_settled(system.solve(each[None], times, **_SOLVED)) for each in (start, other))
    scale = truth.std("time")
    solver = (_QUICK if plan.quick else _SOLVERS)[cell.condition]
    recipe = Recipe.shaping(gain=1.0, readout_scale=30.0)
    seconds, losses, distances, steady = [], [], [], []
    for seed in range(1 if plan.quick else _SEEDS[cell.condition]):
        began = time.process_time()
        fit = fit_function(
            learned, units=_UNITS, seed=seed, solver=solver, recipe=recipe, patience=_PATIENCE, progress=False
        )
        seconds.append(time.process_time() - began)
        losses.append(float(fit.history.held_out_loss.min()))
        run = _run(fit, start, times)
        distances.append(_distance(run, truth, scale))
        steady.append(columns.steadiness(fit, unseen))
    drawn = slice(None, None, _SHOWN)
    return dataset(
        {
            "seconds": Labelled("seed", seconds, "s", "time of a core to learn"),
            "loss": Labelled("seed", losses, "1", "held-out loss, standardised"),
            "distance": Labelled("seed", distances, "1", "sliced Wasserstein distance"),
            **{n: Labelled("seed", [each[n] for each in steady], *columns.SCORES[n]) for n in columns.SCORES},
            "floor": Labelled((), _distance(apart, truth, scale), "1", "distance of the truth from another start"),
            "run": Labelled(("time", "state"), run[drawn], "1", "solution of the learned field, of the last seed"),
            "truth": Labelled(("time", "state"), truth[drawn], "1", "true solution"),
        },
        {"seed": Labelled("seed", list(range(len(seconds))), "1", "seed of the weights")},
        title="a field",
        config={"seed": 0},
    )


def _sampled(system: System, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """States drawn from the box, and the rates there."""
    states = np.random.default_rng(seed).uniform(-1, 1, (_POINTS, 3))
    return states, system(0.0, torch.from_numpy(states)).numpy()


def _scaled(name: str, times: np.ndarray) -> tuple[System, np.ndarray, np.ndarray]:
    """The system in units in which a long run spans [-1, 1], and two states of that run."""
    slower, rates = _FIELDS[name]
    usual = _system(lambda t, x, p: torch.stack(rates(*x.unbind(-1)), -1) / slower)
    run = usual.solve([_START.get(name, _USUAL)], np.append(0.0, times[-1] + times), **_SOLVED)[0, 1:]
    middle, spread = run.mean(0), run.std(0)
    spread = spread * np.abs((run - middle) / spread).max()
    at, by = torch.from_numpy(middle), torch.from_numpy(spread)
    scaled = _system(lambda t, x, p: usual.field(t, at + by * x, p) / by)
    first, last = (run[0] - middle) / spread, (run[-1] - middle) / spread
    return scaled, last, first


def _system(field: VectorField) -> System:
    return System(name="field", states=("x", "y", "z"), field=field, dt=_STEP)


def _run(fit: FunctionFit, start: np.ndarray, times: np.ndarray) -> xr.DataArray:
    """The solution of a learned field; infinite where it cannot be followed."""

    def field(t: Tensor, x: Tensor, p: object) -> Tensor:
        return torch.from_numpy(fit.evaluate(x.reshape(-1, 3).numpy())).view_as(x)

    try:
        return _settled(_system(field).solve(start[None], times, **_SOLVED))
    except FloatingPointError:
        return _settled(np.full((1, len(times), 3), np.inf))


def _settled(run: np.ndarray) -> xr.DataArray:
    return xr.DataArray(run[0, round(_SETTLED * run.shape[1]) :], dims=("time", "state"))


def _distance(run: xr.DataArray, truth: xr.DataArray, scale: xr.DataArray) -> float:
    return float(metrics.sliced_wasserstein(run, truth, scale))


def together(runs: Mapping[Cell, xr.Dataset], folder: Path) -> xr.Dataset:
    """All rows, over (condition, name, seed)."""
    found = gather(runs, Cell._fields, title="bank benchmark: fields", config={"seed": 0})
    return found.assign({name: found[name].astype(np.float32) for name in ("run", "truth")})


def report(data: xr.Dataset) -> list[str]:
    """A table."""
    rows = []
    for name, learner in itertools.product(data.name.values, data.condition.values):
        one = data.sel(name=name, condition=learner)
        if distance := over_seeds(one.distance, "{:.3f}"):
            rows.append([
                str(name), str(learner), distance, number(one.floor, "{:.3f}"), number(one.loss.median(), "{:.0e}"),
                number(one.seconds.median(), "{:.0f}"), *columns.words(one.median("seed"), "{:.1e}"),
            ])  # fmt: skip
    ours, theirs = (data.sel(condition=learner) for learner in _SOLVERS)
    near = int((ours.distance.median("seed") < 2 * ours.floor).sum())
    others = int(theirs.distance.notnull().any("seed").sum())
    header = ["field", "learner", "distance", "floor", "held-out loss", "seconds of a core", *columns.HEADER]
    return [
        "## Nine vector fields on one network", "",
        "The protocol of [BANFF](https://github.com/kaimason100/BANFF_ANN) (bioRxiv 10.1101/2025.10.05.680523): a "
        f"field is learned from its values at {_POINTS:,} states, drawn uniformly from the box that a solution "
        "spans, by biases alone, and then solved from a state of the attractor. Published: 100,000 epochs of Adam "
        "at a rate of 0.01 on a network of thousands of units; how states are scaled to the box, and the "
        f"distances that are reached, were not found. Here {_UNITS} units, the same frozen weights for all nine, "
        "inputs of scale 0.3 under a readout of 30 / sqrt(units), chosen by held-out losses of Lorenz and MO5; "
        "*Adam* takes as many epochs at that rate, with torch's moments, on the same network, of one seed. "
        "*Distance*: sliced Wasserstein, in standard deviations of each state, between the learned and the true "
        f"solution over {_TIMES:g} units of (slowed) time, the first tenth left out; theirs is a trimmed mean over "
        "planes. *Floor*: the true solution from another start.", "",
        f"By the second order {near} of {data.sizes['name']} come within twice the floor; Adam ran on {others}.", "",
        *aligned(header, rows), "", columns.note("one over the error at states that were not learned from"), "",
    ]  # fmt: skip


def picture(data: xr.Dataset) -> object:
    """Portraits of the true and the learned solutions."""
    one, count = data.sel(condition="biases, second order"), data.sizes["name"]
    axes = style.grid(None, 2, count, (1.5, 1.5))
    for column, name in enumerate(one.name.values):
        for row, (kind, colour) in enumerate((("truth", style.BLACK), ("run", style.COLOURS[0]))):
            path, ax = one[kind].sel(name=name), axes[row][column]
            ax.plot(path.isel(state=0), path.isel(state=2), color=colour, lw=0.2)
            ax.set(xticks=[], yticks=[], xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
            style.bare(ax)
        axes[0][column].set_title(str(name), fontsize=8)
    axes[0][0].set_ylabel("true")
    axes[1][0].set_ylabel("learned")
    return plt.gcf()


FIELDS = Experiment(cells=cells, make=make, gathered=together, report=report, picture=picture)
