"""The two-link arm."""

from __future__ import annotations

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

__all__ = ["TwoLinkArm"]

_STRAIGHT = 1e-3  # sine of the elbow below which the force of a nearly straight arm is not followed further


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

        def rate(t: float, now: Tensor) -> Tensor:
            q, w, torque = now.split(2, -1)
            force = None if external is no_force else external(self.locate(q) - home, self._carry(q, w))
            return torch.cat([w, self.acceleration(q, w, torque, force), (command - torque) / self.tau], -1)

        q, w, torque = rk4_step(rate, 0.0, state, self.dt).split(2, -1)
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
        """Forward kinematics.

        Parameters
        ----------
        q : torch.Tensor (..., 2)
            Joint angles (rad).

        Returns
        -------
        torch.Tensor (..., 2)
            The hand from the shoulder (m).
        """
        (l1, l2), q1, q12 = self.lengths, q[..., 0], q.sum(-1)
        return torch.stack([l1 * q1.cos() + l2 * q12.cos(), l1 * q1.sin() + l2 * q12.sin()], -1)

    def joints(self, position: Tensor) -> Tensor:
        """Inverse kinematics.

        Parameters
        ----------
        position : torch.Tensor (..., 2)
            The hand from the shoulder (m).

        Returns
        -------
        torch.Tensor (..., 2)
            Joint angles (rad), the elbow from 0 to pi; NaN where the hand cannot get there.
        """
        (l1, l2), (x, y) = self.lengths, position.unbind(-1)
        elbow = torch.acos((x * x + y * y - l1**2 - l2**2) / (2 * l1 * l2))
        shoulder = torch.atan2(y, x) - torch.atan2(l2 * elbow.sin(), l1 + l2 * elbow.cos())
        return torch.stack([shoulder, elbow], -1)

    def jacobian(self, q: Tensor) -> Tensor:
        """J = d(hand)/dq.

        Parameters
        ----------
        q : torch.Tensor (..., 2)
            Joint angles (rad).

        Returns
        -------
        torch.Tensor (..., 2, 2)
            A row for x and one for y (m).
        """
        return torch.stack([torch.stack(row, -1) for row in self._jacobian(q)], -2)

    def inertia(self, q: Tensor) -> Tensor:
        """The mass matrix M(q).

        Parameters
        ----------
        q : torch.Tensor (..., 2)
            Joint angles (rad).

        Returns
        -------
        torch.Tensor (..., 2, 2)
            In kg m^2.
        """
        (a1, a2, a3), c = self.coefficients, q[..., 1].cos()
        off = a3 + a2 * c
        return torch.stack([a1 + 2 * a2 * c, off, off, torch.full_like(c, a3)], -1).unflatten(-1, (2, 2))

    def energy(self, q: Tensor, w: Tensor) -> Tensor:
        """Kinetic energy w^T M w / 2.

        Parameters
        ----------
        q, w : torch.Tensor (..., 2)
            Joint angles (rad) and speeds (rad/s).

        Returns
        -------
        torch.Tensor (...)
            In J.
        """
        return (w * (self.inertia(q) @ w[..., None])[..., 0]).sum(-1) / 2

    def acceleration(self, q: Tensor, w: Tensor, torque: Tensor, force: Tensor | None = None) -> Tensor:
        """dw/dt under joint torques and a force on the hand.

        Parameters
        ----------
        q, w : torch.Tensor (..., 2)
            Joint angles (rad) and speeds (rad/s).
        torque : torch.Tensor (..., 2)
            Of the joints (N m).
        force : torch.Tensor (..., 2), optional
            On the hand (N).

        Returns
        -------
        torch.Tensor (..., 2)
            In rad/s^2.

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
