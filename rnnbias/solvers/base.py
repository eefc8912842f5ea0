"""What every solver shares: the data it gets, the record it keeps and the way it ends."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rnnbias.networks import RNN
from rnnbias.weights import Recipe

__all__ = ["Batch", "Monitor", "Solver", "mean_square", "residual"]


class Batch(NamedTuple):
    """Segments of data: `inputs` (trial, time, input) and `targets` (trial, time - washout, output)."""

    inputs: Tensor
    targets: Tensor
    washout: int


def residual(network: RNN, batch: Batch) -> Tensor:
    """Outputs minus targets, (trial, time - washout, output)."""
    return network.read(network(batch.inputs).rate[:, batch.washout :]) - batch.targets


def mean_square(network: RNN, batch: Batch) -> float:
    """The loss: mean squared residual."""
    with torch.no_grad():
        return float(residual(network, batch).square().mean())


@dataclass
class Monitor:
    """Keeps the history and the best learned numbers, shows the bar and decides when to stop early.

    "Best" is the lowest loss on held-out data. `patience` counts records without a better one.
    """

    network: RNN
    held_out: Batch
    patience: int
    valid_time: Callable[[RNN], float]
    progress: bool = True
    records: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False

    @contextmanager
    def watch(self, total: int) -> Iterator[None]:
        """Show a bar of `total` iterations; at the end, or on Ctrl-C, put the best numbers back."""
        self._best_loss, self._best, self._waited = math.inf, self._numbers(), 0
        self._bar = tqdm(total=total, disable=not self.progress, desc="learning", leave=False)
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self._bar.close()
            for parameter, best in zip(self.network.parameters(), self._best, strict=True):
                parameter.data.copy_(best)

    def record(self, iteration: int, loss: float, **more: float) -> bool:
        """Note the state after `iteration`; returns True when it is time to stop."""
        held = mean_square(self.network, self.held_out)
        valid = self.valid_time(self.network)
        self.records.append({"iteration": iteration, "loss": loss, "held_out_loss": held, "valid_time": valid, **more})
        self._bar.update(iteration - self._bar.n)
        self._bar.set_postfix_str(f"loss {loss:.2e}, held out {held:.2e}, valid time {valid:.2f}")
        self._waited += 1
        if held < self._best_loss:
            if held < 0.9 * self._best_loss:
                self._waited = 0
            self._best_loss, self._best = held, self._numbers()
        return self._waited >= self.patience or not math.isfinite(loss)

    def _numbers(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.network.parameters()]


class Solver(ABC):
    """A way to find the learned numbers: a frozen dataclass of settings with one method."""

    #: The recipe under which this solver does best; `fit_system` uses it where none is given.
    recipe: ClassVar[Recipe]

    @abstractmethod
    def check(self, learn: tuple[str, ...]) -> None:
        """Raise ValueError where this solver cannot learn the parts that `learn` names."""

    @abstractmethod
    def solve(self, network: RNN, train: Batch, monitor: Monitor) -> None:
        """Learn from `train`, leaving in `network` the numbers that did best on held-out data."""

    def to_dict(self) -> dict[str, object]:
        """Name and settings, as plain numbers and strings."""
        return {"name": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]
