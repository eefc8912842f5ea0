"""What a forecaster is: data of the kind that it learned in, labelled forecasts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.datasets.recordings import Recording, read
from rnnbias.datasets.standardiser import Standardiser
from systems.labels import Labelled, dataset

__all__ = ["Data", "Forecaster", "label", "read_like"]

#: What holds a recording: whatever `rnnbias.datasets.recordings.read` reads.
Data = xr.Dataset | xr.DataArray | ArrayLike


class Forecaster(Protocol):
    """Anything that learned a recording and can run on alone: `SystemFit`, and every baseline."""

    @property
    def recording(self) -> Recording:
        """The description of what was learned (states, units, step), without its samples."""

    @property
    def standardiser(self) -> Standardiser:
        """Mean and standard deviation of the training data."""

    @property
    def learned(self) -> int:
        """How many numbers were learned."""

    def drive(self, inputs: Data) -> xr.Dataset:
        """Predict from the true samples: `prediction` (trial, time, state), `time` being the time predicted for."""

    def forecast(self, context: Data, steps: int) -> xr.Dataset:
        """Run on alone after `context`: `forecast` (trial, time, state), `time` being 0 where the context ends."""

    def free_map(self, context: Data) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map that `forecast` iterates, batched and differentiable, and its state after `context`."""


def read_like(recording: Recording, source: Data) -> Recording:
    """Read data of the kind of `recording`: of any length, with the same states and step.

    Raises ValueError where states or step differ. States that were not learned are left out.

    >>> known = read(np.zeros((60, 2)), dt=0.5)
    >>> read_like(known, np.ones((3, 2))).values.shape
    (1, 3, 2)
    """
    dt: float | None = recording.dt
    if isinstance(source, xr.Dataset | xr.DataArray) and "time" in source.coords and source.sizes.get("time", 0) > 1:
        dt = None
    data, named = read(source, dt, shortest=1), hasattr(source, "attrs")
    if not named and len(data.states) == len(recording.states):
        data = data._replace(states=recording.states)
    if named and len(data.states) > len(recording.states):
        data = read(source, dt, recording.states, shortest=1)
    if data.states != recording.states:
        raise ValueError(f"the data must have the states {recording.states}, got {data.states}")
    if abs(data.dt - recording.dt) > 1e-3 * recording.dt:
        raise ValueError(f"the data must have the step {recording.dt:.6g} learned from, got {data.dt:.6g}")
    return data


def label(
    recording: Recording, times: np.ndarray, *, title: str, config: Mapping[str, object], **values: np.ndarray
) -> xr.Dataset:
    """Label arrays (trial, time, state), given by name, with the states and units of `recording`."""
    trials = len(next(iter(values.values())))
    return dataset(
        {
            name: Labelled(("trial", "time", "state"), array, recording.state_units[0], title)
            for name, array in values.items()
        },
        {
            "trial": Labelled("trial", np.arange(trials), "1", "trial"),
            "time": Labelled("time", times, recording.time_units, "time after the start of the inputs"),
            "state": Labelled("state", list(recording.states), "1", "state"),
            "state_units": Labelled("state", list(recording.state_units), "1", "units of each state"),
        },
        title=f"{title} of {recording.name}",
        config=config,
    )
