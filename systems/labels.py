"""The one place where results become labelled xarray Datasets."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

__all__ = ["DIMENSIONS", "Labelled", "config", "dataset", "source"]

#: Dimension names in the order in which they stand when several are present.
DIMENSIONS = ("seed", "system", "task", "trial", "iteration", "time", "unit", "state", "output", "space")


class Labelled(NamedTuple):
    """One variable or coordinate: its dimensions, values, units ("1": dimensionless) and long name."""

    dims: str | tuple[str, ...]
    values: Any
    units: str
    long_name: str


@cache
def source() -> str:
    """Name the versions of the software that makes a result."""

    def of(package: str) -> str:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            return f"{package} (not installed)"

    packages = ("rnnbias", "torch", "numpy", "scipy", "xarray")
    return ", ".join([*map(of, packages), f"python {platform.python_version()}"])


def dataset(
    variables: Mapping[str, Labelled],
    coords: Mapping[str, Labelled],
    *,
    title: str,
    config: Mapping[str, object],
    references: str = "",
) -> xr.Dataset:
    """Build a Dataset that carries units, long names, software versions and its whole configuration.

    Parameters
    ----------
    variables, coords : mapping of str to Labelled
        By name.
    title : str
        One line.
    config : mapping
        Plain numbers, strings, lists and dicts, with the seed among them. It is stored as one JSON string in
        `attrs["config"]`, because netCDF attributes hold neither dicts, None nor booleans; read it back with
        `config(dataset)`.
    references : str
        Where the equations or the data come from.

    Returns
    -------
    xr.Dataset

    >>> ds = dataset({"speed": Labelled("time", [0.0, 1.0], "m s-1", "hand speed")},
    ...              {"time": Labelled("time", [0.0, 0.1], "s", "time")}, title="demo", config={"seed": 3})
    >>> ds.speed.attrs["units"], config(ds)["seed"]
    ('m s-1', 3)
    """

    def labelled(item: Labelled) -> tuple[str | tuple[str, ...], np.ndarray, dict[str, str]]:
        return item.dims, np.asarray(item.values), {"units": item.units, "long_name": item.long_name}

    return xr.Dataset(
        {name: labelled(item) for name, item in variables.items()},
        {name: labelled(item) for name, item in coords.items()},
        {
            "title": title,
            "source": source(),
            "references": references,
            "config": json.dumps(dict(config), allow_nan=False),
        },
    )


def config(ds: xr.Dataset) -> dict[str, Any]:
    """Return the configuration that `dataset` stamped on `ds`.

    Parameters
    ----------
    ds : xr.Dataset
        As `dataset` makes it.

    Returns
    -------
    dict
    """
    return json.loads(ds.attrs["config"])
