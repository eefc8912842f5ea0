"""Baselines without a network: what a forecast must beat before its score means anything.

Persistence             the floor: nothing changes
LinearAutoregression    a linear map of a few delayed states
NVAR                    a quadratic one: next-generation reservoir computing

Each is fitted to trials (trial, time, state), sees them standardised by their own mean and deviation, and is
a differentiable map on the last `delays` states, all in float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks

__all__ = ["NVAR", "Baseline", "LinearAutoregression", "Persistence", "least_squares"]


class Baseline(ABC):
    """A map on the last k = `delays` states: s_t = (x_{t-k+1}, ..., x_t) -> (x_{t-k+2}, ..., x_t, f(s_t))."""

    delays: int
    mean: np.ndarray
    scale: np.ndarray

    @property
    @abstractmethod
    def learned(self) -> int:
        """How many numbers were learned."""

    @abstractmethod
    def predict(self, state: Tensor) -> Tensor:
        """f: the standardised x_{t+1} (batch, state) from s_t (batch, delays * state), oldest first."""

    @abstractmethod
    def _learn(self, state: Tensor, then: Tensor) -> None:
        """Learn f from pairs of s_t and x_{t+1}."""

    def fit(self, values: ArrayLike) -> Self:
        """Learn from `values` (trial, time, state); returns itself.

        Raises ValueError where a state is constant, or where there are fewer samples than numbers to learn
        for a state.
        """
        values = checks.array("values", values, ndim=3)
        self.mean, self.scale = values.mean((0, 1)), values.std((0, 1))
        if (self.scale == 0).any():
            raise ValueError("values must vary in every state, got a constant one")
        standard = self._standardise(values)
        if standard.shape[1] <= self.delays:
            raise ValueError(f"values must have more than {self.delays} samples, got {standard.shape[1]}")
        self._learn(_embed(standard[:, :-1], self.delays).flatten(0, 1), standard[:, self.delays :].flatten(0, 1))
        return self

    def step(self, state: Tensor) -> Tensor:
        """s_t -> s_{t+1}, (batch, delays * state): batched and differentiable."""
        then = self.predict(state)
        return torch.cat([state[:, then.shape[1] :], then], 1)

    @torch.no_grad()
    def forecast(self, context: ArrayLike, steps: int) -> np.ndarray:
        """Run on for `steps` samples after `context` (trial, time, state); returns (trial, steps, state)."""
        steps = checks.whole("steps", steps, at_least=1)
        _, state = self.free_map(context)
        ahead = []
        for _ in range(steps):
            state = self.step(state)
            ahead.append(state[:, -len(self.scale) :])
        return torch.stack(ahead, 1).numpy() * self.scale + self.mean

    def free_map(self, context: ArrayLike) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map that `forecast` iterates, for dynamical analysis, and its state after `context`."""
        if not hasattr(self, "scale"):
            raise RuntimeError(f"fit the {type(self).__name__} before it forecasts")
        context = checks.array("context", context, shape=(None, None, len(self.scale)))
        if context.shape[1] < self.delays:
            raise ValueError(f"context must have at least {self.delays} samples, got {context.shape[1]}")
        return self.step, _embed(self._standardise(context[:, -self.delays :]), self.delays)[:, 0]

    def _standardise(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy((values - self.mean) / self.scale)


@dataclass
class Persistence(Baseline):
    """Nothing changes: x_{t+1} = x_t.

    >>> Persistence().fit([[[0.0], [1.0], [2.0]]]).forecast([[[5.0]]], steps=2).tolist()
    [[[5.0], [5.0]]]
    """

    delays: int = field(default=1, init=False, repr=False)

    @property
    def learned(self) -> int:
        """Nothing."""
        return 0

    def predict(self, state: Tensor) -> Tensor:
        """The state itself."""
        return state

    def _learn(self, state: Tensor, then: Tensor) -> None:
        pass


@dataclass
class LinearAutoregression(Baseline):
    """One step ahead by a linear map of delayed states, fitted by least squares.

        x_{t+1} = A (1, x_{t-k+1}, ..., x_t)

    Reference: Luetkepohl 2005, New Introduction to Multiple Time Series Analysis, Springer, section 3.2.

    Parameters
    ----------
    delays : int
        k, 1 or more.
    """

    delays: int = 5
    weights: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.whole("delays", self.delays, at_least=1)

    @property
    def learned(self) -> int:
        """Entries of A."""
        return self.weights.numel()

    def predict(self, state: Tensor) -> Tensor:
        """A times the features."""
        return _with_constant(state) @ self.weights

    def _learn(self, state: Tensor, then: Tensor) -> None:
        self.weights = least_squares(_with_constant(state), then)


@dataclass
class NVAR(Baseline):
    """Nonlinear vector autoregression: the increment from delayed states and their products by pairs.

        x_{t+1} = x_t + A (1, s, s_i s_j for all i <= j),      s = (x_{t-k+1}, ..., x_t)

    with |A F - (x_{t+1} - x_t)|^2 + ridge |A|^2 least, summed over the training data. The next-generation
    reservoir computing of Gauthier, Bollt, Griffith and Barbosa 2021, Nature Communications 12, 5564.

    Parameters
    ----------
    delays : int
        k, 1 or more; the paper has 2.
    ridge : float
        0 or more; the paper has 2.5e-6.

    >>> x = [0.3]
    >>> for _ in range(50):
    ...     x.append(3.8 * x[-1] * (1 - x[-1]))
    >>> logistic = NVAR(delays=1, ridge=0.0).fit(np.reshape(x, (1, -1, 1)))
    >>> round(logistic.forecast([[[0.5]]], steps=1).item(), 10)
    0.95
    """

    delays: int = 2
    ridge: float = 2.5e-6
    weights: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.whole("delays", self.delays, at_least=1)
        checks.number("ridge", self.ridge, at_least=0)

    @property
    def learned(self) -> int:
        """Entries of A."""
        return self.weights.numel()

    def predict(self, state: Tensor) -> Tensor:
        """The present state and A times the features."""
        return self._now(state) + _quadratic(state) @ self.weights

    def _learn(self, state: Tensor, then: Tensor) -> None:
        self.weights = least_squares(_quadratic(state), then - self._now(state), self.ridge)

    def _now(self, state: Tensor) -> Tensor:
        return state[:, -len(self.scale) :]


def least_squares(features: Tensor, targets: Tensor, ridge: float = 0.0) -> Tensor:
    """The smallest A with |F A - Y|^2 + ridge |A|^2 least, from the singular values of F.

        A = V S / (S^2 + ridge) U^T Y,      F = U S V^T

    Singular values below the rounding error of the largest count as zero.
    """
    samples, count = features.shape
    if samples < count:
        raise ValueError(f"values must have at least {count} samples for as many features, got {samples}")
    left, singular, right = torch.linalg.svd(features, full_matrices=False)
    seen = singular > singular[0] * samples * torch.finfo(singular.dtype).eps
    shrunk = torch.where(seen, singular / (singular**2 + ridge), 0.0)
    return (shrunk * right.T) @ (left.T @ targets)


def _embed(standard: Tensor, delays: int) -> Tensor:
    """(trial, time, state) -> (trial, time - delays + 1, delays * state), oldest first."""
    return standard.unfold(1, delays, 1).transpose(-1, -2).flatten(2)


def _with_constant(state: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(state[:, :1]), state], 1)


def _quadratic(state: Tensor) -> Tensor:
    first, second = torch.triu_indices(state.shape[1], state.shape[1])
    return torch.cat([_with_constant(state), state[:, first] * state[:, second]], 1)
