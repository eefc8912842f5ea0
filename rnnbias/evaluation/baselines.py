"""Baselines without a network: what a forecast must beat before its score means anything.

Persistence             the floor: nothing changes
LinearAutoregression    a linear map of a few delayed states
NVAR                    a quadratic one: next-generation reservoir computing
Polynomial              one of any total degree

Each is a `Forecaster`, sees its data standardised, and is a differentiable map on the last `delays` states, all in
float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.datasets.recordings import Recording, read
from rnnbias.datasets.standardiser import Standardiser, stirred
from rnnbias.evaluation.forecasters import Data, label, read_like
from systems import Lattice, checks

__all__ = ["NVAR", "Baseline", "LinearAutoregression", "Persistence", "Polynomial", "least_squares"]

_LIKE = torch.empty(0, dtype=torch.float64)
_TALL = 100  # samples a feature from which factors are of the triangle


class Baseline(ABC):
    """A map on the last k = `delays` states: s_t = (x_{t-k+1}, ..., x_t) -> (x_{t-k+2}, ..., x_t, f(s_t))."""

    delays: int
    lattice: Lattice | None = None
    noise: float = 0.0
    seed: int = 0
    recording: Recording
    standardiser: Standardiser

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

    def fit(self, data: Data, dt: float | None = None) -> Self:
        """Learn from whatever `rnnbias.datasets.recordings.read` reads; returns itself.

        Raises ValueError where a state is constant, or where there are fewer samples than numbers to learn
        for a state.
        """
        found = read(data, dt, shortest=self.delays + 1)
        self.recording = found._replace(values=found.values[:0])
        if self.lattice is None:
            self.standardiser = Standardiser.of(found.values, "the recording", found.states)
        else:
            self.lattice.check(len(found.states))
            self.standardiser = Standardiser.shared(found.values, "the recording")
        standard = self.standardiser.transform(found.values, _LIKE)
        seen = stirred(standard[:, :-1], self.noise, self.seed)
        self._learn(_embed(seen, self.delays).flatten(0, 1), standard[:, self.delays :].flatten(0, 1))
        return self

    def step(self, state: Tensor) -> Tensor:
        """s_t -> s_{t+1}, (batch, delays * state): batched and differentiable."""
        then = self.predict(state)
        return torch.cat([state[:, then.shape[1] :], then], 1)

    @torch.no_grad()
    def drive(self, inputs: Data) -> xr.Dataset:
        """See `Forecaster.drive`; the first predictions, which lack delayed states, are NaN."""
        data, state = self._embedded(inputs)
        ahead = self.predict(state.flatten(0, 1)).unflatten(0, state.shape[:2])
        missing = ahead.new_full((len(ahead), self.delays - 1, ahead.shape[2]), torch.nan)
        times = np.arange(1, data.values.shape[1] + 1) * data.dt
        return self._label("one-step prediction from true inputs", times, prediction=torch.cat([missing, ahead], 1))

    @torch.no_grad()
    def forecast(self, context: Data, steps: int) -> xr.Dataset:
        """See `Forecaster.forecast`."""
        steps = checks.whole("steps", steps, at_least=1)
        data, state = self._embedded(context)
        now, ahead = state[:, -1], []
        for _ in range(steps):
            now = self.step(now)
            ahead.append(now[:, -data.values.shape[2] :])
        times = np.arange(1, steps + 1) * data.dt
        return self._label("free-running forecast", times, forecast=torch.stack(ahead, 1))

    def free_map(self, context: Data) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """See `Forecaster.free_map`."""
        return self.step, self._embedded(context)[1][:, -1]

    def _embedded(self, source: Data) -> tuple[Recording, Tensor]:
        """Data of the learned kind, and s_t (trial, time, delays * state) from the first sample that has one."""
        if not hasattr(self, "recording"):
            raise RuntimeError(f"fit the {type(self).__name__} before it forecasts")
        data = read_like(self.recording, source)
        if data.values.shape[1] < self.delays:
            raise ValueError(f"context must have at least {self.delays} samples, got {data.values.shape[1]}")
        return data, _embed(self.standardiser.transform(data.values, _LIKE), self.delays)

    def _label(self, title: str, times: np.ndarray, **standard: Tensor) -> xr.Dataset:
        values = {name: self.standardiser.inverse(array) for name, array in standard.items()}
        return label(self.recording, times, title=title, config={"baseline": repr(self)}, **values)


@dataclass
class Persistence(Baseline):
    """Nothing changes: x_{t+1} = x_t.

    >>> Persistence().fit([0.0, 1.0, 2.0], dt=1.0).forecast([5.0], steps=2).forecast.values.tolist()
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
    >>> logistic = NVAR(delays=1, ridge=0.0).fit(x, dt=1.0)
    >>> round(logistic.forecast([0.5], steps=1).forecast.item(), 10)
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
        return state[:, -len(self.recording.states) :]


@dataclass
class Polynomial(Baseline):
    """The increment as a polynomial in delayed states, of all products up to a total degree.

        x_{t+1} = x_t + A (all products of up to `degree` of the entries of s),      s = (x_{t-k+1}, ..., x_t)

    with |A F - (x_{t+1} - x_t)|^2 + ridge |A|^2 least. It forecasts noise-free Lorenz data longer than networks do:
    Schoetz and Boers 2025, arXiv:2507.09652.

    On a lattice there is one polynomial for all sites, in the neighbours of each, all standardised alike. Where data
    fill a thin part of the space of neighbours or delays, a little `noise` on s_t teaches the way back to it.

    Parameters
    ----------
    degree : int
        1 or more. `evaluation.tuned` chooses one.
    delays : int
        k, 1 or more.
    ridge : float
        0 or more.
    lattice : Lattice, optional
        Whose sites the states are.
    noise : float
        Standard deviations by which s_t is disturbed while x_{t+1} is true, 0 or more.
    seed : int
        Of that noise.

    >>> x = [0.3]
    >>> for _ in range(50):
    ...     x.append(3.8 * x[-1] * (1 - x[-1]))
    >>> logistic = Polynomial(degree=3).fit(np.reshape(x, (-1, 1)), dt=1.0)
    >>> round(logistic.forecast([[0.5]], steps=1).forecast.item(), 10), logistic.learned
    (0.95, 4)
    """

    degree: int = 3
    delays: int = 1
    ridge: float = 0.0
    lattice: Lattice | None = None
    noise: float = 0.0
    seed: int = 0
    weights: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.whole("degree", self.degree, at_least=1, at_most=12)
        checks.whole("delays", self.delays, at_least=1)
        checks.number("ridge", self.ridge, at_least=0)
        checks.number("noise", self.noise, at_least=0)
        checks.seed("seed", self.seed)

    @property
    def learned(self) -> int:
        """Entries of A."""
        return self.weights.numel()

    def predict(self, state: Tensor) -> Tensor:
        """The present state and A times the features."""
        now = state[:, -len(self.recording.states) :]
        return now + (self._features(self._seen(state)) @ self.weights).view_as(now)

    def _learn(self, state: Tensor, then: Tensor) -> None:
        now = state[:, -then.shape[1] :]
        step = then - now if self.lattice is None else (then - now).reshape(-1, 1)
        self.weights = least_squares(self._features(self._seen(state)), step, self.ridge)

    def _seen(self, state: Tensor) -> Tensor:
        """What the products are of, (batch, input), or on a lattice (batch x site, input)."""
        if self.lattice is None:
            return state
        return torch.cat([self.lattice.gather(each) for each in state.chunk(self.delays, 1)], -1).flatten(0, 1)

    def _features(self, state: Tensor) -> Tensor:
        """All products of up to `degree` entries, each once: those of one degree from those of the degree below."""
        powers = [(torch.ones_like(state[:, :1]), [0])]  # products, and the first entry that each may be multiplied by
        for _ in range(self.degree):
            below, first = powers[-1]
            pairs = [(k, j) for k, start in enumerate(first) for j in range(start, state.shape[1])]
            rows, columns = zip(*pairs, strict=True)
            powers.append((below[:, list(rows)] * state[:, list(columns)], list(columns)))
        return torch.cat([products for products, _ in powers], 1)


def least_squares(features: Tensor, targets: Tensor, ridge: float = 0.0) -> Tensor:
    """The smallest A with |F A - Y|^2 + ridge |A|^2 least, from the singular values of F.

        A = V S / (S^2 + ridge) U^T Y,      F = U S V^T

    Singular values below the rounding error of the largest count as zero.
    """
    samples, count = features.shape
    if samples < count:
        raise ValueError(f"values must have at least {count} samples for as many features, got {samples}")
    if samples > _TALL * count:  # the triangle says the same
        whole, features = torch.linalg.qr(features)
        targets = whole.T @ targets
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
