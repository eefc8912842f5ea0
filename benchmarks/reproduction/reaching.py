"""Motor control: how many epochs biases need to reach, beside full training of the same network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
from experiments import Plan, over_seeds
from reproduction.figures import Claim, Figure, known, spread
from rnnbias import Adam, LevenbergMarquardt, Recipe, fit_reach
from rnnbias.solvers import Solver
from systems.tasks import CentreOut
from tables import aligned, number

__all__ = ["REACHING"]

_UNITS, _TARGETS, _EPOCHS, _EVERY = 200, 8, 4000, 10
_LEVELS = (5.0, 5e-1, 5e-2, 5e-3)  # training losses; the last is the paper's
_TEN = (5.0, 20.0)  # what counts as about ten
_FULL = ("bias", "weights", "readout")
_RECIPE = Recipe(wiring="independent", gain=1.5, input_scale=1.0, bias_scale=0.3, readout_scale=0.3)
_LEARNERS = {
    "bias": "biases, Adam 0.003, all targets at every step",
    "full": "biases, weights and readout of the same network, likewise",
    "second order": "the same biases by Levenberg-Marquardt",
}
_SCORES = {
    **{f"epochs_{k}": ("1", f"epochs to a training loss of {level:g}") for k, level in enumerate(_LEVELS)},
    "loss": ("1", "lowest training loss"),
    "unseen_loss": ("1", "loss on 360 unseen targets"),
    "error": ("m", "mean end-point error on them"),
    "speed": ("m s-1", "mean speed at the end of reaches to them"),
    "learned": ("1", "learned numbers"),
    "epochs": ("1", "epochs of the whole fit"),
    "seconds": ("s", "time to fit"),
    **columns.SCORES,
}


class _Cell(NamedTuple):
    learner: str
    seed: int


def cells(plan: Plan) -> list[_Cell]:
    """Every learner on the same frozen networks."""
    return [_Cell(name, seed) for seed in range(plan.seeds) for name in ("full", "second order", "bias")]


def make(cell: _Cell, plan: Plan) -> Mapping[str, float]:
    """Learn until the paper's loss, and reach for targets between."""
    solver: Solver = Adam(
        iterations=20 if plan.quick else _EPOCHS, rate=3e-3, batch=_TARGETS, every=_EVERY, clip=None, decay="none"
    )
    if cell.learner == "second order":
        solver = LevenbergMarquardt(iterations=2 if plan.quick else 60)
    began = time.perf_counter()
    fit = fit_reach(
        CentreOut(targets=_TARGETS), plant="point-reference", units=40 if plan.quick else _UNITS, activation="relu",
        learn=_FULL if cell.learner == "full" else "bias", solver=solver, seed=cell.seed, recipe=_RECIPE,
        patience=10**6, goal=_LEVELS[-1], progress=False,
    )  # fmt: skip
    seconds, history = time.perf_counter() - began, fit.history
    found, reach = fit.score(12 if plan.quick else 360), fit.reach(36)
    there = [np.flatnonzero(history.loss.values <= level) for level in _LEVELS]
    return {
        **{f"epochs_{k}": float(history.iteration[w[0]]) for k, w in enumerate(there) if len(w)},
        "loss": float(history.loss.min()), "unseen_loss": float(found.loss),
        "error": float(found.endpoint_error.mean()),
        "speed": float(np.hypot(*reach.velocity.isel(time=-1).values.T).mean()),
        "learned": fit.learned, "epochs": float(history.iteration[-1]), "seconds": seconds,
        **columns.steadiness(fit),
    }  # fmt: skip


def claims(data: xr.Dataset) -> list[Claim]:
    """Ten times the epochs, and reaches to unseen targets."""
    bias, full = (data.sel(learner=name) for name in ("bias", "full"))
    ratios = [(bias[f"epochs_{k}"] / full[f"epochs_{k}"]) for k in range(len(_LEVELS))]
    deepest = next((k for k in reversed(range(len(_LEVELS))) if ratios[k].notnull().any()), 0)
    ratio = ratios[deepest]
    near = xr.where((ratio >= _TEN[0]) & (ratio <= _TEN[1]), 1.0, 0.0).where(ratio.notnull())
    reached = (bias.loss <= _LEVELS[-1]).where(bias.loss.notnull())
    general = (bias.unseen_loss < 10 * bias.loss).where(bias.loss.notnull())
    return [
        Claim(
            "biases learn to reach", "[second-hand]", f"the training loss falls to {_LEVELS[-1]:g}",
            f"{spread(bias.loss, '{:.1e}')} in up to {_EPOCHS:,} epochs", known(reached),
        ),
        Claim(
            "biases need about ten times the epochs of full training", "[second-hand]",
            f"{_TEN[0]:g} to {_TEN[1]:g} times as many to the lowest loss that both reach, {_LEVELS[deepest]:g}",
            f"{spread(ratio, '{:.1f}')} times", known(near),
        ),
        Claim(
            "learned reaches generalise to unseen points of the circle", "[second-hand]",
            "the loss on 360 unseen targets is below ten times that on trained ones",
            f"{spread(bias.unseen_loss / bias.loss, '{:.1f}')} times, error {spread(1e3 * bias.error, '{:.1f}')} mm",
            known(general),
        ),
    ]  # fmt: skip


def report(data: xr.Dataset) -> list[str]:
    """Epochs to each loss, and what unseen reaches are like."""
    rows = []
    for name in data.learner.values:
        one = data.sel(learner=name)
        if one.seconds.isnull().all():
            continue
        rows.append([
            str(name), _LEARNERS[str(name)], f"{int(one.learned.max()):,}",
            *(over_seeds(one[f"epochs_{k}"], "{:,.0f}") for k in range(len(_LEVELS))),
            over_seeds(one.loss), over_seeds(one.unseen_loss), over_seeds(1e3 * one.error, "{:.2f}"),
            over_seeds(1e3 * one.speed, "{:.1f}"), over_seeds(one.seconds, "{:.0f}"),
        ])  # fmt: skip
    bias, full = (data.sel(learner=name) for name in ("bias", "full"))
    ratios = [bias[f"epochs_{k}"] / full[f"epochs_{k}"] for k in range(len(_LEVELS))]
    rows.append(["bias / full", "epochs, seed by seed", "", *(over_seeds(r, "{:.1f}") for r in ratios), *[""] * 5])
    header = ["learner", "what it is", "learned", *(f"epochs to {level:g}" for level in _LEVELS), "loss", "unseen"]
    return [
        "Median over seeds, and the range; empty where a loss was not reached. An epoch is one step of Adam on all "
        f"targets, or an iteration of Levenberg-Marquardt. A loss of {_LEVELS[-1]:g} is an error of "
        f"{number(np.sqrt(2 * 3 * _LEVELS[-1]) * 10, '{:.1f}')} mm, if all of it is position.",
        "", *aligned([*header, "error (mm)", "end speed (mm/s)", "seconds"], rows), "",
    ]  # fmt: skip


REACHING = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, claims=claims,
    title="Figure 5: motor control", skill="one over 2 mm and the mean error on 36 unseen targets",
    settings=[
        ("loss", "position + 0.2 velocity + 0.04 force [paper]", "the same, at the end of the reach"),
        (
            "units of the loss", "unknown",
            "1 cm, 2 cm/s, 0.08 N, mean over six components [guess: the second author's earlier code]",
        ),
        ("solver", "Adam 0.003, until a loss of 0.005 [paper]", f"the same; at most {_EPOCHS:,} epochs of all targets"),
        ("effector", "unknown", "a point mass of 1 kg, force constant 0.04 s, step 0.01 s [guess: that code]"),
        (
            "targets", "points of a fixed circle [second-hand], how many unknown",
            f"{_TARGETS}, 7 cm away, in 1 s [guess: that code]",
        ),
        (
            "network", "unknown",
            f"{_UNITS} independent ReLU units, gain {_RECIPE.gain}, inputs of scale {_RECIPE.input_scale:g}, time "
            f"constant 0.2 s, readout {_RECIPE.readout_scale:g} / sqrt n [guess]",
        ),
        ("fully trained network", "unknown", "the same network, all of whose numbers learn"),
    ],
)  # fmt: skip
