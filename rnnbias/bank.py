"""Many named sets of learned numbers over one frozen network: a task is switched, not learned again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from systems.labels import Labelled, dataset

__all__ = ["Bank"]


class Bank(Mapping[str, dict[str, Tensor]]):
    """Named sets of a network's learned numbers; the frozen arrays are shared and stored by none.

    A set is kept by `store`, put into the network by `use`, and lent to it by `using`, which gives back what was there
    before. Every exchange checks the digests of the frozen arrays, so a set never meets weights it was not made for.
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

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._frozen = network.digests()
        self._sets: dict[str, dict[str, Tensor]] = {}
        self.store("start")

    def store(self, name: str, source: nn.Module | None = None) -> None:
        """Keep a copy of the network's present numbers under `name`, over any older one.

        With `source`, the numbers of another network that has the same frozen arrays.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a word, got {name!r}")
        source = self.network if source is None else source
        self._check(source)
        self._sets[name] = _present(source)

    def use(self, name: str) -> nn.Module:
        """Put the numbers called `name` into the network; returns it."""
        self._check()
        self._put(self[name])
        return self.network

    @contextmanager
    def using(self, name: str) -> Iterator[nn.Module]:
        """Lend the numbers called `name` to the network for a `with` block."""
        before = _present(self.network)
        try:
            yield self.use(name)
        finally:
            self._put(before)

    def to_dataset(self) -> xr.Dataset:
        """The bias of every unit under every set: `bias` (task, unit)."""
        biases = []
        for name in self:
            with self.using(name) as network, torch.no_grad():
                biases.append(network.biases.cpu().numpy().copy())
        return dataset(
            {"bias": Labelled(("task", "unit"), np.stack(biases), "1", "bias")},
            {"task": Labelled("task", list(self), "1", "task")},
            title="biases of one frozen network",
            config={"seed": self.network.recipe.seed, "frozen": self._frozen},
        )

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

    def _check(self, network: nn.Module | None = None) -> None:
        now = (self.network if network is None else network).digests()
        moved = [name for name in self._frozen if now.get(name) != self._frozen[name]]
        if moved or len(now) != len(self._frozen):
            named = ", ".join(moved) or "arrays"
            raise RuntimeError(f"the frozen {named} must be those that the bank was made with, but they differ")


def _present(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}
