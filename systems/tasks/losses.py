"""Losses of reaching: named terms that add and scale, and the residuals whose mean square they are.

POSITION            the hand as seen, from the target, at the end
VELOCITY, FORCE     of the hand, at the end
WAIT                hand and velocity before the go cue
PATH                displacement across the straight path
EFFORT              the commands
ACTIVITY            the rates of the network
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from systems import checks

if TYPE_CHECKING:
    from systems.tasks.reaching import Movement, Session

__all__ = ["ACTIVITY", "EFFORT", "FORCE", "PATH", "POSITION", "TERMS", "VELOCITY", "WAIT", "Loss"]

_SAMPLED = 10  # instants of a movement at which path, effort and activity are looked at
_TINY = 1e-12  # keeps the root of the activity differentiable in a silent network


@dataclass(frozen=True)
class Loss:
    """A weighted sum of terms, each the mean over trials, times and components of a square in units of a scale.

        position    |p - p*|^2 / (3 length^2)     at the end: the last sample, or those of the end hold
        velocity    |v|^2 / (3 speed^2)           "
        force       |f|^2 / (3 force^2)           "
        wait        the mean of |p - p_0|^2 / length^2 and |v|^2 / speed^2     before the go cue, where there is one
        path        the displacement of the seen hand across the straight path, squared, / length^2      at 10 instants
        effort      |u|^2 / command^2             at 10 instants of the movement, evenly spaced
        activity    |r|^2                         "

    where |.|^2 is a mean over components. The thirds make position + velocity + force a mean over the six components of
    the final state. Scales matter: in plain SI units, a hand that stands still 7 cm from its target scores 0.0049 and
    is already below 0.005, where Williams et al. (ICLR 2025) stop; by the scales here, which are those of
    apayeur/pytorch-bmi-model, it scores 8.17, and 0.005 is 1.7 mm. The weights 1, 0.2 and 0.04 are those of the paper.

    Parameters
    ----------
    weights : mapping
        Weight by term; default 1, 0.2, 0.04 and 1 for position, velocity, force and wait.
    length, speed, force, command : float
        The scales: 0.01 m, 0.02 m/s, 0.08 N and 1 command unit (N or N m) by default.

    >>> loss = POSITION + 0.2 * VELOCITY + 0.04 * FORCE + 0.5 * PATH
    >>> loss.weights
    {'position': 1.0, 'velocity': 0.2, 'force': 0.04, 'path': 0.5}
    >>> (2 * loss).weights["path"]
    1.0
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"position": 1.0, "velocity": 0.2, "force": 0.04, "wait": 1.0}
    )
    length: float = 0.01
    speed: float = 0.02
    force: float = 0.08
    command: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.weights, Mapping) or not self.weights:
            raise TypeError(f"weights must be a mapping of terms to numbers, got {self.weights!r}")
        for name in self.weights:
            checks.choice("term of the loss", name, TERMS)
        weights = {name: checks.number(f"weight of {name}", w, at_least=0) for name, w in self.weights.items()}
        if not any(weights.values()):
            raise ValueError(f"weights must not all be 0, got {weights}")
        object.__setattr__(self, "weights", weights)
        for name in ("length", "speed", "force", "command"):
            checks.number(name, getattr(self, name), above=0)

    def __add__(self, other: Loss) -> Loss:
        if not isinstance(other, Loss):
            return NotImplemented
        if replace(self, weights=other.weights) != other:
            raise ValueError(f"losses that are added must have the same scales, got {self} and {other}")
        names = [*self.weights, *(name for name in other.weights if name not in self.weights)]
        return replace(self, weights={n: self.weights.get(n, 0.0) + other.weights.get(n, 0.0) for n in names})

    def __mul__(self, factor: float) -> Loss:
        checks.number("factor of a loss", factor, at_least=0)
        return replace(self, weights={name: factor * weight for name, weight in self.weights.items()})

    __rmul__ = __mul__

    def residual(self, session: Session, movement: Movement) -> Tensor:
        """Residuals whose mean square is the loss; those of a trial depend on that trial only.

        Parameters
        ----------
        session : Session
            What was asked.
        movement : Movement
            What happened.

        Returns
        -------
        torch.Tensor (trial, component)
        """
        parts = self._parts(session, movement)
        total = sum(part.shape[1] for part in parts.values())
        return torch.cat([math.sqrt(total / part.shape[1]) * part for part in parts.values()], 1)

    def terms(self, session: Session, movement: Movement) -> dict[str, float]:
        """What each term adds to the loss.

        Parameters
        ----------
        session, movement
            As in `residual`.

        Returns
        -------
        dict
            A number by term.
        """
        return {name: float(part.detach().square().mean()) for name, part in self._parts(session, movement).items()}

    def to_dict(self) -> dict[str, object]:
        """Weights and scales, as plain numbers; `Loss(**d)` rebuilds it."""
        return asdict(self)

    def _parts(self, session: Session, movement: Movement) -> dict[str, Tensor]:
        """The residuals of each term, (trial, component), whose mean square is what it adds."""
        found = {}
        for name, weight in self.weights.items():
            part = TERMS[name](self, session, movement).flatten(1)
            if weight and part.numel():
                found[name] = math.sqrt(weight) * part
        return found


def _position(loss: Loss, session: Session, movement: Movement) -> Tensor:
    return (movement.seen[:, session.end] - session.target[:, None]) / (math.sqrt(3) * loss.length)


def _velocity(loss: Loss, session: Session, movement: Movement) -> Tensor:
    return movement.velocity[:, session.end] / (math.sqrt(3) * loss.speed)


def _force(loss: Loss, session: Session, movement: Movement) -> Tensor:
    return movement.force[:, session.end] / (math.sqrt(3) * loss.force)


def _wait(loss: Loss, session: Session, movement: Movement) -> Tensor:
    before = slice(session.go)
    away = (movement.position[:, before] - session.start[:, None]) / loss.length
    return torch.cat([away, movement.velocity[:, before] / loss.speed], -1)


def _path(loss: Loss, session: Session, movement: Movement) -> Tensor:
    start, aim = session.start[:, None], (session.target - session.start)[:, None]
    along = aim / aim.norm(dim=-1, keepdim=True)
    beside = torch.stack([-along[..., 1], along[..., 0]], -1)
    return ((movement.seen[:, _instants(session)] - start) * beside).sum(-1) / loss.length


def _effort(loss: Loss, session: Session, movement: Movement) -> Tensor:
    return movement.command[:, _instants(session)] / loss.command


def _activity(loss: Loss, session: Session, movement: Movement) -> Tensor:
    return torch.stack([(movement.memory[t].square().mean(-1) + _TINY).sqrt() for t in _instants(session)], 1)


def _instants(session: Session) -> list[int]:
    """Samples that end ten equal parts of the movement."""
    moving = session.steps - session.go
    return sorted({session.go + max(1, round(k * moving / _SAMPLED)) - 1 for k in range(1, _SAMPLED + 1)})


#: The terms by name.
TERMS = {
    "position": _position, "velocity": _velocity, "force": _force, "wait": _wait, "path": _path, "effort": _effort,
    "activity": _activity,
}  # fmt: skip
POSITION, VELOCITY, FORCE, WAIT, PATH, EFFORT, ACTIVITY = (Loss({name: 1.0}) for name in TERMS)
