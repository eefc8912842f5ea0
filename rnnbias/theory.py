"""The theorem of bias learning made executable: the biases that its proof constructs, and what they promise.

Williams et al. 2025, Theorem 1: let a small ReLU network approximate a function with weights of at most gamma. A wide
one with weights drawn uniformly from [-R, R], R > gamma, holds near each small unit one whose input and output weights
are within a window. The biases of those are copied and every other unit is silenced by a very low bias, so that the
wide network differs from the small one by no more than

    sum_j |C_i(j) - c_j| max_x relu(w_j x + b_j) + |C_i(j)| max_x |(W_i(j) - w_j) x|,

with i(j) the unit matched to unit j and x in a box. `construct` does this and says the bound; `width_needed` says how
wide a network must be for a bound to be met.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from scipy.optimize import brentq, linear_sum_assignment
from scipy.special import gammainccinv

from rnnbias.networks import FNN, Recipe
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["Construction", "balanced", "construct", "edge", "random_network", "width_needed"]

_ROUNDING = 1e-13  # of the largest output, which floating-point sums of the outputs may be off by


@dataclass(frozen=True)
class Construction:
    """What the proof constructs.

    Attributes
    ----------
    network : FNN
        The wide network with the constructed biases.
    match : array (unit of the small network,)
        The unit of the wide network that stands for each.
    window : float
        The largest distance of a matched weight from the small network's.
    promise : array (output,)
        Each output of the wide network is within this of the small network's, everywhere in the box.
    """

    network: FNN
    match: np.ndarray
    window: float
    promise: np.ndarray


def random_network(units: int, like: FNN, *, edge: float, seed: int) -> FNN:
    """A ReLU network with input and output weights uniform on [-edge, edge], of the sizes of `like`; biases learn.

    It is index-stable: a wider one begins with the same units.
    """
    edge = checks.number("edge", edge, above=0)
    recipe = Recipe(
        seed=seed, law="uniform", wiring="independent", bias_scale=1.0,
        input_scale=edge / math.sqrt(3), readout_scale=edge * math.sqrt(units / 3),
    )  # fmt: skip
    return FNN(units, like.inputs, like.outputs, recipe=recipe)


def edge(network: FNN) -> float:
    """The largest input or output weight of a network: gamma, which R must exceed."""
    parts = _read("network", network)
    return float(max(np.abs(parts.weight).max(), np.abs(parts.readout).max()))


def balanced(network: FNN) -> FNN:
    """The same function with the largest input weight of each unit as large as its largest output weight.

    ReLU is homogeneous: relu(s u) = s relu(u) for s > 0, so that a factor can move across each unit. This makes `edge`
    smallest, and windows of equal width cost equally much on both sides. Raises ValueError for structured weights.
    """
    parts = _read("network", network)
    if network.recipe.structure != "dense":
        raise ValueError(f"network must have dense weights, which can be scaled unit by unit, got {network!r}")
    inward, outward = np.abs(parts.weight).max(1), np.abs(parts.readout).max(0)
    factor = np.sqrt(np.divide(outward, inward, out=np.ones_like(inward), where=(inward > 0) & (outward > 0)))
    result = copy.deepcopy(network)
    with torch.no_grad():
        result.state_dict()["weight_1"].copy_(torch.from_numpy(parts.weight * factor[:, None]))
        result.readout.copy_(torch.from_numpy(parts.readout / factor))
    _shift(result, parts.bias * factor)
    return result


def construct(small: FNN, wide: FNN, box: ArrayLike) -> Construction:
    """Give `wide` the biases that make it imitate `small` for inputs in `box` (input, 2), as the proof does.

    Of all ways to match units this takes the one with the least promised error, summed over outputs. Both networks must
    have one hidden layer of independent ReLU units; `wide` itself is not changed.

    >>> small = FNN(3, 1, 1, recipe=Recipe(wiring="independent", input_scale=1.0, readout_scale=1.0))
    >>> wide = random_network(2000, small, edge=1.1 * edge(small), seed=1)
    >>> built = construct(small, wide, [(-1, 1)])
    >>> x = torch.linspace(-1, 1, 100, dtype=torch.float64)[:, None]
    >>> error = (built.network(x) - small(x)).abs().max().item()
    >>> bool(error <= built.promise[0] < 0.5)
    True
    """
    few, many = _read("small", small), _read("wide", wide)
    if (small.inputs, small.outputs) != (wide.inputs, wide.outputs):
        raise ValueError(
            f"wide must have {small.inputs} inputs and {small.outputs} outputs as small has, got {wide.inputs} and "
            f"{wide.outputs}"
        )
    if wide.units < small.units:
        raise ValueError(f"wide must have at least the {small.units} units of small, got {wide.units}")
    sides = _sides(box, small.inputs)
    reach = np.abs(sides).max(1)
    peaks = np.maximum(few.bias + _highest(few.weight, sides), 0)

    def bound(j: int, units: np.ndarray | slice) -> np.ndarray:
        """The promised error (unit, output) where each of `units` stands for unit j."""
        tilt = np.abs(many.weight[units] - few.weight[j]) @ reach
        outward = many.readout.T[units]
        return np.abs(outward - few.readout[:, j]) * peaks[j] + np.abs(outward) * tilt[:, None]

    costs = [bound(j, slice(None)).sum(1) for j in range(small.units)]
    # some best matching gives every unit one of its `small.units` cheapest
    cheapest = [np.argpartition(cost, small.units - 1)[: small.units] for cost in costs]
    candidates = np.unique(np.concatenate(cheapest))
    order, chosen = linear_sum_assignment(np.stack([cost[candidates] for cost in costs]))
    match = candidates[chosen[np.argsort(order)]]

    biases = -_highest(many.weight, sides) - 1.0  # silent in the whole box
    biases[match] = few.bias
    result = copy.deepcopy(wide)
    _shift(result, biases)
    window = max(np.abs(many.weight[match] - few.weight).max(), np.abs(many.readout[:, match] - few.readout).max())
    promise = np.concatenate([bound(j, match[j : j + 1]) for j in range(small.units)]).sum(0)
    rounding = _ROUNDING * np.abs(few.readout) @ (peaks + 1)
    return Construction(result, match, float(window), promise + rounding)


def width_needed(small: FNN, box: ArrayLike, tolerance: ArrayLike, *, edge: float, failure: float = 0.01) -> xr.Dataset:
    """How wide a random network must be for the construction to promise an error within `tolerance` (tolerance,).

    With every weight within a window of half-width w of the small network's, each output is off by at most
    sum_j w max_x relu(w_j x + b_j) + (|c_j| + w) w |x|_1; this is solved for w. A random unit lies in the window of
    unit j with probability p_j, which is (w / R)^(inputs + outputs) where the window is within [-R, R]. If every window
    holds at least k units, k being those of the small network, each can have one of its own (Hall 1935), and the number
    in a window fails to reach k with a probability of at most that of a Poisson variable with mean m p_j (Anderson and
    Samuels 1967). So m = lambda / min p_j, where k P(Poisson(lambda) < k) = failure.

    Returns a Dataset with `window` and `width` over `tolerance`.

    Raises ValueError where `edge` R is not above the small network's own weights.

    >>> small = FNN(3, 2, 1, recipe=Recipe(wiring="independent", input_scale=1.0, readout_scale=1.0))
    >>> found = width_needed(small, [(-1, 1)] * 2, [0.1, 0.01], edge=2 * edge(small))
    >>> bool(found.width[1] / found.width[0] > 900)
    True
    """
    few = _read("small", small)
    tolerance = np.atleast_1d(checks.array("tolerance", tolerance))
    if (tolerance <= 0).any():
        raise ValueError(f"tolerance must be positive, got {tolerance.min()}")
    failure = checks.number("failure", failure, above=0, at_most=0.5)
    weights = np.concatenate([few.weight, few.readout.T], 1)
    edge = checks.number("edge", edge, above=float(np.abs(weights).max()))
    sides = _sides(box, small.inputs)
    reach = np.abs(sides).max(1).sum()
    peaks = np.maximum(few.bias + _highest(few.weight, sides), 0)

    def worst(window: float) -> float:
        return float((window * peaks + (np.abs(few.readout) + window) * window * reach).sum(1).max())

    windows = []
    for error in tolerance:
        largest = 1.0
        while worst(largest) < error:
            largest *= 2
        windows.append(brentq(lambda w, error=error: worst(w) - error, 0, largest, xtol=1e-300, rtol=1e-12))
    half = np.array(windows)[:, None, None]
    inside = np.minimum(weights + half, edge) - np.maximum(weights - half, -edge)
    likely = (inside / (2 * edge)).prod(2).min(1)
    k = small.units
    mean = max(float(gammainccinv(k, failure / k)), k)
    coords = {"tolerance": Labelled("tolerance", tolerance, "1", "promised error of each output")}
    found = {
        "window": Labelled("tolerance", np.array(windows), "1", "half-width of the window around each weight"),
        "width": Labelled("tolerance", mean / likely, "1", "units needed"),
    }
    about = {"seed": small.recipe.seed, "edge": edge, "failure": failure, "small_units": k}
    return dataset(
        found, coords, title="width that the construction needs", config=about,
        references="Williams et al., ICLR 2025 (arXiv:2407.00957), Theorem 1",
    )  # fmt: skip


class _Parts(NamedTuple):
    """Weight (unit, input), bias (unit,) and readout (output, unit) of a network."""

    weight: np.ndarray
    bias: np.ndarray
    readout: np.ndarray


def _read(name: str, network: FNN) -> _Parts:
    if (
        not isinstance(network, FNN)
        or len(network.widths) != 1
        or network.wiring.units_per_row != 1
        or network.activation != "relu"
    ):
        raise ValueError(f"{name} must be an FNN with one hidden layer of independent ReLU units, got {network!r}")
    if {"gain", "mask"} & set(network.learn):
        raise ValueError(f"{name} must have no learned gains or masks, got learn={set(network.learn)}")
    weight = network.layers[0].weight.apply(torch.eye(network.inputs).to(network.start)).T
    return _Parts(*(a.detach().cpu().numpy() for a in (weight, network.biases, network.readout)))


@torch.no_grad()
def _shift(network: FNN, biases: np.ndarray) -> None:
    network.bias.copy_(torch.from_numpy(biases) - network.start)


def _sides(box: ArrayLike, inputs: int) -> np.ndarray:
    sides = checks.array("box", box, shape=(inputs, 2))
    if (sides[:, 0] >= sides[:, 1]).any():
        raise ValueError(f"box must hold (low, high) with low < high, got {sides.tolist()}")
    return sides


def _highest(weight: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """The largest w x in the box, (unit,)."""
    return np.maximum(weight * sides[:, 0], weight * sides[:, 1]).sum(1)
