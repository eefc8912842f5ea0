"""Checks of arguments: each names the argument, the value it got and the rule it broke."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["array", "call", "choice", "no_file", "number", "seed", "whole"]

T = TypeVar("T")

_OPENERS = {
    ".nc": "xarray.open_dataset({!r})",
    ".npy": "numpy.load({!r}) with dt",
    ".mat": "scipy.io.loadmat({!r})[variable] with dt",
}


def number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a finite float within the stated bounds.

    Parameters
    ----------
    name : str
        What the error calls it.
    value : object
        What is checked.
    above, at_least, at_most, below : float, optional
        The bounds.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        Where it is no real number.
    ValueError
        Where it is not finite or outside the bounds.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    result = float(value)
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, got {result}")
    if above is not None and result <= above:
        raise ValueError(f"{name} must be greater than {above}, got {result}")
    if at_least is not None and result < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {result}")
    if at_most is not None and result > at_most:
        raise ValueError(f"{name} must be at most {at_most}, got {result}")
    if below is not None and result >= below:
        raise ValueError(f"{name} must be less than {below}, got {result}")
    return result


def whole(name: str, value: object, *, at_least: int = 0, at_most: int | None = None) -> int:
    """Return `value` as an int within the stated bounds; floats are refused, even whole ones.

    Parameters
    ----------
    name, value
        As in `number`.
    at_least, at_most : int
        The bounds; no upper one by default.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        As in `number`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    result = int(value)
    if result < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {result}")
    if at_most is not None and result > at_most:
        raise ValueError(f"{name} must be at most {at_most}, got {result}")
    return result


def seed(name: str, value: object) -> int:
    """Return `value` as a seed: a whole number from 0 to 2**31 - 1, so that netCDF can store it.

    Parameters
    ----------
    name, value
        As in `number`.

    Returns
    -------
    int
    """
    return whole(name, value, at_least=0, at_most=2**31 - 1)


def choice(name: str, value: object, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`.

    Parameters
    ----------
    name, value
        As in `number`.
    options : iterable of str
        The right values.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        With the options and the nearest of them.
    """
    options = list(options)
    if isinstance(value, str) and value in options:
        return value
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, options)) or 'none'}, got {value!r}{hint}")


def no_file(name: str, value: object) -> None:
    """Refuse the path of a file where its contents are wanted; a path has a suffix or exists.

    Parameters
    ----------
    name, value
        As in `number`.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        Where it is a path, with how to open the file.

    >>> no_file("system", "data.csv")
    Traceback (most recent call last):
    ValueError: system must be what is in the file 'data.csv': pass pandas.read_csv('data.csv', index_col='time')
    """
    if isinstance(value, str | os.PathLike) and (Path(value).suffix or os.path.isfile(value)):
        path = os.fspath(value)
        opened = _OPENERS.get(Path(path).suffix, "pandas.read_csv({!r}, index_col='time')").format(path)
        raise ValueError(f"{name} must be what is in the file {path!r}: pass {opened}")


def call(make: Callable[..., T], settings: Mapping[str, object]) -> T:
    """Return make(**settings).

    Parameters
    ----------
    make : callable
        A function or class.
    settings : mapping
        Its arguments by name.

    Returns
    -------
    object
        What `make` returns.

    Raises
    ------
    ValueError
        For a setting that it does not take, with the nearest that it does.
    """
    for key in settings:
        choice(f"parameter of {make.__name__}", key, inspect.signature(make).parameters)
    return make(**settings)


def array(
    name: str, value: ArrayLike, *, ndim: int | None = None, shape: tuple[int | None, ...] | None = None
) -> np.ndarray:
    """Return `value` as a float64 array of finite numbers with the stated shape.

    Parameters
    ----------
    name : str
        What the error calls it.
    value : array_like
        What is checked.
    ndim : int, optional
        The number of dimensions.
    shape : tuple, optional
        The shape; None in it stands for any length.

    Returns
    -------
    array of float64

    Raises
    ------
    TypeError
        For anything that is not numeric, complex numbers included.
    ValueError
        For a wrong shape, NaN or infinity.
    """
    result = np.asarray(value)
    if result.dtype == bool or not (
        np.issubdtype(result.dtype, np.floating) or np.issubdtype(result.dtype, np.integer)
    ):
        raise TypeError(f"{name} must hold real numbers, got dtype {result.dtype}")
    if ndim is not None and result.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {result.shape}")
    if shape is not None and (
        result.ndim != len(shape)
        or any(want is not None and want != got for want, got in zip(shape, result.shape, strict=True))
    ):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ValueError(f"{name} must have shape {wanted}, got {result.shape}")
    result = result.astype(np.float64)
    bad = ~np.isfinite(result)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must be finite, got {int(bad.sum())} NaN or infinite values, first at {where}")
    return result
