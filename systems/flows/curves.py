"""Closed curves in the plane, followed once a period.

The state (x, y) chases a point that runs along the curve, so that it falls back onto the curve from anywhere:

    d(x, y)/dt = c'(t) + rate (c(t) - (x, y))        (c: the curve, with c(t + period) = c(t))

The solution is c(t) + (start - c(0)) exp(-rate t). The field depends on time, because a curve that crosses
itself is no state space: (x, y) alone does not say which way to go. Starts are drawn at c(0), so a trial is
the curve itself; give `start` for one that falls onto it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks
from systems.flows.base import Parameters, System

__all__ = ["figure_eight", "lissajous", "outline"]

#: (phase in radians, p) -> the point, and its derivative by phase, as (x, y) pairs of tensors.
Curve = Callable[[Tensor, Parameters], tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]


def lissajous(**parameters: float) -> System:
    """A Lissajous curve.

        c = (sin(a s + delta), sin(b s)),  s = 2 pi t / period

    Time in s.

    Parameters
    ----------
    a, b : float
        Whole numbers, 3 and 2.
    delta : float
        pi / 2 rad.
    period, rate : float
        1 s and 10 s-1.

    Returns
    -------
    System

    >>> lissajous().simulate(duration=1.0).trajectory.sizes["time"]
    100
    """

    def curve(s, p):
        along, up = p.a * s + p.delta, p.b * s
        return (along.sin(), up.sin()), (p.a * along.cos(), p.b * up.cos())

    for name in parameters.keys() & {"a", "b"}:
        if checks.number(name, parameters[name]) % 1:
            raise ValueError(f"{name} must be whole, or the curve does not close, got {parameters[name]}")
    return _chase(
        curve,
        name="lissajous",
        description="A Lissajous curve, which crosses itself",
        parameters={"a": 3.0, "b": 2.0, "delta": math.pi / 2},
        units={"delta": "rad"},
        dt=0.01,
    ).with_parameters(**parameters)


def figure_eight(**parameters: float) -> System:
    """A figure of eight, Gerono's lemniscate.

        c = (sin s, sin s cos s),  s = 2 pi t / period

    Time in s.

    Parameters
    ----------
    period, rate : float
        1 s and 10 s-1.

    Returns
    -------
    System

    >>> float(figure_eight(period=2.0).simulate(duration=0.5, dt=0.25).trajectory[0, 1, 0].round(6))
    0.707107
    """

    def curve(s, p):
        return (s.sin(), 0.5 * (2 * s).sin()), (s.cos(), (2 * s).cos())

    eight = _chase(curve, name="figure_eight", description="A figure of eight, which crosses itself once")
    return eight.with_parameters(**parameters)


def outline(points: ArrayLike, **parameters: float) -> System:
    """A smooth closed curve through points of your own.

    A periodic cubic spline by chord length through the points, which closes by itself from the last
    point to the first; it starts at the first point and takes equal times for equal chords.
    Time in s.

    Parameters
    ----------
    points : array_like (point, 2)
        Three or more, each apart from the next and the last from the first.
    period, rate : float
        1 s and 10 s-1.

    Returns
    -------
    System

    >>> triangle = outline([[0, 0], [1, 0], [0, 1]], period=3.0)
    >>> triangle.simulate(duration=3.0).trajectory[0, 0].values.tolist()
    [0.0, 0.0]
    """
    from scipy.interpolate import CubicSpline

    corners = checks.array("points", points, shape=(None, 2))
    closed = np.concatenate([corners, corners[:1]])
    chords = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    if len(corners) < 3 or (chords == 0).any():
        raise ValueError("points must be three or more, each apart from the next and the last from the first")
    knots = 2 * np.pi * np.concatenate([[0], np.cumsum(chords)]) / chords.sum()
    spline = CubicSpline(knots, closed, bc_type="periodic")
    breaks = torch.from_numpy(knots)
    cubic = torch.from_numpy(np.ascontiguousarray(spline.c))  # (power 3 to 0, piece, xy)

    def curve(s, p):
        s = s % (2 * math.pi)
        piece = torch.searchsorted(breaks, s.detach().double(), right=True).clamp(1, len(corners)) - 1
        u = (s - breaks[piece].to(s))[..., None]
        c3, c2, c1, c0 = cubic[:, piece].to(s)
        return (
            (((c3 * u + c2) * u + c1) * u + c0).unbind(-1),
            ((3 * c3 * u + 2 * c2) * u + c1).unbind(-1),
        )

    loop = _chase(curve, name="outline", description="A smooth closed curve through given points")
    return loop.with_parameters(**parameters)


def _chase(
    curve: Curve,
    *,
    name: str,
    description: str,
    parameters: Mapping[str, float] = {},
    units: Mapping[str, str] = {},
    dt: float = 0.02,
) -> System:
    def field(t, state, p):
        x, y = state.unbind(-1)
        turn = 2 * math.pi / p.period
        (cx, cy), (dx, dy) = curve(turn * t, p)
        return turn * dx + p.rate * (cx - x), turn * dy + p.rate * (cy - y)

    def draw(rng, p):
        return torch.stack(curve(torch.zeros((), dtype=torch.float64), p)[0]).numpy()

    return System(
        name=name,
        description=description,
        states=("x", "y"),
        parameters={**parameters, "period": 1.0, "rate": 10.0},
        field=field,
        units={"time": "s", "period": "s", "rate": "s-1", **units},
        dt=dt,
        period_formula=lambda p: p.period,
        draw=draw,
    )
