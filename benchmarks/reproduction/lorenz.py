"""Figure 4: one coordinate of Lorenz-63, driven by the truth and by itself."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

import columns
import systems
from experiments import Plan, over_seeds
from reproduction.figures import Claim, Figure, above, known, spread
from rnnbias import Adam, LevenbergMarquardt, Recipe, SystemFit
from rnnbias.problems import Forecasting, solve
from rnnbias.solvers import Solver
from tables import aligned

__all__ = ["LORENZ", "REACH", "half_width"]

_UNITS, _SAMPLES, _STEPS, _GOOD = 1024, 5000, 3000, 0.99
_LEAD = 27  # steps
REACH = 8.0  # Lyapunov times of a run of its own
_STATE, _MARK, _CONTEXT = "x", 0.4, 200
_TEST, _MEASURE = 1, 2  # seeds of the data
_GOAL = 5e-3  # training loss, in variances, at which Adam ends
_FULL = ("bias", "weights", "readout")
_RECIPE = Recipe(wiring="independent", gain=0.9, input_scale=0.3, bias_scale=0.0, readout_scale=20.0)


@dataclass(frozen=True)
class _Learner:
    """What learns, and by which solver."""

    about: str
    learn: tuple[str, ...]
    solver: Solver
    closed_loop: tuple[int, ...] = ()


def _adam(weight_decay: float) -> Adam:
    return Adam(iterations=_STEPS, rate=1e-3, every=50, clip=None, decay="none", weight_decay=weight_decay)


_LEARNERS = {
    "bias": _Learner("biases, Adam 0.001, weight decay 0.1", ("bias",), _adam(0.1)),
    "full": _Learner("biases, weights and readout of the same network, likewise", _FULL, _adam(0.1)),
    "bias, no decay": _Learner("biases, Adam 0.001, no weight decay", ("bias",), _adam(0.0)),
    "full, no decay": _Learner("everything, Adam 0.001, no weight decay", _FULL, _adam(0.0)),
    "second order": _Learner(
        "the same biases by Levenberg-Marquardt", ("bias",), LevenbergMarquardt(iterations=40, tolerance=1e-6)
    ),
    "closed loop": _Learner(
        "the same biases, a step ahead by Levenberg-Marquardt, then from free runs of 5 to 40 samples", ("bias",),
        LevenbergMarquardt(iterations=10, tolerance=1e-6), (5, 10, 20, 40),
    ),
}  # fmt: skip
_SCORES = {
    "r_squared": ("1", "driven R² at tau"),
    "valid_time": ("Lyapunov times", "median valid time of self-driven runs"),
    "lower": ("Lyapunov times", "lower quartile of the valid time"),
    "upper": ("Lyapunov times", "upper quartile of the valid time"),
    "loss": ("1", "training loss at the end"),
    "learned": ("1", "learned numbers"),
    "iterations": ("1", "iterations"),
    "seconds": ("s", "time to fit"),
    **columns.SCORES,
}


class _Cell(NamedTuple):
    learner: str
    seed: int


class _Single(Forecasting):
    """In single precision where gradients are gone down."""

    def dtype(self, solver: Solver) -> torch.dtype:
        return torch.float32 if solver.descends else torch.float64


def cells(plan: Plan) -> list[_Cell]:
    """The paper's learners; by second order, without decay and in closed loop once."""
    names = ("second order", "bias, no decay", "full, no decay", "closed loop")
    once = [_Cell(name, 0) for name in names[: 1 if plan.quick else None]]
    first, *others = ([_Cell(name, seed) for name in ("bias", "full")] for seed in range(plan.seeds))
    return [*first, *once[:1], *itertools.chain(*others), *once[1:]]


def half_width(trials: int, duration: float) -> float:
    """The lag at which the autocorrelation of the coordinate has fallen to a half, in time units."""
    step = 0.02
    ds = systems.get("lorenz63").simulate(trials=trials, duration=duration, dt=step, seed=_MEASURE, observed=[_STATE])
    x = ds.trajectory.values[..., 0]
    x = x - x.mean()
    lags = int(2 / step)
    correlation = np.array([np.mean(x[:, : x.shape[1] - k] * x[:, k:]) for k in range(lags)]) / np.mean(x**2)
    below = int(np.argmax(correlation < 0.5))
    return step * (below - (0.5 - correlation[below]) / (correlation[below - 1] - correlation[below]))


@cache
def _trials(windows: int, dt: float) -> xr.Dataset:
    """The test trials: context, and what follows."""
    system = systems.get("lorenz63")
    length = _CONTEXT + round(REACH / system.lyapunov / dt) + 2 * _LEAD
    return system.simulate(trials=windows, duration=length * dt, dt=dt, seed=_TEST, observed=[_STATE])


def _score(fit: SystemFit, test: xr.Dataset) -> dict[str, float]:
    """Driven R² and the valid times of self-driven runs."""
    dt, unit = fit.recording.dt, fit.recording.unit
    ahead = fit.drive(test).prediction.values[:, _CONTEXT:-_LEAD]
    truth = test.trajectory.values[:, _CONTEXT + _LEAD :]
    free = fit.score(
        test, windows=test.sizes["trial"], context=_CONTEXT, steps=round(REACH * unit / dt), threshold=[_MARK]
    )
    valid = free.valid_time.values.ravel()
    return {
        "r_squared": 1 - np.mean((ahead - truth) ** 2) / np.var(truth), "valid_time": float(np.median(valid)),
        "lower": float(np.quantile(valid, 0.25)), "upper": float(np.quantile(valid, 0.75)),
        "learned": fit.learned, "iterations": float(fit.history.iteration[-1]),
    }  # fmt: skip


@cache
def _step(quick: bool) -> float:
    """The step at which the coordinate's autocorrelation has fallen to a half after 27."""
    return (half_width(4, 20.0) if quick else half_width(40, 40.0)) / _LEAD


def make(cell: _Cell, plan: Plan) -> Mapping[str, float]:
    """Learn, predict from the truth, and run on alone."""
    learner, dt = _LEARNERS[cell.learner], _step(plan.quick)
    solver = learner.solver
    if plan.quick:
        solver = LevenbergMarquardt(iterations=2) if isinstance(solver, LevenbergMarquardt) else Adam(iterations=5)
    problem = _Single(
        "lorenz63", samples=800 if plan.quick else _SAMPLES, dt=dt, observed=[_STATE], seed=cell.seed, output="state",
        horizon=1 if learner.closed_loop else _LEAD, closed_loop=learner.closed_loop,
    )  # fmt: skip
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # more numbers than data, as in the paper
        fit = solve(
            problem, units=40 if plan.quick else _UNITS, learn=learner.learn, solver=solver, seed=cell.seed,
            recipe=_RECIPE, activation="relu", patience=10**6 if solver.descends else None,
            goal=_GOAL if solver.descends else None, progress=False,
        )  # fmt: skip
    seconds = time.perf_counter() - began
    test = _trials(4 if plan.quick else 40, dt)
    found = {**_score(fit, test), **columns.steadiness(fit, test)}
    if learner.closed_loop:
        del found["r_squared"]  # a step ahead, not tau
    return {**found, "loss": float(fit.history.loss[-1]), "seconds": seconds}


def claims(data: xr.Dataset) -> list[Claim]:
    """Driven, and self-driven."""
    found = []
    for name, what in (("bias", "biases"), ("full", "full training")):
        one = data.r_squared.sel(learner=name)
        found.append(Claim(
            f"driven by the truth, {what} predict tau ahead with R² > {_GOOD}", "[second-hand]", f"R² > {_GOOD}",
            f"R² {spread(one)}", above(one, _GOOD),
        ))  # fmt: skip
    both = data.valid_time.sel(learner=["bias", "full"])
    found.append(Claim(
        "fed their own output, small errors compound for both kinds", "[second-hand]",
        f"a self-driven run is off by 0.4 standard deviations before {REACH:g} Lyapunov times",
        f"after {spread(both, '{:.2f}')}", known((both < REACH).astype(float).where(both.notnull())),
    ))  # fmt: skip
    return found


def report(data: xr.Dataset) -> list[str]:
    """Every learner."""
    rows = [
        [
            name, learner.about, f"{int(one.learned.max()):,}", over_seeds(one.r_squared, "{:.4f}"),
            over_seeds(one.valid_time, "{:.2f}"), over_seeds(one.loss, "{:.1e}"),
            over_seeds(one.iterations, "{:.0f}"), over_seeds(one.seconds, "{:.0f}"),
        ]
        for name, learner in _LEARNERS.items()
        if name in data.learner.values
        for one in [data.sel(learner=name)]
        if one.seconds.notnull().any()
    ]  # fmt: skip
    header = ["learner", "what it is", "learned", "driven R²", "valid time", "loss", "iterations", "seconds"]
    return [
        "Median over seeds, and the range. *Driven*: R² of the prediction tau ahead from the true past, on trials that "
        "nothing learned from. *Valid time*: median over 40 self-driven runs, in Lyapunov times, until the error is "
        f"0.4 standard deviations, at most {REACH:g}. Learning in closed loop is for predictions a step ahead, ten "
        "iterations a stage. On this network neither it nor second order helps: what forecasts one coordinate is a "
        "network of tanh units that sees delays ([table](../noise/one/noise.md)).",
        "", *aligned(header, rows), "",
    ]  # fmt: skip


LORENZ = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, claims=claims,
    title="Figure 4: one coordinate of Lorenz-63", skill="the median valid time of 25 self-driven runs",
    settings=[
        ("units", "1,024 [second-hand]", f"{_UNITS:,}"),
        ("what is seen", "one coordinate [second-hand]; which is unknown", "x [guess]"),
        (
            "tau", "27 steps, the half-width at half-maximum of its autocorrelation [second-hand]",
            "the same, measured: the step follows from it",
        ),
        (
            "task", "input x(t), target x(t + tau) [inferred]",
            "the same; self-driven, what was predicted tau before is the input",
        ),
        (
            "solver", "Adam 0.001, weight decay 0.1 [paper]; that this belongs here [inferred]",
            f"the same, coupled decay as in torch's Adam, {_STEPS:,} steps on 8 segments of 100 samples, or to a loss "
            f"of {_GOAL:g} [guess]; float32",
        ),
        (
            "weights", "unknown",
            f"Gaussian, gain {_RECIPE.gain}, inputs {_RECIPE.input_scale}, readout {_RECIPE.readout_scale:g} / sqrt "
            "n, first biases 0, so that decay draws biases themselves to 0 [guess]",
        ),
        ("activation, leak", "unknown", "ReLU, the plain network [guess]"),
        ("data", "unknown", f"{_SAMPLES:,} samples, standardised [guess]"),
        ("fully trained network", "unknown size", "the same network, all of whose numbers learn"),
    ],
)  # fmt: skip
