"""Biases that turn a network's resting state into the source of an oscillation of a given period.

Whatever slopes d = phi'(u) in the activation's range are wanted at rest, there are biases for them: u follows from d,
and b = u - W r with r = beta / (1 + alpha) phi(u) makes it a fixed point. There the network's derivative is

    J = -alpha + beta diag(d) W,      d mu / d d_k = beta l_k (W v)_k    (l, v: left and right eigenvector of mu)

so the slopes can move one pair of eigenvalues to exp(growth +- i omega) and keep all others inside the unit circle, by
the smallest changes that do so: a Hopf (Neimark-Sacker) bifurcation made to measure. The state spirals away from rest
until the saturation of the units holds it on a cycle.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from rnnbias import pairs
from rnnbias.networks import RNN

__all__ = ["Onset", "onset"]

_LOW, _HIGH = 0.02, 0.995  # slopes kept between these
_INSIDE = 0.95  # modulus that the other eigenvalues are pushed to
_ITERATIONS = 60
_REACH = 0.15  # of the pair in one iteration
_STEP = 0.3  # of a slope in one iteration
_CLOSE = 1e-3  # distance of the pair from its goal that will do


class Onset(NamedTuple):
    """`bias` (unit,); the `pair`'s eigenvalue of positive angle, and the largest modulus among the `others`."""

    bias: np.ndarray
    pair: complex
    others: float


def onset(network: RNN, period: float, growth: float = 0.05, seed: int = 0) -> Onset:
    """Find biases under which `network`'s resting state gives birth to an oscillation.

    Parameters
    ----------
    network : RNN
        With tanh units, each with a bias of its own; its weights are read, nothing is changed.
    period : float
        In steps.
    growth : float
        Of the logarithm of the swing per step.
    seed : int
        Of the slopes to start from and of the signs of the biases.

    Where the weights are too weak (see `Recipe.gain`), the pair falls short of its goal: |pair| <= 1 means that rest
    is stable.

    >>> from rnnbias import Recipe
    >>> found = onset(RNN(60, 0, 1, recipe=Recipe(wiring="independent", gain=1.3)), period=20.0)
    >>> bool(abs(found.pair - np.exp(0.05 + 2j * np.pi / 20)) < 1e-3), found.others < 1
    (True, True)
    """
    if network.activation != "tanh" or network.fan != 1:
        raise ValueError(
            f"start 'hopf' needs tanh units with independent wiring, got {network.activation!r} and "
            f"{network.recipe.wiring!r}"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    weights, alpha, beta = network.recurrent.detach().cpu().numpy(), network.alpha, network.beta
    goal = np.exp(growth + 2j * math.pi / period)
    slopes = _quiet(beta * weights, alpha, rng.standard_normal(network.units))
    best = None
    for _ in range(_ITERATIONS):
        values, right = np.linalg.eig(beta * slopes[:, None] * weights)
        left, values = np.linalg.inv(right), values - alpha
        upper = np.flatnonzero(values.imag >= 0)
        pair = upper[np.abs(values[upper] - goal).argmin()]
        rest = upper[upper != pair]
        miss = abs(values[pair] - goal) + max(0.0, np.abs(values[rest]).max(initial=0.0) - _INSIDE)
        if best is None or miss < best[0]:
            best = miss, slopes, values[pair], np.abs(values[rest]).max(initial=0.0)
        if miss < _CLOSE:
            break
        loose = rest[np.abs(values[rest]) > _INSIDE - 0.01]
        moved = np.array([pair, *loose])
        gradient = left[moved] * (beta * weights @ right[:, moved]).T
        step = goal - values[pair]
        step *= min(1.0, _REACH / abs(step))
        outward = (np.abs(values[loose]) / values[loose])[:, None]
        rows = np.vstack([gradient[0].real, gradient[0].imag, (outward * gradient[1:]).real])
        wanted = np.concatenate([[step.real, step.imag], np.minimum(0.0, _INSIDE - 0.01 - np.abs(values[loose]))])
        change = _bounded(rows, wanted, slopes)
        slopes = np.clip(slopes + change * min(1.0, _STEP / max(np.abs(change).max(), _STEP)), _LOW, _HIGH)
    _, slopes, value, others = best
    drive = np.arctanh(np.sqrt(1 - slopes))
    readout = network.readout.detach().cpu().numpy()
    drive *= _balance(readout * np.tanh(drive), rng)
    bias = drive - weights @ (beta / (1 + alpha) * np.tanh(drive))
    return Onset(bias, complex(value), float(others))


def place(network: RNN, bias: np.ndarray) -> None:
    """Let the network start learning from `bias` (unit,)."""
    network.bias.data.copy_(torch.from_numpy(bias) - pairs.share(network.start, network.fan))


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
