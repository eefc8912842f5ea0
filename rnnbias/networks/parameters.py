"""The learned numbers of a network as one vector, in the order of `network.parameters()`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["read", "write"]


def read(network: nn.Module) -> Tensor:
    """A copy of the learned numbers, (learned,)."""
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@torch.no_grad()
def write(network: nn.Module, numbers: Tensor) -> None:
    """Put `numbers` (learned,) into the network."""
    parameters = list(network.parameters())
    for parameter, part in zip(parameters, numbers.split([p.numel() for p in parameters]), strict=True):
        parameter.copy_(part.view_as(parameter))
