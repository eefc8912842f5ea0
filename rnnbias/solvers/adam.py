"""Adam, the solver of the paper, for any set of learned parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rnnbias.networks import Network, Recipe
from rnnbias.objectives import Objective
from rnnbias.solvers.base import Solver
from rnnbias.solvers.monitor import Monitor
from systems import checks

__all__ = ["Adam"]


@dataclass(frozen=True)
class Adam(Solver):
    """Stochastic gradient descent with adaptive moments (Kingma & Ba, ICLR 2015).

    Minibatches are taken from one shuffle of the trials after the other, so that a pass uses each trial once.

    Parameters
    ----------
    iterations : int
        Gradient steps.
    rate : float
        Learning rate.
    batch : int
        Trials in a minibatch.
    every : int
        Steps between records (held-out loss and what else is measured).
    clip : float or None
        Largest gradient norm; None: none.
    seed : int
        Of the shuffles.
    epochs : int or None
        Passes through the trials; where given they replace `iterations` and `every`: a record follows each pass.
    decay : str
        "cosine": the rate falls to a hundredth along a cosine; "none": it stays.
    steepness : (float, float) or None
        How masks learn. None: as a step function all along (straight-through, see `Network`). Two numbers: as
        sigmoid(s number) with s rising from the first to the second by equal ratios, and as a step function in every
        record and in the end (Williams et al. 2025, Section 2.3).
    weight_decay : float
        How strongly every learned number is drawn to zero: `weight_decay` times the number is added to its gradient,
        after `clip`, and goes through the moments with it. This is the coupled decay (an L2 penalty) of
        `torch.optim.Adam`, and not the decoupled decay of `torch.optim.AdamW`. Williams et al. 2025 print 0.1, at a
        rate of 0.001.

    >>> Adam(rate=0.001, weight_decay=0.1, decay="none").weight_decay
    0.1
    """

    iterations: int = 1000
    rate: float = 3e-3
    batch: int = 8
    every: int = 50
    clip: float | None = 1.0
    seed: int = 0
    epochs: int | None = None
    decay: str = "cosine"
    steepness: tuple[float, float] | None = None
    weight_decay: float = 0.0
    recipe: ClassVar[Recipe] = Recipe.paper()
    descends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("iterations", "batch", "every"):
            checks.whole(name, getattr(self, name), at_least=1)
        checks.number("rate", self.rate, above=0)
        checks.number("weight_decay", self.weight_decay, at_least=0)
        checks.choice("decay", self.decay, ("cosine", "none"))
        checks.seed("seed", self.seed)
        if self.clip is not None:
            checks.number("clip", self.clip, above=0)
        if self.epochs is not None:
            checks.whole("epochs", self.epochs, at_least=1)
        if self.steepness is not None:
            first, last = checks.array("steepness", self.steepness, shape=(2,)).tolist()
            object.__setattr__(self, "steepness", (checks.number("steepness", first, above=0), last))
            checks.number("steepness", last, above=0)

    def check(self, learn: tuple[str, ...]) -> None:
        """Adam learns anything."""

    def solve(self, network: Network, train: Objective, monitor: Monitor) -> None:
        """Descend; the best record on held-out data is kept."""
        a_pass = -(-len(train) // self.batch)
        steps, every = (self.iterations, self.every) if self.epochs is None else (self.epochs * a_pass, a_pass)
        parameters = list(network.parameters())
        optimiser = torch.optim.Adam(parameters, lr=self.rate, weight_decay=self.weight_decay)
        lowest = self.rate / 100 if self.decay == "cosine" else self.rate
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, lowest)
        total, count = 0.0, 0
        with monitor.watch(steps), _step_functions_after(network):
            for step, chosen in enumerate(self._minibatches(len(train), steps), 1):
                network.steepness = self._sharpness((step - 1) / max(1, steps - 1))
                optimiser.zero_grad()
                cost = train.subset(chosen).cost(network)
                cost.backward()
                if self.clip is not None:
                    torch.nn.utils.clip_grad_norm_(parameters, self.clip)
                optimiser.step()
                schedule.step()
                total, count = total + cost.item(), count + 1
                if step % every == 0 or step == steps:
                    network.steepness = None
                    if monitor.record(step, total / count):
                        break
                    total, count = 0.0, 0

    def _minibatches(self, trials: int, steps: int) -> Iterator[Tensor]:
        """Indices of the trials of each step."""
        chooser = torch.Generator().manual_seed(self.seed)
        while steps > 0:
            some = torch.randperm(trials, generator=chooser).split(self.batch)[:steps]
            yield from some
            steps -= len(some)

    def _sharpness(self, done: float) -> float | None:
        """Steepness of the masks when a fraction of the steps is done."""
        if self.steepness is None:
            return None
        first, last = self.steepness
        return first * (last / first) ** done


@contextmanager
def _step_functions_after(network: Network) -> Iterator[None]:
    """Leave the masks as step functions, whatever happens."""
    try:
        yield
    finally:
        network.steepness = None
