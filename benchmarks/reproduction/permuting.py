"""Learning by permutation: weights keep their values and change places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from rnnbias.networks import Network, Recipe
from rnnbias.objectives import Objective
from rnnbias.solvers import Monitor, Solver
from systems import checks

__all__ = ["Permutation"]

_PERMUTED = {"weights", "readout"}


@dataclass(frozen=True)
class Permutation(Solver):
    """Lookahead permutation (LaPerm): Adam moves the weights freely, and then the first ones take their order.

    After every `every` steps each row of weights, what enters one unit or one output, becomes a permutation of the row
    that it began as: the k-th largest of those stands where the k-th largest weight now is.

    References: Qiu & Suda 2020, Train-by-Reconnect, NeurIPS 33; Cai, Chen & Qiao 2025, Neural Networks 187, 107277
    (arXiv:2407.01033), who prove that permuted weights suffice to approximate continuous functions of one variable.

    Parameters
    ----------
    epochs : int
        Passes through the trials.
    rate : float
        Of Adam; it falls to a hundredth along a cosine.
    batch : int
        Trials in a minibatch.
    every : int
        Steps between permutations; a record follows each.
    seed : int
        Of the shuffles.
    """

    epochs: int = 20
    rate: float = 1e-3
    batch: int = 128
    every: int = 100
    seed: int = 0
    recipe: ClassVar[Recipe] = Recipe.shaping()
    descends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "every"):
            checks.whole(name, getattr(self, name), at_least=1)
        checks.number("rate", self.rate, above=0)
        checks.seed("seed", self.seed)

    def check(self, learn: tuple[str, ...]) -> None:
        """Only weights can change places."""
        if set(learn) - _PERMUTED:
            raise ValueError(f"learn must be of {', '.join(sorted(_PERMUTED))} for Permutation, got {set(learn)}")

    def solve(self, network: Network, train: Objective, monitor: Monitor) -> None:
        """Descend and permute; the permutation that does best on held-out trials is kept."""
        weights = list(network.parameters())
        values = [each.detach().sort(-1).values for each in weights]
        optimiser = torch.optim.Adam(weights, lr=self.rate)
        steps = self.epochs * -(-len(train) // self.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, self.rate / 100)
        chooser = torch.Generator().manual_seed(self.seed)
        step, total = 0, 0.0
        with monitor.watch(steps):
            while step < steps:
                for chosen in torch.randperm(len(train), generator=chooser).split(self.batch):
                    optimiser.zero_grad()
                    cost = train.subset(chosen).cost(network)
                    cost.backward()
                    optimiser.step()
                    schedule.step()
                    step, total = step + 1, total + cost.item()
                    if step % self.every == 0 or step == steps:
                        _permute(weights, values)
                        if monitor.record(step, total / self.every):
                            return
                        total = 0.0


@torch.no_grad()
def _permute(weights: list[torch.nn.Parameter], values: list[torch.Tensor]) -> None:
    """Put sorted `values` in the order of `weights`, row by row."""
    for weight, value in zip(weights, values, strict=True):
        weight.scatter_(-1, weight.argsort(-1), value)
