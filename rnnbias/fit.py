"""`Fit`: a learned network, how it was learned, and how it is kept; `load` reads one back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr

from rnnbias.networks.circuit import rows
from rnnbias.solvers import Solver
from rnnbias.storage import checkpoint, netcdf
from systems import checks
from systems.connectomes import Connectome
from systems.labels import Labelled, dataset

__all__ = ["FORM", "Fit", "load"]

FORM = "rnnbias fit 2"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Fit(ABC):
    """A learned network.

    A kind of fit is a subclass that says what was learned (`about`, `arrays`), can be rebuilt from that (`revive`), and
    can be scored on what it has not seen (`score`); it is a frozen dataclass with keywords only. Fits are equal
    where all that would be saved is, but for the time that it took.

    Attributes
    ----------
    network : Network
        The torch module; frozen weights are its buffers, trainable numbers its parameters.
    solver : Solver
        What found the learned numbers.
    history : xarray.Dataset
        One entry per iteration: loss, held-out loss and what else was recorded.
    settings : dict
        The remaining arguments of the fit.
    """

    network: Any
    solver: Solver
    history: xr.Dataset
    settings: dict[str, Any]

    #: The word that names this kind of fit in files.
    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type[Fit]]] = {}

    def __init_subclass__(cls) -> None:
        Fit.kinds[cls.kind] = cls
        for name in ("__eq__", "__hash__", "__repr__"):  # so that a plain dataclass decorator leaves them
            setattr(cls, name, getattr(cls, name))

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of what was learned."""

    @abstractmethod
    def about(self) -> dict[str, object]:
        """What was learned, as plain numbers, strings, lists and dicts."""

    def arrays(self) -> dict[str, Labelled]:
        """Arrays that belong to the fit beside the learned numbers; one called like its dimension is a coordinate.

        "frozen_NAME" is the frozen array NAME of a network that has others than its recipe draws.
        """
        return {}

    @classmethod
    @abstractmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """Rebuild a fit from `about`, a Dataset with its `arrays` and the fields of `Fit`; refuse the impossible."""

    @abstractmethod
    def score(self, *args: Any, **kwargs: Any) -> xr.Dataset:
        """How good the fit is on data that it has not seen; the count of parameters is in `attrs["learned"]`."""

    @property
    def learned(self) -> int:
        """How many parameters were learned."""
        return self.network.learned

    def configuration(self) -> dict[str, object]:
        """Everything that rebuilds the fit but its arrays, as plain numbers, strings, lists and dicts."""
        return {
            "kind": self.kind,
            "seed": self.network.recipe.seed,
            "network": self.network.to_dict(),
            "learned": self.network.learned,
            "about": self.about(),
            "solver": _plain(self.solver.to_dict()),
            "settings": self.settings,
        }

    def to_dataset(self) -> xr.Dataset:
        """The learned numbers, the history and the whole configuration as one Dataset."""
        network, found = self.network, self.arrays()
        variables = {
            f"learned_{name}": Labelled(network.dims[name], p.detach().cpu().numpy(), "1", f"learned {name}")
            for name, p in network.named_parameters()
        }
        variables["unit_bias"] = Labelled("unit", network.biases.detach().cpu().numpy(), "1", "bias of each unit")
        coords = {name: item for name, item in found.items() if item.dims == name}
        ds = dataset(
            {**variables, **{name: item for name, item in found.items() if name not in coords}},
            coords,
            title=f"fit of {self.name}",
            config=self.configuration(),
            references="Williams et al., ICLR 2025 (arXiv:2407.00957)",
        )
        history = self.history.rename({name: f"history_{name}" for name in self.history.data_vars})
        ds = ds.merge(history, combine_attrs="override")
        return checkpoint.stamped(ds, network, FORM)

    def save(self, path: str | Path) -> Path:
        """Write the fit to a netCDF file: recipe, learned numbers and digests, never the frozen matrices.

        The file appears whole or not at all. `rnnbias.load(path)` reads it back.
        """
        return netcdf.write_netcdf(self.to_dataset(), path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fit) and self._digests() == other._digests()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._digests().items())))

    def _digests(self) -> dict[str, str]:
        stored = self.to_dataset().drop_vars("history_seconds", errors="ignore")
        return {**self.network.digests(), **netcdf.digests(stored)}

    def __repr__(self) -> str:
        last = self.history.held_out_loss.values
        if "stage" in self.history:
            last = last[self.history.stage.values == self.history.stage.values[-1]]
        held = float(np.fmin.reduce(last, initial=np.inf))
        return (
            f"<{type(self).__name__} of {self.name!r}: {self.network.units} units, {self.network.learned} learned "
            f"numbers ({', '.join(self.network.learn)}), {type(self.solver).__name__}, held-out loss {held:.2e}>"
        )


def load(path: str | Path, device: str | torch.device = "cpu", *, connectome: Connectome | None = None) -> Fit:
    """Read a fit that `Fit.save` wrote: draw its frozen arrays again and check every digest.

    A fit that was saved without its connectome needs it as `connectome`.

    Nothing in the file is executed. Raises FileNotFoundError where there is no file and ValueError where the
    file is truncated, altered, not a fit, or asks for an impossible network.
    """
    given = {} if connectome is None else rows(connectome)
    return checkpoint.read(path, FORM, lambda ds, config, frozen: _rebuild(ds, config, frozen, device, given))


def _rebuild(
    ds: xr.Dataset, config: dict, frozen: dict, device: str | torch.device, given: Mapping[str, np.ndarray]
) -> Fit:
    kind = Fit.kinds[checks.choice("kind", config["kind"], Fit.kinds)]
    network = checkpoint.draw(config["network"], ds, frozen, device, given)
    solver = dict(config["solver"])
    make = Solver.known[checks.choice("solver", solver.pop("name"), Solver.known)]
    history = ds[[name for name in ds.data_vars if str(name).startswith("history_")]]
    history = history.rename({name: _history_name(str(name)) for name in history.data_vars})
    return kind.revive(
        config["about"],
        ds,
        network=network,
        solver=make(**solver),
        history=history.drop_vars([name for name in history.coords if name != "iteration"]),
        settings=dict(config["settings"]),
    )


def _history_name(name: str) -> str:
    """The name in `Fit.history`; older files have the terms of a loss as TERM_loss, now loss_TERM."""
    name = name.removeprefix("history_")
    term = name.removesuffix("_loss")
    return name if term in (name, "held_out") else f"loss_{term}"


def _plain(settings: dict[str, object]) -> dict[str, object]:
    """Turn numpy's numbers into Python's, which JSON can hold."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in settings.items()}
