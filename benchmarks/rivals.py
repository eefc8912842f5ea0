"""Other ways to learn biases from noisy data, each after single steps, beside which learning in closed loop stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from rnnbias import Recipe, SystemFit
from rnnbias.networks import RNN
from rnnbias.objectives import ClosedLoop, Linearisation, Objective, Sequences, Shooting
from rnnbias.problems import Forecasting, Objectives, solve
from rnnbias.problems.frame import shooting

__all__ = ["RIVALS"]

_LENGTHS = (20, 40, 80)  # of forced runs
_WINDOW = 20  # samples of a test function of the weak form


class Forced(Shooting):
    """Generalised teacher forcing: runs from what was observed, drawn back to it at every step.

        x_{t+1} = F(mix o_t + (1 - mix) x_t),      x_0 = o_0

    Reference: Hess et al. 2023, ICML (arXiv:2306.04406).
    """

    mix: float

    @classmethod
    def of(cls, runs: Shooting, mix: float) -> Forced:
        """The runs of `runs`, forced."""
        forced = cls(runs.observed, runs.loop, runs.noise, runs.prior)
        forced.mix = mix
        return forced

    def loss(self, network: RNN) -> float:
        """See `Objective.loss`; there are no starts to settle."""
        return Objective.loss(self, network)

    def run(self, network: RNN, starts: Tensor) -> Tensor:
        """See `Shooting.run`."""
        return torch.stack([now for now, _ in self._forced(network, sensitive=False)], 1)

    @torch.no_grad()
    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`."""
        by_bias = torch.stack([by for _, by in self._forced(network, sensitive=True)], 1)
        matrix = (by_bias / self.noise[:, None]).flatten(0, 2)
        prior = torch.eye(network.bias.numel(), dtype=matrix.dtype) / self.prior
        return Linearisation(self.residual(network).detach(), torch.cat([matrix, prior]))

    def _forced(self, network: RNN, *, sensitive: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """States (run, state) and, where wanted, their derivatives by the biases (run, state, bias)."""
        now = self.observed[:, 0]
        by_bias = now.new_zeros(*now.shape, network.bias.numel() if sensitive else 0)
        read = self.loop.scale[:, None] * network.readout
        yield now, by_bias
        for t in range(self.length):
            mixed = torch.lerp(now, self.observed[:, t], self.mix)
            if sensitive:
                now, by_drive, local = self._step(network, [mixed], read)
                by_bias = (1 - self.mix) * (local @ by_bias) + by_drive
            else:
                rate = network.beta * network.activate(network.external(mixed))[1]
                now = self.loop.advance(mixed, network.read(rate))
            yield now, by_bias


@dataclass(frozen=True)
class Weak(Objective[RNN]):
    """The weak form: single-step errors summed under smooth test functions, in which the noise of neighbours cancels.

    Reference: Messenger & Bortz 2021, Multiscale Model. Simul. 19, 1474.
    """

    steps: Sequences
    noise: float
    prior: float

    def __len__(self) -> int:
        return len(self.steps)

    def subset(self, chosen: Tensor) -> Weak:
        """See `Objective.subset`."""
        return Weak(self.steps.subset(chosen), self.noise, self.prior)

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (residual,), those of the prior last."""
        error = torch.einsum("wt,rto->rwo", self._tests, self.steps.residual(network))
        return torch.cat([error.flatten() / self.noise, network.bias / self.prior])

    @torch.no_grad()
    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`."""
        matrix = self.steps.linearise(network, tolerance).matrix.view(*self.steps.targets.shape, -1)
        tested = torch.einsum("wt,rtob->rwob", self._tests, matrix).flatten(0, 2) / self.noise
        prior = torch.eye(network.bias.numel(), dtype=tested.dtype) / self.prior
        return Linearisation(self.residual(network).detach(), torch.cat([tested, prior]))

    @property
    def _tests(self) -> Tensor:
        """Test functions (window, time): bumps (1 - s^2)^2, of unit length as differences, half of a window apart."""
        times = self.steps.targets.shape[1]
        width = min(_WINDOW, times)
        place = torch.linspace(-1, 1, width + 2, dtype=self.steps.targets.dtype)
        bump = (1 - place**2) ** 2
        bump = bump[1:-1] / bump.diff().norm()  # so that white noise of the data is as large under every one
        firsts = range(0, times - width + 1, max(1, width // 4))
        tests = bump.new_zeros(len(firsts), times)
        for row, first in zip(tests, firsts, strict=True):
            row[first : first + width] = bump
        return tests


@dataclass(frozen=True)
class Penalised(Objective[RNN]):
    """Single steps, and the Jacobian of the step as large as noise on the inputs makes it: noise in closed form.

    Reference: Bishop 1995, Neural Comput. 7, 108; Wikner et al. 2024, Neural Networks 170, 94.
    """

    steps: Sequences
    loop: ClosedLoop
    noise: float  # of the inputs, in standard deviations
    every: int = 5  # of the samples, one in so many is penalised, with that weight

    def __len__(self) -> int:
        return len(self.steps)

    def subset(self, chosen: Tensor) -> Penalised:
        """See `Objective.subset`."""
        return Penalised(self.steps.subset(chosen), self.loop, self.noise, self.every)

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (residual,), those of the penalty last."""
        local = self._local(network, network.slope(self._drive(network)))
        return torch.cat([self.steps.residual(network).flatten(), self._weight * local.flatten()])

    @torch.no_grad()
    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`; the second derivative of tanh is -2 phi phi'."""
        drive = self._drive(network)
        bend = -2 * torch.tanh(drive) * network.slope(drive)
        by_bias = torch.einsum("sb,ob,bi->soib", bend, network.readout, network.input).flatten(0, 2)
        matrix = torch.cat([self.steps.linearise(network, tolerance).matrix, self._weight * by_bias])
        return Linearisation(self.residual(network).detach(), matrix)

    @property
    def _weight(self) -> float:
        return self.noise * self.every**0.5

    def _drive(self, network: RNN) -> Tensor:
        """Pre-activations (sample, unit)."""
        return network.external(self.steps.inputs[:, self.steps.washout :: self.every].flatten(0, 1))

    def _local(self, network: RNN, slope: Tensor) -> Tensor:
        """d(output)/d(input) (sample, output, input), in units of the step, with what the increment passes on."""
        local = torch.einsum("ob,sb,bi->soi", network.readout, slope, network.input)
        return local + torch.diag(1 / self.loop.scale) if self.loop.increment else local


@dataclass(frozen=True)
class Rival(Forecasting):
    """Forecasting with another last stage: `then` makes it."""

    then: Callable[[Rival, RNN, Tensor, Tensor], Iterator[Objective]] | None = None

    def stages(self, network: RNN, solver: Any, seed: int) -> Iterator[Objectives]:
        """See `Problem.stages`."""
        first = self.objectives(network, seed)
        yield first
        fitting, _ = self._standard(network)
        noise = first.train.residual(network).detach().flatten(0, -2).square().mean(0).sqrt()
        noise = noise * noise.new_tensor(self.frame.steps.scale) / 2**0.5
        for train in self.then(self, network, fitting, noise):
            yield first._replace(train=train, held_out=train, judge=train, better=0.999)


def _forced(mix: float) -> Callable[..., Iterator[Objective]]:
    def then(problem: Rival, network: RNN, fitting: Tensor, noise: Tensor) -> Iterator[Objective]:
        for length in _LENGTHS:
            runs = shooting(network, problem.frame, fitting, fitting, length, noise, problem.prior, 0)
            yield Forced.of(runs, mix)

    return then


def _weak(problem: Rival, network: RNN, fitting: Tensor, noise: Tensor) -> Iterator[Objective]:
    scale = noise.new_tensor(problem.frame.steps.scale)
    yield Weak(problem._cut(network, fitting), float((noise / scale).mean()), problem.prior)


def _penalised(problem: Rival, network: RNN, fitting: Tensor, noise: Tensor) -> Iterator[Objective]:
    yield Penalised(problem._cut(network, fitting), problem.frame.loop(network.start), float(noise.mean()))


def _learner(then: Callable[..., Iterator[Objective]]) -> Callable[..., SystemFit]:
    def learn(data: xr.DataArray, size: Any, seed: int) -> SystemFit:
        problem = Rival(data, seed=seed, holdout=0.02, then=then)
        return solve(problem, units=size.units, seed=seed, recipe=Recipe.shaping(readout_scale=5.0), progress=False)

    return learn


#: By name, as `noise.py` has learners.
RIVALS = {
    **{f"biases, teacher forcing {mix:g}": _learner(_forced(mix)) for mix in (0.05, 0.1, 0.2, 0.4)},
    "biases, weak form": _learner(_weak),
    "biases, Jacobian penalty": _learner(_penalised),
}
