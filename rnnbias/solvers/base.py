"""What every solver shares: its settings and the one method that finds the trainable parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import ClassVar

from rnnbias.networks import Network, Recipe
from rnnbias.objectives import Objective
from rnnbias.solvers.monitor import Monitor

__all__ = ["Solver"]


class Solver(ABC):
    """A way to find the trainable parameters: a frozen dataclass of settings with the method `solve`.

    A subclass of your own works wherever a built-in one does; its fits load wherever it has been imported.
    """

    known: ClassVar[dict[str, type[Solver]]] = {}

    #: The recipe under which this solver does best; a problem takes it where it has no better.
    recipe: ClassVar[Recipe]
    #: Whether it goes down gradients of `Objective.cost`; otherwise it brings `Objective.residual` to zero, in double
    #: precision.
    descends: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        Solver.known[cls.__name__] = cls

    @abstractmethod
    def check(self, learn: tuple[str, ...]) -> None:
        """Raise ValueError where this solver cannot learn the parts that `learn` names."""

    @abstractmethod
    def solve(self, network: Network, train: Objective, monitor: Monitor) -> None:
        """Learn from `train`, leaving in `network` the parameters that did best on held-out trials."""

    def to_dict(self) -> dict[str, object]:
        """Name and settings, as plain numbers and strings."""
        return {"name": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]
