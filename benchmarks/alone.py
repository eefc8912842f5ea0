"""Measurements in a process of their own."""

from __future__ import annotations

import resource
from collections.abc import Callable
from multiprocessing import get_context

import torch

__all__ = ["alone", "peak"]


def alone(measure: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """What `measure` returns in a process of its own, of one thread, so that memory is that of this alone."""
    with get_context("spawn").Pool(1, torch.set_num_threads, [1]) as pool:
        return pool.apply(measure, arguments)


def peak() -> float:
    """The largest memory of this process so far (GiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
