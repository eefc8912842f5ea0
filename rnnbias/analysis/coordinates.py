"""Coordinates of results, taken from the data that they were made of."""

from __future__ import annotations

import numpy as np
import xarray as xr

from systems.labels import Labelled

__all__ = ["labels_of"]


def labels_of(data: xr.DataArray, dim: str, name: str | None = None) -> Labelled:
    """The labels of a dimension, or its numbers where it has none; called `name` in the result."""
    name = name or dim
    if dim not in data.coords:
        return Labelled(name, np.arange(data.sizes[dim]), "1", dim)
    found = data[dim]
    return Labelled(name, found.values, str(found.attrs.get("units", "1")), str(found.attrs.get("long_name", dim)))
