"""Learned numbers in the forms that users have them in, and what a network with them is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.networks import Network, parameters
from systems import checks

__all__ = ["Numbers", "as_number", "evaluated", "vector"]

#: Learned numbers: a network that holds them, an entry of a `Bank`, or the vector itself.
Numbers = Network | Mapping[str, Tensor] | ArrayLike


def vector(name: str, value: Numbers, network: Network) -> Tensor:
    """Return learned numbers as a vector like the network's own."""
    own = parameters.read(network)
    if isinstance(value, Network):
        if value.digests() != network.digests():
            raise ValueError(f"{name} must have the frozen arrays of the network, got others")
        return parameters.read(value)
    if isinstance(value, Mapping):
        names = [part for part, _ in network.named_parameters()]
        if sorted(value) != sorted(names):
            raise ValueError(f"{name} must have the numbers {names}, got {sorted(value)}")
        value = torch.cat([value[part].detach().flatten() for part in names])
    plain = value.detach().cpu() if isinstance(value, Tensor) else getattr(value, "values", value)
    return torch.as_tensor(checks.array(name, plain, shape=own.shape)).to(own)


def evaluated(evaluate: Callable[[Network], float], network: Network) -> float:
    """What `evaluate` makes of the network: one real number, or NaN."""
    return as_number(evaluate(network))


def as_number(found: Any) -> float:
    """Return what an `evaluate` found as a float; refuse all but one real number."""
    if np.ndim(found) or not np.isrealobj(found):
        raise TypeError(f"evaluate must return a number, got {found!r}")
    return float(found)
