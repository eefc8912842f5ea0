"""Integrators of a batch of trials over a grid of sample times.

`dop853` is the truth: every trial has its own step sizes, so trial k comes out the same, bit for bit,
whatever else is in the batch. `rk4` and `scipy_method` are coarse on purpose, as ceilings for forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from torch import Tensor
from tqdm import tqdm

__all__ = ["dop853", "rk4", "rk4_step", "scipy_method"]

#: A numpy array or a torch tensor.
State = TypeVar("State", np.ndarray, Tensor)
#: dx/dt at (t, x); x and the result have shape (trial, state).
Field = Callable[[float, np.ndarray], np.ndarray]

_HALVINGS = 24  # a step below 2**-24 of a sample interval is taken for divergence
_Row = list[tuple[int, float]]


class _Tableau(NamedTuple):
    """The coefficients of the pair: stages, weights and the two error estimates, zeros left out."""

    stages: list[tuple[float, _Row]]
    weights: _Row
    fifth: _Row
    third: _Row


@cache
def _tableau() -> _Tableau:
    from scipy.integrate import DOP853

    def nonzero(row: np.ndarray) -> _Row:
        return [(j, float(a)) for j, a in enumerate(row) if a]

    stages = [(float(c), nonzero(a)) for c, a in zip(DOP853.C[1:], DOP853.A[1:], strict=True)]
    return _Tableau(stages, nonzero(DOP853.B), nonzero(DOP853.E5), nonzero(DOP853.E3))


def intervals(times: np.ndarray, label: str) -> Iterator[int]:
    """Count the intervals of `times`, with a progress bar once they take more than three seconds.

    Parameters
    ----------
    times : array
        Increasing times.
    label : str
        What the bar says.

    Returns
    -------
    iterator of int
    """
    return tqdm(range(len(times) - 1), desc=label, delay=3, disable=None, leave=False)


def _combine(row: _Row, slopes: list[np.ndarray]) -> np.ndarray:
    # Elementwise, not a matrix product: BLAS may round differently as the batch grows.
    (j, a), *rest = row
    total = a * slopes[j]
    for j, a in rest:
        total += a * slopes[j]
    return total


def _step(field: Field, t: float, x: np.ndarray, h: float, rtol: float, atol: float) -> tuple[np.ndarray, np.ndarray]:
    """Take one step; returns the new states and each trial's error, at most 1 where it is acceptable."""
    pair, slopes = _tableau(), [field(t, x)]
    for c, row in pair.stages:
        slopes.append(field(t + c * h, x + h * _combine(row, slopes)))
    y = x + h * _combine(pair.weights, slopes)
    scale = atol + rtol * np.maximum(np.abs(x), np.abs(y))
    fifth = np.mean((_combine(pair.fifth, slopes) / scale) ** 2, axis=-1)
    third = np.mean((_combine(pair.third, slopes) / scale) ** 2, axis=-1)
    return y, h * fifth / np.sqrt(np.maximum(fifth + 0.01 * third, np.finfo(float).tiny))


def dop853(
    field: Field, start: np.ndarray, times: np.ndarray, *, rtol: float, atol: float, label: str = ""
) -> np.ndarray:
    """Integrate with the order-8 pair of Dormand and Prince.

    Each sample interval is one step, halved, trial by trial, until the error estimate of Hairer, Norsett
    and Wanner (Solving Ordinary Differential Equations I, section II.5) is below the tolerances.

    Parameters
    ----------
    field : callable
        dx/dt at (t, x), x being (trial, state).
    start : array (trial, state)
        At times[0].
    times : array (time,)
        Increasing.
    rtol, atol : float
        Relative and absolute tolerance of a step.
    label : str
        What the progress bar says.

    Returns
    -------
    array (trial, time, state)

    Raises
    ------
    FloatingPointError
        Where no step size reaches the tolerance.
    """
    longest = np.full(len(start), np.inf)  # the step that each trial is expected to manage

    def advance(trials: np.ndarray, t: float, x: np.ndarray, h: float, halvings: int) -> np.ndarray:
        y = np.empty_like(x)
        done = longest[trials] >= h
        if done.any():
            y[done], error = _step(field, t, x[done], h, rtol, atol)
            longest[trials[done]] = h * np.clip(np.nan_to_num(0.9 * error**-0.125), 0.1, 5)
            done[done] = error <= 1
        if not done.all():
            if halvings == 0:
                raise FloatingPointError(f"diverged near t = {t:g}: no step size reaches the tolerance")
            rest = ~done
            middle = advance(trials[rest], t, x[rest], h / 2, halvings - 1)
            y[rest] = advance(trials[rest], t + h / 2, middle, h / 2, halvings - 1)
        return y

    out = np.empty((len(start), len(times), start.shape[1]))
    out[:, 0] = start
    for i in intervals(times, label):
        h = times[i + 1] - times[i]
        out[:, i + 1] = advance(np.arange(len(start)), times[i], out[:, i], h, _HALVINGS)
    return out


def rk4_step(field: Callable[[float, State], State], t: float, x: State, h: float) -> State:
    """Take one step of the classical fourth-order Runge-Kutta method.

        a = f(t, x),   b = f(t + h/2, x + h a/2),   c = f(t + h/2, x + h b/2),   d = f(t + h, x + h c)
        x(t + h) = x + h (a + 2 b + 2 c + d) / 6

    Parameters
    ----------
    field : callable
        dx/dt at (t, x), of the shape of x.
    t, h : float
        Time and step.
    x : array or torch.Tensor
        The state, of any shape.

    Returns
    -------
    array or torch.Tensor
        The state at t + h.

    >>> rk4_step(lambda t, x: -x, 0.0, np.ones(1), 0.1)  # exp(-0.1) = 0.904837
    array([0.9048375])
    """
    a = field(t, x)
    b = field(t + h / 2, x + h / 2 * a)
    c = field(t + h / 2, x + h / 2 * b)
    d = field(t + h, x + h * c)
    return x + h / 6 * (a + 2 * b + 2 * c + d)


def rk4(field: Field, start: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Integrate with the classical fourth-order method, one step a sample interval.

    Parameters
    ----------
    field, start, times
        As in `dop853`.

    Returns
    -------
    array (trial, time, state)
    """
    out = np.empty((len(start), len(times), start.shape[1]))
    out[:, 0] = start
    for i in range(len(times) - 1):
        out[:, i + 1] = rk4_step(field, times[i], out[:, i].copy(), times[i + 1] - times[i])
    return out


def scipy_method(
    method: str, field: Field, start: np.ndarray, times: np.ndarray, *, rtol: float, atol: float
) -> np.ndarray:
    """Integrate trial by trial with `scipy.integrate.solve_ivp`.

    Parameters
    ----------
    method : str
        A method of `solve_ivp`.
    field, start, times, rtol, atol
        As in `dop853`.

    Returns
    -------
    array (trial, time, state)

    Raises
    ------
    FloatingPointError
        Where the method gives up.
    """
    from scipy.integrate import solve_ivp

    trials = []
    for x in start:
        result = solve_ivp(
            lambda t, x: field(t, x[None])[0],
            (times[0], times[-1]), x, method, t_eval=times, rtol=rtol, atol=atol,
        )  # fmt: skip
        if not result.success:
            raise FloatingPointError(f"{method} failed: {result.message}")
        trials.append(result.y.T)
    return np.stack(trials)
