"""Activations with the derivative that the Jacobian needs, both as functions of the pre-activation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["ACTIVATIONS", "Activation"]


_LINEAR = 40.0  # beyond which log(1 + e^u) is u to the last digit; torch's own 20 leaves an error of 2e-9


class Activation(NamedTuple):
    """phi(u) and phi'(u), and whether a low enough bias silences a unit: phi(u) = 0 below some u."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    silent: bool = False


def _sigmoid_slope(u: Tensor) -> Tensor:
    s = torch.sigmoid(u)
    return s * (1 - s)


#: The names that `activation=` takes. Only "relu" meets the condition of the theorem (Williams et al. 2025,
#: Definition 3: silent below a threshold); "tanh" forecasts smooth systems best.
ACTIVATIONS = {
    "tanh": Activation(torch.tanh, lambda u: 1 - torch.tanh(u) ** 2),
    "relu": Activation(torch.relu, lambda u: (u > 0).to(u.dtype), silent=True),
    "softplus": Activation(partial(functional.softplus, threshold=_LINEAR), torch.sigmoid),
    "sigmoid": Activation(torch.sigmoid, _sigmoid_slope),
}
