"""Biases under which a network's resting state has the eigenvalues that one wants.

Whatever slopes d = phi'(u) in the activation's range are wanted at rest, there are biases for them: u follows from d,
and b = u - W r with r = beta / (1 + alpha) phi(u) makes it a fixed point. There the network's derivative is

    J = -alpha + beta diag(d) W,      d mu / d d_k = beta l_k (W v)_k    (l, v: left and right eigenvector of mu)

so the slopes can bring a few eigenvalues mu to their goals and keep all others inside the unit circle, by the smallest
changes that do so. A pair at exp(growth +- i omega) is a Hopf (Neimark-Sacker) bifurcation made to measure: the state
spirals away from rest until the saturation of the units holds it on a cycle. Real eigenvalues above 1 are directions
along which the state falls to either side, and stays: bits to remember.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from rnnbias.networks import RNN
from rnnbias.objectives.base import Objective

__all__ = ["Placement", "place", "place_best", "placement"]

_TRIED = 5  # placements, of which the best is taken
_LOW, _HIGH = 0.02, 0.995  # slopes kept between these
_INSIDE = 0.95  # modulus that the other eigenvalues are pushed to
_ITERATIONS = 60
_REACH = 0.15  # of an eigenvalue in one iteration
_STEP = 0.3  # of a slope in one iteration
_CLOSE = 1e-3  # distance from the goals that will do


class Placement(NamedTuple):
    """`bias` and the rates at `rest` (unit,); eigenvalues `placed`, in the order of goals; modulus of `others`."""

    bias: np.ndarray
    rest: np.ndarray
    placed: np.ndarray
    others: float


def placement(network: RNN, goals: ArrayLike, seed: int = 0) -> Placement:
    """Find biases under which the resting state of `network` has eigenvalues at `goals`.

    Parameters
    ----------
    network : RNN
        With tanh units, each with a bias of its own; its weights are read, nothing is changed.
    goals : complex
        One for each conjugate pair (positive angle) or real eigenvalue (angle 0); apart from each other.
    seed : int
        Of the slopes to start from and of the signs of the biases.

    Where the weights are too weak (see `Recipe.gain`), the eigenvalues `placed` fall short of their goals.

    >>> from rnnbias import Recipe
    >>> network = RNN(60, 0, 1, recipe=Recipe(wiring="independent", gain=1.3))
    >>> turn = np.exp(0.05 + 2j * np.pi / 20)
    >>> found = placement(network, [turn])
    >>> bool(abs(found.placed[0] - turn) < 1e-3), bool(found.others < 1)
    (True, True)
    """
    if network.activation != "tanh" or network.wiring.units_per_row != 1:
        raise ValueError(
            f"eigenvalues are placed for tanh units with independent wiring only, got {network.activation!r} and "
            f"{network.recipe.wiring!r}"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    goals = np.atleast_1d(np.asarray(goals, complex))
    unit = torch.eye(network.units).to(network.start)
    weights = network.recurrence.apply(unit).T.detach().cpu().numpy()
    alpha, beta = network.alpha, network.beta
    slopes = _quiet(beta * weights, alpha, rng.standard_normal(network.units))
    best: tuple[Any, ...] = (np.inf,)
    for _ in range(_ITERATIONS):
        values, right = np.linalg.eig(beta * slopes[:, None] * weights)
        left, values = np.linalg.inv(right), values - alpha
        chosen = _matched(values, goals)
        rest = np.setdiff1d(np.flatnonzero(values.imag >= 0), chosen)
        others = np.abs(values[rest]).max(initial=0.0)
        miss = np.abs(values[chosen] - goals).max() + max(0.0, others - _INSIDE)
        if miss < best[0]:
            best = miss, slopes, values[chosen], others
        if miss < _CLOSE:
            break
        step = goals - values[chosen]
        step *= np.minimum(1.0, _REACH / np.maximum(np.abs(step), 1e-300))
        loose = rest[np.abs(values[rest]) > _INSIDE - 0.01]
        inward = np.minimum(0.0, _INSIDE - 0.01 - np.abs(values[loose]))
        gradient, outward = (left[k] * (beta * weights @ right[:, k]).T for k in (chosen, loose))
        outward = outward * (np.abs(values[loose]) / values[loose])[:, None]
        turning = goals.imag != 0
        rows = np.vstack([gradient.real, gradient[turning].imag, outward.real])
        change = _bounded(rows, np.concatenate([step.real, step[turning].imag, inward]), slopes)
        slopes = np.clip(slopes + change * min(1.0, _STEP / max(np.abs(change).max(), _STEP)), _LOW, _HIGH)
    _, slopes, placed, others = best
    drive = np.arctanh(np.sqrt(1 - slopes))
    drive *= _balance(network.readout.detach().cpu().numpy() * np.tanh(drive), rng)
    rest = beta / (1 + alpha) * np.tanh(drive)
    return Placement(drive - weights @ rest, rest, placed, float(others))


def place(network: RNN, bias: np.ndarray) -> None:
    """Let the network start learning from `bias` (unit,)."""
    network.bias.data.copy_(torch.from_numpy(bias).to(network.start) - network.wiring.spread(network.start))


def place_best(network: RNN, train: Objective, goals: ArrayLike, seed: int) -> None:
    """Let the network start from that of a few placements which is nearest to what is to be learned."""
    found = [placement(network, goals, seed + k).bias for k in range(_TRIED)]
    losses = []
    for bias in found:
        place(network, bias)
        losses.append(train.loss(network))
    place(network, found[int(np.argmin(losses))])


def _matched(values: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """For each goal an eigenvalue of its kind: the nearest turning ones, the largest real ones in the same order."""
    real, turning = np.flatnonzero(values.imag == 0), np.flatnonzero(values.imag > 0)
    kinds = goals.imag == 0
    if kinds.sum() > len(real) or (~kinds).sum() > len(turning):
        raise ValueError(f"goals must not outnumber the eigenvalues of their kind, got {goals}")
    chosen = np.empty(len(goals), int)
    order = np.flatnonzero(kinds)[np.argsort(-goals[kinds].real)]
    chosen[order] = real[np.argsort(-values[real].real)][: len(order)]
    for k in np.flatnonzero(~kinds):
        chosen[k] = turning[np.abs(values[turning] - goals[k]).argmin()]
        turning = turning[turning != chosen[k]]
    return chosen


def _quiet(weights: np.ndarray, alpha: float, drive: np.ndarray) -> np.ndarray:
    """Slopes at a spread of drives that is just wide enough for every eigenvalue to be inside."""
    low, high = 0.1, 3.0
    for _ in range(7):
        middle = (low + high) / 2
        slopes = np.clip(1 / np.cosh(middle * drive) ** 2, _LOW, _HIGH)
        loud = np.abs(np.linalg.eigvals(slopes[:, None] * weights) - alpha).max() > _INSIDE
        low, high = (middle, high) if loud else (low, middle)
    return np.clip(1 / np.cosh(high * drive) ** 2, _LOW, _HIGH)


def _bounded(rows: np.ndarray, wanted: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """The smallest change with rows @ change = wanted that pushes no slope at a bound over it."""
    free = np.ones(len(slopes), bool)
    while True:
        change = np.zeros(len(slopes))
        change[free] = np.linalg.lstsq(rows[:, free], wanted, rcond=1e-8)[0]
        over = free & (((slopes >= _HIGH) & (change > 0)) | ((slopes <= _LOW) & (change < 0)))
        if not over.any():
            return change
        free &= ~over


def _balance(terms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Signs (unit,) for which the sum of terms (output, unit) is small: each turns the running sum back."""
    signs, total = np.ones(terms.shape[1]), np.zeros(len(terms))
    for unit in rng.permutation(terms.shape[1]):
        signs[unit] = -1.0 if total @ terms[:, unit] > 0 else 1.0
        total += signs[unit] * terms[:, unit]
    return signs
