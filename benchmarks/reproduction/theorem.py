"""The theorem: how wide a random network must be so that biases make it do what a small one does, within an error."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from math import log, log10, sqrt
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from scipy.optimize import brentq

from experiments import Plan
from reproduction.figures import Claim, Figure, above, known
from rnnbias import RNN, Adam, Recipe, fit_autonomous, fit_function, theory
from rnnbias.plot import style
from systems import functions
from tables import aligned, number

__all__ = ["THEOREM"]

_TOLERANCES = 10.0 ** np.arange(0, -4.5, -0.5)
_FAILURE, _MARGIN = 0.01, 1.05  # probability of failure; R over gamma
_STEPS, _LEARNED = 20, 13  # of the recurrent networks; units of the one that learned
_PAIRED, _NEAREST = 3000, 100  # units among which pairs are sought, all with all; candidates that are tried
_SCORES = {
    "enough": ("1", "decimal logarithm of the units that suffice", "tolerance"),
    "expected": ("1", "decimal logarithm of the units in which one right choice is to be expected", "tolerance"),
    "built": ("1", "units of networks that were built", "network"),
    "error": ("1", "largest error of those networks against the small one", "network"),
    "promise": ("1", "error that the construction promises of them", "network"),
    "own": ("1", "relative error of the small network on its target"),
}


class _Cell(NamedTuple):
    kind: str
    units: int  # of the small network
    inputs: int
    seed: int


def cells(plan: Plan) -> list[_Cell]:
    """Small networks, feedforward ones that learned and recurrent ones of which the largest did."""
    recurrent = [_Cell("recurrent", units, 0, 0) for units in ((2,) if plan.quick else (1, 2, 4, _LEARNED))]
    return [*(_Cell("feedforward", 8, inputs, 0) for inputs in ((1,) if plan.quick else (1, 2, 3))), *recurrent]


def make(cell: _Cell, plan: Plan) -> Mapping[str, object]:
    """The law of a small network's width, and networks built."""
    widths = (100, 1000) if plan.quick else (100, 1000, 10000)
    return (_feedforward if cell.kind == "feedforward" else _recurrent)(cell, widths, 50 if plan.quick else 500)


def _feedforward(cell: _Cell, widths: tuple[int, ...], iterations: int) -> Mapping[str, object]:
    """A Gaussian bump, by a ReLU network that learned all of its numbers."""
    target = functions.get("gaussian", width=0.5, dimension=cell.inputs)
    fit = fit_function(
        target, units=cell.units, learn=("bias", "weights", "readout"), activation="relu", samples=1000, seed=cell.seed,
        progress=False,
    )  # fmt: skip
    small = theory.balanced(fit.network)
    box = (fit.samples.box - fit.x.mean[:, None]) / fit.x.scale[:, None]
    edge = _MARGIN * theory.edge(small)
    needed = theory.width_needed(small, box, _TOLERANCES, edge=edge, failure=_FAILURE)
    likely = [_likely(small.layers[0].weight, small.readout.T, window, edge) for window in needed.window.values]
    points = fit.x.transform(target.sample(5000, seed=1).x.values, small.start)
    errors, promises = [], []
    for units in widths:
        built = theory.construct(small, theory.random_network(units, small, edge=edge, seed=cell.seed), box)
        with torch.no_grad():
            errors.append(float((built.network(points) - small(points)).abs().max()))
        promises.append(float(built.promise.max()))
    return {
        "enough": np.log10(needed.width.values), "expected": np.log10(1 - _FAILURE) - np.array(likely),
        "built": np.array(widths, float), "error": np.array(errors), "promise": np.array(promises),
        "own": float(fit.score(target).nrmse),
    }  # fmt: skip


def _likely(weight: torch.Tensor, outward: torch.Tensor, window: float, edge: float) -> float:
    """Decimal logarithm of the probability that a random unit is within the window of that unit which is hardest."""
    return float(_inside(torch.cat([weight, outward], 1), window, edge).log10().sum(1).min())


def _inside(weights: torch.Tensor, window: float, edge: float) -> torch.Tensor:
    """The probability that a number uniform on [-edge, edge] is within the window of each of these."""
    weights = weights.detach()
    return ((edge - weights).clamp(max=window) + (edge + weights).clamp(max=window)) / (2 * edge)


def _recurrent(cell: _Cell, widths: tuple[int, ...], iterations: int) -> Mapping[str, object]:
    """A small ReLU network over its first steps: as drawn, or the one of Figure 3 that learned a cosine."""
    recipe, own = Recipe(wiring="independent", gain=0.5, bias_scale=1.0, readout_scale=1.0), np.nan
    none = torch.zeros(1, _STEPS, 0, dtype=torch.float64)
    if cell.units == _LEARNED:
        fit = fit_autonomous(
            "cosine", units=cell.units, learn=("bias", "weights", "readout"), activation="relu", start="drawn",
            settle=0, alpha=0.0, beta=1.0, starts=2, holdout=0.5, periods=2, recipe=recipe, seed=cell.seed,
            solver=Adam(iterations=iterations, rate=1e-2, batch=1, every=50, clip=None), patience=10**6, progress=False,
        )  # fmt: skip
        small, own = fit.network, sqrt(1 - float(fit.skill()))
    else:  # the first of which every unit answers
        drawn = (
            RNN(cell.units, 0, 1, recipe=replace(recipe, seed=seed), activation="relu")
            for seed in itertools.count(cell.seed)
        )
        small = next(network for network in drawn if (network(none).rate > 0).any(1).all())
    with torch.no_grad():
        rate = small(none).rate[0]
    weights = torch.cat([small.recurrent.flatten(), small.readout.flatten()]).detach()
    edge = _MARGIN * float(weights.abs().max())
    enough, expected = [], []
    for tolerance in _TOLERANCES:
        window = _window(small, rate, tolerance)
        # blocks of n units, apart from each other: each is right by chance, so that so many blocks suffice
        enough.append(log10(cell.units * -log(_FAILURE)) - float(_inside(weights, window, edge).log10().sum()))
        # of all m^n choices of n units, one is right on average
        chance = float(_inside(weights, _measured(small, tolerance), edge).log10().sum())
        expected.append((log10(1 - _FAILURE) - chance) / cell.units)
    found = {"enough": np.array(enough), "expected": np.array(expected), "own": own}
    sizes = [min(units, _PAIRED) if cell.units > 1 else units for units in widths]
    built = [_built(small, units, edge, cell.seed) for units in sizes] if cell.units <= 2 else []
    errors, promises = ([float(each[k]) for each in built] + [np.nan] * (len(widths) - len(built)) for k in (0, 1))
    return {**found, "built": np.array(sizes, float), "error": np.array(errors), "promise": np.array(promises)}


@torch.no_grad()
def _promise(small: RNN, rate: torch.Tensor, window: float) -> float:
    """The summed error of the outputs over the steps, where all weights are within `window` of the small network's.

    With e_t the largest error of a rate, and ReLU units,

        e_t <= (|alpha| + beta (|W| + n window)) e_{t-1} + beta window |r_{t-1}|_1,
        |y'_t - y_t| <= (|c|_1 + n window) e_t + window |r_t|_1,

    |W| being the largest sum of a row. Inputs there are none, and both start at rest.
    """
    sizes = rate.abs().sum(1).tolist()
    row = float(small.recurrent.abs().sum(1).max()) + small.units * window
    outward = float(small.readout.abs().sum()) + small.units * small.outputs * window
    error, total, before = 0.0, 0.0, 0.0
    for size in sizes:
        error = (abs(small.alpha) + small.beta * row) * error + small.beta * window * before
        total += outward * error + small.outputs * window * size
        before = size
    return total


def _window(small: RNN, rate: torch.Tensor, tolerance: float) -> float:
    """The half-width within which all weights must be for the errors to sum to no more than `tolerance`."""
    largest = tolerance / rate.detach().abs().sum().item()
    return float(brentq(lambda window: _promise(small, rate, window) - tolerance, 0, largest, xtol=1e-300, rtol=1e-12))


@torch.no_grad()
def _errors(small: RNN, recurrent: torch.Tensor, readout: torch.Tensor) -> torch.Tensor:
    """Summed errors (network,) of networks with these weights (network, unit, unit), (network, output, unit), and the
    small one's biases.
    """
    rate, own, total = torch.zeros(len(recurrent), small.units, 1, dtype=torch.float64), small.resting(1), 0.0
    for _ in range(_STEPS):
        _, own = small.advance(own, small.biases)
        rate = small.beta * (recurrent @ rate + small.biases[:, None]).relu() - small.alpha * rate
        total = total + ((readout @ rate)[..., 0] - small.read(own)).abs().sum(1)
    return total


@torch.no_grad()
def _measured(small: RNN, tolerance: float) -> float:
    """The half-width of a window, uniform draws from which err by `tolerance` at the median: 64 draws."""
    rng = torch.Generator().manual_seed(0)
    sizes = [(small.units, small.units), (small.outputs, small.units)]
    recurrent, readout = (2 * torch.rand(64, *size, generator=rng, dtype=torch.float64) - 1 for size in sizes)
    low, high = -12.0, 0.0
    for _ in range(40):
        middle = (low + high) / 2
        error = _errors(small, small.recurrent + 10**middle * recurrent, small.readout + 10**middle * readout).median()
        low, high = (low, middle) if error > tolerance else (middle, high)
    return 10**low


@torch.no_grad()
def _built(small: RNN, units: int, edge: float, seed: int) -> tuple[float, float]:
    """A wide network of which one unit, or a pair, stands for the small one: its error, and what its window promises.

    Of those units or pairs whose weights are nearest the one that errs least is taken. All other units are silent,
    because their biases are below all that they are driven by.
    """
    scale = edge * sqrt(units / 3)
    recipe = Recipe(seed=seed, law="uniform", wiring="independent", gain=scale, readout_scale=scale, bias_scale=0.0)
    wide = RNN(units, 0, small.outputs, recipe=recipe, activation="relu")
    own, outward = wide.recurrent.diagonal(), wide.readout
    far = [
        torch.maximum((own - small.recurrent[k, k]).abs(), (outward - small.readout[:, [k]]).abs().amax(0))
        for k in range(small.units)
    ]
    if small.units == 1:
        nearest = far[0].topk(min(_NEAREST, units), largest=False).indices[:, None]
    else:
        first, second = small.recurrent[0, 1], small.recurrent[1, 0]
        apart = torch.maximum((wide.recurrent - first).abs(), (wide.recurrent.T - second).abs())
        apart = torch.maximum(torch.maximum(apart, far[0][:, None]), far[1][None]).fill_diagonal_(torch.inf)
        flat = apart.flatten().topk(_NEAREST, largest=False).indices
        nearest = torch.stack([flat // units, flat % units], 1)
    blocks = wide.recurrent[nearest[:, :, None], nearest[:, None]], wide.readout[:, nearest].transpose(0, 1)
    match = nearest[int(_errors(small, *blocks).argmin())]
    bias = torch.full((units,), -1e6, dtype=torch.float64)
    bias[match] = small.biases
    wide.bias.copy_(bias)
    none = torch.zeros(1, _STEPS, 0, dtype=torch.float64)
    trace = small(none)
    away = torch.cat([
        (wide.recurrent[match[:, None], match] - small.recurrent).flatten(),
        (wide.readout[:, match] - small.readout).flatten(),
    ])  # fmt: skip
    error = (wide.read(wide(none).rate) - small.read(trace.rate)).abs().sum()
    return float(error), _promise(small, trace.rate[0], float(away.abs().max()))


def claims(data: xr.Dataset) -> list[Claim]:
    """What was built is within its promise; widths are large."""
    kept = (data.error <= data.promise).where(data.error.notnull())
    found = known(kept)
    at = int(np.argmin(np.abs(_TOLERANCES - 0.01)))
    wide = data.enough.isel(tolerance=at).max(("units", "inputs", "seed")).dropna("kind")
    return [
        Claim(
            "a wide enough random network has biases by which it does what a small one does", "[second-hand, Theorem 1 "
            "and 2]", "the networks that were built are as near as their windows promise",
            f"{int(sum(found))} of {len(found)} built, with up to {int(data.built.max()):,} units", found,
        ),
        Claim(
            "the widths are exceedingly massive", "[second-hand]", "more than 10^6 units for an error of 0.01, in the "
            "worst case of each kind",
            ", ".join(f"{each.kind.item()} 10^{each.item():.0f}" for each in wide), above(wide, 6),
        ),
    ]  # fmt: skip


def report(data: xr.Dataset) -> list[str]:
    """Widths by tolerance, and what was built."""
    rows, built = [], []
    for kind, units, inputs in itertools.product(data.kind.values, data.units.values, data.inputs.values):
        one = data.sel(kind=kind, units=units, inputs=inputs).isel(seed=0)
        if one.enough.isnull().all():
            continue
        name = f"{kind}, {_named(units, inputs)}"
        for label in ("enough", "expected"):
            rows.append([name, label, *(number(v, "{:.1f}") for v in one[label].values[::2])])
        if one.error.notnull().any():
            cells = [
                f"{number(e, '{:.2g}')} ({number(p, '{:.2g}')})" for e, p in zip(one.error, one.promise, strict=True)
            ]
            built.append([name, number(one.own, "{:.2g}"), *cells])
    tolerances = [f"{t:.0e}" for t in _TOLERANCES[::2]]
    sizes = data.built.max(("kind", "units", "inputs", "seed")).values
    return [
        "Decimal logarithm of the units that a random network must have for the construction to be within an error of "
        f"a small one, with a probability of {1 - _FAILURE:g}, weights uniform on [-R, R], R = {_MARGIN} times the "
        "largest weight. *Enough*: units that suffice by the proof's bounds. *Expected*: units in which one right "
        "choice is to be expected; windows are the proof's (feedforward), or such that weights drawn from them err by "
        "as much at the median, which is measured (recurrent). Feedforward: largest error of an output, in standard "
        f"deviations of a Gaussian bump. Recurrent: errors summed over {_STEPS} steps from rest; a whole block of n "
        f"units must match at once, n² + n numbers; {_LEARNED} units learned the cosine of Figure 3, fewer are as "
        "drawn.",
        "", *aligned(["small network", "units", *tolerances], rows), "",
        "Largest (recurrent: summed) error of networks that were built, and in brackets what was promised of them; "
        f"pairs are sought among {_PAIRED:,} units at most:",
        "", *aligned(["small network", "its own error", *(f"{n:,.0f} units" for n in sizes)], built), "",
    ]  # fmt: skip


def _named(units: int, inputs: int) -> str:
    """What a small network is called."""
    own, seen = (f"{count} {word}{'' if count == 1 else 's'}" for count, word in ((units, "unit"), (inputs, "input")))
    return f"{own}, {seen}" if inputs else own


def picture(data: xr.Dataset) -> object:
    """Width against error, for both kinds."""
    figure, axes = plt.subplots(1, data.sizes["kind"], figsize=(9, 3.6), layout="constrained", squeeze=False)
    for ax, kind in zip(axes[0], data.kind.values, strict=True):
        shown = 0
        for units, inputs in itertools.product(data.units.values, data.inputs.values):
            one = data.sel(kind=kind, units=units, inputs=inputs).isel(seed=0)
            if one.enough.isnull().all():
                continue
            colour = style.look(shown)["color"]
            ax.plot(_TOLERANCES, one.enough, color=colour, label=_named(units, inputs))
            ax.plot(_TOLERANCES, one.expected, "--", color=colour)
            ax.plot(one.error, np.log10(one.built), "o", color=colour, ms=4)
            shown += 1
        ax.set(xscale="log", yscale="log", xlabel="error", ylabel="log10 of the units", title=str(kind))
        ax.set_ylim(bottom=1)
        ax.invert_xaxis()
        if shown:
            ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        style.bare(ax)
    return figure


THEOREM = Figure(
    cells=cells, make=make, scores=_SCORES, report=report, picture=picture, claims=claims,
    title="Theorems 1 and 2: width against error",
    settings=[
        ("weights", "uniform on [-R, R], R above gamma [second-hand]", f"the same, R = {_MARGIN} gamma"),
        ("activation", "continuous, and silent below a threshold: ReLU [second-hand]", "ReLU"),
        (
            "proof",
            "units within a window of the small network's; their biases copied, all others silenced [second-hand]",
            "the same, executed; windows solved for",
        ),
        (
            "error of the recurrent network",
            "summed over a finite time, uniform over initial states and inputs [second-hand]",
            f"{_STEPS} steps of one run from rest, without input: a weaker statement",
        ),
    ],
)  # fmt: skip
