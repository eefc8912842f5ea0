"""Fits as netCDF files: the recipe, the learned numbers and digests; the frozen arrays are drawn again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from rnnbias import solvers
from rnnbias.framing import OUTPUTS, Frame
from rnnbias.networks import LEARNABLE, RNN
from rnnbias.recordings import Recording
from rnnbias.weights import Recipe, digest
from systems import checks
from systems.labels import Labelled, dataset

if TYPE_CHECKING:
    from rnnbias.fit import Fit

__all__ = ["configuration", "describe", "load", "save", "write_netcdf"]

_FORMAT = "rnnbias fit 1"
_MOST_UNITS, _MOST_STATES = 10**5, 10**4
_LEARNED_DIMS = {
    "recurrent": ("row", "unit"),
    "input": ("row", "state"),
    "readout": ("output", "row"),
    "bias": ("row",),
    "gain": ("unit",),
    "mask": ("unit",),
    "initial": ("unit",),
}


def configuration(fit: Fit) -> dict[str, object]:
    """Everything that rebuilds a fit but its learned numbers, as plain numbers, strings, lists and dicts."""
    network, about = fit.network, fit.recording
    return {
        "seed": network.recipe.seed,
        "network": {
            "units": network.units,
            "inputs": network.inputs,
            "outputs": network.outputs,
            "learn": list(network.learn),
            "activation": network.activation,
            "alpha": network.alpha,
            "beta": network.beta,
            "recipe": _plain(network.recipe.to_dict()),
        },
        "learned": network.learned,
        "output": fit.frame.output,
        "horizon": fit.frame.horizon,
        "recording": {
            "name": about.name,
            "dt": about.dt,
            "states": list(about.states),
            "state_units": list(about.state_units),
            "time_units": about.time_units,
            "unit": about.unit,
            "unit_name": about.unit_name,
        },
        "solver": _plain(fit.solver.to_dict()),
        "settings": fit.settings,
    }


def _plain(settings: dict[str, object]) -> dict[str, object]:
    """Turn numpy's numbers into Python's, which JSON can hold."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in settings.items()}


def describe(fit: Fit) -> xr.Dataset:
    """A fit as one labelled Dataset; what `save` writes."""
    network, frame = fit.network, fit.frame
    learned = {name: p.detach().cpu().numpy() for name, p in network.named_parameters()}
    states = list(fit.recording.states)
    variables = {
        f"learned_{name}": Labelled(_LEARNED_DIMS[name], value, "1", f"learned {name}")
        for name, value in learned.items()
    }
    variables["unit_bias"] = Labelled("unit", network.biases.detach().cpu().numpy(), "1", "bias of each unit")
    for name, text in (
        ("mean", "training mean"),
        ("scale", "training standard deviation"),
        ("step_mean", "mean of the normalised step"),
        ("step_scale", "standard deviation of the normalised step"),
    ):
        variables[name] = Labelled("state", getattr(frame, name), "1", text)
    ds = dataset(
        variables,
        {"state": Labelled("state", states, "1", "state")},
        title=f"fit of {fit.recording.name}",
        config=configuration(fit),
        references="Williams et al., ICLR 2025 (arXiv:2407.00957)",
    )
    history = fit.history.rename({name: f"history_{name}" for name in fit.history.data_vars})
    ds = ds.merge(history, combine_attrs="override")
    digests = {"frozen": network.digests(), "stored": _stored(ds)}
    return ds.assign_attrs(format=_FORMAT, digests=json.dumps(digests))


def _stored(ds: xr.Dataset) -> dict[str, str]:
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save(fit: Fit, path: str | Path) -> Path:
    """Write a fit; see `Fit.save`."""
    return write_netcdf(describe(fit), path)


def load(path: str | Path, device: str | torch.device = "cpu") -> Fit:
    """Read a fit that `Fit.save` wrote: draw its frozen arrays again and check every digest.

    Nothing in the file is executed. Raises FileNotFoundError where there is no file and ValueError where the
    file is truncated, altered, not a fit, or asks for an impossible network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must name a file, got {str(path)!r}")
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as opened:
            if opened.nbytes > path.stat().st_size:
                raise ValueError("it declares more numbers than it holds")
            ds = opened.load()
    except Exception as error:
        raise ValueError(f"{str(path)!r} is not a readable netCDF-4 file ({error})") from error
    if ds.attrs.get("format") != _FORMAT:
        raise ValueError(f"{str(path)!r} is not a fit: format must be {_FORMAT!r}, got {ds.attrs.get('format')!r}")
    try:
        return _rebuild(ds, device)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is damaged or was altered: {error}") from error


def _rebuild(ds: xr.Dataset, device: str | torch.device) -> Fit:
    from rnnbias.fit import Fit  # fit imports files

    config, digests = json.loads(ds.attrs["config"]), json.loads(ds.attrs["digests"])
    found, wanted = _stored(ds), digests["stored"]
    for name in {**wanted, **found}:
        if found.get(name) != wanted.get(name):
            raise ValueError(f"the digest of {name} does not match")
    net, about = dict(config["network"]), dict(config["recording"])
    checks.whole("units", net["units"], at_least=1, at_most=_MOST_UNITS)
    states = checks.whole("inputs", net["inputs"], at_least=1, at_most=_MOST_STATES)
    if not states == net["outputs"] == len(about["states"]) == len(about["state_units"]):
        raise ValueError("the numbers of states disagree")
    learn = [checks.choice("learn", name, LEARNABLE) for name in net["learn"]]
    for name, shape in _shapes(net, learn).items():
        checks.array(name, ds[f"learned_{name}"].values, shape=shape)
    network = RNN(**{**net, "recipe": Recipe(**net["recipe"]), "device": device})
    for name, parameter in network.named_parameters():
        parameter.data.copy_(torch.from_numpy(ds[f"learned_{name}"].values))
    if network.digests() != digests["frozen"]:
        raise ValueError("the digests of the frozen arrays do not match those of the arrays drawn again")
    statistics = [checks.array(n, ds[n].values, shape=(states,)) for n in ("mean", "scale", "step_mean", "step_scale")]
    if min(statistics[1].min(), statistics[3].min()) <= 0:
        raise ValueError("scale and step_scale must be positive")
    frame = Frame(
        *statistics,
        checks.choice("output", config["output"], OUTPUTS),
        checks.whole("horizon", config["horizon"], at_least=1),
    )
    recording = Recording(
        values=np.empty((0, 0, states)),
        dt=checks.number("dt", about["dt"], above=0),
        states=tuple(about["states"]),
        state_units=tuple(about["state_units"]),
        time_units=str(about["time_units"]),
        unit=checks.number("unit", about["unit"], above=0),
        unit_name=str(about["unit_name"]),
        name=str(about["name"]),
    )
    settings = dict(config["solver"])
    kind = checks.choice("solver", settings.pop("name"), ("Adam", "LevenbergMarquardt", "Ridge"))
    history = ds[[name for name in ds.data_vars if str(name).startswith("history_")]]
    history = history.rename({name: str(name).removeprefix("history_") for name in history.data_vars})
    history = history.drop_vars([name for name in history.coords if name != "iteration"])
    return Fit(network, frame, recording, getattr(solvers, kind)(**settings), history, dict(config["settings"]))


def _shapes(net: dict[str, object], learn: list[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of the learned arrays, known before anything is allocated."""
    units, inputs, outputs = net["units"], net["inputs"], net["outputs"]
    rows = units // Recipe(**net["recipe"]).units_per_row
    shapes = {
        "bias": {"bias": (rows,)},
        "gain": {"gain": (units,)},
        "mask": {"mask": (units,)},
        "readout": {"readout": (outputs, rows)},
        "initial": {"initial": (units,)},
        "weights": {"recurrent": (rows, units), "input": (rows, inputs)},
    }
    return {name: shape for part in learn for name, shape in shapes[part].items()}
