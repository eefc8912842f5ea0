"""Peers of biases: polynomial regression and an echo-state network, both tuned on the training data alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import comb

import numpy as np
import xarray as xr

from rnnbias import Recipe, Ridge, SystemFit, fit_system
from rnnbias.datasets.recordings import read
from rnnbias.evaluation import Forecaster, Polynomial, tuned
from systems import Lattice

__all__ = ["TUNED", "chosen", "echo_state", "polynomial", "settings"]

#: A variable of every row: units and long name.
TUNED = ("1", "settings that tuning chose")

_HOLDOUT = 0.5  # of the training data: on less, the best peers could not be told apart
_PRODUCTS = 600  # coefficients of a polynomial for each state, at most
_RIDGES, _NOISES = (0.0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1.0, 100.0), (1e-5, 1e-4, 1e-3, 3e-3, 1e-2)


def polynomial(
    data: xr.Dataset | xr.DataArray, settings: int, lattice: Lattice | None = None, *, stirred: bool = False
) -> Polynomial:
    """Polynomial regression: total degree, delays and ridge tuned by so many settings, drawn from a grid.

    On a lattice it is one for all sites. Where `stirred`, some settings have noise on what is seen instead of a ridge,
    as biases have that see neighbours or delays.
    """
    trials, samples, states = read(data).values.shape
    most, states = min(_PRODUCTS, trials * samples // 4), states if lattice is None else lattice.width
    grid = [
        {"degree": degree, "delays": delays, **kept, "lattice": lattice}
        for degree in range(1, 10)
        for delays in (1, 2, 4, 7, 10)
        for kept in [{"ridge": ridge} for ridge in _RIDGES] + [{"noise": noise} for noise in _NOISES if stirred]
        if comb(delays * states + degree, degree) <= most
    ]
    return tuned({str(each): Polynomial(**each).fit for each in _drawn(grid, settings)}, data, holdout=_HOLDOUT)[0]


def echo_state(
    data: xr.Dataset | xr.DataArray, learned: int, seed: int, settings: int, lattice: Lattice | None = None
) -> SystemFit:
    """An echo-state network that learns so many numbers: radius, scales, leak and ridge tuned, as in `polynomial`."""

    def maker(gain: float, input_scale: float, bias_scale: float, leak: float, ridge: float) -> Callable:
        recipe = Recipe(
            law="uniform", wiring="independent", gain=gain, input_scale=input_scale, bias_scale=bias_scale,
            readout_scale=1.0,
        )  # fmt: skip
        return lambda values: fit_system(
            values, units=max(1, learned // (1 if lattice else values.sizes["state"])), learn="readout",
            solver=Ridge(ridge), recipe=recipe, alpha=leak - 1, beta=leak, lattice=lattice, output="state", seed=seed,
            holdout=0.02, progress=False,
        )  # fmt: skip

    scales = (0.05, 0.4, 0.9), (0.02, 0.05, 0.15, 0.5), (0.3, 0.6), (0.1, 0.2, 0.4, 1.0)
    grid = list(itertools.product(*scales, (0.0, 1e-16, 1e-12, 1e-8, 1e-4, 1e-2, 1.0)))
    return tuned({str(each): maker(*each) for each in _drawn(grid, settings)}, data, holdout=_HOLDOUT)[0]


def chosen(model: Forecaster) -> str:
    """The settings that tuning chose, in words; "" for what was not tuned here."""
    if isinstance(model, Polynomial):
        kept = f"noise {model.noise:g}" if model.noise else f"ridge {model.ridge:g}"
        return f"degree {model.degree}, delays {model.delays}, {kept}"
    if isinstance(model, SystemFit) and isinstance(model.solver, Ridge):
        net = model.network
        scales = ", ".join(f"{name} scale {getattr(net.recipe, f'{name}_scale'):g}" for name in ("input", "bias"))
        return f"gain {net.recipe.gain:g}, {scales}, leak {net.beta:g}, ridge {model.solver.ridge:g}"
    return ""


def settings(tuned: xr.DataArray) -> str:
    """The settings of one learner, over any dimensions, without those that were not tuned and without repetition."""
    return "; ".join(dict.fromkeys(filter(None, tuned.values.ravel().tolist())))


def _drawn(grid: list, count: int) -> list:
    """`count` settings of a grid, or all where there are no more, in their order."""
    chosen = np.random.default_rng(0).permutation(len(grid))[:count]
    return [grid[k] for k in sorted(chosen)]
