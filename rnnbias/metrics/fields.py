"""Checks of labelled arrays, and the making of labelled results: what every score begins and ends with."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from systems import checks
from systems.labels import DIMENSIONS, Labelled, dataset

__all__ = [
    "field",
    "flat",
    "labelled",
    "long_enough",
    "matched",
    "positive_levels",
    "sampling_step",
    "scale_field",
    "single",
]


def field(name: str, value: object, dims: Sequence[str], *, finite: bool = True) -> xr.DataArray:
    """Return `value` in float64 with `dims` last, or say what is wrong with it."""
    if not isinstance(value, xr.DataArray):
        raise TypeError(f"{name} must be an xarray.DataArray, got {type(value).__name__}")
    for dim in dims:
        if dim not in value.dims:
            near = difflib.get_close_matches(dim, map(str, value.dims), n=1)
            hint = f"; is {near[0]!r} a misspelling?" if near else ""
            raise ValueError(f"{name} must have the dimension {dim!r}, got dimensions {value.dims}{hint}")
    if value.size == 0:
        raise ValueError(f"{name} must not be empty, got sizes {dict(value.sizes)}")
    checks.array(name, value.values if finite else value.values[:0])  # an empty slice still has its type
    return value.astype(np.float64).transpose(..., *dims)


def scale_field(value: object, time: str, state: str) -> xr.DataArray:
    """Return `scale`, which must be positive and the same at all times."""
    scale = field("scale", value, (state,))
    if time in scale.dims:
        raise ValueError(f"scale must not vary over {time!r}, got dimensions {scale.dims}")
    if (scale <= 0).any():
        raise ValueError(f"scale must be greater than 0 for every {state!r}, got {float(scale.min())}")
    return scale


def matched(arrays: Mapping[str, xr.DataArray], free: str | None = None) -> tuple[xr.DataArray, ...]:
    """Demand dimensions among the first's, of its sizes and (but for `free`) its labels; share those."""
    (leader, whole), *others = arrays.items()
    for name, a in others:
        if extra := [d for d in a.dims if d not in whole.dims]:
            raise ValueError(f"{name} must have no dimension that {leader} lacks, got {extra}, not in {whole.dims}")
    for (first, a), (second, b) in combinations(arrays.items(), 2):
        for dim in (d for d in a.dims if d in b.dims):
            if a.sizes[dim] != b.sizes[dim]:
                raise ValueError(
                    f"{second} must be as long as {first} over {dim!r}, got {b.sizes[dim]} and {a.sizes[dim]}"
                )
            if dim != free and dim in a.indexes and dim in b.indexes and not _same(a[dim].values, b[dim].values):
                raise ValueError(
                    f"{second} must have the labels of {first} over {dim!r}, got {_ends(b[dim])} and {_ends(a[dim])}"
                )
    if free is not None:
        arrays = {name: a.drop_vars(free, errors="ignore") for name, a in arrays.items()}
    return xr.align(*arrays.values(), join="override")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal labels; floats may differ by rounding and a millionth of their spacing."""
    if a.dtype.kind in "iuf" and b.dtype.kind in "iuf":
        spacing = np.abs(np.diff(a)).min() if a.size > 1 else 0.0
        return np.allclose(a, b, rtol=1e-12, atol=1e-6 * spacing + max(_rounding(a), _rounding(b)))
    return np.array_equal(a, b)


def _rounding(x: np.ndarray) -> float:
    """Return the rounding error of differences of the numbers, in the precision that holds them."""
    return 4 * float(np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps) * float(np.abs(x).max())


def _ends(label: xr.DataArray) -> str:
    values = label.values.tolist()
    return f"{values[0]!r}..{values[-1]!r}" if len(values) > 1 else repr(values[0])


def sampling_step(name: str, value: xr.DataArray, time: str) -> float:
    """Return the time between samples; the times must be even and increasing."""
    if time not in value.indexes:
        raise ValueError(f"{name} must have a {time!r} coordinate, got {sorted(map(str, value.indexes))}")
    t = checks.array(f"{name}.{time}", value[time].values, ndim=1)
    if t.size < 2:
        raise ValueError(f"{name} must have at least 2 samples over {time!r}, got {t.size}")
    dt = float(t[-1] - t[0]) / (t.size - 1)
    gaps = np.diff(t)
    if dt <= 0 or np.abs(gaps - dt).max() > 1e-6 * dt + _rounding(value[time].values):
        raise ValueError(
            f"{name} must be sampled evenly over increasing {time!r}, got steps from {gaps.min()} to {gaps.max()}"
        )
    return dt


def long_enough(name: str, value: xr.DataArray, time: str, least: int, why: str) -> None:
    """Demand `least` samples, and say why."""
    if value.sizes[time] < least:
        raise ValueError(f"{name} must have at least {least} samples over {time!r} ({why}), got {value.sizes[time]}")


def positive_levels(name: str, value: ArrayLike) -> np.ndarray:
    """Return one or more positive numbers as a vector."""
    levels = checks.array(name, np.atleast_1d(value), ndim=1)
    if not levels.size or (levels <= 0).any():
        raise ValueError(f"{name} must hold numbers greater than 0, got {value!r}")
    return levels


def flat(x: np.ndarray) -> np.ndarray:
    """(..., time) -> (...): constant up to rounding, or not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        span = x.max(-1) - x.min(-1)
        return ~((span > 1e-12 * np.abs(x).max(-1)) & np.isfinite(span))


def _ordered(value: xr.DataArray, first: str | None = None) -> xr.DataArray:
    """Put `first` first, then other dimensions, then those with a fixed place."""
    rank = {name: i for i, name in enumerate(DIMENSIONS)}
    return value.transpose(*sorted(value.dims, key=lambda d: (d != first, rank.get(str(d), -1))))


def labelled(
    variables: Mapping[str, tuple[xr.DataArray, str, str]],
    title: str,
    config: Mapping[str, object],
    references: str = "",
    first: str | None = None,
) -> xr.Dataset:
    """Build the labelled Dataset; each variable is an array, its units and its long name."""
    arrays = {name: _ordered(array, first) for name, (array, _, _) in variables.items()}
    coords = {str(name): c for array in arrays.values() for name, c in array.coords.items()}
    return dataset(
        {name: Labelled(tuple(map(str, a.dims)), a.values, *variables[name][1:]) for name, a in arrays.items()},
        {
            name: Labelled(c.dims, c.values, c.attrs.get("units", "1"), c.attrs.get("long_name", name))
            for name, c in coords.items()
        },
        title=title,
        config=config,
        references=references,
    )


def single(ds: xr.Dataset) -> xr.DataArray:
    """Return the only variable, with the stamps of its Dataset."""
    (array,) = ds.data_vars.values()
    return array.assign_attrs({**ds.attrs, **array.attrs})
