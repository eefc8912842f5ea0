"""The point mass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks
from systems.integrate import rk4_step
from systems.plants.base import External, Hand, Plant, no_force

__all__ = ["PointMass"]


@dataclass(frozen=True)
class PointMass(Plant):
    """A point mass in the plane, driven by a force that follows the command with first-order lag:

        dp/dt = v,      m dv/dt = f - c v + F,      df/dt = (u - f) / tau

    with position p, velocity v, driving force f, external force F and command u (N). `update` says how a step is
    taken, because published results depend on it:

    - "exact": the solution of the equations while u is held; under an external force, which follows the hand within the
      step, a step of the classical fourth-order Runge-Kutta method.
    - "reference": p' = p + dt v,  v' = v + dt (f - c v + F) / m,  f' = exp(-dt / tau) f + u, all from the old state.
      u counts as force gained in a step: held, it drives with 1 / (1 - exp(-dt / tau)) u, which is 4.52 u by default.
      In a curl field of strength b such steps gain energy, as from a damping of -b^2 dt / (2 m): -1.1 N s/m where b is
      15 N s/m.

    Parameters
    ----------
    dt, tau : float
        As in `Plant`; 0.01 s and 0.04 s by default.
    mass : float
        m (kg).
    damping : float
        c (N s/m).
    update : str
        See above.

    The reference update is that of apayeur/pytorch-bmi-model, code of an author of Williams et al. (ICLR 2025), whose
    own plant is not published: that it is this one is a guess.

    >>> plant = PointMass()
    >>> state = plant.rest(torch.zeros(1, 2, dtype=torch.float64))
    >>> for _ in range(100):
    ...     state = plant.step(state, torch.tensor([[0.1, 0.0]]))
    >>> round(plant.hand(state).velocity[0, 0].item(), 3)  # 0.1 N for 1 s on 1 kg, less the lag of 0.04 s
    0.096
    """

    mass: float = 1.0
    damping: float = 0.0
    update: str = "exact"

    states: ClassVar[tuple[str, ...]] = ("x", "y", "x_velocity", "y_velocity", "x_force", "y_force")
    state_units: ClassVar[tuple[str, ...]] = ("m", "m", "m s-1", "m s-1", "N", "N")
    command_units: ClassVar[str] = "N"
    description: ClassVar[str] = "A point mass in the plane with first-order actuators"
    reference: ClassVar[str] = "apayeur/pytorch-bmi-model (GitHub)"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("mass", self.mass, above=0)
        checks.number("damping", self.damping, at_least=0)
        checks.choice("update", self.update, ("exact", "reference"))

    @property
    def home(self) -> tuple[float, float]:
        """The origin."""
        return 0.0, 0.0

    def rest(self, position: Tensor) -> Tensor:
        """See `Plant.rest`."""
        return torch.cat([position, torch.zeros_like(position), torch.zeros_like(position)], -1)

    def hand(self, state: Tensor) -> Hand:
        """See `Plant.hand`."""
        return Hand(*state.split(2, -1))

    def step(self, state: Tensor, command: Tensor, external: External = no_force) -> Tensor:
        """See `Plant.step`."""
        position, velocity, force = self.hand(state)
        if self.update == "reference":
            pull = force - self.damping * velocity + external(position, velocity)
            moved = [
                position + self.dt * velocity,
                velocity + self.dt / self.mass * pull,
                math.exp(-self.dt / self.tau) * force + command,
            ]
            return torch.cat(moved, -1)
        if external is no_force:
            before = torch.stack([position, velocity, force, command.to(state)], -2)
            return (torch.as_tensor(self._transition, dtype=state.dtype, device=state.device) @ before).flatten(-2)

        def rate(t: float, now: Tensor) -> Tensor:
            position, velocity, force = self.hand(now)
            pull = force - self.damping * velocity + external(position, velocity)
            return torch.cat([velocity, pull / self.mass, (command - force) / self.tau], -1)

        return rk4_step(rate, 0.0, state, self.dt)

    def check_reach(self, name: str, position: ArrayLike) -> np.ndarray:
        """See `Plant.check_reach`; everywhere is within reach.

        Parameters
        ----------
        name, position
            As there.

        Returns
        -------
        array (any, 2)
        """
        return checks.array(name, position, shape=(None, 2))

    @cached_property
    def _transition(self) -> np.ndarray:
        """(p, v, f) after a step from (p, v, f, u) before it, on each axis, with no force from outside."""
        from scipy.linalg import expm

        rate = np.zeros((4, 4))
        rate[0, 1] = 1
        rate[1, 1:3] = -self.damping / self.mass, 1 / self.mass
        rate[2, 2:] = -1 / self.tau, 1 / self.tau
        return expm(rate * self.dt)[:3]
