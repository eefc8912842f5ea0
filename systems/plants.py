"""Plants: simulated limbs, batched and differentiable, in metres, kilograms, seconds and newtons.

point           a point mass in the plane, driven by forces                        `PointMass`
arm             a two-link arm with the parameters of Li and Todorov (2004)        `TwoLinkArm`
arm-todorov, arm-motornet, arm-26    the same arm with other published parameters

Every plant is driven by two commands through first-order actuators and has a hand in the plane, whose position is
counted from the plant's `home`. Tensors are (..., state): leading dimensions are batches.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.linalg import expm
from torch import Tensor

from systems import checks

__all__ = ["PLANTS", "Hand", "Plant", "PointMass", "TwoLinkArm", "available", "get"]

#: (position, velocity) of the hand -> external force on it (N), each (..., 2).
External = Callable[[Tensor, Tensor], Tensor]

_STRAIGHT = 1e-3  # sine of the elbow below which the force of a nearly straight arm is not followed further


class Hand(NamedTuple):
    """Where the hand is from home (m), how fast it moves (m/s) and what force drives it (N), each (..., 2)."""

    position: Tensor
    velocity: Tensor
    force: Tensor


def no_force(position: Tensor, velocity: Tensor) -> Tensor:
    """The force of a free hand: none."""
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
        """The state at rest with the hand at `position` (..., 2) from home."""

    @abstractmethod
    def hand(self, state: Tensor) -> Hand:
        """The hand in `state` (..., state)."""

    @abstractmethod
    def step(self, state: Tensor, command: Tensor, external: External = no_force) -> Tensor:
        """The state after one time step under `command` (..., 2) and the force that `external` puts on the hand."""

    @abstractmethod
    def check_reach(self, name: str, position: ArrayLike) -> np.ndarray:
        """Return `position` (any, 2) from home as an array; raise ValueError where the hand cannot get there."""

    def to_dict(self) -> dict[str, object]:
        """Class and parameters, as plain numbers, strings and lists; `from_dict` rebuilds it."""
        return {"plant": type(self).__name__, **asdict(self)}

    @staticmethod
    def from_dict(settings: dict[str, object]) -> Plant:
        """Rebuild a plant that `to_dict` described."""
        settings = dict(settings)
        kind = {"PointMass": PointMass, "TwoLinkArm": TwoLinkArm}
        return kind[checks.choice("plant", settings.pop("plant"), kind)](**settings)


@dataclass(frozen=True)
class PointMass(Plant):
    """A point mass in the plane, driven by a force that follows the command with first-order lag:

        dp/dt = v,      m dv/dt = f - c v + F,      df/dt = (u - f) / tau

    with position p, velocity v, driving force f, external force F and command u (N). `update` says how a step is
    taken, because published results depend on it:

    - "reference": p' = p + dt v,  v' = v + dt (f - c v + F) / m,  f' = exp(-dt / tau) f + u, all from the old state.
      u counts as force gained in a step: held, it drives with 1 / (1 - exp(-dt / tau)) u, which is 4.52 u by default.
    - "exact": the solution of the equations while u and F stay what they were at the start of the step.

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

    >>> plant = PointMass(update="exact")
    >>> state = plant.rest(torch.zeros(1, 2, dtype=torch.float64))
    >>> for _ in range(100):
    ...     state = plant.step(state, torch.tensor([[0.1, 0.0]]))
    >>> round(plant.hand(state).velocity[0, 0].item(), 3)  # 0.1 N for 1 s on 1 kg, less the lag of 0.04 s
    0.096
    """

    mass: float = 1.0
    damping: float = 0.0
    update: str = "reference"

    states: ClassVar[tuple[str, ...]] = ("x", "y", "x_velocity", "y_velocity", "x_force", "y_force")
    state_units: ClassVar[tuple[str, ...]] = ("m", "m", "m s-1", "m s-1", "N", "N")
    command_units: ClassVar[str] = "N"
    description: ClassVar[str] = "A point mass in the plane with first-order actuators"
    reference: ClassVar[str] = "apayeur/pytorch-bmi-model (GitHub)"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("mass", self.mass, above=0)
        checks.number("damping", self.damping, at_least=0)
        checks.choice("update", self.update, ("reference", "exact"))

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
        outside = external(position, velocity)
        if self.update == "reference":
            pull = force - self.damping * velocity + outside
            return torch.cat(
                [
                    position + self.dt * velocity,
                    velocity + self.dt / self.mass * pull,
                    math.exp(-self.dt / self.tau) * force + command,
                ],
                -1,
            )
        before = torch.stack([position, velocity, force, outside, command.to(state)], -2)
        after = torch.as_tensor(self._transition, dtype=state.dtype, device=state.device) @ before
        return after.flatten(-2)

    def check_reach(self, name: str, position: ArrayLike) -> np.ndarray:
        """Everywhere is within reach."""
        return checks.array(name, position, shape=(None, 2))

    @cached_property
    def _transition(self) -> np.ndarray:
        """(p, v, f) after a step from (p, v, f, F, u) before it, on each axis."""
        m, c = self.mass, self.damping
        rate = np.zeros((5, 5))
        rate[0, 1] = 1
        rate[1] = [0, -c / m, 1 / m, 1 / m, 0]
        rate[2] = [0, 0, -1 / self.tau, 0, 1 / self.tau]
        return expm(rate * self.dt)[:3]


@dataclass(frozen=True)
class TwoLinkArm(Plant):
    """A planar arm of two links without gravity, driven by joint torques that follow the command with first-order lag:

        M(q) dw/dt + h(q, w) + B w = T + J(q)^T F,      dq/dt = w,      dT/dt = (u - T) / tau

        M = [[a1 + 2 a2 cos q2, a3 + a2 cos q2], [a3 + a2 cos q2, a3]],    h = a2 sin q2 [-w2 (2 w1 + w2), w1^2]

    with joint angles q (shoulder; elbow, from the upper arm), speeds w, torques T, external force F on the hand and
    command u (N m). The hand is at x = l1 cos q1 + l2 cos(q1 + q2), y likewise with sines. Two conventions for the
    inertias I1, I2 are in use, `about`:

    - "joint" (Li and Todorov 2004): a1 = I1 + I2 + m2 l1^2, a2 = m2 l1 s2, a3 = I2;
    - "centre" (of mass): a1 = I1 + m1 s1^2 + I2 + m2 (l1^2 + s2^2), a2 = m2 l1 s2, a3 = I2 + m2 s2^2.

    A step is one of the classical fourth-order Runge-Kutta method with u held; the energy of a free arm drifts by 4e-8
    of itself in a second at 0.01 s. At a joint limit the joint stops.

    The force of `hand` is the one with which the torques press when the hand is held, (J^T)^-1 T: it is zero where the
    torques are.

    Parameters
    ----------
    dt, tau : float
        As in `Plant`; 0.01 s and 0.04 s by default.
    masses, lengths, centres, inertias : (float, float)
        m (kg), l (m), distance s of the centre of mass from the joint (m) and I (kg m^2) of upper arm and forearm.
    friction : ((float, float), (float, float))
        B (N m s).
    about : str
        See above.
    limits : ((float, float), (float, float))
        Ranges of the joints (degrees).
    posture : (float, float)
        The joint angles at home (degrees).

    Defaults: W. Li and E. Todorov 2004, ICINCO, 222-229, with joint limits and posture of our choice. `get` has other
    published sets.

    >>> arm = TwoLinkArm()
    >>> torch.set_printoptions(precision=6)
    >>> arm.locate(torch.tensor([[torch.pi / 3, torch.pi / 2]], dtype=torch.float64))
    tensor([[-0.135788,  0.424808]], dtype=torch.float64)
    >>> torch.set_printoptions(profile="default")
    >>> arm.check_reach("target", [[0.0, 0.3]])
    Traceback (most recent call last):
    ValueError: target must be within reach of the arm, got (0, 0.3) m from home, number 0
    """

    masses: tuple[float, float] = (1.4, 1.0)
    lengths: tuple[float, float] = (0.30, 0.33)
    centres: tuple[float, float] = (0.11, 0.16)
    inertias: tuple[float, float] = (0.025, 0.045)
    friction: tuple[tuple[float, float], tuple[float, float]] = ((0.05, 0.025), (0.025, 0.05))
    about: str = "joint"
    limits: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 140.0), (0.0, 160.0))
    posture: tuple[float, float] = (60.0, 90.0)

    states: ClassVar[tuple[str, ...]] = (
        "shoulder", "elbow", "shoulder_speed", "elbow_speed", "shoulder_torque", "elbow_torque",
    )  # fmt: skip
    state_units: ClassVar[tuple[str, ...]] = ("rad", "rad", "rad s-1", "rad s-1", "N m", "N m")
    command_units: ClassVar[str] = "N m"
    description: ClassVar[str] = "A planar arm of two links with first-order torque actuators"
    reference: ClassVar[str] = "Li and Todorov 2004, ICINCO, 222-229"

    def __post_init__(self) -> None:
        super().__post_init__()
        shapes = {"friction": (2, 2), "limits": (2, 2)}
        for name in ("masses", "lengths", "centres", "inertias", "friction", "limits", "posture"):
            value = checks.array(name, getattr(self, name), shape=shapes.get(name, (2,)))
            if name in ("masses", "lengths", "inertias") and (value <= 0).any():
                raise ValueError(f"{name} must be greater than 0, got {value.tolist()}")
            if name == "centres" and (value < 0).any():
                raise ValueError(f"centres must be at least 0, got {value.tolist()}")
            plain = tuple(tuple(row) if isinstance(row, list) else row for row in value.tolist())
            object.__setattr__(self, name, plain)
        checks.choice("about", self.about, ("joint", "centre"))
        loss = np.array(self.friction)
        if np.linalg.eigvalsh(loss + loss.T).min() < 0:
            raise ValueError(f"friction must take energy, never give it, got {self.friction}")
        for (low, high), at in zip(self.limits, self.posture, strict=True):
            if not low < at < high:
                raise ValueError(f"limits must enclose posture, got {low:g} to {high:g} degrees about {at:g}")
        if not 0 < self.posture[1] < 180:
            raise ValueError(
                f"posture must bend the elbow by more than 0 and less than 180 degrees, got {self.posture}"
            )
        a1, a2, a3 = self.coefficients
        if (a1 - a3) * a3 <= a2**2:  # det M = (a1 - a3) a3 - (a2 cos q2)^2
            raise ValueError(f"inertias must make the mass matrix positive definite, got {self.inertias}")

    @cached_property
    def coefficients(self) -> tuple[float, float, float]:
        """a1, a2, a3 (kg m^2)."""
        (m1, m2), (l1, _), (s1, s2), (i1, i2) = self.masses, self.lengths, self.centres, self.inertias
        first, second = (0.0, 0.0) if self.about == "joint" else (m1 * s1**2, m2 * s2**2)
        return i1 + first + i2 + second + m2 * l1**2, m2 * l1 * s2, i2 + second

    @cached_property
    def home(self) -> tuple[float, float]:
        """The hand in the posture of home, from the shoulder."""
        x, y = self.locate(torch.tensor(self.posture, dtype=torch.float64).deg2rad()).tolist()
        return x, y

    def rest(self, position: Tensor) -> Tensor:
        """See `Plant.rest`."""
        q = self.joints(position + position.new_tensor(self.home))
        return torch.cat([q, torch.zeros_like(q), torch.zeros_like(q)], -1)

    def hand(self, state: Tensor) -> Hand:
        """See `Plant.hand`."""
        q, w, torque = state.split(2, -1)
        (a, b), (c, d) = self._jacobian(q)
        det = self.lengths[0] * self.lengths[1] * torch.sin(q[..., 1]).clamp_min(_STRAIGHT)
        t1, t2 = torque.unbind(-1)
        force = torch.stack([(d * t1 - c * t2) / det, (a * t2 - b * t1) / det], -1)
        home = q.new_tensor(self.home)
        return Hand(self.locate(q) - home, self._carry(q, w), force)

    def step(self, state: Tensor, command: Tensor, external: External = no_force) -> Tensor:
        """See `Plant.step`."""
        home = state.new_tensor(self.home)

        def rate(now: Tensor) -> Tensor:
            q, w, torque = now.split(2, -1)
            force = None if external is no_force else external(self.locate(q) - home, self._carry(q, w))
            return torch.cat([w, self.acceleration(q, w, torque, force), (command - torque) / self.tau], -1)

        h = self.dt
        a = rate(state)
        b = rate(state + h / 2 * a)
        c = rate(state + h / 2 * b)
        d = rate(state + h * c)
        q, w, torque = (state + h / 6 * (a + 2 * b + 2 * c + d)).split(2, -1)
        low, high = state.new_tensor(self.limits).deg2rad().unbind(-1)
        inside = (q >= low) & (q <= high)
        return torch.cat([torch.where(inside, q, q.clamp(low, high)), w * inside, torque], -1)

    def check_reach(self, name: str, position: ArrayLike) -> np.ndarray:
        """See `Plant.check_reach`."""
        position = checks.array(name, position, shape=(None, 2))
        q = np.degrees(self.joints(torch.from_numpy(position + np.array(self.home))).numpy())
        low, high = np.array(self.limits).T
        out = ~((q >= low) & (q <= high)).all(1)
        if out.any():
            x, y = position[out.argmax()]
            raise ValueError(
                f"{name} must be within reach of the arm, got ({x:g}, {y:g}) m from home, number {out.argmax()}"
            )
        return position

    def locate(self, q: Tensor) -> Tensor:
        """Forward kinematics: the hand (..., 2) from the shoulder (m) at joint angles q (rad)."""
        (l1, l2), q1, q12 = self.lengths, q[..., 0], q.sum(-1)
        return torch.stack([l1 * q1.cos() + l2 * q12.cos(), l1 * q1.sin() + l2 * q12.sin()], -1)

    def joints(self, position: Tensor) -> Tensor:
        """Inverse kinematics: the joint angles (rad), elbow from 0 to pi, with the hand at `position` from the shoulder.

        NaN where the hand cannot get there.
        """
        (l1, l2), (x, y) = self.lengths, position.unbind(-1)
        elbow = torch.acos((x * x + y * y - l1**2 - l2**2) / (2 * l1 * l2))
        shoulder = torch.atan2(y, x) - torch.atan2(l2 * elbow.sin(), l1 + l2 * elbow.cos())
        return torch.stack([shoulder, elbow], -1)

    def jacobian(self, q: Tensor) -> Tensor:
        """J = d(hand)/dq at joint angles q (..., 2): (..., 2, 2), a row for x and one for y."""
        return torch.stack([torch.stack(row, -1) for row in self._jacobian(q)], -2)

    def inertia(self, q: Tensor) -> Tensor:
        """M(q), (..., 2, 2)."""
        (a1, a2, a3), c = self.coefficients, q[..., 1].cos()
        off = a3 + a2 * c
        return torch.stack([a1 + 2 * a2 * c, off, off, torch.full_like(c, a3)], -1).unflatten(-1, (2, 2))

    def energy(self, q: Tensor, w: Tensor) -> Tensor:
        """Kinetic energy w^T M w / 2 (J)."""
        return (w * (self.inertia(q) @ w[..., None])[..., 0]).sum(-1) / 2

    def acceleration(self, q: Tensor, w: Tensor, torque: Tensor, force: Tensor | None = None) -> Tensor:
        """dw/dt (rad/s^2) under joint torques (N m) and a force on the hand (N), each (..., 2).

        >>> q, w, torque = torch.tensor([[torch.pi / 4, torch.pi / 2], [1.0, -2.0], [0.5, -0.3]], dtype=torch.float64)
        >>> [round(x, 5) for x in TwoLinkArm().acceleration(q, w, torque).tolist()]
        [6.72174, -12.78841]
        """
        (a1, a2, a3), (w1, w2) = self.coefficients, w.unbind(-1)
        (b11, b12), (b21, b22) = self.friction
        c, s = q[..., 1].cos(), q[..., 1].sin()
        t1 = torque[..., 0] + a2 * s * w2 * (2 * w1 + w2) - b11 * w1 - b12 * w2
        t2 = torque[..., 1] - a2 * s * w1 * w1 - b21 * w1 - b22 * w2
        if force is not None:
            (j11, j12), (j21, j22) = self._jacobian(q)
            t1 = t1 + j11 * force[..., 0] + j21 * force[..., 1]
            t2 = t2 + j12 * force[..., 0] + j22 * force[..., 1]
        m11, m12 = a1 + 2 * a2 * c, a3 + a2 * c
        det = m11 * a3 - m12 * m12
        return torch.stack([(a3 * t1 - m12 * t2) / det, (m11 * t2 - m12 * t1) / det], -1)

    def _jacobian(self, q: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        (l1, l2), q1, q12 = self.lengths, q[..., 0], q.sum(-1)
        x2, y2 = l2 * q12.cos(), l2 * q12.sin()
        return (-l1 * q1.sin() - y2, -y2), (l1 * q1.cos() + x2, x2)

    def _carry(self, q: Tensor, w: Tensor) -> Tensor:
        """The velocity J w of the hand."""
        (a, b), (c, d) = self._jacobian(q)
        w1, w2 = w.unbind(-1)
        return torch.stack([a * w1 + b * w2, c * w1 + d * w2], -1)


_NO_FRICTION = ((0.0, 0.0), (0.0, 0.0))

#: Plants by name; the parameter sets other than the defaults are those of published code.
PLANTS: dict[str, Plant] = {
    "point": PointMass(),
    "arm": TwoLinkArm(),
    "arm-todorov": TwoLinkArm(masses=(1.4, 1.1), friction=((0.5, 0.1), (0.1, 0.5))),
    "arm-motornet": TwoLinkArm(
        masses=(1.864572, 1.534315), lengths=(0.309, 0.26), centres=(0.180496, 0.181479),
        inertias=(0.013193, 0.020062), friction=_NO_FRICTION, about="centre",
    ),
    "arm-26": TwoLinkArm(
        masses=(1.82, 1.43), lengths=(0.309, 0.333), centres=(0.135, 0.165), inertias=(0.051, 0.057),
        friction=_NO_FRICTION, about="centre", limits=((0.0, 135.0), (0.0, 155.0)),
    ),
}  # fmt: skip

_ABOUT = {
    "arm-todorov": "The arm with the parameters of Todorov's published code",
    "arm-motornet": "The arm with the parameters of MotorNet's TwoDofArm",
    "arm-26": "The arm with the parameters of MotorNet's Arm26 (Nijhof and Kouwenhoven 2000)",
}


def get(plant: str | Plant, **parameters: object) -> Plant:
    """Return the plant of this name, or the plant itself, with the given parameters changed.

    >>> get("point", mass=2.0).mass
    2.0
    >>> get("arn")
    Traceback (most recent call last):
    ValueError: plant must be one of 'point', 'arm', 'arm-todorov', 'arm-motornet', 'arm-26', got 'arn'; did you mean 'arm'?
    """
    if not isinstance(plant, Plant):
        plant = PLANTS[checks.choice("plant", plant, PLANTS)]
    settings = {field.name: getattr(plant, field.name) for field in fields(plant)}
    for name in parameters:
        checks.choice(f"parameter of {type(plant).__name__}", name, settings)
    return type(plant)(**{**settings, **parameters}) if parameters else plant


def available() -> dict[str, str]:
    """Return one line about every plant, by name.

    >>> available()["point"]
    'A point mass in the plane with first-order actuators'
    """
    return {name: _ABOUT.get(name, plant.description) for name, plant in PLANTS.items()}
