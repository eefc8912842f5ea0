"""What `fit_function` learns from: points and the values there, from a function or from the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from systems import checks, functions
from systems.functions import Function

__all__ = ["Samples", "Target", "read", "read_points"]

#: What can be learned: a name of `systems.functions`, a function, a pair of arrays, an xarray object, or `Samples`.
Target = str | Function | Callable[[np.ndarray], ArrayLike] | Sequence[ArrayLike] | xr.Dataset | xr.DataArray


class Samples(NamedTuple):
    """Points `x` (sample, input) and values `y` (sample, output), with their names and units.

    `box` (input, 2) is where the function is learned: its own box, or the range of the data. `grid` holds the sizes of
    the grid's sides by name where the points are a grid, the last side running fastest; else it is empty.
    """

    x: np.ndarray
    y: np.ndarray
    box: np.ndarray
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    units: Mapping[str, str]
    name: str
    grid: Mapping[str, int]


def read(target: Target, *, box: ArrayLike | None = None, samples: int = 2000, seed: int = 0) -> Samples:
    """Read a target.

    - A name of `systems.functions.available()` or a `Function` is sampled `samples` times in its box.
    - Any other callable, (sample, input) -> (sample,) or (sample, output), is sampled in `box`, (low, high) by input.
    - A pair of arrays: x (sample,) or (sample, input), and y (sample,) or (sample, output).
    - A Dataset with `x` (trial, input) and `y` (trial, output), as `Function.sample` returns.
    - A DataArray on a grid: every dimension but "output" is an input, whose coordinate holds its values.

    Raises TypeError or ValueError, naming the trouble, for anything else, for NaN, and for fewer than 20 samples.

    >>> field = xr.DataArray(np.eye(5), {"lat": np.arange(5.0), "lon": np.arange(5.0)}, ("lat", "lon"))
    >>> read(field).inputs, read(field).x.shape
    (('lat', 'lon'), (25, 2))
    """
    if isinstance(target, Samples):
        return target
    if isinstance(target, str):
        target = functions.get(target)
    elif callable(target) and not isinstance(target, Function):
        if box is None:
            raise ValueError("box must be given with a function of your own: (low, high) for each input")
        target, box = (
            Function(name=getattr(target, "__name__", "function"), box=np.asarray(box).tolist(), value=target),
            None,
        )
    if box is not None:
        raise ValueError(f"box must be given only with a function of your own, got box={box!r}")
    if isinstance(target, Function):
        found = _of_dataset(target.sample(samples, seed=seed), target.name)
        found = found._replace(box=np.array(target.box), units=target.units)
    elif isinstance(target, xr.Dataset):
        found = _of_dataset(target, "data")
    elif isinstance(target, xr.DataArray):
        found = _of_grid(target)
    elif isinstance(target, tuple | list) and len(target) == 2:
        x, y = _columns("x", target[0]), _columns("y", target[1])
        found = _named(x, y, [f"x{i}" for i in range(x.shape[1])], _output_names(y.shape[1]), {}, "data")
    else:
        got = type(target).__name__
        raise TypeError(f"target must be a name, a function, a pair of arrays (x, y) or an xarray object, got {got}")
    if len(found.x) < 20:
        raise ValueError(f"target must have at least 20 samples, got {len(found.x)}")
    return found


def read_points(points: ArrayLike | xr.Dataset | xr.DataArray, inputs: Sequence[str]) -> tuple[np.ndarray, dict]:
    """Read points (sample, input) to predict at, and the coordinates of their grid, empty where they are no grid.

    An array (sample, input), or (sample,) where there is one input; a Dataset with `x` (trial, input); or a DataArray
    on a grid of the learned inputs, whose values are not looked at.
    """
    grid = {}
    if isinstance(points, xr.DataArray):
        points = points.isel(output=0) if "output" in points.dims else points
        sides = _sides(points)
        if set(sides) != set(inputs):
            raise ValueError(f"points must lie on a grid of {', '.join(inputs)}, got dimensions {points.dims}")
        grid = {name: sides[name] for name in inputs}
        return _mesh(list(grid.values())), grid
    if isinstance(points, xr.Dataset):
        points = _variable(points, "x", "input").values
    x = _columns("points", points)
    if x.shape[1] != len(inputs):
        raise ValueError(f"points must have {len(inputs)} inputs ({', '.join(inputs)}), got shape {x.shape}")
    return x, grid


def _of_dataset(ds: xr.Dataset, name: str) -> Samples:
    x, y = _variable(ds, "x", "input"), _variable(ds, "y", "output")
    inputs = _names(x, "input", [f"x{i}" for i in range(x.sizes["input"])])
    outputs = _names(y, "output", _output_names(y.sizes["output"]))
    units: dict[str, str] = {}
    for dim, names in (("input", inputs), ("output", outputs)):
        given = ds[f"{dim}_units"].values.tolist() if f"{dim}_units" in ds.coords else ["1"] * len(names)
        units |= dict(zip(names, map(str, given), strict=True))
    return _named(_columns("x", x.values), _columns("y", y.values), inputs, outputs, units, name)


def _of_grid(field: xr.DataArray) -> Samples:
    name = str(field.name or "data")
    columns = field if "output" in field.dims else field.expand_dims(output=[name])
    columns = columns.transpose(..., "output")
    sides = _sides(columns.isel(output=0))
    outputs = _names(columns, "output", _output_names(columns.sizes["output"]))
    units = {side: str(field[side].attrs.get("units", "1")) for side in sides}
    units |= dict.fromkeys(outputs, str(field.attrs.get("units", "1")))
    y = _columns("target", columns.values.reshape(-1, len(outputs)))
    found = _named(_mesh(list(sides.values())), y, list(sides), outputs, units, name)
    return found._replace(grid={side: len(values) for side, values in sides.items()})


def _named(
    x: np.ndarray, y: np.ndarray, inputs: Sequence[str], outputs: Sequence[str], units: Mapping[str, str], name: str
) -> Samples:
    if len(x) != len(y):
        raise ValueError(f"x and y must have as many samples, got {len(x)} and {len(y)}")
    names = [*inputs, *outputs]
    if len(set(names)) < len(names):
        raise ValueError(f"inputs and outputs must have distinct names, got {names}")
    box = np.stack([x.min(0), x.max(0)], 1)
    known = {each: units.get(each, "1") for each in names}
    return Samples(x, y, box, tuple(inputs), tuple(outputs), known, name, {})


def _variable(ds: xr.Dataset, name: str, last: str) -> xr.DataArray:
    if name not in ds or not set(ds[name].dims) <= {"trial", last} or "trial" not in ds[name].dims:
        raise ValueError(f"the Dataset must have a variable {name!r} over (trial, {last}), got {list(ds.data_vars)}")
    found = ds[name] if last in ds[name].dims else ds[name].expand_dims({last: 1})
    return found.transpose("trial", last)


def _names(array: xr.DataArray, dim: str, default: Sequence[str]) -> list[str]:
    return [str(n) for n in array[dim].values] if dim in array.coords else list(default)


def _output_names(count: int) -> list[str]:
    return ["y"] if count == 1 else [f"y{i}" for i in range(count)]


def _sides(field: xr.DataArray) -> dict[str, np.ndarray]:
    for dim in field.dims:
        if dim not in field.coords:
            raise ValueError(f"dimension {dim!r} must have a coordinate: the values of that input")
    return {str(dim): checks.array(f"coordinate {dim}", field[dim].values, ndim=1) for dim in field.dims}


def _mesh(sides: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, len(sides))


def _columns(name: str, values: ArrayLike) -> np.ndarray:
    values = checks.array(name, values)
    if values.ndim not in (1, 2) or not values.size:
        raise ValueError(f"{name} must have shape (sample,) or (sample, column), got {values.shape}")
    return values[:, None] if values.ndim == 1 else values
