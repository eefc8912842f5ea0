"""Adam, the solver of the paper, for any set of learned parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from rnnbias.examples import Examples
from rnnbias.solvers.base import Solver
from rnnbias.solvers.monitor import Monitor
from rnnbias.weights import Recipe
from systems import checks

__all__ = ["Adam"]


@dataclass(frozen=True)
class Adam(Solver):
    """Stochastic gradient descent with adaptive moments (Kingma & Ba, ICLR 2015).

    Parameters
    ----------
    iterations : int
        Gradient steps.
    rate : float
        Learning rate; falls to a hundredth along a cosine.
    batch : int
        Trials in a minibatch.
    every : int
        Steps between records (held-out loss and valid time).
    clip : float
        Largest gradient norm.
    seed : int
        Of the minibatches.
    """

    iterations: int = 1000
    rate: float = 3e-3
    batch: int = 8
    every: int = 50
    clip: float = 1.0
    seed: int = 0
    recipe: ClassVar[Recipe] = Recipe(wiring="independent", gain=0.9, input_scale=0.3, readout_scale=5.0)

    def __post_init__(self) -> None:
        for name in ("iterations", "batch", "every"):
            checks.whole(name, getattr(self, name), at_least=1)
        checks.number("rate", self.rate, above=0)
        checks.number("clip", self.clip, above=0)
        checks.seed("seed", self.seed)

    def check(self, learn: tuple[str, ...]) -> None:
        """Adam learns anything."""

    def solve(self, network: nn.Module, train: Examples, monitor: Monitor) -> None:
        """Descend; the best record on held-out data is kept."""
        chooser = torch.Generator().manual_seed(self.seed)
        parameters = list(network.parameters())
        optimiser = torch.optim.Adam(parameters, lr=self.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.iterations, self.rate / 100)
        total, count = 0.0, 0
        with monitor.watch(self.iterations):
            for step in range(1, self.iterations + 1):
                chosen = torch.randperm(len(train), generator=chooser)[: self.batch]
                optimiser.zero_grad()
                loss = train.part(chosen).residual(network).square().mean()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, self.clip)
                optimiser.step()
                schedule.step()
                total, count = total + loss.item(), count + 1
                if step % self.every == 0 or step == self.iterations:
                    if monitor.record(step, total / count):
                        break
                    total, count = 0.0, 0
