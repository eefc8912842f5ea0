"""What `fit_system` learns from: one or more evenly sampled trials, from a system or from the user."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike

from systems import System, checks
from systems.flows.delay import DelaySystem

__all__ = ["SHORTEST", "Recording", "hides_states", "is_cyclic", "read", "record", "simulate"]

#: The fewest samples a trial may have.
SHORTEST = 50
_CYCLE_TRIALS = 20


class Recording(NamedTuple):
    """Evenly sampled trials.

    `values` is (trial, time, state) in the recording's own units, `dt` in `time_units`. One unit of valid time
    is `unit` long: a Lyapunov time, a period, or, where neither is known, one of the time units.
    """

    values: np.ndarray
    dt: float
    states: tuple[str, ...]
    state_units: tuple[str, ...]
    time_units: str
    unit: float
    unit_name: str
    name: str


def simulate(
    system: System,
    *,
    samples: int,
    dt: float | None = None,
    seed: int = 0,
    observed: list[str] | None = None,
    cyclic: bool | None = None,
) -> xr.Dataset:
    """Simulate what `fit_system` learns a system from.

    One trial of `samples` + 1 samples on the attractor; or, for a system with a period and no Lyapunov exponent,
    as many in 20 trials from drawn starts, so that the way onto the cycle is learned too.

    Parameters
    ----------
    system : System
        What to simulate.
    samples : int
        How many to learn from.
    dt : float, optional
        The sampling interval. Default: the system's.
    seed : int
        Of the starts.
    observed : list of str, optional
        The states to keep. Default: all.
    cyclic : bool, optional
        Whether to simulate trials onto a cycle. Default: where there is a period and no exponent.

    Returns
    -------
    xr.Dataset
        As `System.simulate` returns.
    """
    dt = system.dt if dt is None else checks.number("dt", dt, above=0)
    if is_cyclic(system) if cyclic is None else cyclic:
        each = max(samples // _CYCLE_TRIALS, SHORTEST)
        start = system.starts(_CYCLE_TRIALS, seed)
        return system.simulate(duration=each * dt, dt=dt, seed=seed, observed=observed, start=start)
    return system.simulate(duration=(samples + 1) * dt, dt=dt, seed=seed, observed=observed)


def is_cyclic(system: System) -> bool:
    """Whether a system settles on a cycle: it has a period, and no Lyapunov exponent."""
    return system.lyapunov is None and system.period is not None


def hides_states(system: System, seen: int) -> bool:
    """Whether a system has states beside those seen: those not observed, or the past of a delay system.

    Parameters
    ----------
    system : System
        What is observed.
    seen : int
        How many states are.

    Returns
    -------
    bool
    """
    return seen < system.size or isinstance(system, DelaySystem)


def record(
    system: System,
    *,
    samples: int,
    dt: float | None,
    seed: int,
    observed: str | Iterable[str] | None,
    cyclic: bool | None = None,
) -> Recording:
    """Simulate a system and read what it did.

    Parameters
    ----------
    system, samples, dt, seed, observed, cyclic
        As in `simulate`.

    Returns
    -------
    Recording
    """
    names = None if observed is None else _names(observed)
    found = simulate(system, samples=samples, dt=dt, seed=seed, observed=names, cyclic=cyclic)
    return read(found)._replace(name=system.name)


def read(
    source: xr.Dataset | xr.DataArray | ArrayLike,
    dt: float | None = None,
    observed: str | Iterable[str] | None = None,
    shortest: int = SHORTEST,
) -> Recording:
    """Read a recording.

    Parameters
    ----------
    source : xr.DataArray, xr.Dataset, pandas.DataFrame, pandas.Series or array
        - A DataArray has dimensions `time`, optionally `trial`, and at most one more (the states).
        - A Dataset has one such variable, or several over `time` (and `trial`), which become the states.
        - The columns of a DataFrame are states; a Series is one. An index of dates or durations, or of numbers and
          named "time", gives the times.
        - An array or tensor is (time,), (time, state) or (trial, time, state).
    dt : float, optional
        The time from one sample to the next; needed where `source` has no times, and else to agree with them.
    observed : str or list of str, optional
        The states to keep, in this order. Default: all.
    shortest : int
        The fewest samples that a trial may have.

    Returns
    -------
    Recording

    Raises
    ------
    TypeError, ValueError
        Naming the trouble, for missing or uneven times, values that are no finite numbers, too few samples, and
        unknown or doubled names.

    >>> read(np.random.default_rng(0).normal(size=(60, 2)), dt=0.5).states
    ('x0', 'x1')
    """
    checks.no_file("a recording", source)
    if (pandas := sys.modules.get("pandas")) and isinstance(source, pandas.DataFrame | pandas.Series):
        source = _from_pandas(source)
    if isinstance(source, xr.Dataset):
        source = _one_variable(source)
    if isinstance(source, xr.DataArray):
        found = _from_xarray(source, dt)
    elif source is None:
        raise TypeError("a recording must be an xarray object or an array of real numbers, got None")
    elif dt is None:
        raise ValueError("dt must be given with a plain array: the time from one sample to the next")
    else:
        found = _from_array(source, checks.number("dt", dt, above=0))
    if observed is not None:
        found = _select(found, observed)
    if found.values.shape[1] < shortest:
        raise ValueError(f"a recording must have at least {shortest} samples, got {found.values.shape[1]}: too short")
    if not found.values.size:
        raise ValueError(f"a recording must have a trial and a state, got (trial, time, state) of {found.values.shape}")
    if len(set(found.states)) < len(found.states):
        raise ValueError(f"states must have distinct names, got {list(found.states)}")
    return found


def _from_pandas(table: Any) -> xr.DataArray:
    """A DataFrame or Series over time, with the times of its index where it has some."""
    attrs = dict(table.attrs)
    if table.ndim == 1:
        table = table.to_frame("x" if table.name is None else table.name)
    if table.columns.nlevels > 1 or table.index.nlevels > 1:
        raise ValueError(
            f"a table must have one level of rows and of columns, got {table.index.names} and {table.columns.names}"
        )
    if "time" in table.columns:
        raise ValueError("a table must have the times as its index, got a column 'time': pass .set_index('time')")
    for name, dtype in table.dtypes.items():
        if dtype.kind not in "iuf":
            raise TypeError(f"column {name!r} must hold real numbers, got dtype {dtype}")
    index = table.index
    timed = index.dtype.kind in "mM" or (index.name == "time" and index.dtype.kind in "iuf")
    return xr.DataArray(
        table.to_numpy(np.float64, na_value=np.nan),
        {"state": list(table.columns), **({"time": index.values} if timed else {})},
        ("time", "state"),
        attrs=attrs,
    )


def _one_variable(data: xr.Dataset) -> xr.DataArray:
    timed = [name for name in data.data_vars if "time" in data[name].dims]
    if not timed:
        raise ValueError(f"a Dataset must have a variable with dimension 'time', got {list(data.data_vars)}")
    if len(timed) == 1:
        array = data[timed[0]]
    else:
        odd = [name for name in timed if set(data[name].dims) - {"time", "trial"}]
        if odd:
            raise ValueError(
                f"a Dataset with several variables over 'time' must have only dimensions trial and time on them, "
                f"but {odd[0]!r} has {data[odd[0]].dims}: pass the one variable to learn from"
            )
        units = [str(data[name].attrs.get("units", "1")) for name in timed]
        array = data[timed].to_dataarray("state").assign_coords(state_units=("state", units))
    return array.assign_attrs({**data.attrs, **array.attrs})


def _from_xarray(array: xr.DataArray, dt: float | None) -> Recording:
    if "time" not in array.dims:
        raise ValueError(f"a recording must have a dimension 'time', got {array.dims}")
    others = [d for d in array.dims if d not in ("time", "trial")]
    if len(others) > 1:
        raise ValueError(f"a recording may have one dimension beside trial and time, got {others}")
    if "trial" not in array.dims:
        array = array.expand_dims("trial")
    if not others:
        array = array.expand_dims(state=[str(array.name or "x")], axis=-1)
        others = ["state"]
    array = array.transpose("trial", "time", others[0])
    labels = array[others[0]].values if others[0] in array.coords else range(array.sizes[others[0]])
    step, time_units = _step(array, dt)
    unit, unit_name = 1.0, "1" if time_units == "1" else time_units
    exponent, period = (checks.number(key, array.attrs.get(key, 0)) for key in ("lyapunov", "period"))
    if exponent > 0:
        unit, unit_name = 1 / exponent, "Lyapunov times"
    elif period > 0:
        unit, unit_name = period, "periods"
    default = [str(array.attrs.get("units", "1"))] * array.sizes[others[0]]
    return Recording(
        values=checks.array("the recording", array.values, ndim=3),
        dt=step,
        states=tuple(str(label) if isinstance(label, str) else f"x{label}" for label in labels),
        state_units=tuple(str(u) for u in (array["state_units"].values if "state_units" in array.coords else default)),
        time_units=time_units,
        unit=unit,
        unit_name=unit_name,
        name=str(array.attrs.get("title") or array.name or "recording"),
    )


def _step(array: xr.DataArray, dt: float | None) -> tuple[float, str]:
    """The sampling step and its units, from the time coordinate or from `dt` where there is none to see."""
    if "time" not in array.coords:
        if dt is None:
            raise ValueError("dt must be given where the recording has no times: no coordinate 'time', no such index")
        return checks.number("dt", dt, above=0), "1"
    times, units = array["time"].values, str(array["time"].attrs.get("units", "1"))
    if np.issubdtype(times.dtype, np.datetime64) or np.issubdtype(times.dtype, np.timedelta64):
        times, units = (times - times[0]) / np.timedelta64(1, "s"), "s"
    times = checks.array("time", times, ndim=1)
    if len(times) < 2 and dt is not None:
        return checks.number("dt", dt, above=0), units
    if len(times) < 2:
        raise ValueError(f"a recording must have at least {SHORTEST} samples in time, got {len(times)}: too short")
    steps = np.diff(times)
    step = float(np.median(steps))
    if step <= 0:
        raise ValueError(f"time must increase, got a median step of {step}")
    worst = int(np.abs(steps - step).argmax())
    if abs(steps[worst] - step) > 1e-3 * step:
        raise ValueError(
            f"time must be evenly sampled, but the step is {step:.6g} at the median and {steps[worst]:.6g} after "
            f"sample {worst}: bring it onto an even grid first, with .interp(time=...) or .resample(time=...), say"
        )
    step = float(times[-1] - times[0]) / (len(times) - 1)
    if dt is not None and abs(checks.number("dt", dt, above=0) - step) > 1e-3 * step:
        raise ValueError(f"dt must agree with the time coordinate, whose step is {step:.6g}, got {dt}")
    return step, units


def _from_array(values: ArrayLike, dt: float) -> Recording:
    values = checks.array("the recording", values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    if not 1 <= values.ndim <= 3:
        raise ValueError(
            f"the recording must be (time,), (time, state) or (trial, time, state), got shape {values.shape}"
        )
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim == 2:
        values = values[None]
    states = tuple(f"x{k}" for k in range(values.shape[2]))
    return Recording(values, dt, states, ("1",) * len(states), "1", 1.0, "1", "recording")


def _select(found: Recording, observed: str | Iterable[str]) -> Recording:
    chosen = [found.states.index(checks.choice("observed", name, found.states)) for name in _names(observed)]
    return found._replace(
        values=found.values[..., chosen],
        states=tuple(found.states[k] for k in chosen),
        state_units=tuple(found.state_units[k] for k in chosen),
    )


def _names(observed: object) -> list[str]:
    if not isinstance(observed, Iterable) or not observed:
        raise ValueError(f"observed must be a name or a list of names, got {observed!r}")
    return [observed] if isinstance(observed, str) else list(observed)
