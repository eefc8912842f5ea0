"""Beside the paper: the same frozen weights, permuted instead of given biases, on a function and on images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import xarray as xr

import columns
from experiments import Plan, over_seeds
from pictures.learners import LEARNERS
from pictures.rows import ACCURACY, few
from reproduction import sources
from reproduction.figures import Claim, Figure
from reproduction.permuting import Permutation
from rnnbias import Adam, ClassFit, FunctionFit, LevenbergMarquardt, Recipe
from rnnbias.problems import Classification, Problem, Regression, solve
from rnnbias.solvers import Solver
from tables import aligned

__all__ = ["PERMUTATION"]

_UNITS, _SAMPLES, _IMAGE_UNITS, _EPOCHS = 300, 2000, 1000, 10
_WEIGHTS = ("readout", "weights")
_LEARNERS = {
    "permuted readout": (("readout",), "readout weights permuted"),
    "permuted": (_WEIGHTS, "all weights permuted"),
    "bias": (("bias",), "biases, by Adam"),
    "bias, second order": (("bias",), "biases, by Levenberg-Marquardt"),
    "full": (("bias", *_WEIGHTS), "everything, by Adam"),
}
_SCORES = {
    "error": ("1", "relative error on unseen points"),
    "accuracy": ("1", "accuracy on test images"),
    "learned": ("1", "numbers that change or change places"),
    "seconds": ("s", "time to fit"),
    **columns.SCORES,
}


class _Cell(NamedTuple):
    target: str
    learner: str
    seed: int


def cells(plan: Plan) -> list[_Cell]:
    """Franke's function, and images, for which second order is too large."""
    return [
        _Cell(target, name, seed)
        for seed in range(plan.seeds)
        for target in ("franke", "images")
        for name in _LEARNERS
        if target == "franke" or name != "bias, second order"
    ]


def make(cell: _Cell, plan: Plan) -> Mapping[str, float]:
    """Learn over the same frozen weights, and test."""
    learn, epochs = _LEARNERS[cell.learner][0], 2 if plan.quick else _EPOCHS
    began = time.perf_counter()
    fit, test = (_function if cell.target == "franke" else _images)(cell, plan, learn, epochs)
    seconds = time.perf_counter() - began
    found = fit.score(test)
    score = {"error": float(found.nrmse)} if cell.target == "franke" else {"accuracy": float(found.accuracy)}
    steady = columns.steadiness(fit, test if cell.target == "franke" else few(test))
    return {**score, "learned": fit.network.learned, "seconds": seconds, **steady}


def _function(cell: _Cell, plan: Plan, learn: tuple[str, ...], epochs: int) -> tuple[FunctionFit, str]:
    """By Adam in 40 times as many epochs, for there are few samples."""
    problem = Regression(cell.target, samples=_SAMPLES, seed=cell.seed)
    solver: Solver = Adam(epochs=40 * epochs, rate=1e-2, batch=256, seed=cell.seed)
    if "permuted" in cell.learner:
        solver = Permutation(epochs=40 * epochs, rate=3e-2, batch=256, every=40, seed=cell.seed)
    if cell.learner == "bias, second order":
        solver = LevenbergMarquardt(iterations=3 if plan.quick else 200)
    recipe = replace(problem.recipe(solver, ("bias",), "relu"), law="gaussian")  # spherical: readouts of equal size
    return _solved(problem, cell, learn, solver, recipe, units=60 if plan.quick else _UNITS), cell.target


def _images(cell: _Cell, plan: Plan, learn: tuple[str, ...], epochs: int) -> tuple[ClassFit, object]:
    """Over the paper's uniform weights."""
    data, usual, units = sources.fashion(plan), LEARNERS["bias-uniform"], 60 if plan.quick else _IMAGE_UNITS
    rate = usual.solver.rate if learn == ("bias",) else 1e-3
    solver: Solver = replace(usual.solver, epochs=epochs, rate=rate, seed=cell.seed)
    if "permuted" in cell.learner:
        solver = Permutation(epochs=epochs, rate=rate, batch=usual.solver.batch, seed=cell.seed)
    recipe = usual.recipe(data.shape[0] * data.shape[1], units)
    problem = Classification(data, brightness=usual.brightness)
    return _solved(problem, cell, learn, solver, recipe, units=units), data


def _solved(
    problem: Problem, cell: _Cell, learn: tuple[str, ...], solver: Solver, recipe: Recipe, units: int
) -> ClassFit | FunctionFit:
    return solve(
        problem, units=units, learn=learn, solver=solver, seed=cell.seed, recipe=recipe, activation="relu",
        patience=10**6, progress=False,
    )  # fmt: skip


def claims(data: xr.Dataset) -> list[Claim]:
    """The paper says nothing of permutations."""
    return []


def report(data: xr.Dataset) -> list[str]:
    """What each learner reaches over the same frozen weights."""
    measures: dict[str, tuple[str, Callable[[xr.DataArray], str]]] = {
        "franke": ("relative error", lambda one: over_seeds(one.error)),
        "images": ("accuracy (%)", lambda one: over_seeds(100 * one.accuracy, "{:.1f}")),
    }
    rows = [
        [
            target, about, f"{one.learned.max().item():,.0f}", f"{measures[target][0]} {measures[target][1](one)}",
            over_seeds(one.seconds, "{:.0f}"),
        ]
        for target in map(str, data.target.values)
        for name, (_, about) in _LEARNERS.items()
        if name in data.learner.values
        for one in [data.sel(target=target, learner=name)]
        if one.seconds.notnull().any()
    ]  # fmt: skip
    return [
        f"One hidden layer of ReLU units, {_UNITS} for Franke's function ({_SAMPLES:,} samples) and {_IMAGE_UNITS:,} "
        "for images; every learner begins with the same weights. Permuted weights keep their values: each row becomes "
        "a permutation of itself (LaPerm, Qiu & Suda 2020; Cai, Chen & Qiao 2025 prove that this suffices in one "
        "dimension). Median over seeds, and the range.",
        "", *aligned(["target", "what learns", "numbers", "result", "seconds"], rows, words=2), "",
    ]  # fmt: skip


PERMUTATION = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, claims=claims,
    title="Related work: weights that are permuted", skill=f"{ACCURACY}; of the function, one over the error",
    settings=[
        (
            "comparison", "none; a neighbour of the question",
            "biases, permuted weights and full training over the same frozen weights",
        ),
        (
            "permutation", "LaPerm [Qiu & Suda 2020]",
            "Adam 0.001 (function: 0.03), permuted every 100 (function: 40) steps [guess]",
        ),
    ],
)  # fmt: skip
