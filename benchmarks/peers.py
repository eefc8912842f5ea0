"""Peers of biases: polynomial regression and an echo-state network, both tuned on the training data alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import comb

import xarray as xr

from rnnbias import Recipe, Ridge, SystemFit, fit_system
from rnnbias.datasets.recordings import read
from rnnbias.evaluation import Polynomial, tuned

__all__ = ["echo_state", "polynomial"]

_HOLDOUT = 0.5  # of the training data: on less, the best peers could not be told apart
_PRODUCTS = 500  # coefficients of a polynomial for each state, at most


def polynomial(data: xr.Dataset | xr.DataArray, every: int = 1) -> Polynomial:
    """Polynomial regression: total degree, delays and ridge tuned; tries every so many of its settings."""
    trials, samples, states = read(data).values.shape
    most = min(_PRODUCTS, trials * samples // 4)
    shapes = [
        (degree, delays)
        for delays, degree in itertools.product((1, 2, 4, 8), range(1, 10))
        if comb(delays * states + degree, degree) <= most
    ]
    ridges = (0.0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1.0, 100.0)
    makers = {
        f"degree {degree}, {delays} delays, ridge {ridge:g}": Polynomial(degree, delays, ridge).fit
        for (degree, delays), ridge in itertools.product(shapes, ridges)
    }
    return tuned(dict(list(makers.items())[::every]), data, holdout=_HOLDOUT)[0]


def echo_state(data: xr.Dataset | xr.DataArray, learned: int, seed: int, every: int = 1) -> SystemFit:
    """An echo-state network that learns so many numbers: radius, scales, leak and ridge tuned, as in `polynomial`."""

    def maker(
        radius: float, inputs: float, bias: float, leak: float, ridge: float
    ) -> Callable[[xr.DataArray], SystemFit]:
        recipe = Recipe(
            law="uniform", wiring="independent", gain=radius, input_scale=inputs, bias_scale=bias, readout_scale=1.0
        )
        return lambda values: fit_system(
            values, units=max(1, learned // values.sizes["state"]), learn="readout", solver=Ridge(ridge), recipe=recipe,
            alpha=leak - 1, beta=leak, output="state", seed=seed, holdout=0.02, progress=False,
        )  # fmt: skip

    grid = itertools.product(
        (0.05, 0.4, 0.9), (0.05, 0.15, 0.5), (0.3, 0.6), (0.4, 1.0), (1e-16, 1e-14, 1e-10, 1e-6, 1e-2, 1.0, 100.0)
    )
    makers = {
        f"radius {radius}, inputs {inputs}, bias {bias}, leak {leak}, ridge {ridge:g}": maker(
            radius, inputs, bias, leak, ridge
        )
        for radius, inputs, bias, leak, ridge in grid
    }
    return tuned(dict(list(makers.items())[::every]), data, holdout=_HOLDOUT)[0]
