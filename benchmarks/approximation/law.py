"""How wide the proof's construction must be, as tolerance and dimension change, and what learning does at its width."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from rnnbias import fit_function, theory
from rnnbias.problems import compare
from systems import functions
from systems.labels import Labelled, dataset

__all__ = ["law"]

_DIMENSIONS = (1, 2, 3)
_UNITS = 16  # of the small network
_TOLERANCES = 10.0 ** np.arange(0, -4.5, -0.5)


def law(counts: tuple[int, ...]) -> xr.Dataset:
    """The width that is needed to promise that a small network of `gaussian` is met, and learned biases beside it.

    Returns `width` over (dimension, tolerance); `units` and `nrmse` over (dimension, count); and `small_error`, the
    relative error of the small network itself.
    """
    shape = (len(_DIMENSIONS), len(counts))
    width = np.empty((len(_DIMENSIONS), len(_TOLERANCES)))
    units, error, own = np.empty(shape), np.empty(shape), np.empty(len(_DIMENSIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for i, dimension in enumerate(tqdm(_DIMENSIONS, desc="law of the width")):
            target = functions.get("gaussian", width=0.5, dimension=dimension)
            fit = fit_function(
                target, units=_UNITS, learn=("bias", "weights", "readout"), activation="relu", samples=1000,
                progress=False,
            )  # fmt: skip
            own[i] = float(fit.score(target).nrmse)
            small = theory.balanced(fit.network)
            box = (fit.samples.box - fit.x.mean[:, None]) / fit.x.scale[:, None]
            needed = theory.width_needed(small, box, _TOLERANCES, edge=1.5 * theory.edge(small))
            width[i] = needed.width
            for j, count in enumerate(counts):
                found = compare(
                    target, learned=count, learners=["bias"], seeds=1, samples=max(1000, 5 * count), progress=False
                ).isel(seed=0, learner=0)
                units[i, j], error[i, j] = found.units, found.nrmse
    return dataset(
        {
            "width": Labelled(("dimension", "tolerance"), width, "1", "units that the construction needs"),
            "units": Labelled(("dimension", "count"), units, "1", "hidden units with learned biases"),
            "nrmse": Labelled(("dimension", "count"), error, "1", "relative error of learned biases"),
            "small_error": Labelled("dimension", own, "1", "relative error of the small network"),
        },
        {
            "dimension": Labelled("dimension", list(_DIMENSIONS), "1", "inputs"),
            "tolerance": Labelled("tolerance", _TOLERANCES, "1", "promised error, in standard deviations"),
            "count": Labelled("count", list(counts), "1", "learned numbers"),
        },
        title="width that the construction needs",
        config={"seed": 0, "small_units": _UNITS, "failure": 0.01, "margin": 1.5},
        references="Williams et al., ICLR 2025 (arXiv:2407.00957), Theorem 1",
    )
