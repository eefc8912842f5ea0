"""Loads: forces on the hand, and what becomes of the sight of it, as experiments on adaptation use them.

    get, available      a load by name; what there is

none            nothing                                              `Load`
curl            a force across the velocity                          `CurlField`
constant        a force that is always the same                      `ConstantField`
divergent       a force away from the straight path                  `DivergentField`
channel         a stiff channel along the straight path              `ForceChannel`
rotation        the seen hand is turned about the start              `VisuomotorRotation`
gain            the seen hand is nearer to or farther from the start `VisuomotorGain`
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import Tensor

from systems import checks

__all__ = [
    "LOADS", "ConstantField", "CurlField", "DivergentField", "ForceChannel", "Load", "VisuomotorGain",
    "VisuomotorRotation", "available", "get",
]  # fmt: skip


@dataclass(frozen=True)
class Load:
    """What the world does to a reach; this one does nothing.

    Positions are in metres, velocities in m/s, forces in N, each (trial, 2). `start` and `target` are those of the
    trial; the straight path is the line through them.
    """

    description: ClassVar[str] = "Nothing"

    def force(self, position: Tensor, velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """The force on the hand.

        Parameters
        ----------
        position, velocity : torch.Tensor (trial, 2)
            Of the hand (m, m/s).
        start, target : torch.Tensor (trial, 2)
            Of the reach (m).

        Returns
        -------
        torch.Tensor (trial, 2)
            In N.
        """
        return torch.zeros_like(position)

    def view(self, position: Tensor, start: Tensor) -> Tensor:
        """Where the hand is seen; targets are seen where they are.

        Parameters
        ----------
        position : torch.Tensor (trial, 2)
            Of the hand (m).
        start : torch.Tensor (trial, 2)
            Of the reach (m).

        Returns
        -------
        torch.Tensor (trial, 2)
            In m.
        """
        return position

    @property
    def forceless(self) -> bool:
        """Whether the hand feels nothing of it."""
        return type(self).force is Load.force

    def to_dict(self) -> dict[str, object]:
        """Name and parameters; `from_dict` rebuilds it."""
        return {"load": next(name for name, kind in LOADS.items() if kind is type(self)), **asdict(self)}

    @staticmethod
    def from_dict(settings: Mapping[str, object]) -> Load:
        """Rebuild a load that `to_dict` described.

        Parameters
        ----------
        settings : mapping
            As `to_dict` returns.

        Returns
        -------
        Load

        >>> Load.from_dict({"load": "curl", "strength": -13.0})
        CurlField(strength=-13.0)
        """
        settings = dict(settings)
        return checks.call(LOADS[checks.choice("load", settings.pop("load"), LOADS)], settings)


@dataclass(frozen=True)
class CurlField(Load):
    """F = b [[0, 1], [-1, 0]] v: a force across the velocity; b > 0 pushes clockwise, to the right of the movement.

    `strength` is b (N s/m). Shadmehr and Mussa-Ivaldi 1994, J. Neurosci. 14, 3208-3224.

    >>> v = torch.tensor([[0.0, 1.0]])  # away from the body
    >>> CurlField(15.0).force(v, v, v, v)
    tensor([[15., -0.]])
    """

    description: ClassVar[str] = "A force across the velocity"

    strength: float = 15.0

    def __post_init__(self) -> None:
        checks.number("strength", self.strength)

    def force(self, position: Tensor, velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """See `Load.force`."""
        x, y = velocity.unbind(-1)
        return self.strength * torch.stack([y, -x], -1)


@dataclass(frozen=True)
class ConstantField(Load):
    """F = (x, y): the same force (N) everywhere and always."""

    description: ClassVar[str] = "A force that is always the same"

    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        checks.number("x", self.x)
        checks.number("y", self.y)

    def force(self, position: Tensor, velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """See `Load.force`."""
        return position.new_tensor([self.x, self.y]).expand_as(position)


@dataclass(frozen=True)
class DivergentField(Load):
    """F = k e: a force away from the straight path, e being the hand's displacement from it across.

    `stiffness` is k (N/m). Burdet et al. 2001, Nature 414, 446-449.
    """

    description: ClassVar[str] = "A force away from the straight path"

    stiffness: float = 50.0

    def __post_init__(self) -> None:
        checks.number("stiffness", self.stiffness, at_least=0)

    def force(self, position: Tensor, velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """See `Load.force`."""
        return self.stiffness * across(position - start, target - start)


@dataclass(frozen=True)
class ForceChannel(Load):
    """F = -k e - c de/dt: walls along the straight path; e as in `DivergentField`.

    `stiffness` is k (N/m) and `damping` c (N s/m). The force on the walls shows what a learner expects of the load that
    the channel replaces (Scheidt et al. 2000, J. Neurophysiol. 84, 853-862). An explicit step of dt needs
    k dt < c < 2 m / dt + k dt / 2.
    """

    description: ClassVar[str] = "A stiff channel along the straight path"

    stiffness: float = 2000.0
    damping: float = 50.0

    def __post_init__(self) -> None:
        checks.number("stiffness", self.stiffness, at_least=0)
        checks.number("damping", self.damping, at_least=0)

    def force(self, position: Tensor, velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """See `Load.force`."""
        aim = target - start
        return -self.stiffness * across(position - start, aim) - self.damping * across(velocity, aim)


@dataclass(frozen=True)
class VisuomotorRotation(Load):
    """The seen hand is the true one, turned about the start by `degrees` (counter-clockwise).

    Krakauer et al. 2000, J. Neurosci. 20, 8916-8924.

    >>> VisuomotorRotation(90.0).view(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).round()
    tensor([[0., 1.]])
    """

    description: ClassVar[str] = "The seen hand is turned about the start"

    degrees: float = 30.0

    def __post_init__(self) -> None:
        checks.number("degrees", self.degrees)

    def view(self, position: Tensor, start: Tensor) -> Tensor:
        """See `Load.view`."""
        c, s = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        return start + (position - start) @ position.new_tensor([[c, s], [-s, c]])


@dataclass(frozen=True)
class VisuomotorGain(Load):
    """The seen hand is `factor` times as far from the start as the true one."""

    description: ClassVar[str] = "The seen hand is nearer to or farther from the start"

    factor: float = 1.5

    def __post_init__(self) -> None:
        checks.number("factor", self.factor, above=0)

    def view(self, position: Tensor, start: Tensor) -> Tensor:
        """See `Load.view`."""
        return start + self.factor * (position - start)


#: Loads by name.
LOADS: dict[str, type[Load]] = {
    "none": Load, "curl": CurlField, "constant": ConstantField, "divergent": DivergentField, "channel": ForceChannel,
    "rotation": VisuomotorRotation, "gain": VisuomotorGain,
}  # fmt: skip


def get(name: str, **parameters: float) -> Load:
    """Return the load of this name, with the given parameters changed.

    Parameters
    ----------
    name : str
        One of `available()`.
    **parameters : float
        Those that change.

    Returns
    -------
    Load

    Raises
    ------
    ValueError
        For an unknown name or parameter, with the nearest.

    >>> get("curl", strength=-13.0)
    CurlField(strength=-13.0)
    """
    return checks.call(LOADS[checks.choice("name", name, LOADS)], parameters)


def available() -> dict[str, str]:
    """Return one line about every load, by name.

    >>> available()["channel"]
    'A stiff channel along the straight path'
    """
    return {name: load.description for name, load in LOADS.items()}


def across(vector: Tensor, aim: Tensor) -> Tensor:
    """The part of `vector` at right angles to `aim`.

    Parameters
    ----------
    vector, aim : torch.Tensor (..., 2)
        `aim` must not be 0.

    Returns
    -------
    torch.Tensor (..., 2)
    """
    along = aim / aim.norm(dim=-1, keepdim=True)
    return vector - (vector * along).sum(-1, keepdim=True) * along
