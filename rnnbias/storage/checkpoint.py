"""Networks in files: their settings, learned numbers and digests, never the frozen matrices, which are drawn again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.networks import NETWORKS, Network
from rnnbias.storage import netcdf
from systems import checks
from systems.labels import Labelled

__all__ = ["altered", "draw", "numbers", "read", "stamped"]

T = TypeVar("T")


def stamped(ds: xr.Dataset, network: Network, form: str) -> xr.Dataset:
    """`ds` with the name of its form, and the digests of all that it holds and of the network's frozen arrays."""
    digests = {"frozen": network.digests(), "stored": netcdf.digests(ds)}
    return ds.assign_attrs(format=form, digests=json.dumps(digests))


def read(path: str | Path, form: str, rebuild: Callable[[xr.Dataset, dict, dict], T]) -> T:
    """Read a file of this form: check its digests and return `rebuild(dataset, configuration, frozen digests)`.

    Nothing in the file is executed. Raises FileNotFoundError where there is no file, and ValueError, naming it, where
    it has another form, is truncated or altered, or `rebuild` fails.
    """
    ds = netcdf.read_netcdf(path)
    if ds.attrs.get("format") != form:
        raise ValueError(
            f"{str(path)!r} is not a {form.split()[1]} of this version: format must be {form!r}, got "
            f"{ds.attrs.get('format')!r}"
        )
    try:
        config, digests = json.loads(ds.attrs["config"]), json.loads(ds.attrs["digests"])
        found, wanted = netcdf.digests(ds), digests["stored"]
        for name in {**wanted, **found}:
            if found.get(name) != wanted.get(name):
                raise ValueError(f"the digest of {name} does not match")
        return rebuild(ds, config, digests["frozen"])
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is damaged or was altered: {error}") from error


def draw(
    settings: dict[str, object],
    ds: xr.Dataset,
    frozen: dict[str, str],
    device: str | torch.device = "cpu",
    given: Mapping[str, np.ndarray] | None = None,
) -> Network:
    """The network of these settings (`Network.to_dict`) with the learned numbers "learned_NAME" of `ds`.

    Its frozen arrays are drawn again, or taken from `given` or from "frozen_NAME" where there is such an array, and
    must have the digests `frozen`.
    """
    settings = dict(settings)
    make = NETWORKS[checks.choice("network", settings.pop("network"), NETWORKS)]
    found = numbers(ds, make.shapes(settings))  # before anything is allocated
    stored = {str(name).removeprefix("frozen_"): ds[name].values for name in ds if str(name).startswith("frozen_")}
    network = make.rebuilt(settings, {**stored, **(given or {})}, device)
    for name, parameter in network.named_parameters():
        parameter.data.copy_(found[name])
    if network.digests() != frozen:
        raise ValueError("the digests of the frozen arrays do not match those of the arrays drawn again")
    return network


def numbers(ds: xr.Dataset, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The learned numbers "learned_NAME" of `ds`, each of its shape."""
    return {
        name: torch.from_numpy(checks.array(name, ds[f"learned_{name}"].values, shape=tuple(shape)))
        for name, shape in shapes.items()
    }


def altered(network: Network) -> dict[str, Labelled]:
    """The frozen arrays that are not as the recipe draws them, as "frozen_NAME": they learned once."""
    drawn, now = network.redrawn().digests(), network.digests()
    return {
        f"frozen_{name}": Labelled(network.dims[name], buffer.cpu().numpy(), "1", f"frozen {name}")
        for name, buffer in network.named_buffers()
        if now[name] != drawn[name]
    }
