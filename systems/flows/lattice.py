"""Lattices: sites side by side, each of which depends on its neighbours by one law."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from systems import checks

__all__ = ["BOUNDARIES", "Lattice"]

#: What may be beyond the ends.
BOUNDARIES = ("periodic", "edge", "zero")


@dataclass(frozen=True)
class Lattice:
    """Sites in a row that obey one law, dx_i/dt = f(x_{i-before}, ..., x_i, ..., x_{i+after}).

    Parameters
    ----------
    before, after : int
        How many sites to either side each site depends on.
    boundary : str
        What is beyond the ends: "periodic", the other end; "edge", the last site again (no flux); "zero", nothing,
        which for standardised values is their mean.

    Raises ValueError or TypeError, naming the argument, for counts below 0 and unknown boundaries.

    >>> Lattice(1, 1).gather(torch.tensor([10.0, 20.0, 30.0]))
    tensor([[30., 10., 20.],
            [10., 20., 30.],
            [20., 30., 10.]])
    """

    before: int
    after: int
    boundary: str = "periodic"

    def __post_init__(self) -> None:
        checks.whole("before", self.before, at_least=0)
        checks.whole("after", self.after, at_least=0)
        checks.choice("boundary", self.boundary, BOUNDARIES)

    def __str__(self) -> str:
        return f"{self.before} neighbours before and {self.after} after, boundary {self.boundary}"

    @property
    def width(self) -> int:
        """How many sites one site sees, itself among them."""
        return self.before + 1 + self.after

    def check(self, sites: int) -> None:
        """Raise ValueError where a neighbourhood does not fit into so many sites."""
        if self.width > sites:
            raise ValueError(f"lattice must see at most all {sites} sites, got {self.width}: {self}")

    def gather(self, values: Tensor) -> Tensor:
        """The neighbourhood of every site, in order: (..., site) -> (..., site, width)."""
        sites = values.shape[-1]
        padded = torch.cat([values, torch.zeros_like(values[..., :1])], -1) if self.boundary == "zero" else values
        return padded[..., _seen(self, sites)]

    def spread(self, local: Tensor) -> Tensor:
        """Derivatives by the neighbourhood of every site as derivatives by all sites: (..., site, width) ->
        (..., site, site); of local weights, the matrix that has them on its diagonals.
        """
        sites = local.shape[-2]
        matrix = local.new_zeros(*local.shape[:-1], sites + 1)
        matrix.scatter_add_(-1, torch.from_numpy(_seen(self, sites)).to(local.device).expand(local.shape), local)
        return matrix[..., :sites]

    def to_dict(self) -> dict[str, int | str]:
        """Return the lattice as plain numbers and strings; `Lattice(**d)` rebuilds it."""
        return asdict(self)


@cache
def _seen(lattice: Lattice, sites: int) -> np.ndarray:
    """Which sites every site sees, (site, width); the number of sites stands for nothing."""
    at = np.arange(sites)[:, None] + np.arange(-lattice.before, lattice.after + 1)
    if lattice.boundary == "periodic":
        return at % sites
    return at.clip(0, sites - 1) if lattice.boundary == "edge" else np.where((at < 0) | (at >= sites), sites, at)
