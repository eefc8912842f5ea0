"""The worm: biases of a teacher over C. elegans' wiring, from twenty noisy neurons."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

import columns
from circuits.cells import SKILL, Cell
from experiments import Experiment, Plan, over_seeds
from rnnbias import ActivityFit, Circuit, fit_activity, plot
from rnnbias.analysis import uncertainty
from systems.connectomes import Connectome, celegans, degree_preserving, scrambled_signs, shuffled_identities
from tables import aligned, number

__all__ = ["NOISE", "RECORDED", "SETTINGS", "SPREAD", "WORM", "circuit", "drawn", "stimuli"]

_SHUFFLES = {
    "degree-preserving shuffle": degree_preserving,
    "shuffled identities": shuffled_identities,
    "scrambled signs": scrambled_signs,
}
_TRIALS, _STEPS, _DECAY = 20, 30, 0.3
_STIMULATED = 20  # sensory neurons of each trial
SPREAD, NOISE, RECORDED = 0.3, 0.02, 20
_INSIDE = 1.645  # standard deviations on either side that hold 90 %
_SCORES = {
    "current": ("1", "square error of other neurons' currents over the prior's"),
    "current_predicted": ("1", "the same as the linear theory expects it at the estimate"),
    "rate": ("1", "square error of other neurons' rates over the prior's"),
    "rate_predicted": ("1", "the same as the linear theory expects it at the estimate"),
    "inside": ("1", "samples of other neurons, under fresh stimuli, inside the 90 % intervals"),
    "bias": ("1", "square error of biases over the prior's"),
    "noise": ("1", "estimated noise over the true one"),
    "seconds": ("s", "time to learn"),
    **columns.SCORES,
}


@cache
def wiring() -> Connectome:
    """The worm's: rows normalised, spectral radius 0.95."""
    return celegans().scaled("rows", 1.0).scaled("radius", 0.95)


def circuit(tied: bool, graph: Connectome | None = None) -> Circuit:
    """The worm, or another graph of its neurons, with a bias a class or a neuron; every neuron has an input."""
    worm = wiring()
    groups = worm.labels("class") if tied else None
    return Circuit(worm if graph is None else graph, inputs=np.eye(worm.units), decay=_DECAY, groups=groups)


def drawn(rng: np.random.Generator, tied: bool, spread: float) -> Circuit:
    """A teacher: the worm with biases of this spread."""
    teacher = circuit(tied)
    teacher.bias.data.copy_(teacher.bias.new_tensor(spread * rng.standard_normal(teacher.learned)))
    return teacher


def cells(plan: Plan) -> list[Cell]:
    """Tied biases for all seeds; separate ones and shuffles too."""
    names = ("class biases", *(("separate biases", *_SHUFFLES) if not plan.quick else ()))
    return [Cell(name, RECORDED, seed) for seed in range(1 if plan.quick else 10) for name in names]


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """One student; shuffles are what the student is given, the teacher has the real wiring."""
    tied = cell.condition != "separate biases"
    return _student(
        np.random.default_rng((cell.seed, 4)), tied=tied, recorded=cell.size, spread=SPREAD, noise=NOISE,
        shuffle=cell.condition if cell.condition in _SHUFFLES else None, seed=cell.seed,
    )  # fmt: skip


class _Lesson(NamedTuple):
    """A teacher, what drives it and what it does then, which neurons were recorded, and the student."""

    teacher: Circuit
    drive: np.ndarray
    seen: xr.DataArray
    others: np.ndarray
    fit: ActivityFit
    seconds: float


def _lesson(
    rng: np.random.Generator, *, tied: bool, recorded: int, spread: float, noise: float, strength: float = 1.0,
    shuffle: str | None = None, seed: int = 0,
) -> _Lesson:  # fmt: skip
    """Draw a teacher, record it, and let a student learn."""
    worm = wiring()
    teacher = drawn(rng, tied, spread)
    drive, which = strength * stimuli(rng), rng.permutation(worm.units)
    seen = teacher.run(drive).rate.isel(unit=which[:recorded])
    seen = seen + noise * rng.standard_normal(seen.shape)
    graph = worm if shuffle is None else _SHUFFLES[shuffle](worm, seed)
    began = time.perf_counter()
    fit = fit_activity(circuit(tied, graph), seen, drive, prior=spread, progress=False)
    return _Lesson(teacher, drive, seen, np.sort(which[recorded:]), fit, time.perf_counter() - began)


def _student(rng: np.random.Generator, *, noise: float, strength: float = 1.0, **settings: Any) -> dict[str, float]:
    """Score a student."""
    lesson = _lesson(rng, noise=noise, strength=strength, **settings)
    fit, bias, fresh = lesson.fit, lesson.teacher.bias.detach().numpy(), strength * stimuli(rng)
    found = {"seconds": lesson.seconds, "noise": fit.settings["noise"] / noise}
    found["bias"] = float(((fit.network.bias.detach().numpy() - bias) ** 2).sum() / (bias**2).sum())
    truth = lesson.teacher.run(fresh)
    for quantity in ("current", "rate"):
        sure = uncertainty(fit, lesson.seen, lesson.drive, at=fresh, quantity=quantity)
        found |= _compared(fit, sure, truth[quantity].values, fresh, lesson.others, quantity)
    return found | columns.steadiness(fit, (truth.rate, fresh))


def picture(data: xr.Dataset) -> np.ndarray:
    """Rates of neurons under a fresh stimulus that changes, with their 90 % intervals and the truth."""
    rng = np.random.default_rng((0, 4))
    lesson = _lesson(rng, tied=True, recorded=RECORDED, spread=SPREAD, noise=NOISE)
    fresh = np.concatenate([stimuli(rng)[:1], stimuli(rng)[:1]], 1)
    sure = uncertainty(lesson.fit, lesson.seen, lesson.drive, at=fresh)
    return plot.activity_bands(sure, lesson.teacher.run(fresh).rate)


def _compared(
    fit: ActivityFit, sure: xr.Dataset, truth: np.ndarray, fresh: np.ndarray, others: np.ndarray, quantity: str
) -> dict[str, float]:
    """Errors beside what was expected of them."""
    prior = ((fit.before().activity(fresh)[quantity].values - truth)[..., others] ** 2).mean()
    off, width = (sure.activity.values - truth)[..., others], sure.activity_sd.values[..., others]
    return {
        quantity: float((off**2).mean() / prior),
        f"{quantity}_predicted": float((width**2).mean() / prior),
        "inside": float((np.abs(off) <= _INSIDE * width).mean()),
    }


def stimuli(rng: np.random.Generator) -> np.ndarray:
    """Constant inputs to sensory neurons, others in every trial: (trial, time, neuron)."""
    worm = wiring()
    sensory = [k for k, role in enumerate(worm.labels("role")) if "sensory" in role]
    inputs = np.zeros((_TRIALS, _STEPS, worm.units))
    for trial in inputs:
        trial[:, rng.choice(sensory, _STIMULATED, replace=False)] = rng.standard_normal(_STIMULATED)
    return inputs


def report(data: xr.Dataset) -> list[str]:
    """The table."""
    rows = []
    for condition in ("class biases", "separate biases", *_SHUFFLES):
        if condition in data.condition.values:
            one = data.sel(condition=condition, size=RECORDED)
            names = ("current", "current_predicted", "rate", "rate_predicted", "bias", "inside", "noise", "seconds")
            forms = ("{:.3f}", "{:.3f}", "{:.3f}", "{:.3f}", "{:.2f}", "{:.2f}", "{:.2f}", "{:.0f}")
            cells = [over_seeds(one[n], f) for n, f in zip(names, forms, strict=True)]
            rows.append([condition, "", *cells, *columns.words(one.median("seed"), "{:.2f}")])
    header = ["student", "", "currents", "predicted", "rates", "predicted", "biases", "inside 90 %", "noise", "seconds"]
    header += columns.HEADER
    return [
        "## The worm", "",
        f"302 neurons, rows normalised, spectral radius 0.95; {_TRIALS} trials of {_STEPS} steps, in each of which "
        f"{_STIMULATED} sensory neurons are driven; the teacher's biases have a spread of {SPREAD}, one a class or "
        f"one a neuron; {RECORDED} of 302 neurons are recorded with noise {NOISE}. Square errors of the others "
        "under fresh stimuli over those before learning, beside what the linear theory expects there; "
        "samples inside the 90 % intervals; estimated noise over the true one. Shuffles: what the student knows of the "
        "wiring.",
        "", *aligned(header, rows), "", columns.note(SKILL), "",
    ]  # fmt: skip


WORM = Experiment(cells, make, _SCORES, report, picture)


def _random_cells(plan: Plan) -> list[Cell]:
    return [Cell("random setting", 0, seed) for seed in range(2 if plan.quick else 20)]


def _random(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """A student whose spread, noise, stimuli, ties and number of recorded neurons are drawn."""
    rng = np.random.default_rng((cell.seed, 5))
    settings = {
        "spread": float(rng.uniform(0.2, 0.6)), "noise": float(10 ** rng.uniform(-3, -1.3)),
        "recorded": int(rng.integers(10, 61)), "tied": bool(rng.random() < 0.5),
        "strength": float(rng.uniform(0.3, 1.5)),
    }  # fmt: skip
    found = _student(rng, **settings)
    return {**found, **{name: float(settings["noise" if name == "true_noise" else name]) for name in _DRAWN}}


_DRAWN = {
    "spread": ("1", "spread of the biases"),
    "true_noise": ("1", "noise"),
    "recorded": ("1", "neurons recorded"),
    "tied": ("1", "whether biases are tied by class"),
    "strength": ("1", "strength of the stimuli"),
}


def _random_report(data: xr.Dataset) -> list[str]:
    one = data.sel(condition="random setting", size=0).dropna("seed", how="all", subset=["rate"])
    ratio = one.rate / one.rate_predicted
    good = int((ratio < 2).sum())
    rows = []
    for seed in one.seed.values:
        row = one.sel(seed=seed)
        sizes = [number(row[name], "{:.2g}") for name in ("recorded", "spread", "strength")]
        errors = [number(row[name], "{:.3f}") for name in ("rate", "rate_predicted", "current")]
        ratios = [number(value, "{:.2f}") for value in (row.rate / row.rate_predicted, row.noise)]
        rows.append([str(int(seed)), "yes" if row.tied else "no", *sizes, *errors, *ratios])
    header = ["setting", "tied", "recorded", "spread", "stimuli", "rates", "predicted", "currents", "ratio"]
    header += ["noise/true"]
    return [
        "## Twenty settings drawn at random", "",
        f"The worm again. Rates of other neurons end below twice the linear prediction in {good} of {len(ratio)} "
        "settings.",
        "", *aligned(header, rows), "",
    ]  # fmt: skip


SETTINGS = Experiment(_random_cells, _random, {**_SCORES, **_DRAWN}, _random_report)
