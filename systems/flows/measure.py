"""Time scales of a system, measured: its largest Lyapunov exponent, its period."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from systems import checks
from systems.flows.base import System
from systems.flows.delay import DelaySystem

__all__ = ["lyapunov", "period"]

_SEPARATION = 1e-6  # of the states' root-mean-square: far above the solver's error, far below the curvature


def lyapunov(system: System, duration: float, *, trials: int = 8, seed: int = 0) -> tuple[float, float]:
    """Measure the largest Lyapunov exponent.

    Two neighbours are followed and brought back to a small distance every few samples; the exponent is the
    mean rate at which they part, the first tenth of `duration` left out.
    Reference: Benettin, Galgani, Giorgilli, Strelcyn 1980, Meccanica 15, 9-20.

    Parameters
    ----------
    system : System
        Without a delay.
    duration : float
        How long to follow each trial, in the system's time unit.
    trials : int
        How many.
    seed : int
        Of starts and neighbours.

    Returns
    -------
    (float, float)
        The mean over trials and its standard error, per unit of time.

    Raises
    ------
    TypeError, ValueError
        For a system with a delay, and fewer than 100 samples or 2 trials.

    >>> from systems import System
    >>> growth = System(name="growth", states=["x"], field=lambda t, x, p: 0.3 * x)
    >>> exponent, _ = lyapunov(growth, duration=2.0, trials=2)
    >>> round(exponent, 4)
    0.3
    """
    _check_memoryless(system)
    stride = 10
    rounds = int(checks.number("duration", duration, above=0) / (stride * system.dt))
    checks.whole("duration / (10 dt)", rounds, at_least=10)
    checks.whole("trials", trials, at_least=2)
    x = system.simulate(trials, system.dt, seed=seed).trajectory.values[:, 0]
    size = _SEPARATION * np.sqrt(np.mean(x**2))
    gap = np.random.default_rng(seed).standard_normal(x.shape)

    growth = np.empty((rounds, trials))
    for i in tqdm(range(rounds), desc=f"exponent of {system.name}", delay=3, disable=None, leave=False):
        gap *= size / np.linalg.norm(gap, axis=1, keepdims=True)
        times = (i * stride + np.arange(stride + 1)) * system.dt
        ends = system.solve(np.concatenate([x, x + gap]), times, rtol=1e-10, atol=1e-10)[:, -1]
        x, gap = ends[:trials], ends[trials:] - ends[:trials]
        growth[i] = np.log(np.linalg.norm(gap, axis=1) / size)
    rates = growth[rounds // 10 :].mean(0) / (stride * system.dt)
    return float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(trials))


def period(system: System, *, cycles: int = 5, longest: float = 1000.0, seed: int = 0) -> float:
    """Measure the period of a limit cycle that the transient ends on.

    The mean time between upward crossings of the first state through its own mean, each crossing found to
    the accuracy of the solver.

    Parameters
    ----------
    system : System
        Without a delay.
    cycles : int
        How many to average.
    longest : float
        The most samples of `dt` to look at.
    seed : int
        Of the start.

    Returns
    -------
    float
        In the system's time unit.

    Raises
    ------
    ValueError
        Where the times differ, or within `longest` samples there are too few.

    >>> from systems import get
    >>> round(period(get("cosine", frequency=2.0)), 6)
    0.5
    """
    from scipy.optimize import brentq

    _check_memoryless(system)
    checks.whole("cycles", cycles, at_least=2)
    samples = system.simulate(1, longest * system.dt, seed=seed).trajectory[0]
    times, x = samples.time.values, samples.values
    level = x[:, 0].mean()
    before = np.flatnonzero((x[:-1, 0] < level) & (x[1:, 0] >= level))[: cycles + 1]
    if len(before) <= cycles:
        raise ValueError(f"{system.name} crosses its mean only {len(before)} times in {longest:g} samples")

    def crossing(k: int) -> float:
        def height(t: float) -> float:
            grid = [times[k]] if t == times[k] else [times[k], t]
            return float(system.solve(x[k : k + 1], grid)[0, -1, 0]) - level

        return brentq(height, times[k], times[k + 1], xtol=1e-13)

    gaps = np.diff([crossing(k) for k in before])
    if np.ptp(gaps) > 1e-6 * gaps.mean():
        raise ValueError(f"{system.name} has no one period: its cycles last from {gaps.min():g} to {gaps.max():g}")
    return float(gaps.mean())


def _check_memoryless(system: System) -> None:
    if isinstance(system, DelaySystem):
        raise TypeError(f"system must have no delay, whose past is part of the state, got {system!r}")
