"""Closed orbits as targets of a network that runs freely, whatever its phase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from rnnbias.datasets import Standardiser
from rnnbias.networks import RNN, bias_jacobian
from rnnbias.objectives.base import Linearisation, Objective, Products
from systems import System

__all__ = ["FreeRun", "Orbit"]

_SAMPLES = 512  # of an orbit over one period
_PHASES = 48  # tried before the best one is refined
_REFINEMENTS = 6
_NEGLIGIBLE = 1e-10  # harmonics below this fraction of the largest


@dataclass(frozen=True)
class Orbit:
    """One period of a closed orbit, evaluated between its samples as a trigonometric series.

    Parameters
    ----------
    samples : Tensor
        (phase, state), evenly spaced over the period.
    period : float
        In steps of the network, not whole in general.

    >>> turn = torch.arange(8, dtype=torch.float64) * math.pi / 4
    >>> circle = Orbit(torch.stack([turn.cos(), turn.sin()], 1), period=10.0)
    >>> circle.at(6, torch.zeros(1, dtype=torch.float64))[0, 5].round(decimals=3).abs().tolist()
    [1.0, 0.0]
    """

    samples: Tensor
    period: float

    @classmethod
    def of(cls, system: System, dt: float, states: list[str], seed: int = 0) -> Orbit:
        """Sample the orbit that `system` settles on, for a network whose step is `dt`."""
        if system.period is None:
            raise ValueError(f"system must have a period, got {system!r}")
        start = system.simulate(duration=system.dt, seed=seed).trajectory.values[:, 0]
        ds = system.simulate(duration=system.period, dt=system.period / _SAMPLES, start=start, observed=states)
        return cls(torch.from_numpy(ds.trajectory.values[0].copy()), system.period / dt)

    def standardised(self) -> tuple[Orbit, Standardiser]:
        """The orbit with mean 0 and variance 1 in every state, and what standardised it."""
        mean, scale = self.samples.mean(0), self.samples.std(0, correction=0)
        return Orbit((self.samples - mean) / scale, self.period), Standardiser(mean.numpy(), scale.numpy())

    def to(self, device: torch.device) -> Orbit:
        """The orbit with its samples on `device`."""
        return Orbit(self.samples.to(device), self.period)

    @cached_property
    def _series(self) -> Tensor:
        """Fourier coefficients (harmonic, state), up to the last one that matters."""
        series = torch.fft.rfft(self.samples, dim=0)[: len(self.samples) // 2] / len(self.samples)
        series[1:] *= 2
        size = series.abs().amax(1)
        return series[: int(torch.nonzero(size > _NEGLIGIBLE * size.max())[-1]) + 1]

    def at(self, steps: int, phase: Tensor, derivative: int = 0) -> Tensor:
        """States, or a derivative of theirs by phase, at `steps` steps from each `phase` (trial,) in radians.

        (trial, time, state).
        """
        order = torch.arange(len(self._series), dtype=phase.dtype, device=phase.device)
        turned = torch.exp(1j * phase[:, None] * order)[..., None] * self._series
        waves = _waves(self.period, steps, len(order)).to(phase.device)
        return (waves @ ((1j * order[:, None]) ** derivative * turned)).real

    @torch.no_grad()
    def align(self, outputs: Tensor) -> Tensor:
        """The phase at which the orbit comes closest to each of `outputs` (trial, time, state): (trial,)."""
        outputs, steps = outputs.nan_to_num(0.0, 0.0, 0.0), outputs.shape[1]
        grid = torch.arange(_PHASES, dtype=outputs.dtype, device=outputs.device) * (2 * math.pi / _PHASES)
        states = self.at(steps, grid)
        product = torch.einsum("ktj,gtj->kg", outputs, states)
        phase = grid[(product - states.square().sum((1, 2)) / 2).argmax(1)]
        for _ in range(_REFINEMENTS):  # Newton's method on the squared distance
            ahead, slope = outputs - self.at(steps, phase), self.at(steps, phase, 1)
            size = slope.square()
            bent = (size - ahead * self.at(steps, phase, 2)).sum((1, 2))
            step = (ahead * slope).sum((1, 2)) / torch.where(bent > 0, bent, size.sum((1, 2)))
            phase = phase + step.clamp(-math.pi / _PHASES, math.pi / _PHASES)
        return phase % (2 * math.pi)


@dataclass(frozen=True)
class FreeRun(Objective[RNN]):
    """Runs without input whose outputs should follow an orbit, each at the phase that suits it best.

    The residuals are outputs minus orbit over `steps` steps after `settle`. The phase of every trial is chosen anew at
    every evaluation, so that the direction along the orbit is projected out of the Jacobian (variable projection, Golub
    & Pereyra 1973, SIAM J. Numer. Anal. 10, 413).

    Parameters
    ----------
    orbit : Orbit
        In the network's units.
    kicks : Tensor
        (trial, unit): what is added to the network's r_0 in each trial.
    settle, steps : int
        Steps before those that count, and those that count.
    """

    orbit: Orbit
    kicks: Tensor
    settle: int
    steps: int

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (trial, time, output)."""
        return self._compare(network.read(network(*self.inputs(network)).rate[:, self.settle :]))[0]

    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`."""
        if network.learn != ("bias",):
            error, matrix, depth = super().linearise(network, tolerance)
        else:
            with torch.no_grad():
                trace = network(*self.inputs(network))
                error, _ = self._compare(network.read(trace.rate[:, self.settle :]))
            counted = torch.zeros_like(network.read(trace.rate), dtype=torch.bool)
            counted[:, self.settle :] = True
            found = bias_jacobian(network, trace, counted, tolerance)
            error, matrix, depth = error.flatten(), found.matrix, float(found.depth)
        return Linearisation(error, self._project(network, error, matrix.T).T, depth)

    def products(self, network: RNN) -> Products:
        """See `Objective.products`."""
        error, forward, backward = super().products(network)
        return Products(
            error,
            lambda vector: self._project(network, error, forward(vector)),
            lambda weight: backward(self._project(network, error, weight)),
        )

    def subset(self, chosen: Tensor) -> FreeRun:
        """See `Objective.subset`."""
        return FreeRun(self.orbit, self.kicks[chosen], self.settle, self.steps)

    def __len__(self) -> int:
        return len(self.kicks)

    def inputs(self, network: RNN) -> tuple[Tensor, Tensor]:
        """No inputs (trial, time, 0) and the rates (trial, unit) to start from, as `network` takes them."""
        none = self.kicks.new_zeros(len(self), self.settle + self.steps, 0)
        return none, network.resting(len(self)) + self.kicks

    def _compare(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs minus orbit, and the orbit's derivative by phase, both (trial, time, output)."""
        phase = self.orbit.align(outputs)
        return outputs - self.orbit.at(self.steps, phase), self.orbit.at(self.steps, phase, 1)

    def _project(self, network: RNN, error: Tensor, vectors: Tensor) -> Tensor:
        """Take out of `vectors` (..., residual) what a change of the phases would do."""
        with torch.no_grad():
            _, slope = self._compare(network.read(network(*self.inputs(network)).rate[:, self.settle :]))
        along = slope / slope.square().sum((1, 2), keepdim=True).sqrt()
        apart = vectors.unflatten(-1, slope.shape)
        part = (apart * along).sum((-3 + 1, -1), keepdim=True)
        return (apart - part * along).flatten(-3)


@lru_cache(maxsize=8)
def _waves(period: float, steps: int, count: int) -> Tensor:
    """exp(i h 2 pi t / period) for each step t and harmonic h, (time, harmonic)."""
    turn = 2 * math.pi / period * torch.arange(steps, dtype=torch.float64)
    return torch.exp(1j * turn[:, None] * torch.arange(count, dtype=torch.float64))
