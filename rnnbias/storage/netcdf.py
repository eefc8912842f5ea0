"""netCDF files that are whole or absent, and that end with the SHA-256 of everything before it.

The checksum stands after the end of the HDF5 data, where every reader ignores it, and it is verified before a library
parses the file: a single flipped bit can make HDF5 hang. `head -c -98 FILE | sha256sum` computes it again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import xarray as xr

from rnnbias.networks.recipe import digest

__all__ = ["digests", "read_netcdf", "seal", "write_netcdf"]

_SEAL = b"\nSHA-256 of all before this line: "


def digests(ds: xr.Dataset) -> dict[str, str]:
    """SHA-256 of everything that a file holds: each array, and the configuration."""
    arrays = {str(name): digest(array.values) for name, array in ds.data_vars.items()}
    return {**arrays, "config": hashlib.sha256(ds.attrs["config"].encode()).hexdigest()}


def write_netcdf(ds: xr.Dataset, path: str | Path) -> Path:
    """Write `ds` so that the file appears whole or not at all, with its checksum at the end."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that exists, got {str(path)!r}")
    if path.is_dir():
        raise IsADirectoryError(f"path must name a file, got the folder {str(path)!r}")
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        ds.to_netcdf(part, engine="h5netcdf")
        seal(part)
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return path


def seal(path: str | Path) -> None:
    """Append the SHA-256 of a file to it."""
    checksum = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    with open(path, "ab") as file:
        file.write(_SEAL + checksum.encode())


def read_netcdf(path: str | Path) -> xr.Dataset:
    """Read a file into memory and close it; raises FileNotFoundError or ValueError, naming the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must name a file, got {str(path)!r}")
    data, mark, checksum = path.read_bytes().rpartition(_SEAL)
    if not mark or hashlib.sha256(data).hexdigest().encode() != checksum:
        raise ValueError(
            f"{str(path)!r} was truncated, altered or not written by rnnbias: it must end with the SHA-256 of all "
            "before"
        )
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
