"""Chaotic flows.

Exponents are largest Lyapunov exponents, per unit of time. 'Measured here' is `systems.flows.measure.lyapunov`,
with the standard error over trials. Sprott 2003 is Chaos and Time-Series Analysis, Oxford University Press.
"""

from __future__ import annotations

import math

import numpy as np

from systems import checks
from systems.flows.base import System, box
from systems.flows.lattice import Lattice

__all__ = ["aizawa", "chen", "duffing", "halvorsen", "lorenz63", "lorenz96", "rossler", "thomas"]


def lorenz63(**parameters: float) -> System:
    """Lorenz's model of convection.

        dx/dt = sigma (y - x)
        dy/dt = x (rho - z) - y
        dz/dt = x y - beta z

    Dimensionless. Exponent 0.9056 (measured here: 0.908 +- 0.003).
    Reference: Lorenz 1963, J. Atmos. Sci. 20, 130-141; exponent: Sprott 2003.

    Parameters
    ----------
    sigma, rho, beta : float
        10, 28 and 8/3.

    Returns
    -------
    System

    >>> lorenz63().simulate(trials=2, duration=1.0).trajectory.shape
    (2, 50, 3)
    """

    def field(t, state, p):
        x, y, z = state.unbind(-1)
        return p.sigma * (y - x), x * (p.rho - z) - y, x * y - p.beta * z

    return System(
        name="lorenz63",
        description="Lorenz's convection: chaos on two wings, the usual test of forecasts",
        states=("x", "y", "z"),
        parameters={"sigma": 10.0, "rho": 28.0, "beta": 8 / 3},
        field=field,
        dt=0.02,
        lyapunov=0.9056,
        transient=20.0,
        draw=box([0, 0, 25], 10),
        reference="Lorenz 1963, J. Atmos. Sci. 20, 130-141",
    ).with_parameters(**parameters)


def rossler(**parameters: float) -> System:
    """Roessler's flow: a spiral with one fold.

        dx/dt = -y - z
        dy/dt = x + a y
        dz/dt = b + z (x - c)

    Dimensionless. Exponent 0.0714 (measured here: 0.0714 +- 0.0005).
    Reference: Roessler 1976, Phys. Lett. A 57, 397-398; exponent: Sprott 2003.

    Parameters
    ----------
    a, b, c : float
        0.2, 0.2 and 5.7.

    Returns
    -------
    System

    >>> rossler().states
    ('x', 'y', 'z')
    """

    def field(t, state, p):
        x, y, z = state.unbind(-1)
        return -y - z, x + p.a * y, p.b + z * (x - p.c)

    return System(
        name="rossler",
        description="Roessler's flow: chaos on one folded band, nearly periodic",
        states=("x", "y", "z"),
        parameters={"a": 0.2, "b": 0.2, "c": 5.7},
        field=field,
        dt=0.15,
        lyapunov=0.0714,
        transient=150.0,
        draw=box([0, -5, 0.5], [2, 2, 0.5]),
        reference="Roessler 1976, Phys. Lett. A 57, 397-398",
    ).with_parameters(**parameters)


def lorenz96(size: int = 40, **parameters: float) -> System:
    """Lorenz's ring of `size` sites, a caricature of the atmosphere along a latitude.

        dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + forcing        (indices modulo size, size >= 4)

    Dimensionless. Exponent 1.68 at size 40 (measured here: 1.70 +- 0.02; 1.55 +- 0.02 at
    size 20), None at any other size.
    Reference: Lorenz 1996, ECMWF Seminar on Predictability, vol. 1, 1-18.

    Parameters
    ----------
    size : int
        At least 4.
    forcing : float
        8.

    Returns
    -------
    System

    >>> lorenz96(size=5).states
    ('x0', 'x1', 'x2', 'x3', 'x4')
    """
    checks.whole("size", size, at_least=4)

    def field(t, x, p):
        return (x.roll(-1, -1) - x.roll(2, -1)) * x.roll(1, -1) - x + p.forcing

    return System(
        name="lorenz96",
        description="Lorenz's ring: spatio-temporal chaos with as many states as you like",
        states=[f"x{i}" for i in range(size)],
        parameters={"forcing": 8.0},
        field=field,
        dt=0.01,
        lyapunov={40: 1.68}.get(size),
        transient=20.0,
        draw=lambda rng, p: p.forcing + rng.uniform(-1, 1, size),
        lattice=Lattice(4, 2) if size >= 7 else None,  # what its neighbours depend on is felt within `dt`
        reference="Lorenz 1996, ECMWF Seminar on Predictability, vol. 1, 1-18",
    ).with_parameters(**parameters)


def thomas(**parameters: float) -> System:
    """Thomas's cyclically symmetric flow, a particle in a lattice of forces with friction.

        dx/dt = sin y - b x
        dy/dt = sin z - b y
        dz/dt = sin x - b z

    Dimensionless. Exponent 0.0349 (measured here:
    0.034 +- 0.001).
    Reference: Thomas 1999, Int. J. Bifurcation Chaos 9, 1889-1905; exponent: Sprott 2003.

    Parameters
    ----------
    b : float
        0.18; at 0.208186, often quoted, chaos only begins.

    Returns
    -------
    System

    >>> thomas().p.b
    0.18
    """

    def field(t, state, p):
        x, y, z = state.unbind(-1)
        return y.sin() - p.b * x, z.sin() - p.b * y, x.sin() - p.b * z

    return System(
        name="thomas",
        description="Thomas's labyrinth: slow chaos with cyclic symmetry",
        states=("x", "y", "z"),
        parameters={"b": 0.18},
        field=field,
        dt=0.5,
        lyapunov=0.0349,
        transient=300.0,
        draw=box([1, 0, 2], 1),
        reference="Thomas 1999, Int. J. Bifurcation Chaos 9, 1889-1905",
    ).with_parameters(**parameters)


def halvorsen(**parameters: float) -> System:
    """Halvorsen's cyclically symmetric flow.

        dx/dt = -a x - 4 y - 4 z - y^2
        dy/dt = -a y - 4 z - 4 x - z^2
        dz/dt = -a z - 4 x - 4 y - x^2

    Dimensionless. Exponent 0.675 +- 0.004, measured here.
    Reference: Sprott 2003.

    Parameters
    ----------
    a : float
        1.4.

    Returns
    -------
    System

    >>> halvorsen().p.a
    1.4
    """

    def field(t, state, p):
        x, y, z = state.unbind(-1)
        return (
            -p.a * x - 4 * y - 4 * z - y * y,
            -p.a * y - 4 * z - 4 * x - z * z,
            -p.a * z - 4 * x - 4 * y - x * x,
        )

    return System(
        name="halvorsen",
        description="Halvorsen's flow: chaos on three symmetric wings",
        states=("x", "y", "z"),
        parameters={"a": 1.4},
        field=field,
        dt=0.02,
        lyapunov=0.675,
        transient=30.0,
        draw=box([-5, 0, 0], 1),
        reference="Sprott 2003, Chaos and Time-Series Analysis, Oxford University Press",
    ).with_parameters(**parameters)


def chen(**parameters: float) -> System:
    """Chen's flow, Lorenz's with feedback on y.

        dx/dt = a (y - x)
        dy/dt = (c - a) x - x z + c y
        dz/dt = x y - b z

    Dimensionless. Exponent 2.027 (measured here: 2.029 +- 0.007).
    Reference: Chen and Ueta 1999, Int. J. Bifurcation Chaos 9, 1465-1466; exponent: Sprott 2003.

    Parameters
    ----------
    a, b, c : float
        35, 3 and 28.

    Returns
    -------
    System

    >>> chen().p
    namespace(a=35.0, b=3.0, c=28.0)
    """

    def field(t, state, p):
        x, y, z = state.unbind(-1)
        return p.a * (y - x), (p.c - p.a) * x - x * z + p.c * y, x * y - p.b * z

    return System(
        name="chen",
        description="Chen's flow: fast chaos on two tangled wings",
        states=("x", "y", "z"),
        parameters={"a": 35.0, "b": 3.0, "c": 28.0},
        field=field,
        dt=0.01,
        lyapunov=2.027,
        transient=10.0,
        draw=box([0, 0, 20], 5),
        reference="Chen and Ueta 1999, Int. J. Bifurcation Chaos 9, 1465-1466",
    ).with_parameters(**parameters)


def aizawa(**parameters: float) -> System:
    """Aizawa's flow: a sphere pierced by a tube (Langford's equations).

        dx/dt = (z - b) x - d y
        dy/dt = d x + (z - b) y
        dz/dt = c + a z - z^3 / 3 - (x^2 + y^2) (1 + e z) + f z x^3

    Dimensionless. Exponent 0.095 +- 0.001,
    measured here; a torus without chaos lies beside the attractor, and starts are drawn to miss it.
    Reference: Langford 1984, Numerical studies of torus bifurcations, Int. Ser. Numer. Math. 70, 285-295.

    Parameters
    ----------
    a, b, c, d, e, f : float
        0.95, 0.7, 0.6, 3.5, 0.25 and 0.1.

    Returns
    -------
    System

    >>> aizawa().size
    3
    """

    def field(t, state, p):
        x, y, z = state.unbind(-1)
        radius = x * x + y * y
        return (
            (z - p.b) * x - p.d * y,
            p.d * x + (z - p.b) * y,
            p.c + p.a * z - z**3 / 3 - radius * (1 + p.e * z) + p.f * z * x**3,
        )

    return System(
        name="aizawa",
        description="Aizawa's flow: weak chaos on a sphere with a tube through it",
        states=("x", "y", "z"),
        parameters={"a": 0.95, "b": 0.7, "c": 0.6, "d": 3.5, "e": 0.25, "f": 0.1},
        field=field,
        dt=0.05,
        lyapunov=0.095,
        transient=50.0,
        draw=box([0.1, 0, 0], 0.05),
        reference="Langford 1984, Int. Ser. Numer. Math. 70, 285-295",
    ).with_parameters(**parameters)


def duffing(**parameters: float) -> System:
    """Duffing's driven double-well oscillator, with its drive among the states.

        dx/dt = v
        dv/dt = -delta v - alpha x - beta x^3 + gamma c
        dc/dt = -omega s,  ds/dt = omega c                 (c = cos omega t, s = sin omega t)

    The drive is carried by (c, s), so that the flow is autonomous and smooth and every state can be observed.
    Dimensionless. Exponent 0.106 +- 0.002,
    measured here.
    Reference: Guckenheimer and Holmes 1983, Nonlinear Oscillations, Springer, section 2.2.

    Parameters
    ----------
    alpha, beta, gamma, delta, omega : float
        -1, 1, 0.5, 0.3 and 1.2.

    Returns
    -------
    System

    >>> duffing().states
    ('x', 'v', 'c', 's')
    """

    def field(t, state, p):
        x, v, c, s = state.unbind(-1)
        force = -p.delta * v - p.alpha * x - p.beta * x**3 + p.gamma * c
        return v, force, -p.omega * s, p.omega * c

    def draw(rng, p):
        phase = rng.uniform(0, 2 * math.pi)
        return [*rng.uniform(-1, 1, 2), np.cos(phase), np.sin(phase)]

    return System(
        name="duffing",
        description="Duffing's driven double well: chaotic hopping, its drive among the states",
        states=("x", "v", "c", "s"),
        parameters={"alpha": -1.0, "beta": 1.0, "gamma": 0.5, "delta": 0.3, "omega": 1.2},
        field=field,
        dt=0.1,
        lyapunov=0.106,
        transient=100.0,
        draw=draw,
        reference="Guckenheimer and Holmes 1983, Nonlinear Oscillations, Springer, section 2.2",
    ).with_parameters(**parameters)
