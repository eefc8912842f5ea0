"""What the bank learns: trials of every flow of dysts on its attractor, and how fast neighbours part there."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr

import systems
from seeds import TRAIN
from systems import System
from systems.flows.catalogue import unbounded
from systems.labels import Labelled, dataset

__all__ = ["TRAINED", "simulated"]

#: Trials and samples of each that are learned from; the other trials test what was learned.
TRAINED = 10, 500
_TRIALS, _TRANSIENT = 30, 500  # the transient is ten periods long
_PUSH, _WIDE = 0.1, 10.0  # standard deviations by which starts are pushed apart, and ranges within which they stay
_FINE = 16  # steps of a sample by which that is told
_ROUGH = ("StickSlipOscillator", "SwingingAtwood")  # pushed, they meet friction or a pulley, where steps vanish
_PART, _PARTS = 700, 4  # samples of a part of a trial, and how many parts it has at most
_TOLERANCE = 1e-10
_APART, _NEAR, _ENOUGH, _FAR = 1e-8, 1e-7, 4e-6, 1e-3  # distances of neighbours, in standard deviations


def simulated(name: str) -> xr.Dataset:
    """`trajectory` (trial, time, state) of a flow, its `exponent` with its error, and the `seconds` that both took.

    Each trial has a neighbour: the exponent is the mean rate at which they part, and trials last until most are apart
    e^6 times as far as they were. A state that grows without bound is an angle, seen as its cosine and its sine. The
    exponent is NaN where neighbours do not part so far within 2,800 samples, or the flow cannot be solved.
    """
    began, system = time.perf_counter(), systems.get(f"dysts:{name}")
    parts, times = [], np.arange(_PART + 1) * system.dt
    variables, coords, exponents = {}, {}, np.full(_TRIALS, np.nan)
    try:
        options = {"rtol": _TOLERANCE, "atol": _TOLERANCE}
        start, scale = _scattered(system, unbounded(name), _PUSH * (name not in _ROUGH), options)
        gap = np.random.default_rng(TRAIN).standard_normal(start.shape) * _APART * scale
        last, apart = np.concatenate([start, start + gap]), 0.0
        while len(parts) < _PARTS and apart < _ENOUGH:
            path = system.solve(last, times, **options)
            last = path[:, -1]
            parts.append(path[:, :-1])
            apart = np.median(np.linalg.norm((last[:_TRIALS] - last[_TRIALS:]) / scale, axis=-1))
        path = np.concatenate(parts, 1)
        if apart >= _ENOUGH:
            exponents = _parting((path[:_TRIALS] - path[_TRIALS:]) / scale) / system.dt
        values, states = _seen(path[:_TRIALS], system.states, unbounded(name))
        variables["trajectory"] = Labelled(("trial", "time", "state"), values, "1", f"trajectory of {name}")
        coords = {
            "time": Labelled("time", np.arange(values.shape[1]) * system.dt, "1", "time"),
            "state": Labelled("state", states, "1", "name of the state"),
        }
    except FloatingPointError:
        pass
    error = exponents.std(ddof=1) / np.sqrt(_TRIALS)
    variables |= {
        "exponent": Labelled((), exponents.mean(), "1", "largest Lyapunov exponent"),
        "error": Labelled((), error, "1", "standard error of the exponent"),
        "seconds": Labelled((), time.perf_counter() - began, "s", "time to simulate and measure"),
    }
    return dataset(variables, coords, title=f"dysts:{name}", config={"seed": TRAIN})


def _scattered(
    system: System, angles: list[int], push: float, options: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Starts (trial, state) all over the attractor, and the standard deviations of the states.

    The starts that dysts has, of which all are near one, are pushed apart on the attractor, unless one leaves it then;
    after another ten periods, in which chaos parts them further, each is taken at a time of its own.
    """
    first = system.solve(system.starts(_TRIALS, TRAIN), np.arange(_TRANSIENT + 1) * system.dt, **options)
    scale, trials = first.std((0, 1)), np.arange(_TRIALS)
    drawn = np.random.default_rng((TRAIN, 1)).standard_normal(first[:, -1].shape)
    later = np.arange(2 * _TRANSIENT + 1) * system.dt
    fine = np.arange(2 * _TRANSIENT * _FINE + 1) * system.dt / _FINE
    pushed = first[:, -1] + push * scale * drawn
    try:  # in steps of one size, since what diverges takes ever smaller ones
        far = np.delete(np.abs(system.solve(pushed, fine, method="RK4") - first.mean((0, 1))), angles, -1)
        stays = bool((far <= _WIDE * np.delete(np.ptp(first, (0, 1)), angles)).all())
    except FloatingPointError:
        stays = False
    path = system.solve(pushed if stays else first[:, -1], later, **options)
    return path[trials, _TRANSIENT + trials * _TRANSIENT // _TRIALS], scale


def _parting(gap: np.ndarray) -> np.ndarray:
    """Mean growth a sample of the logarithm of gaps (trial, time, state), (trial,).

    It is measured while their median is from `_NEAR` to `_FAR`, or to the end, but over half of the time at least.
    """
    size = np.log(np.linalg.norm(gap, axis=-1))
    middle = np.median(size, 0)
    last = int(np.argmax(middle > np.log(_FAR))) or len(middle) - 1
    first = min(int(np.argmax(middle > np.log(_NEAR))), last // 2)
    return (size[:, last] - size[:, first]) / (last - first)


def _seen(values: np.ndarray, states: tuple[str, ...], angles: list[int]) -> tuple[np.ndarray, list[str]]:
    """The values (trial, time, state) with a cosine and a sine in the place of every angle, and the states' names."""
    columns, names = [], []
    for k, state in enumerate(states):
        turned = {f"cos {state}": np.cos, f"sin {state}": np.sin} if k in angles else {state: lambda x: x}
        columns += [turn(values[..., k]) for turn in turned.values()]
        names += list(turned)
    return np.stack(columns, -1), names
