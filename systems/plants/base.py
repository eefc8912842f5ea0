"""What every plant is: a limb with a hand in the plane, stepped by commands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks

__all__ = ["External", "Hand", "Plant", "no_force"]

#: (position, velocity) of the hand -> external force on it (N), each (..., 2).
External = Callable[[Tensor, Tensor], Tensor]


class Hand(NamedTuple):
    """Where the hand is from home (m), how fast it moves (m/s) and what force drives it (N), each (..., 2)."""

    position: Tensor
    velocity: Tensor
    force: Tensor


def no_force(position: Tensor, velocity: Tensor) -> Tensor:
    """The force of a free hand: none.

    Parameters
    ----------
    position, velocity : torch.Tensor (..., 2)
        Of the hand.

    Returns
    -------
    torch.Tensor (..., 2)
    """
    return torch.zeros_like(position)


@dataclass(frozen=True)
class Plant(ABC):
    """A limb as a map from (state, command) to the state one time step later.

    Attributes
    ----------
    dt : float
        Time step (s).
    tau : float
        Time constant of the actuators (s).
    states, state_units, command_units
        Names and units of what the tensors hold.
    description : str
        One line.
    """

    dt: float = 0.01
    tau: float = 0.04

    states: ClassVar[tuple[str, ...]]
    state_units: ClassVar[tuple[str, ...]]
    command_units: ClassVar[str]
    description: ClassVar[str]
    reference: ClassVar[str]

    def __post_init__(self) -> None:
        checks.number("dt", self.dt, above=0)
        checks.number("tau", self.tau, above=0)

    @property
    @abstractmethod
    def home(self) -> tuple[float, float]:
        """Where home is in the plant's own coordinates (m)."""

    @abstractmethod
    def rest(self, position: Tensor) -> Tensor:
        """The state at rest with the hand at `position`.

        Parameters
        ----------
        position : torch.Tensor (..., 2)
            From home (m).

        Returns
        -------
        torch.Tensor (..., state)
        """

    @abstractmethod
    def hand(self, state: Tensor) -> Hand:
        """The hand in `state`.

        Parameters
        ----------
        state : torch.Tensor (..., state)
            Of the plant.

        Returns
        -------
        Hand
        """

    @abstractmethod
    def step(self, state: Tensor, command: Tensor, external: External = no_force) -> Tensor:
        """The state after one time step under `command` and the force that `external` puts on the hand.

        Parameters
        ----------
        state : torch.Tensor (..., state)
            Now.
        command : torch.Tensor (..., 2)
            In `command_units`, held during the step.
        external : callable
            (position, velocity) of the hand -> force on it (N).

        Returns
        -------
        torch.Tensor (..., state)
        """

    @abstractmethod
    def check_reach(self, name: str, position: ArrayLike) -> np.ndarray:
        """Return `position` as an array; refuse it where the hand cannot get there.

        Parameters
        ----------
        name : str
            What the error calls it.
        position : array_like (any, 2)
            From home (m).

        Returns
        -------
        array (any, 2)

        Raises
        ------
        ValueError
            Naming the first point that is out of reach.
        """

    def to_dict(self) -> dict[str, object]:
        """Class and parameters, as plain numbers, strings and lists; `plants.from_dict` rebuilds it."""
        return {"plant": type(self).__name__, **asdict(self)}
