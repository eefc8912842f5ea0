"""Where tensors live."""

from __future__ import annotations

import torch

from systems import checks

__all__ = ["find_device"]


def find_device(device: str | torch.device) -> torch.device:
    """Return the device meant; refuse one that torch does not know or does not see."""
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be one that torch knows: 'cpu' or 'cuda', got {device!r}") from error
    checks.choice("device", found.type, ("cpu", "cuda"))
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' must be available, but torch sees no CUDA device")
    return found
