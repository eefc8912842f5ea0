"""Multiple shooting: short free runs through data, whose starts are unknown too."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from rnnbias.networks import RNN
from rnnbias.objectives.base import Linearisation, Objective
from systems import Lattice

__all__ = ["ClosedLoop", "Shooting"]

_SETTLING = 6  # Gauss-Newton steps of the starts of runs whose network does not change
_HALVINGS = 4
FAR = 1e3  # standard deviations at which a run that escapes is held


class ClosedLoop(NamedTuple):
    """How outputs become the next input: x_{t+1} = [x_t] + mean + scale y_{t+1}, [x_t] for increments only.

    The network sees x_t and what was `lags` before it, the first of which is 0. On a `lattice` it sees the neighbours
    of one site, whose y it gives: it runs once for every site.
    """

    mean: Tensor
    scale: Tensor
    increment: bool
    lags: tuple[int, ...] = (0,)
    lattice: Lattice | None = None

    @property
    def window(self) -> int:
        """Samples from which a run can begin."""
        return self.lags[-1] + 1

    def seen(self, path: Sequence[Tensor], dim: int = -1) -> Tensor:
        """What is seen at the end of a path, or its derivatives, side by side along `dim`, that of states."""
        return path[-1] if len(self.lags) == 1 else torch.cat([path[-1 - lag] for lag in self.lags], dim)

    def given(self, path: Sequence[Tensor]) -> Tensor:
        """What the network is given at the end of a path (run, state): (run, input), or (run x site, input)."""
        if self.lattice is None:
            return self.seen(path)
        return torch.cat([self.lattice.gather(path[-1 - lag]) for lag in self.lags], -1).flatten(0, 1)

    def spread(self, local: Tensor) -> Tensor:
        """d(output)/d(given) as d(output)/d(seen): (run, state, input) -> (run, state, seen)."""
        if self.lattice is None:
            return local
        return torch.cat([self.lattice.spread(part) for part in local.chunk(len(self.lags), -1)], -1)

    def advance(self, now: Tensor, output: Tensor) -> Tensor:
        """x_{t+1} (run, state) from x_t and y_{t+1}, (run, state) or (run x site, 1)."""
        step = self.mean + self.scale * output.view_as(now)
        return now + step if self.increment else step


class Shooting(Objective[RNN]):
    """Free runs of a network through noisy observations, each from a start of its own that is estimated too.

    A run of K steps from s_i gives x_0 = s_i, x_1, ..., x_K; its residuals are (x_t - o_t) / noise for every t, o being
    what was observed. Where the network sees delays, s_i is a whole window, whose samples have residuals too. Together
    with the residuals `bias / prior` they make minus twice the logarithm of a posterior, for Gaussian noise of this
    size and a Gaussian prior on the shifts of the biases.

    The starts are eliminated (a Schur complement, by the QR factors of every run's own derivatives): the Jacobian is
    that of residuals whose starts follow the biases as is best to first order, so that solvers see the biases alone.
    Between two linearisations the starts move along that response; `settle` brings them to their best.

    For networks without memory (recurrent weights and leak of zero), whose state is x; `RememberingShooting` is for
    others. On a lattice a run goes through all its sites together. Derivatives by the biases are carried along, at the
    cost of (states + 4) x runs x K x states x biases operations.

    Parameters
    ----------
    observed : Tensor
        (run, window + K, state), standardised.
    loop : ClosedLoop
        What turns outputs into inputs.
    noise : Tensor
        (state,), standard deviation of the observations' noise, in standardised units.
    prior : float
        Standard deviation of the biases' shifts.
    starts : Tensor, optional
        (run, window x state), where the estimates of the starts begin; default: what was observed.

    Reference: Bock 1981, in Modelling of Chemical Reaction Systems, Springer (multiple shooting); Golub & Pereyra 1973,
    SIAM J. Numer. Anal. 10, 413 (elimination).
    """

    def __init__(
        self, observed: Tensor, loop: ClosedLoop, noise: Tensor, prior: float, starts: Tensor | None = None
    ) -> None:
        self.observed, self.loop, self.noise, self.prior = observed, loop, noise, prior
        self.starts = (observed[:, : loop.window].flatten(1) if starts is None else starts).clone()
        self._response: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.observed)

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        other = self.restarted(self.starts[chosen])
        other.observed = self.observed[chosen]
        return other

    @property
    def regular(self) -> bool:
        """See `Objective.regular`; the floor is the inverse of the prior."""
        return math.isfinite(self.prior)

    @property
    def length(self) -> int:
        """K."""
        return self.observed.shape[1] - self.loop.window

    @property
    def washout(self) -> int:
        """Samples that a network sees before each run."""
        return 0

    def restarted(self, starts: Tensor) -> Self:
        """The same objective with other estimates of the starts, (run, window x state), to begin with."""
        other = copy.copy(self)
        other.starts, other._response = starts.clone(), None
        return other

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (residual,), those of the runs before those of the prior."""
        error = (self.run(network, self._starts(network)) - self.observed) / self.noise
        return torch.cat([error.flatten(), network.bias / self.prior])

    @torch.no_grad()
    def loss(self, network: RNN) -> float:
        """See `Objective.loss`; where the starts follow no linearisation they are settled first."""
        if self._response is None:
            self.settle(network)
        return super().loss(network)

    @torch.no_grad()
    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`; moves the starts to where the present biases have brought them."""
        self.starts, self._response = self._starts(network), None
        self.settle(network, 1)
        runs, by_bias, by_start = self._sensitivities(network)
        error = ((runs - self.observed) / self.noise).flatten(1)
        matrix, starts = ((d / self.noise[:, None]).flatten(1, 2) for d in (by_bias, by_start))
        basis, triangle = torch.linalg.qr(starts)
        response = -torch.linalg.solve_triangular(triangle, basis.mT @ matrix, upper=True)
        self._response = network.bias.detach().clone(), response
        prior = torch.eye(network.bias.numel(), dtype=error.dtype, device=error.device) / self.prior
        matrix = torch.cat([(matrix + starts @ response).flatten(0, 1), prior])
        return Linearisation(torch.cat([error.flatten(), network.bias.detach() / self.prior]), matrix)

    @torch.no_grad()
    def settle(self, network: RNN, steps: int = _SETTLING) -> None:
        """Bring the starts to where the runs of `network` are nearest to what was observed, by Gauss-Newton steps."""
        rates, moving = self._rates(network), torch.arange(len(self), device=self.starts.device)
        for _ in range(steps):
            some, felt = self.subset(moving), rates[moving]
            runs, by_start = some._tangents(network, felt)
            error = ((runs - some.observed) / self.noise).flatten(1)
            tangents = (by_start / self.noise[:, None]).flatten(1, 2)
            basis, triangle = torch.linalg.qr(tangents)
            step = -torch.linalg.solve_triangular(triangle, basis.mT @ error[..., None], upper=True)[..., 0]
            best, before = some.starts, error.square().sum(1)
            size = before
            for k in range(_HALVINGS):
                tried = some.starts + 0.3**k * step
                now = ((some._run(network, tried, felt) - some.observed) / self.noise).flatten(1).square().sum(1)
                better = now < size
                best, size = torch.where(better[:, None], tried, best), torch.where(better, now, size)
                if better.all():
                    break
            self.starts = self.starts.index_copy(0, moving, best)
            moving = moving[size < before]  # what a step did not improve, the next would not either
            if not len(moving):
                break

    @torch.no_grad()
    def denoised(self, network: RNN) -> Tensor:
        """The runs from the estimated starts, (run, window + K, state): what was observed, without its noise."""
        return self.run(network, self._starts(network))

    def spread(self, network: RNN) -> Tensor:
        """Estimate the noise (state,) from the residuals, of which every run has spent a window on its start."""
        error = self.denoised(network) - self.observed
        runs, samples, _ = error.shape
        return (error.square().sum((0, 1)) / (runs * (samples - self.loop.window))).sqrt()

    def run(self, network: RNN, starts: Tensor) -> Tensor:
        """Free runs (run, window + K, state) from these starts."""
        return self._run(network, starts, self._rates(network))

    def _rates(self, network: RNN) -> Tensor:
        """The rates (run, unit) with which runs begin, whatever their starts."""
        return network.resting(len(self))

    def _run(self, network: RNN, starts: Tensor, rates: Tensor) -> Tensor:
        """See `run`."""
        states = self._window(starts)
        for _ in range(self.length):
            _, rate = _respond(network, self.loop.given(states))
            states.append(self.loop.advance(states[-1], network.read(rate)).clamp(-FAR, FAR))
        return torch.stack(states, 1)

    def _window(self, starts: Tensor) -> list[Tensor]:
        """The samples (run, state) of starts (run, window x state)."""
        return list(starts.unflatten(1, (self.loop.window, -1)).unbind(1))

    def _starts(self, network: RNN) -> Tensor:
        """The starts, moved as the biases have moved since the last linearisation."""
        if self._response is None:
            return self.starts
        before, response = self._response
        return self.starts + response @ (network.bias.detach() - before)

    def _sensitivities(self, network: RNN) -> tuple[Tensor, Tensor, Tensor]:
        """Runs, and their derivatives by the biases (run, window + K, state, bias) and by their starts."""
        wiring, loop, (path, by_start) = network.wiring, self.loop, self._beginning()
        by_bias = [path[0].new_zeros(*path[0].shape, network.bias.numel())] * loop.window
        read = loop.scale[:, None] * wiring.oppose(network.readout)  # (state, unit)
        for _ in range(self.length):
            then, by_drive, local = self._step(network, path, read)
            by_start.append(local @ loop.seen(by_start, 1))
            by_bias.append(local @ loop.seen(by_bias, 1) + wiring.to_biases(by_drive))
            path.append(then)
        return torch.stack(path, 1), torch.stack(by_bias, 1), torch.stack(by_start, 1)

    def _tangents(self, network: RNN, rates: Tensor) -> tuple[Tensor, Tensor]:
        """Runs, and their derivatives by their starts (run, window + K, state, window x state)."""
        path, tangents = self._beginning()
        read = self.loop.scale[:, None] * network.wiring.oppose(network.readout)
        for _ in range(self.length):
            then, _, local = self._step(network, path, read)
            tangents.append(local @ self.loop.seen(tangents, 1))
            path.append(then)
        return torch.stack(path, 1), torch.stack(tangents, 1)

    def _beginning(self) -> tuple[list[Tensor], list[Tensor]]:
        """The samples (run, state) of the starts, and their derivatives by the starts."""
        runs, size = self.starts.shape
        unit = torch.eye(size, dtype=self.starts.dtype, device=self.starts.device).expand(runs, -1, -1)
        return self._window(self.starts), list(unit.chunk(self.loop.window, 1))

    def _step(self, network: RNN, path: Sequence[Tensor], read: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The next states, d(next)/d(drive) (run, state, unit), and d(next)/d(seen) (run, state, seen)."""
        now = path[-1]
        drive, rate = _respond(network, self.loop.given(path))
        then = self.loop.advance(now, network.read(rate)).clamp(-FAR, FAR)
        by_drive = network.slope(drive).view(len(now), -1, network.units) * read
        local = self.loop.spread(network.entry.apply_transposed(network.wiring.gather(by_drive)))
        if self.loop.increment:
            local = local + torch.eye(*local.shape[1:], dtype=now.dtype, device=now.device)
        return then, by_drive, local


def _respond(network: RNN, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Pre-activations and rates of a network without memory."""
    drive, fired = network.activate(network.external(seen))
    return drive, network.beta * fired
