"""The natural gradient on biases: one of the levers, and an example of a solver written outside the package."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import ClassVar

import torch
from torch import Tensor

from rnnbias import FNN
from rnnbias.networks import ACTIVATIONS
from rnnbias.objectives import CrossEntropy
from rnnbias.solvers import Monitor, Solver
from systems import checks

__all__ = ["NaturalGradient", "curvature"]

_TRIALS = 10000  # from which the curvature is estimated
_BLOCK = 2000  # trials whose slopes are held at once


@dataclass(frozen=True)
class NaturalGradient(Solver):
    """Descent with momentum along (M + damping d I)^-1 grad, for the biases of one hidden layer.

    M bounds the Fisher information from above, that of a softmax being at most (I - 1 1^T / K) / 2 (Böhning 1992,
    Annals of the Institute of Statistical Mathematics 44, 197-200). The output o of trial t has the derivative
    C_oi X_ti with respect to the bias of unit i, with X = phi'(W x + b), so that M is an entrywise product,

        M = X^T X / trials * C^T (I - 1 1^T / K) C / 2,

    and costs one product of the size of X. It is made anew before every epoch; d is the mean of its diagonal.

    Parameters
    ----------
    epochs : int
        Passes through the trials.
    rate : float
        Length of the steps; it falls to a hundredth along a cosine.
    batch : int
        Trials in a minibatch.
    momentum : float
        Fraction of the last step that is kept.
    damping : float
        In means of the diagonal of M.
    seed : int
        Of the shuffles.
    """

    epochs: int = 20
    rate: float = 0.3
    batch: int = 512
    momentum: float = 0.9
    damping: float = 3.0
    seed: int = 0
    descends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            checks.whole(name, getattr(self, name), at_least=1)
        for name in ("rate", "damping"):
            checks.number(name, getattr(self, name), above=0)
        checks.number("momentum", self.momentum, at_least=0, at_most=1)
        checks.seed("seed", self.seed)

    def check(self, learn: tuple[str, ...]) -> None:
        """The curvature is that of biases."""
        if learn != ("bias",):
            raise ValueError(f"solver NaturalGradient needs learn='bias', got learn={set(learn)}")

    @torch.no_grad()
    def solve(self, network: FNN, train: CrossEntropy, monitor: Monitor) -> None:
        """Descend; the epoch that does best on held-out trials is kept."""
        chooser = torch.Generator().manual_seed(self.seed)
        a_pass = -(-len(train) // self.batch)
        last, step = torch.zeros_like(network.bias), 0
        with monitor.watch(self.epochs * a_pass):
            for _ in range(self.epochs):
                metric = curvature(network, train, torch.randperm(len(train), generator=chooser)[:_TRIALS])
                metric.diagonal().add_(self.damping * metric.diagonal().mean())
                factor, total = torch.linalg.cholesky(metric), 0.0
                for chosen in torch.randperm(len(train), generator=chooser).split(self.batch):
                    with torch.enable_grad():
                        cost = train.subset(chosen).cost(network)
                        gradient = torch.autograd.grad(cost, network.bias)[0]
                    rate = self.rate * (0.01 + 0.99 * (1 + cos(pi * step / (self.epochs * a_pass))) / 2)
                    last = self.momentum * last - rate * torch.cholesky_solve(gradient[:, None], factor)[:, 0]
                    network.bias += last
                    total, step = total + float(cost), step + 1
                if monitor.record(step, total / a_pass):
                    break


def curvature(network: FNN, train: CrossEntropy, trials: Tensor) -> Tensor:
    """M (unit, unit) from these trials."""
    slope = ACTIVATIONS[network.activation].slope
    readout = network.wiring.oppose(network.readout)
    readout = readout - readout.mean(0)
    together = readout.new_zeros(network.units, network.units)
    for some in train.indices[trials].split(_BLOCK):
        found = slope(network.wiring.spread(train.first.drive(some)) + network.biases)
        together.addmm_(found.T, found)
    return together.mul_(readout.T @ readout).div_(2 * len(trials))
