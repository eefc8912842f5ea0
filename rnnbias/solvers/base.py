"""What every solver shares: its settings and the one method that finds the learned numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import ClassVar

from torch import nn

from rnnbias.networks.recipe import Recipe
from rnnbias.objectives.base import Examples
from rnnbias.solvers.monitor import Monitor

__all__ = ["Solver"]


class Solver(ABC):
    """A way to find the learned numbers: a frozen dataclass of settings with the method `solve`.

    A subclass of your own works wherever a built-in one does; its fits load wherever it has been imported.
    """

    known: ClassVar[dict[str, type[Solver]]] = {}

    #: The recipe under which this solver does best; `fit_system` uses it where none is given.
    recipe: ClassVar[Recipe]
    #: Whether it goes down gradients of `Examples.cost`; otherwise it brings `Examples.residual` to zero, in double
    #: precision.
    descends: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        Solver.known[cls.__name__] = cls

    @abstractmethod
    def check(self, learn: tuple[str, ...]) -> None:
        """Raise ValueError where this solver cannot learn the parts that `learn` names."""

    @abstractmethod
    def solve(self, network: nn.Module, train: Examples, monitor: Monitor) -> None:
        """Learn from `train`, leaving in `network` the numbers that did best on held-out examples."""

    def teach(self, network: nn.Module, train: Examples, monitor: Monitor) -> None:
        """`solve`, and compare the digests of the frozen arrays before and after it."""
        before = network.digests()
        self.solve(network, train, monitor)
        if network.digests() != before:
            raise RuntimeError("frozen weights have changed during learning; please report this")

    def to_dict(self) -> dict[str, object]:
        """Name and settings, as plain numbers and strings."""
        return {"name": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]
