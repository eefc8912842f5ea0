"""Many named sets of learned numbers over one frozen network: a task is switched, not learned again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.networks import Network
from rnnbias.storage import checkpoint, netcdf
from systems.labels import Labelled, dataset

__all__ = ["Bank"]

_FORM = "rnnbias bank 1"


class Bank(Mapping[str, dict[str, Tensor]]):
    """Named sets of a network's learned numbers; the frozen arrays are shared and stored by none.

    A set is kept by `store`, put into the network by `use`, and lent to it by `using`, which gives back what was there
    before; `save` and `load` keep them all in one file. Every exchange checks the digests of the frozen arrays, so a
    set never meets weights it was not made for.
    The set "start" holds the numbers that the network had when the bank was made.

    Parameters
    ----------
    network : RNN or FNN
        Any module whose learned parts are parameters and whose frozen ones are buffers, with `digests()`.

    Raises KeyError for a name that is not stored, and ValueError for an empty name.

    >>> from rnnbias import RNN
    >>> bank = Bank(RNN(6, 1, 1))
    >>> _ = torch.nn.init.ones_(bank.network.bias)
    >>> bank.store("moved")
    >>> with bank.using("start") as network:
    ...     network.bias.sum().item()
    0.0
    >>> bank.network.bias.sum().item(), list(bank)
    (3.0, ['start', 'moved'])
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._frozen = network.digests()
        self._sets: dict[str, dict[str, Tensor]] = {}
        self.store("start")

    def store(self, name: str, source: Network | None = None) -> None:
        """Keep a copy of the network's present numbers under `name`, over any older one.

        With `source`, the numbers of another network that has the same frozen arrays.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a word, got {name!r}")
        source = self.network if source is None else source
        self._check(source)
        self._sets[name] = _present(source)

    def use(self, name: str) -> Network:
        """Put the numbers called `name` into the network; returns it."""
        self._check()
        self._put(self[name])
        return self.network

    @contextmanager
    def using(self, name: str) -> Iterator[Network]:
        """Lend the numbers called `name` to the network for a `with` block."""
        before = _present(self.network)
        try:
            yield self.use(name)
        finally:
            self._put(before)

    def to_dataset(self) -> xr.Dataset:
        """All sets as one Dataset: the `bias` (task, unit) of every unit, and `learned_NAME` (task, ...)."""
        network, biases = self.network, []
        for name in self:
            with self.using(name), torch.no_grad():
                biases.append(network.biases.cpu().numpy().copy())
        variables = {"bias": Labelled(("task", "unit"), np.stack(biases), "1", "bias")}
        for part, _ in network.named_parameters():
            values = np.stack([numbers[part].cpu().numpy() for numbers in self.values()])
            variables[f"learned_{part}"] = Labelled(("task", *network.dims[part]), values, "1", f"learned {part}")
        ds = dataset(
            variables | checkpoint.altered(network),
            {"task": Labelled("task", list(self), "1", "task")},
            title="numbers learned over one frozen network",
            config={"seed": network.recipe.seed, "network": network.to_dict()},
        )
        return checkpoint.stamped(ds, network, _FORM)

    def save(self, path: str | Path) -> Path:
        """Write all sets to a netCDF file: recipe, learned numbers and digests, never the frozen matrices.

        The file appears whole or not at all. `Bank.load(path)` reads it back.
        """
        return netcdf.write_netcdf(self.to_dataset(), path)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Bank:
        """Read a bank that `save` wrote: draw its frozen arrays again and check every digest.

        Nothing in the file is executed. The network comes with the numbers of the first set. Raises FileNotFoundError
        where there is no file, and ValueError where the file is truncated, altered or no bank.
        """

        def rebuild(ds: xr.Dataset, config: dict, frozen: dict) -> Bank:
            sets = {str(name): ds.isel(task=k) for k, name in enumerate(ds["task"].values)}
            if len(sets) < ds.sizes["task"] or not all(sets):
                raise ValueError(f"task must name every set in its own way, got {ds['task'].values.tolist()}")
            bank = cls(checkpoint.draw(config["network"], next(iter(sets.values())), frozen, device))
            like = dict(bank.network.named_parameters())
            shapes = {part: p.shape for part, p in like.items()}
            bank._sets = {
                name: {part: n.to(like[part]) for part, n in checkpoint.numbers(one, shapes).items()}
                for name, one in sets.items()
            }
            return bank

        return checkpoint.read(path, _FORM, rebuild)

    def __getitem__(self, name: str) -> dict[str, Tensor]:
        if name not in self._sets:
            raise KeyError(f"name must be one of {', '.join(map(repr, self))}, got {name!r}")
        return {part: numbers.clone() for part, numbers in self._sets[name].items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    def _put(self, numbers: dict[str, Tensor]) -> None:
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(numbers[name])

    def _check(self, network: Network | None = None) -> None:
        now = (self.network if network is None else network).digests()
        moved = [name for name in self._frozen if now.get(name) != self._frozen[name]]
        if moved or len(now) != len(self._frozen):
            named = ", ".join(moved) or "arrays"
            raise RuntimeError(f"the frozen {named} must be those that the bank was made with, but they differ")


def _present(network: Network) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}
