"""Sweeps that can be interrupted: each cell a file, resumed by its key, and all cells laid out as one Dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from rnnbias.storage.netcdf import read_netcdf, write_netcdf
from systems import checks
from systems.labels import dataset

__all__ = ["Runs", "gather"]

Key = TypeVar("Key", bound=tuple[Hashable, ...])


class Runs(Mapping[Key, xr.Dataset]):
    """The finished cells of a sweep, each a netCDF file of its own that is whole or absent.

    Parameters
    ----------
    folder : str or Path
        Where the files are; made where it is missing.
    cells : mapping
        Every cell of the sweep: its key, a tuple of words and numbers, and everything else that its result depends on,
        as plain numbers, strings, lists and dicts.
    resume : bool
        Whether to go on from the files in the folder. Otherwise those of these cells are removed, and
        no others.

    Raises
    ------
    ValueError
        Where a file is damaged, or its cell was made with other settings.
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

    def __init__(self, folder: str | Path, cells: Mapping[Key, object], *, resume: bool = False) -> None:
        self.folder, self.cells = Path(folder), cells
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"folder must be writable, got {str(folder)!r}")
        self._done: dict[Key, xr.Dataset] = {}
        if resume:
            self._done = {key: self._read(key) for key in cells if self.path(key).exists()}
        else:
            for key in cells:
                self.path(key).unlink(missing_ok=True)

    def path(self, key: Key) -> Path:
        """The file of a cell."""
        return self.folder / f"{'--'.join(str(part).replace(':', '-').replace('/', '-') for part in key)}.nc"

    def complete(
        self, make: Callable[[Key], xr.Dataset], *, workers: int = 1, title: str = "cells", progress: bool = True
    ) -> Runs[Key]:
        """Make the cells that are missing, and store each as soon as it is finished; returns itself.

        Whatever ends it, Ctrl-C or an error of `make`, leaves the cells that are finished. With several `workers`,
        processes of one thread each, `make` must be a function of a module.
        """
        workers = checks.whole("workers", workers, at_least=1)
        missing = [key for key in self.cells if key not in self._done]
        with tqdm(total=len(self.cells), initial=len(self._done), desc=title, unit="cell", disable=not progress) as bar:
            for key, found in _shared(make, missing, workers) if workers > 1 else ((k, make(k)) for k in missing):
                settings = json.dumps(self.cells[key], allow_nan=False)
                write_netcdf(found.assign_attrs(settings=settings), self.path(key))
                self._done[key] = found
                bar.set_postfix_str(" ".join(map(str, key)))
                bar.update()
        return self

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

    The labels of a dimension stand in the order in which the keys name them. What no cell has is NaN, or "" where it
    is text; attributes of a variable are those of the first cell that has it. `title`, `config` and `references` are
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
    for key, cell in cells.items():
        place = tuple(axes[dim].index(part) for dim, part in zip(dims, key, strict=True))
        for name, array in cell.data_vars.items():
            kind, gap = (object, "") if array.dtype.kind in "UO" else (float, np.nan)
            if name not in found:
                values = np.full((*shape, *array.shape), gap, dtype=kind)
                found[name] = xr.DataArray(values, dims=(*dims, *array.dims), attrs=array.attrs)
            found[name].values[place] = array.values.astype(kind)[()]
        coords = {**cell.coords, **coords}
    labels = {dim: xr.DataArray(axis, dims=dim, attrs={"units": "1", "long_name": dim}) for dim, axis in axes.items()}
    about = dataset({}, {}, title=title, config=config, references=references).attrs
    return xr.Dataset(found, {**coords, **labels}, about)


def _shared(make: Callable[[Key], xr.Dataset], keys: Sequence[Key], workers: int) -> Iterator[tuple[Key, xr.Dataset]]:
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        waiting = {pool.submit(make, key): key for key in keys}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _changes(had: object, have: object, name: str = "settings") -> Iterator[str]:
    """What differs between two settings, one line an entry."""
    if isinstance(had, dict) and isinstance(have, dict):
        for key in {**had, **have}:
            yield from _changes(had.get(key), have.get(key), key)
    elif had != have:
        yield f"{name} {had}, now {have}"
