"""netCDF files that are whole or absent, and whose every array can be checked by its digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import xarray as xr

from rnnbias.weights import digest

__all__ = ["digests", "read_netcdf", "write_netcdf"]


def digests(ds: xr.Dataset) -> dict[str, str]:
    """SHA-256 of everything that a file holds: each array, and the configuration."""
    arrays = {str(name): digest(array.values) for name, array in ds.data_vars.items()}
    return {**arrays, "config": hashlib.sha256(ds.attrs["config"].encode()).hexdigest()}


def write_netcdf(ds: xr.Dataset, path: str | Path) -> Path:
    """Write `ds` so that the file appears whole or not at all."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that exists, got {str(path)!r}")
    if path.is_dir():
        raise IsADirectoryError(f"path must name a file, got the folder {str(path)!r}")
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        ds.to_netcdf(part, engine="h5netcdf")
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return path


def read_netcdf(path: str | Path) -> xr.Dataset:
    """Read a file into memory and close it; raises FileNotFoundError or ValueError, naming the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must name a file, got {str(path)!r}")
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as opened:
            if opened.nbytes > path.stat().st_size:
                raise ValueError("it declares more numbers than it holds")
            return opened.load()
    except Exception as error:
        raise ValueError(f"{str(path)!r} is not a readable netCDF-4 file ({error})") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
