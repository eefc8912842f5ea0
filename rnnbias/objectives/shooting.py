"""Multiple shooting: short free runs through data, whose starts are unknown too."""

from __future__ import annotations

import copy
from typing import NamedTuple, Self

import torch
from torch import Tensor

from rnnbias.networks import RNN
from rnnbias.objectives.base import Linearisation, Objective

__all__ = ["ClosedLoop", "Shooting"]

_SETTLING = 6  # Gauss-Newton steps of the starts of runs whose network does not change
_HALVINGS = 4
FAR = 1e3  # standard deviations at which a run that escapes is held


class ClosedLoop(NamedTuple):
    """How outputs become the next input: x_{t+1} = [x_t] + mean + scale y_{t+1}, [x_t] for increments only."""

    mean: Tensor
    scale: Tensor
    increment: bool

    def advance(self, now: Tensor, output: Tensor) -> Tensor:
        """x_{t+1} (..., state) from x_t and y_{t+1}."""
        step = self.mean + self.scale * output
        return now + step if self.increment else step


class Shooting(Objective[RNN]):
    """Free runs of a network through noisy observations, each from a start of its own that is estimated too.

    A run of K steps from s_i gives x_0 = s_i, x_1, ..., x_K; its residuals are (x_t - o_t) / noise for every t, o being
    what was observed. Together with the residuals `bias / prior` they make minus twice the logarithm of a posterior,
    for Gaussian noise of this size and a Gaussian prior on the shifts of the biases.

    The starts are eliminated (a Schur complement, by the QR factors of every run's own derivatives): the Jacobian is
    that of residuals whose starts follow the biases as is best to first order, so that solvers see the biases alone.
    Between two linearisations the starts move along that response; `settle` brings them to their best.

    For networks without memory (recurrent weights and leak of zero), whose state is x; `RememberingShooting` is for
    others. Derivatives by the biases are carried along, at the cost of (states + 4) x runs x K x states x biases
    operations.

    Parameters
    ----------
    observed : Tensor
        (run, K + 1, state), standardised.
    loop : ClosedLoop
        What turns outputs into inputs.
    noise : Tensor
        (state,), standard deviation of the observations' noise, in standardised units.
    prior : float
        Standard deviation of the biases' shifts.
    starts : Tensor, optional
        (run, state), where the estimates of the starts begin; default: what was observed.

    Reference: Bock 1981, in Modelling of Chemical Reaction Systems, Springer (multiple shooting); Golub & Pereyra 1973,
    SIAM J. Numer. Anal. 10, 413 (elimination).
    """

    def __init__(
        self, observed: Tensor, loop: ClosedLoop, noise: Tensor, prior: float, starts: Tensor | None = None
    ) -> None:
        self.observed, self.loop, self.noise, self.prior = observed, loop, noise, prior
        self.starts = (observed[:, 0] if starts is None else starts).clone()
        self._response: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.observed)

    def subset(self, chosen: Tensor) -> Self:
        """See `Objective.subset`."""
        other = self.restarted(self.starts[chosen])
        other.observed = self.observed[chosen]
        return other

    @property
    def length(self) -> int:
        """K."""
        return self.observed.shape[1] - 1

    @property
    def washout(self) -> int:
        """Samples that a network sees before each run."""
        return 0

    def restarted(self, starts: Tensor) -> Self:
        """The same objective with other estimates of the starts, (run, state), to begin with."""
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
        for _ in range(steps):
            runs, by_start = self._tangents(network)
            error = ((runs - self.observed) / self.noise).flatten(1)
            tangents = (by_start / self.noise[:, None]).flatten(1, 2)
            basis, triangle = torch.linalg.qr(tangents)
            step = -torch.linalg.solve_triangular(triangle, basis.mT @ error[..., None], upper=True)[..., 0]
            best, size = self.starts, error.square().sum(1)
            for k in range(_HALVINGS):
                tried = self.starts + 0.3**k * step
                now = ((self.run(network, tried) - self.observed) / self.noise).flatten(1).square().sum(1)
                better = now < size
                best, size = torch.where(better[:, None], tried, best), torch.where(better, now, size)
                if better.all():
                    break
            self.starts = best

    @torch.no_grad()
    def denoised(self, network: RNN) -> Tensor:
        """The runs from the estimated starts, (run, K + 1, state): what was observed, without its noise."""
        return self.run(network, self._starts(network))

    def spread(self, network: RNN) -> Tensor:
        """Estimate the noise (state,) from the residuals, of which every run has spent one a state on its start."""
        error = self.denoised(network) - self.observed
        runs, samples, _ = error.shape
        return (error.square().sum((0, 1)) / (runs * (samples - 1))).sqrt()

    def run(self, network: RNN, starts: Tensor) -> Tensor:
        """Free runs (run, K + 1, state) from these starts."""
        states = [starts]
        for _ in range(self.length):
            _, rate = _respond(network, states[-1])
            states.append(self.loop.advance(states[-1], network.read(rate)).clamp(-FAR, FAR))
        return torch.stack(states, 1)

    def _starts(self, network: RNN) -> Tensor:
        """The starts, moved as the biases have moved since the last linearisation."""
        if self._response is None:
            return self.starts
        before, response = self._response
        return self.starts + response @ (network.bias.detach() - before)

    def _sensitivities(self, network: RNN) -> tuple[Tensor, Tensor, Tensor]:
        """Runs, and their derivatives by the biases (run, K + 1, state, bias) and by their starts."""
        wiring, now = network.wiring, self.starts
        by_start = torch.eye(now.shape[1], dtype=now.dtype, device=now.device).expand(len(now), -1, -1)
        by_bias = now.new_zeros(len(now), now.shape[1], network.bias.numel())
        out = [(now, by_bias, by_start)]
        read = self.loop.scale[:, None] * wiring.oppose(network.readout)  # (state, unit)
        for _ in range(self.length):
            now, slope, local = self._step(network, now, read)
            by_start = local @ by_start
            by_bias = local @ by_bias
            by_bias += wiring.to_biases(slope[:, None] * read)
            out.append((now, by_bias, by_start))
        runs, biases, starts = zip(*out, strict=True)
        return torch.stack(runs, 1), torch.stack(biases, 1), torch.stack(starts, 1)

    def _tangents(self, network: RNN) -> tuple[Tensor, Tensor]:
        """Runs, and their derivatives by their starts (run, K + 1, state, state)."""
        now = self.starts
        tangent = torch.eye(now.shape[1], dtype=now.dtype, device=now.device).expand(len(now), -1, -1)
        out = [(now, tangent)]
        read = self.loop.scale[:, None] * network.wiring.oppose(network.readout)
        for _ in range(self.length):
            now, _, local = self._step(network, now, read)
            tangent = local @ tangent
            out.append((now, tangent))
        runs, tangents = zip(*out, strict=True)
        return torch.stack(runs, 1), torch.stack(tangents, 1)

    def _step(self, network: RNN, now: Tensor, read: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The next states, the slopes of the units (run, unit), and d(next)/d(now) (run, state, state)."""
        drive, rate = _respond(network, now)
        slope = network.slope(drive)
        then = self.loop.advance(now, network.read(rate)).clamp(-FAR, FAR)
        folded = network.wiring.gather(slope[:, None] * read)  # (run, state, row)
        local = folded @ network.input
        if self.loop.increment:
            local = local + torch.eye(now.shape[1], dtype=now.dtype, device=now.device)
        return then, slope, local


def _respond(network: RNN, now: Tensor) -> tuple[Tensor, Tensor]:
    """Pre-activations and rates (run, unit) of a network without memory that sees `now` (run, state)."""
    drive, fired = network.activate(network.external(now))
    return drive, network.beta * fired
