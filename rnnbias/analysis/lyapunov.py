"""Lyapunov spectra: of a map, such as the closed loop of a learned network, and of a system's own flow.

lyapunov_spectrum    exponents of a differentiable map
system_spectrum      exponents of a `System`
kaplan_yorke         the dimension that a spectrum implies
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import repeat

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor
from tqdm import tqdm

from systems import System, checks, maps
from systems.flows.delay import DelaySystem
from systems.labels import Labelled, dataset

__all__ = ["kaplan_yorke", "lyapunov_spectrum", "system_spectrum"]

_BENETTIN = (
    "Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9; Kaplan and Yorke 1979, Lecture Notes in "
    "Mathematics 730, 204"
)
_CHECKPOINTS = 50
_MOST = 8  # exponents, unless more are asked for
_FINEST = 1024  # steps of the integrator a sample


def lyapunov_spectrum(
    step: maps.Map,
    start: Tensor | ArrayLike,
    steps: int,
    dt: float,
    *,
    count: int | None = None,
    transient: int = 1000,
    seed: int = 0,
    units: str = "1/time unit of dt",
    progress: bool = True,
) -> xr.Dataset:
    r"""Return the Lyapunov exponents of a differentiable map, largest first, by repeated QR decomposition.

    .. math:: J(x_{k-1}) Q_{k-1} = Q_k R_k, \qquad
              \lambda_i = \frac{1}{N \Delta t} \sum_{k=1}^N \ln |(R_k)_{ii}|

    The map of a learned network, with its state after some context, is what `SystemFit.free_map` returns:
    ``lyapunov_spectrum(*fit.free_map(context), steps=2000, dt=fit.recording.dt, count=4)``.

    Parameters
    ----------
    step
        The map: a tensor (batch, n) to a tensor (batch, n) of the same type, differentiable by torch, each row by
        itself.
    start
        Initial states (batch, n), best on the attractor and far from one another. A floating-point tensor keeps its
        type and device; all else becomes float64.
    steps, dt
        N, 1 or more, and the time between steps, greater than 0. Batch and time count alike.
    count
        How many exponents, at most n. Default: all, but not more than 8; a network of hundreds of units has as many
        exponents, and all but the first few only tell how fast it forgets.
    transient
        Steps before the average begins, in which state and tangents settle.
    seed
        Draws the first tangents.
    units
        Of the exponents.
    progress
        Whether to show a progress bar on runs that take more than a few seconds.

    Returns
    -------
    Dataset with `exponent` (index), the mean over the starts, and its `standard_error` (index) over them (NaN for a
    single one); `local_exponent` (start, index); `running` (time, index), the mean up to a time after the transient;
    `kaplan_yorke` () and `entropy_rate` (), the sum of the positive exponents (Pesin's upper bound); the Boolean
    `failed` (start). A start fails when its state or tangents are no longer finite: its exponents are NaN, and so
    are the means, which are never taken over survivors.

    Raises
    ------
    TypeError, ValueError
        `start` or a number has the wrong type or is outside its bounds, or `step` is no such map.

    Examples
    --------
    >>> halves = torch.tensor([0.5, 0.25], dtype=torch.float64)
    >>> found = lyapunov_spectrum(lambda x: x * halves, np.ones((2, 2)), steps=20, dt=1.0, transient=50)
    >>> (found.exponent / np.log(2)).values.round(6).tolist()
    [-1.0, -2.0]
    """
    dt = checks.number("dt", dt, above=0)
    steps, transient = checks.whole("steps", steps, at_least=1), checks.whole("transient", transient)
    seed = checks.seed("seed", seed)
    x = maps.prepare(step, start)
    n = x.shape[1]
    count = min(n, _MOST) if count is None else checks.whole("count", count, at_least=1, at_most=n)
    local, running, at, failed = _average(
        repeat(step, transient + steps), x, maps.frame(x, count, seed), steps, transient, dt, progress
    )
    return _result(
        local, running, at, failed, units=units, whole=count == n, title="Lyapunov spectrum of a map",
        config={"steps": steps, "dt": dt, "transient": transient, "seed": seed, "count": count},
    )  # fmt: skip


def system_spectrum(
    system: System,
    duration: float,
    *,
    count: int | None = None,
    trials: int = 100,
    transient: float | None = None,
    seed: int = 0,
    tolerance: float = 1e-5,
    progress: bool = True,
) -> xr.Dataset:
    """Return the Lyapunov exponents of a system's flow, largest first.

    States and tangents go together through the classical fourth-order method of Runge and Kutta; the tangents are
    the exact derivative of its steps, so that only the steps' own error counts. There are as many steps a sample
    interval as it takes for twice as many to change no start by more than `tolerance` of the states' root mean square.

    Parameters
    ----------
    system : System
        Without delay, whose past would be part of the state.
    duration : float
        How long each trial is averaged over, in the system's time unit. Trials and time count alike.
    count : int, optional
        As in `lyapunov_spectrum`.
    trials : int
        Starts, drawn on the attractor.
    transient : float, optional
        Time in which the tangents settle; default: a quarter of `duration`.
    seed : int
        Of the starts and the first tangents.
    tolerance : float
        See above.
    progress : bool
        Whether to show a progress bar on runs that take more than a few seconds.

    Returns
    -------
    As `lyapunov_spectrum`.

    Raises
    ------
    TypeError, ValueError
        `system` is no System or has a delay, a number is outside its bounds, or the tolerance is not reached.

    Examples
    --------
    >>> decay = System(name="decay", states=["x", "y"], field=lambda t, s, p: s * torch.tensor([0.3, -2.0]))
    >>> system_spectrum(decay, duration=2.0, trials=2, transient=10.0).exponent.values.round(4).tolist()
    [0.3, -2.0]
    """
    if not isinstance(system, System) or isinstance(system, DelaySystem):
        raise TypeError(f"system must be a System without delay, got {system!r}")
    dt = system.dt
    duration = checks.number("duration", duration, at_least=dt)
    transient = duration / 4 if transient is None else checks.number("transient", transient, at_least=0)
    tolerance = checks.number("tolerance", tolerance, above=0)
    trials, seed = checks.whole("trials", trials, at_least=1), checks.seed("seed", seed)
    count = min(system.size, _MOST) if count is None else count
    count = checks.whole("count", count, at_least=1, at_most=system.size)

    x = torch.from_numpy(system.simulate(trials, dt, seed=seed).trajectory.values[:, 0])
    fine = _fineness(system, x, tolerance)
    steps, lead = round(duration / dt), round(transient / dt)
    flow = (partial(maps.flow, system, k * dt, dt, fine) for k in range(lead + steps))
    local, running, at, failed = _average(flow, x, maps.frame(x, count, seed), steps, lead, dt, progress)
    unit = system.units["time"]
    return _result(
        local, running, at, failed, units="1" if unit == "1" else f"1/{unit}", whole=count == system.size,
        title=f"Lyapunov spectrum of {system.name}",
        config={
            "system": system.name, "parameters": system.parameters, "duration": duration, "dt": dt, "trials": trials,
            "transient": transient, "seed": seed, "count": count, "tolerance": tolerance, "steps_a_sample": fine,
        },
    )  # fmt: skip


def kaplan_yorke(exponents: ArrayLike, *, whole: bool = True) -> float:
    r"""Return the Kaplan-Yorke dimension of a spectrum.

    .. math:: D = j + \frac{\sum_{i \le j} \lambda_i}{|\lambda_{j+1}|}

    with j the largest number of leading exponents whose sum is not negative. 0 where the first is negative. Where no
    sum is negative, the number of exponents if these are all (`whole`), otherwise NaN: more are needed.

    >>> round(kaplan_yorke([0.906, 0.0, -14.572]), 4)
    2.0622
    """
    values = checks.array("exponents", exponents, ndim=1)
    sums = np.cumsum(values)
    if not (sums < 0).any():
        return float(len(values)) if whole else np.nan
    j = int(np.argmax(sums < 0))
    return j + float(sums[j - 1] / -values[j]) if j else 0.0


def _average(
    steps: Iterable[maps.Map], x: Tensor, tangents: Tensor, count: int, transient: int, dt: float, progress: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Local exponents (start, index), running means (time, start, index), their times, and what failed (start)."""
    marks = np.unique(np.linspace(1, count, min(count, _CHECKPOINTS)).round().astype(int))
    total = torch.zeros(len(x), tangents.shape[-1], dtype=torch.float64, device=x.device)
    sums: list[np.ndarray] = []
    follow = tqdm(
        maps.growth(steps, x, tangents), desc="Lyapunov exponents", total=transient + count, delay=3,
        disable=None if progress else True, leave=False,
    )  # fmt: skip
    for k, now in enumerate(follow, 1 - transient):
        if k > 0:
            total += now.stretch
            if k == marks[len(sums)]:
                sums.append(total.cpu().numpy().copy())
    failed = maps.lost(now)
    running = np.stack(sums) / (marks * dt)[:, None, None]
    running[:, failed] = np.nan
    return running[-1], running, marks * dt, failed


def _result(
    local: np.ndarray,
    running: np.ndarray,
    at: np.ndarray,
    failed: np.ndarray,
    *,
    units: str,
    whole: bool,
    title: str,
    config: dict[str, object],
) -> xr.Dataset:
    mean = local.mean(0)
    alone = len(local) == 1 or not np.isfinite(local).all()
    error = np.full(len(mean), np.nan) if alone else local.std(0, ddof=1) / np.sqrt(len(local))
    known = not np.isnan(mean).any()
    finite = mean[np.isfinite(mean)]  # minus infinity stands last and adds nothing to either number
    dimension = kaplan_yorke(finite, whole=whole or len(finite) < len(mean)) if known else np.nan
    return dataset(
        {
            "exponent": Labelled("index", mean, units, "Lyapunov exponent"),
            "standard_error": Labelled("index", error, units, "standard error of the exponent over the starts"),
            "local_exponent": Labelled(("start", "index"), local, units, "exponent along the orbit of each start"),
            "running": Labelled(("time", "index"), running.mean(1), units, "exponent up to a time"),
            "kaplan_yorke": Labelled((), dimension, "1", "Kaplan-Yorke dimension"),
            "entropy_rate": Labelled((), mean[mean > 0].sum() if known else np.nan, units, "sum of positive exponents"),
            "failed": Labelled("start", failed, "1", "orbit or tangents no longer finite"),
        },
        {
            "index": Labelled("index", np.arange(1, len(mean) + 1), "1", "number of the exponent"),
            "start": Labelled("start", np.arange(len(local)), "1", "initial state"),
            "time": Labelled("time", at, units.removeprefix("1/"), "time averaged over"),
        },
        title=title,
        config=config,
        references=_BENETTIN,
    )


@torch.no_grad()
def _fineness(system: System, x: Tensor, tolerance: float) -> int:
    """How many steps a sample interval the tolerance takes."""
    steps, coarse = 1, maps.flow(system, 0.0, system.dt, 1, x)
    while steps <= _FINEST:
        fine = maps.flow(system, 0.0, system.dt, 2 * steps, x)
        if (fine - coarse).abs().max() <= tolerance * x.square().mean().sqrt():
            return steps
        steps, coarse = 2 * steps, fine
    raise ValueError(f"tolerance must be within reach of {_FINEST} steps a sample of {system.name}, got {tolerance}")
