"""Recordings of neurons as they are read: activity by name, and the inputs that were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from rnnbias.networks import Circuit
from systems import checks

__all__ = ["Trials", "read_inputs", "read_trials"]


class Trials(NamedTuple):
    """Activity (trial, time, recorded) of the neurons `names`, NaN where missing; `inputs` (trial, time, input) before
    each sample, `outputs` (trial, time, output) where there are any, and the sampling step `dt` with its units.
    """

    activity: np.ndarray
    names: tuple[str, ...]
    inputs: np.ndarray
    outputs: np.ndarray | None
    dt: float
    time_units: str


def read_trials(
    recording: xr.Dataset | xr.DataArray,
    inputs: xr.DataArray | ArrayLike | None,
    circuit: Circuit,
) -> Trials:
    """Read a recording of some neurons of a circuit, and what drove it.

    `recording` has dimensions time and unit and may have trial; its coordinate `unit` names the neurons. A Dataset
    holds it as `activity`, or `outputs` (..., time, output), or both, and may hold `inputs` (..., time, input) beside
    them. Raises ValueError or TypeError for unknown or repeated neurons, wrong dimensions or lengths, infinite
    activity, inputs that are not finite, and a recording without a single number.
    """
    checks.no_file("recording", recording)
    if not isinstance(recording, xr.Dataset | xr.DataArray):
        raise TypeError(f"recording must be an xarray Dataset or DataArray, got {type(recording).__name__}")
    parts = {"activity": recording} if isinstance(recording, xr.DataArray) else dict(recording.data_vars)
    if not {"activity", "outputs"} & set(parts):
        raise ValueError(
            f"recording must hold activity (trial, time, unit) or outputs, got {', '.join(map(str, parts))}"
        )
    answers = _ordered("outputs", parts["outputs"], "output") if "outputs" in parts else None
    if "activity" in parts:
        activity, names = _activity(parts["activity"], circuit.neurons)
    else:
        assert answers is not None
        activity, names = np.empty((*answers.shape[:2], 0)), ()
    if answers is not None and answers.shape != (*activity.shape[:2], circuit.outputs):
        raise ValueError(f"outputs must have shape {(*activity.shape[:2], circuit.outputs)}, got {answers.shape}")
    entering = read_inputs(
        parts.get("inputs") if inputs is None else inputs, channels=circuit.inputs, like=activity.shape[:2]
    )
    time = recording.coords.get("time")
    if time is None or len(time) < 2:
        return Trials(activity, names, entering, answers, 1.0, "1")
    return Trials(activity, names, entering, answers, float(time[1] - time[0]), time.attrs.get("units", "1"))


def _activity(seen: xr.DataArray, neurons: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Activity (trial, time, recorded) and the names of the neurons."""
    if "unit" not in seen.coords:
        raise ValueError("recording must have a coordinate unit that names its neurons")
    names = tuple(str(name) for name in np.atleast_1d(seen.unit.values))
    for name in names:
        checks.choice("unit", name, neurons)
    if len(set(names)) < len(names):
        raise ValueError(f"unit must name each neuron once, got {max(names, key=names.count)!r} more than once")
    activity = _ordered("activity", seen, "unit")
    if np.isinf(activity).any():
        raise ValueError("activity must be finite, or NaN where nothing was recorded, got infinite values")
    if np.isnan(activity).all():
        raise ValueError("activity must hold at least one number, got none")
    return activity, names


def read_inputs(
    inputs: xr.DataArray | ArrayLike | None, *, channels: int, like: tuple[int, int] | None = None
) -> np.ndarray:
    """Inputs (trial, time, input), finite; of as many trials and samples as `like`, or silent where there are none."""
    if inputs is None:
        if channels:
            raise ValueError(f"inputs must be given for {channels} input channels, got none")
        if like is None:
            raise ValueError("inputs must be given, (trial, time, 0) for a network without any")
        return np.zeros((*like, 0))
    found = _ordered("inputs", inputs, "input") if isinstance(inputs, xr.DataArray) else np.asarray(inputs)
    found = checks.array("inputs", found if found.ndim == 3 else found[None], shape=(None, None, channels))
    if like is not None and found.shape[:2] != like:
        raise ValueError(f"inputs must have the trials and samples of the activity, {like}, got {found.shape[:2]}")
    return found


def _ordered(name: str, array: xr.DataArray, last: str) -> np.ndarray:
    """(trial, time, last), whatever the order of the dimensions; a recording without trials is one."""
    wanted = {"time", last}
    if set(array.dims) - {"trial"} != wanted:
        raise ValueError(f"{name} must have dimensions time, {last} and perhaps trial, got {array.dims}")
    array = array if "trial" in array.dims else array.expand_dims("trial")
    return np.asarray(array.transpose("trial", "time", last).values, float)
