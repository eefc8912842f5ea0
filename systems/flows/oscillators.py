"""Oscillators: flows that settle on a limit cycle, and the harmonic one.

Periods without a closed form were measured with `systems.flows.measure.period`. The amplitude of a state is half
its range over a period of `simulate`; `start` begins anywhere off the cycle.
"""

from __future__ import annotations

import math

import numpy as np

from systems.flows.base import System, box

__all__ = ["brusselator", "cosine", "fitzhugh_nagumo", "stuart_landau", "van_der_pol"]


def cosine(**parameters: float) -> System:
    """The harmonic oscillator.

        dx/dt = -w y,  dy/dt = w x        (w = 2 pi frequency)

    so that x = cos(w t + phase). Starts lie on the circle of radius 1; any other radius lasts as well.
    Time in s.

    Parameters
    ----------
    frequency : float
        1 Hz, so that the period is 1 s.

    Returns
    -------
    System

    >>> cosine(frequency=4.0).period
    0.25
    """

    def field(t, state, p):
        x, y = state.unbind(-1)
        w = 2 * math.pi * p.frequency
        return -w * y, w * x

    return System(
        name="cosine",
        description="A cosine and its sine: the harmonic oscillator",
        states=("x", "y"),
        parameters={"frequency": 1.0},
        field=field,
        units={"time": "s", "frequency": "Hz"},
        dt=0.02,
        period_formula=lambda p: 1 / abs(p.frequency),
        draw=_on_circle,
    ).with_parameters(**parameters)


def stuart_landau(**parameters: float) -> System:
    """The normal form of a Hopf bifurcation, in z = x + i y.

        dz/dt = (sigma + i omega) z - (1 + i shear) |z|^2 z

    The cycle is the circle of radius sqrt(sigma), with period 2 pi / |omega - shear sigma|.
    Dimensionless.
    Reference: Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence, Springer, section 2.2.

    Parameters
    ----------
    sigma, omega, shear : float
        1, 1 and 0.

    Returns
    -------
    System

    >>> round(stuart_landau().period, 6)
    6.283185
    """

    def field(t, state, p):
        x, y = state.unbind(-1)
        square = x * x + y * y
        growth, turn = p.sigma - square, p.omega - p.shear * square
        return growth * x - turn * y, turn * x + growth * y

    return System(
        name="stuart_landau",
        description="Stuart-Landau: the Hopf normal form, a circle that attracts",
        states=("x", "y"),
        parameters={"sigma": 1.0, "omega": 1.0, "shear": 0.0},
        field=field,
        dt=0.15,
        period_formula=lambda p: 2 * math.pi / abs(p.omega - p.shear * p.sigma),
        transient=20.0,
        draw=_about_circle,
        reference="Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence, Springer, section 2.2",
    ).with_parameters(**parameters)


def van_der_pol(**parameters: float) -> System:
    """Van der Pol's oscillator: friction that feeds small swings and brakes large ones.

        dx/dt = v
        dv/dt = mu (1 - x^2) v - x

    Dimensionless. At mu = 1 the period is 6.66328686 and x swings by 2.00862.
    Reference: van der Pol 1926, Phil. Mag. 2, 978-992.

    Parameters
    ----------
    mu : float
        1.

    Returns
    -------
    System

    >>> van_der_pol().period
    6.6632868593
    """

    def field(t, state, p):
        x, v = state.unbind(-1)
        return v, p.mu * (1 - x * x) * v - x

    return System(
        name="van_der_pol",
        description="Van der Pol's oscillator: one limit cycle, from round to relaxation",
        states=("x", "v"),
        parameters={"mu": 1.0},
        field=field,
        dt=0.15,
        period=6.6632868593,
        transient=60.0,
        draw=box([0, 0], 2),
        reference="van der Pol 1926, Phil. Mag. 2, 978-992",
    ).with_parameters(**parameters)


def fitzhugh_nagumo(**parameters: float) -> System:
    """FitzHugh and Nagumo's nerve: voltage v and recovery w.

        dv/dt = v - v^3 / 3 - w + current
        dw/dt = epsilon (v + a - b w)

    Dimensionless. By default the period is 39.4744 (measured here) and v swings from -1.970 to 1.852.
    Reference: FitzHugh 1961, Biophys. J. 1, 445-466.

    Parameters
    ----------
    a, b, epsilon, current : float
        0.7, 0.8, 0.08 and 0.5.

    Returns
    -------
    System

    >>> fitzhugh_nagumo(current=0.0).period is None
    True
    """

    def field(t, state, p):
        v, w = state.unbind(-1)
        return v - v**3 / 3 - w + p.current, p.epsilon * (v + p.a - p.b * w)

    return System(
        name="fitzhugh_nagumo",
        description="FitzHugh-Nagumo: a nerve that fires over and over",
        states=("v", "w"),
        parameters={"a": 0.7, "b": 0.8, "epsilon": 0.08, "current": 0.5},
        field=field,
        dt=0.8,
        period=39.4744149802,
        transient=300.0,
        draw=box([0, 0.5], 1),
        reference="FitzHugh 1961, Biophys. J. 1, 445-466",
    ).with_parameters(**parameters)


def brusselator(**parameters: float) -> System:
    """The Brusselator, a chemical clock with concentrations x and y.

        dx/dt = a + x^2 y - (b + 1) x
        dy/dt = b x - x^2 y

    Dimensionless. By default the period is 7.15692 (measured here); it oscillates where b > 1 + a^2.
    Reference: Prigogine and Lefever 1968, J. Chem. Phys. 48, 1695-1700.

    Parameters
    ----------
    a, b : float
        1 and 3.

    Returns
    -------
    System

    >>> brusselator().states
    ('x', 'y')
    """

    def field(t, state, p):
        x, y = state.unbind(-1)
        made = x * x * y
        return p.a + made - (p.b + 1) * x, p.b * x - made

    return System(
        name="brusselator",
        description="The Brusselator: a chemical clock",
        states=("x", "y"),
        parameters={"a": 1.0, "b": 3.0},
        field=field,
        dt=0.15,
        period=7.15691992118,
        transient=60.0,
        draw=box([1.5, 2.5], 1),
        reference="Prigogine and Lefever 1968, J. Chem. Phys. 48, 1695-1700",
    ).with_parameters(**parameters)


def _on_circle(rng, p):
    phase = rng.uniform(0, 2 * math.pi)
    return [np.cos(phase), np.sin(phase)]


def _about_circle(rng, p):
    return rng.uniform(0.3, 1.7) * np.asarray(_on_circle(rng, p))
