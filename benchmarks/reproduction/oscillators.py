"""Figure 3: recurrent networks without input that oscillate, by biases and by all numbers, and what the gain does."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

import columns
from experiments import Plan, over_seeds
from reproduction.figures import Claim, Figure, above, greater, known, spread
from rnnbias import Adam, AutonomousFit, GaussNewton, Recipe, analysis, plot
from rnnbias.problems import Autonomous, solve
from rnnbias.problems.base import Objectives
from rnnbias.solvers import Solver
from tables import aligned, number

__all__ = ["OSCILLATORS"]

_UNITS, _GAINS, _GAIN = 200, (0.5, 0.8, 1.0, 1.2, 1.5), 1.2
_FULL_GAINS = (0.5, 1.5)
_PERIODS, _LONG = 2, 100  # learned, and of the free run
_GOAL = 2e-3  # training loss, in variances of the target, at which learning ends
_GOOD, _POOR = 0.99, 0.9  # R^2
_MOMENTS = 8  # of the Jacobians along a period
_PLAIN, _PLACED = {"alpha": 0.0, "beta": 1.0}, {"alpha": -0.7, "beta": 0.3}
_FULL = ("weights", "bias", "readout")


@dataclass(frozen=True)
class _Learner:
    """What learns, by which solver (steps for a quick look, and otherwise), and what of the network is not the
    paper's.
    """

    about: str
    learn: tuple[str, ...]
    solver: Solver
    start: str = "drawn"
    readout: float | None = None  # scale; None: C ~ N(0, 1 / units^2)
    leak: Mapping[str, float] | None = None


def _adam(rate: float, iterations: int) -> Adam:
    return Adam(iterations=iterations, rate=rate, batch=1, every=50, clip=None, decay="none")


_LEARNERS = {
    "bias": _Learner("biases, Adam 0.1", ("bias",), _adam(0.1, 1000)),
    "full": _Learner("as many numbers of a smaller network, all of it, Adam 0.001", _FULL, _adam(0.001, 10000)),
    "second order": _Learner("the same biases by Gauss-Newton, as drawn", ("bias",), GaussNewton(iterations=60)),
    "placed": _Learner(
        "biases placed at the onset of the oscillation, then Gauss-Newton; leak 0.3 a step, readout scale 10",
        ("bias",), GaussNewton(iterations=40), "hopf", 10.0, _PLACED,
    ),
    "leaky": _Learner("biases, Adam 0.1, leak 0.3 a step", ("bias",), _adam(0.1, 1000), leak=_PLACED),
}  # fmt: skip
_SCORES = {
    "r_squared": ("1", "R² over the periods learned"),
    "late_r_squared": ("1", "R² at the end of the free run, in phase"),
    "period_error": ("1", "relative error of the period over the free run"),
    "before": ("1", "largest modulus of the Jacobian's eigenvalues before learning, mean along the run"),
    "after": ("1", "the same after learning"),
    "learned": ("1", "learned numbers"),
    "steps": ("1", "steps of the solver"),
    "seconds": ("s", "time to learn"),
    **columns.SCORES,
}


class _Cell(NamedTuple):
    target: str
    activation: str
    learner: str
    gain: float
    seed: int


class _Alone(Autonomous):
    """One run from rest, which also chooses what is kept."""

    def objectives(self, network: Any, seed: int) -> Objectives:
        found = super().objectives(network, seed)
        return found._replace(judge=found.train)


def cells(plan: Plan) -> list[_Cell]:
    """The gain is swept on van der Pol's oscillator; five seeds where three are asked for elsewhere."""
    if plan.quick:
        return [_Cell("cosine", "relu", name, _GAIN, 0) for name in ("bias", "full", "second order")]
    found = []
    for seed in range(plan.seeds + 2):
        found += [_Cell("cosine", "relu", name, _GAIN, seed) for name in ("bias", "full")]
        found += [_Cell("van_der_pol", "relu", "bias", gain, seed) for gain in _GAINS]
        found += [_Cell("van_der_pol", "relu", "full", gain, seed) for gain in _FULL_GAINS]
        found += [_Cell("van_der_pol", "relu", name, _GAIN, seed) for name in ("second order", "leaky")]
        found += [_Cell("van_der_pol", "tanh", name, _GAIN, seed) for name in ("bias", "placed")]
        found += [_Cell("van_der_pol", "tanh", "placed", 0.8, seed)]
    return found


def make(cell: _Cell, plan: Plan) -> Mapping[str, float]:
    """Learn, and run on alone."""
    learner, units = _LEARNERS[cell.learner], 60 if plan.quick else _UNITS
    width = units if learner.learn == ("bias",) else round(sqrt(1 + units)) - 1  # n^2 + 2 n = units
    solver = learner.solver
    if plan.quick:
        solver = replace(solver, iterations=5 if isinstance(solver, GaussNewton) else 100)
    problem = _Alone(
        cell.target, starts=2, holdout=0.5, periods=_PERIODS, settle=int(learner.start == "hopf"),
        initialisation=learner.start, **(learner.leak or _PLAIN),
    )  # fmt: skip
    scale = 1 / sqrt(width) if learner.readout is None else learner.readout
    recipe = Recipe(wiring="independent", gain=cell.gain, bias_scale=1.0, readout_scale=scale)
    began = time.perf_counter()
    fit = solve(
        problem, units=width, learn=learner.learn, solver=solver, seed=cell.seed, recipe=recipe,
        activation=cell.activation, patience=10**6, goal=_GOAL, progress=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rates of ReLU units that grow without end
        found = fit.score(periods=10 if plan.quick else _LONG)
    return {
        "r_squared": float(found.r_squared[0]), "late_r_squared": float(found.late_r_squared[0]),
        "period_error": float(found.period_error[0, 0].fillna(np.inf)),
        "before": _modulus(fit, analysis.untrained(fit.network)), "after": _modulus(fit, fit.network),
        "learned": fit.learned, "steps": float(fit.history.iteration[-1]), "seconds": seconds,
        **columns.steadiness(fit),
    }  # fmt: skip


@torch.no_grad()
def _modulus(fit: AutonomousFit, network: Any) -> float:
    """The largest modulus of the eigenvalues of the network's Jacobian, the mean along the periods learned."""
    step, rate = replace(fit, network=network).free_map()
    states = [rate]
    for _ in range(_PERIODS * int(fit.target.orbit.period)):
        states.append(step(states[-1]))
    found = analysis.eigenvalues(step, torch.stack(states, 1), fit.target.dt, every=len(states) // _MOMENTS)
    return float(found.spectral_radius.mean())


def claims(data: xr.Dataset) -> list[Claim]:
    """Both targets by biases, the gain, and what learning does to the Jacobian."""
    relu = data.sel(activation="relu")
    bias, found = relu.sel(learner="bias"), []
    for target in data.target.values:
        fit = bias.r_squared.sel(target=target, gain=_GAIN)
        found.append(Claim(
            f"biases make a {_name(target)}, R² > {_GOOD}", "[second-hand]", f"R² > {_GOOD} at gain {_GAIN}",
            f"R² {over_seeds(fit, '{:.3f}')}", above(fit, _GOOD),
        ))  # fmt: skip
    if "van_der_pol" in data.target.values:
        skill, full = (relu.r_squared.sel(target="van_der_pol", learner=name) for name in ("bias", "full"))
        weak, strong = skill.sel(gain=data.gain[data.gain < 1]), skill.sel(gain=data.gain[data.gain > 1])
        low = xr.where(weak < _POOR, 1.0, xr.where(weak > _GOOD, -1.0, 0.0)).where(weak.notnull())
        found.append(Claim(
            "any gain below 1 is ineffective for biases on van der Pol", "[second-hand]",
            f"R² < {_POOR} (opposite: > {_GOOD}) at gains below 1", f"R² {spread(weak)}", known(low),
        ))  # fmt: skip
        found.append(Claim(
            "high enough gains serve", "[second-hand]", f"R² > {_GOOD} at gains above 1", f"R² {spread(strong)}",
            above(strong, _GOOD),
        ))  # fmt: skip
        found.append(Claim(
            "the fully trained network does not mind the gain", "[second-hand]", f"R² > {_GOOD} at every gain",
            f"R² {spread(full)}", above(full, _GOOD),
        ))  # fmt: skip
    good = bias.where(bias.r_squared > _GOOD)
    found.append(Claim(
        "learned biases shape diag(phi') W so that it oscillates", "[second-hand]",
        f"where R² > {_GOOD}, the spectral radius of the Jacobian along the run is larger after learning",
        f"{spread(good.before)} before, {spread(good.after)} after", greater(good.after, good.before),
    ))  # fmt: skip
    return found


def report(data: xr.Dataset) -> list[str]:
    """All rows, and what there is beside the paper's."""
    rows = []
    data = data.sortby("gain")
    for target, activation, learner, gain in itertools.product(
        *(data[name].values for name in ("target", "activation", "learner", "gain"))
    ):
        one = data.sel(target=target, activation=activation, learner=learner, gain=gain)
        if count := int(one.r_squared.notnull().sum()):
            rows.append([
                f"{_name(target)}, {activation}", f"{learner}, gain {gain:g}", number(one.learned.max(), "{:.0f}"),
                over_seeds(one.r_squared, "{:.3f}"), f"{int((one.r_squared > _GOOD).sum())} of {count}",
                f"{int((one.late_r_squared > _GOOD).sum())} of {count}", over_seeds(one.period_error, "{:.1%}"),
                over_seeds(one.before, "{:.2f}"), over_seeds(one.after, "{:.2f}"), over_seeds(one.steps, "{:.0f}"),
                over_seeds(one.seconds, "{:.0f}"),
            ])  # fmt: skip
    header = ["target", "learner", "learned", "R²", f"R² > {_GOOD}", f"lasts {_LONG} periods", "period error"]
    header += ["radius before", "after", "steps", "seconds"]
    return [
        f"R² over the {_PERIODS} periods learned; median over seeds, and the range. *Lasts*: R² > {_GOOD} at the end "
        f"of {_LONG} periods of free run, brought into phase. *Radius*: largest modulus of the Jacobian's eigenvalues, "
        "mean along the periods learned, before and after learning.",
        "", *aligned(header, rows), "",
        *(f"- `{name}`: {learner.about}." for name, learner in _LEARNERS.items() if name in data.learner.values), "",
        f"With C ~ N(0, 1/n²) and {_UNITS} units, the sum of |C| is about 0.8: units that saturate at 1, such as tanh, "
        "cannot reach a target of variance 1, whatever the biases, and ReLU units can. Our own way, which places "
        "eigenvalues of tanh units, therefore has a larger readout.", "",
    ]  # fmt: skip


def picture(data: xr.Dataset) -> object:
    """R^2 against the gain."""
    found = data.r_squared.sel(target=data.target.values[-1], activation="relu")
    found = found.sel(learner=["bias", "full"]).transpose("seed", "gain", "learner")
    return plot.gain_sweep(found.dropna("gain", how="all").sortby("gain"))


def _name(target: object) -> str:
    return {"van_der_pol": "van der Pol oscillation"}.get(str(target), str(target))


OSCILLATORS = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, picture=picture, claims=claims,
    title="Figure 3: oscillation without input", skill="R² over the periods learned",
    settings=[
        ("recurrent weights W", "(g / sqrt n) N(0, 1) [second-hand]", "the same"),
        ("readout C", "N(0, 1/n²) [second-hand]", "the same"),
        ("activation", "unknown; ReLU by the theory [inferred]", "ReLU, and tanh beside it"),
        ("leak alpha, beta", "unknown", "0 and 1, the plain network [guess]; -0.7 and 0.3 beside it"),
        ("units", "200 [inferred]", f"{_UNITS}"),
        (
            "solver", "Adam, rate 0.1 for biases, 0.001 for all [paper]; that this belongs here [inferred]",
            f"the same, to a loss of {_GOAL:g}, at most 1,000 and 10,000 steps [guess]",
        ),
        ("numbers of the full network", "as many as the biases [second-hand]", "13 units, 195 numbers"),
        ("first biases, first rates", "unknown", "N(0, 1), and 0 [guess]"),
        (
            "target", "cosine and van der Pol, one output [second-hand]; frequency, mu, step, length unknown",
            f"variance 1, mu = 1, 50 and 44 steps a period, {_PERIODS} periods, the phase left free [guess]",
        ),
        ("gains", "unknown grid", ", ".join(f"{gain:g}" for gain in _GAINS)),
    ],
)  # fmt: skip
