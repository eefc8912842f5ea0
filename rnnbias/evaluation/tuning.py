"""Tune a forecaster as its friends would: by free runs through data held out of the training data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import xarray as xr

from rnnbias.datasets.recordings import read
from rnnbias.evaluation.forecasters import Data, Forecaster
from rnnbias.evaluation.forecasts import score_forecasts
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["tuned"]

F = TypeVar("F", bound=Forecaster)

_THRESHOLD = 0.4
_STEPS = 0.4  # of the held-out data that a free run goes through
_WINDOWS = 25


def tuned(
    makers: Mapping[str, Callable[[xr.DataArray], F]], data: Data, dt: float | None = None, *, holdout: float = 0.2
) -> tuple[F, xr.Dataset]:
    """Choose among forecasters by free runs through the end of the data, and fit the best to all of them.

    Parameters
    ----------
    makers : mapping
        Name -> a function that fits a forecaster to data, such as `lambda data: NVAR(delays=3).fit(data)`.
    data, dt
        The training data, as in `fit_system`; those of a test must be others.
    holdout : float
        Fraction of every trial, from its end, that the candidates do not see.

    Returns
    -------
    forecaster, xarray.Dataset
        The chosen one, fitted to all data, and `valid_time` (setting) of every candidate on what was held out; the name
        of the best is in `attrs["chosen"]`. Warnings of candidates are silent.

    Raises
    ------
    ValueError
        Where there is nothing to choose from, or too few data.

    Examples
    --------
    >>> from rnnbias.evaluation import LinearAutoregression, Persistence
    >>> wave = np.sin(np.arange(300) / 5)
    >>> best, found = tuned({"none": Persistence().fit, "linear": LinearAutoregression(2).fit}, wave, dt=1.0)
    >>> found.attrs["chosen"]
    'linear'
    """
    if not makers:
        raise ValueError("makers must name at least one forecaster, got none")
    recording = read(data, dt)
    holdout = checks.number("holdout", holdout, above=0, at_most=0.5)
    first = recording.values.shape[1] - round(holdout * recording.values.shape[1])
    times = np.arange(recording.values.shape[1]) * recording.dt
    whole = xr.DataArray(
        recording.values,
        {"time": ("time", times, {"units": recording.time_units}), "state": list(recording.states)},
        ("trial", "time", "state"),
        attrs=dict(getattr(data, "attrs", {})),
    )
    steps = max(4, int(_STEPS * (whole.sizes["time"] - first)))
    valid = []
    for make in makers.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a candidate is not to be trusted is what is found out
            candidate = make(whole.isel(time=slice(None, first)))
        context = max(1, min(100, whole.sizes["time"] - first - steps - 1))
        score = score_forecasts(
            candidate, whole.isel(time=slice(first, None)), windows=_WINDOWS, context=context, steps=steps,
            threshold=[_THRESHOLD],
        )  # fmt: skip
        valid.append(float(score.valid_time.mean()))
    names = list(makers)
    best = names[int(np.argmax(valid))]
    found = dataset(
        {"valid_time": Labelled("setting", valid, recording.unit_name, "mean valid time on held-out data")},
        {"setting": Labelled("setting", names, "1", "setting")},
        title=f"tuning on {recording.name}",
        config={"holdout": holdout, "steps": steps},
    )
    return makers[best](whole), found.assign_attrs(chosen=best)
