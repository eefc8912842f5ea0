"""Cells that can be interrupted: each a file, resumed by its key, and all of them laid out as one Dataset."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from rnnbias.evaluation.engine import check_client, outcomes
from rnnbias.storage.netcdf import read_netcdf, write_netcdf
from systems.labels import dataset

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Runs", "gather"]

Key = TypeVar("Key", bound=tuple[Hashable, ...])


class Runs(Mapping[Key, xr.Dataset]):
    """The finished cells of a sweep, each a netCDF file of its own that is whole or absent.

    Parameters
    ----------
    folder : str, Path or None
        Where the files are; made where it is missing. None: nowhere, the cells are kept in memory.
    cells : mapping
        Every cell of the sweep: its key, a tuple of words and numbers, and everything else that its result depends on,
        as plain numbers, strings, lists and dicts.
    resume : bool
        Whether to go on from the files in the folder. Otherwise those of these cells are removed, and
        no others.

    Attributes
    ----------
    failures : dict
        The errors that cells ended with, by key. Such a cell has no file, and is made again when the sweep goes on.

    Raises
    ------
    ValueError
        Where a file is damaged, its cell was made with other settings, or two cells would have one file.
    OSError
        Where the folder cannot be made or written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     runs = Runs(folder, {("lorenz63", seed): {"units": 20} for seed in range(2)})
    ...     _ = runs.complete(lambda key: xr.Dataset({"error": 0.1 * key[1]}), progress=False)
    >>> gather(runs, ("system", "seed"), title="a sweep", config={}).error.values
    array([[0. , 0.1]])
    """

    def __init__(self, folder: str | Path | None, cells: Mapping[Key, object], *, resume: bool = False) -> None:
        self.folder, self.cells = None if folder is None else Path(folder), cells
        self.failures: dict[Key, Exception] = {}
        self._done: dict[Key, xr.Dataset] = {}
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"folder must be writable, got {str(folder)!r}")
        names = sorted(self.path(key).name for key in cells)
        if twice := [name for name, following in pairwise(names) if name == following]:
            raise ValueError(f"cells must have files of their own, got two of {twice[0]}")
        if resume:
            self._done = {key: self._read(key) for key in cells if self.path(key).exists()}
        else:
            for key in cells:
                self.path(key).unlink(missing_ok=True)

    def path(self, key: Key) -> Path:
        """The file of a cell."""
        name = "--".join(str(part).replace(":", "-").replace("/", "-") for part in key)
        return Path(self.folder or "") / f"{name}.nc"

    def complete(
        self,
        make: Callable[[Key], xr.Dataset],
        client: Client | None = None,
        *,
        title: str = "cells",
        progress: bool = True,
    ) -> Runs[Key]:
        """Make the cells that are missing, and store each as soon as it is finished; returns itself.

        They are made as `engine.outcomes` does: here, or on the workers of a Dask client, with the same bits. An error
        of `make` is told on stderr and kept in `failures`, and the others go on; Ctrl-C leaves those that are finished.
        """
        check_client(client)
        self.failures = {}
        missing = [key for key in self.cells if key not in self._done]
        with tqdm(total=len(self.cells), initial=len(self._done), desc=title, unit="cell", disable=not progress) as bar:
            for key, found in outcomes(make, missing, client):
                name = " ".join(map(str, key))
                if isinstance(found, Exception):
                    self.failures[key] = found
                    bar.write(f"{name}: {type(found).__name__}: {found}", file=sys.stderr)
                else:
                    self._keep(key, found)
                bar.set_postfix_str(name)
                bar.update()
        return self

    def _keep(self, key: Key, found: xr.Dataset) -> None:
        if self.folder is not None:
            settings = json.dumps(self.cells[key], allow_nan=False)
            write_netcdf(found.assign_attrs(settings=settings), self.path(key))
        self._done[key] = found

    def _read(self, key: Key) -> xr.Dataset:
        path = self.path(key)
        try:
            found = read_netcdf(path)
            had = json.loads(found.attrs.pop("settings"))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path} is damaged or no cell of a sweep: remove it, or use another folder") from error
        if changes := list(_changes(had, json.loads(json.dumps(self.cells[key])))):
            raise ValueError(
                f"{path} was made with other settings ({'; '.join(changes)}): use another folder or start afresh"
            )
        return found

    def __getitem__(self, key: Key) -> xr.Dataset:
        return self._done[key]

    def __iter__(self) -> Iterator[Key]:
        return (key for key in self.cells if key in self._done)

    def __len__(self) -> int:
        return len(self._done)


def gather(
    cells: Mapping[Key, xr.Dataset],
    dims: Sequence[str],
    *,
    title: str,
    config: Mapping[str, object],
    references: str = "",
) -> xr.Dataset:
    """Lay cells out along one new dimension for each part of their keys.

    The labels of a dimension stand in the order in which the keys name them. Where dimensions of the cells have labels
    that are not the same, the Dataset has all of them. What no cell has is NaN, or "" where it is text; attributes of a
    variable are those of the first cell that has it. `title`, `config` and `references` are
    as in `systems.labels.dataset`.

    >>> cells = {("a", 0): xr.Dataset({"error": 0.1}), ("b", 1): xr.Dataset({"error": 0.2})}
    >>> gather(cells, ("learner", "seed"), title="two cells", config={}).error.values
    array([[0.1, nan],
           [nan, 0.2]])
    """
    axes = {dim: list(dict.fromkeys(key[k] for key in cells)) for k, dim in enumerate(dims)}
    shape = tuple(map(len, axes.values()))
    found: dict[Hashable, xr.DataArray] = {}
    coords: dict[Hashable, xr.DataArray] = {}
    for key, cell in zip(cells, xr.align(*cells.values(), join="outer"), strict=True):
        place = tuple(axes[dim].index(part) for dim, part in zip(dims, key, strict=True))
        for name, array in cell.data_vars.items():
            kind, gap = (object, "") if array.dtype.kind in "UO" else (float, np.nan)
            if name not in found:
                values = np.full((*shape, *array.shape), gap, dtype=kind)
                found[name] = xr.DataArray(values, dims=(*dims, *array.dims), attrs=array.attrs)
            found[name].values[place] = array.fillna(gap).values.astype(kind)[()]
        coords = {**cell.coords, **coords}
    labels = {dim: xr.DataArray(axis, dims=dim, attrs={"units": "1", "long_name": dim}) for dim, axis in axes.items()}
    about = dataset({}, {}, title=title, config=config, references=references).attrs
    return xr.Dataset(found, {**coords, **labels}, about)


def _changes(had: object, have: object, name: str = "settings") -> Iterator[str]:
    """What differs between two settings, one line an entry."""
    if isinstance(had, dict) and isinstance(have, dict):
        for key in {**had, **have}:
            yield from _changes(had.get(key), have.get(key), key)
    elif had != have:
        yield f"{name} {had}, now {have}"
