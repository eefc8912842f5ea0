"""`sweep`: a function at every point of a grid, as one Dataset."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from rnnbias.evaluation.engine import check_client
from rnnbias.evaluation.runs import Runs, gather
from systems import checks

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["sweep"]

_FAILURE = "failure"


def sweep(
    function: Callable[..., xr.Dataset | Mapping[str, Any]],
    grid: Mapping[str, Iterable[Any]],
    client: Client | None = None,
    *,
    store: str | Path | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Call a function at every point of a grid, and lay out what it returns over the grid's dimensions.

    Points are independent: one that fails is NaN, with its message, and the others go on. They are made here one after
    the other, or on the workers of a Dask cluster, with the same bits: each call has one thread of torch and BLAS.

    Parameters
    ----------
    function : callable
        Called as `function(seed=0, units=100)` and so on, with the parameters of the grid. It returns a Dataset, as
        `Fit.score` does, or a dict of what makes one: numbers, words, DataArrays by name. Its dimensions come after the
        grid's; those without labels are numbered, and shorter ones are filled with NaN.
    grid : mapping of str to values
        The values of each parameter, all numbers or all words, each once; they label its dimension.
    client : distributed.Client, optional
        A client of a Dask cluster (`pip install 'rnnbias[dask]'`): of this machine, `with
        rnnbias.evaluation.local_client(4) as client`, or of others, `distributed.Client("tcp://host:8786")`. A
        point whose worker dies is made again by another. The function is sent by cloudpickle.
    store : str or Path, optional
        A folder for a netCDF file of each finished point, which appears whole or not at all. With it a sweep that was
        interrupted or killed goes on where it was, failed points are tried again, and a grid may grow. Files of
        other points, or of a function of other code or settings, are refused; functions that it calls are not looked
        at.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    xarray.Dataset
        The function's variables over (*grid, ...), and `failure` over the grid: "" or what went wrong.

    Raises
    ------
    TypeError
        Where `function` cannot be called with the grid's parameters alone or cannot be sent to workers, values are
        neither numbers nor words, or `client` is no client.
    ValueError
        Where the grid is empty, names what `function` does not take or repeats a value, or `store` holds another sweep.

    Examples
    --------
    >>> from rnnbias import fit_function
    >>> def error(seed, units):
    ...     return fit_function("runge", units=units, samples=100, seed=seed, progress=False).score("runge")
    >>> found = sweep(error, {"seed": range(2), "units": [10, 20]}, progress=False)
    >>> found.nrmse.dims, found.nrmse.shape
    (('seed', 'units'), (2, 2))
    """
    axes = {name: _axis(name, values) for name, values in _mapping(grid).items()}
    _check_function(function, axes)
    check_client(client)
    told = _identity(function)
    points = {point: dict(zip(axes, point, strict=True)) for point in product(*axes.values())}
    cells = {point: {"function": told, "point": named} for point, named in points.items()}
    runs = Runs(store, cells, resume=True)
    if runs.folder is not None and (strays := set(runs.folder.glob("*.nc")) - set(map(runs.path, cells))):
        raise ValueError(f"store must hold points of this grid alone, got {min(strays)}: use another folder")
    runs.complete(partial(_at, function, tuple(axes)), client, title="sweep", progress=progress)
    about = {"units": "1", "long_name": "what went wrong"}
    found = {
        point: runs.get(point, xr.Dataset()).assign({_FAILURE: ((), _message(runs.failures.get(point)), about)})
        for point in points
    }
    return gather(found, tuple(axes), title=f"sweep over {', '.join(axes)}", config={"function": told, "grid": axes})


def _at(function: Callable[..., object], names: tuple[str, ...], point: tuple) -> xr.Dataset:
    """What `function` returns at a point, as a Dataset that can be laid out beside others."""
    found = function(**dict(zip(names, point, strict=True)))
    if not isinstance(found, Mapping):
        raise TypeError(f"function must return a Dataset or a dict, got {type(found).__name__}")
    ds = (found if isinstance(found, xr.Dataset) else xr.Dataset(found)).reset_coords()
    for name, array in ds.variables.items():
        if name in (*names, _FAILURE):
            raise ValueError(f"function must leave the name {name!r} to the sweep")
        if array.dtype.kind not in "biufUO":
            raise TypeError(f"function must return real numbers and words, got {name!r} of dtype {array.dtype}")
    return ds.assign_coords({dim: np.arange(size) for dim, size in ds.sizes.items() if dim not in ds.coords})


def _message(error: Exception | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {' '.join(str(error).split())}"


def _mapping(grid: Mapping[str, Iterable[Any]]) -> Mapping[str, Iterable[Any]]:
    if not isinstance(grid, Mapping):
        raise TypeError(f"grid must be a dict of values by parameter, got {grid!r}")
    if not grid:
        raise ValueError("grid must have a parameter, got none")
    return grid


def _axis(name: str, values: Iterable[Any]) -> list[Any]:
    """The values of a parameter as plain numbers or words."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"grid[{name!r}] must be a list of values, got {values!r}")
    given = list(values)
    if not given:
        raise ValueError(f"grid[{name!r}] must have a value, got none")
    if all(isinstance(value, str) for value in given):
        axis = [str(value) for value in given]
    else:
        for value in given:
            if not isinstance(value, bool | np.bool_):
                checks.number(f"a value of grid[{name!r}]", value)
        axis = np.asarray(given).tolist()
    if twice := [value for k, value in enumerate(axis) if value in axis[:k]]:
        raise ValueError(f"grid[{name!r}] must have each value once, got {twice[0]!r} again")
    return axis


def _check_function(function: Callable[..., object], names: Iterable[str]) -> None:
    """Refuse what cannot be called with these parameters alone."""
    if not callable(function):
        raise TypeError(f"function must be callable, got {function!r}")
    signature = inspect.signature(function)
    if not any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values()):
        for name in names:
            checks.choice("a parameter of grid", name, signature.parameters)
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"function must need no parameter but those of grid: {error}") from error


def _identity(function: Callable[..., object]) -> str:
    """The name of a function, its code and the arguments that it is bound to."""
    if isinstance(function, partial):
        bound = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"{_identity(function.func)}({', '.join(bound)})"
    name = getattr(function, "__qualname__", type(function).__qualname__)
    code = getattr(inspect.unwrap(function), "__code__", None)
    return name if code is None else f"{name} (code {hashlib.sha256(_code(code).encode()).hexdigest()[:8]})"


def _code(code: CodeType) -> str:
    """What code does, wherever it stands."""

    def plain(constant: object) -> object:
        if isinstance(constant, frozenset):
            return sorted(map(repr, constant))
        return _code(constant) if isinstance(constant, CodeType) else constant

    return repr((code.co_code, code.co_names, [plain(constant) for constant in code.co_consts]))
