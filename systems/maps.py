"""Maps x -> F(x) of states (batch, n), each row by itself: their orbits, Jacobians and growth of tangents.

Derivatives are torch's and exact; they leave no trace on the parameters of a network inside the map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks
from systems.integrate import rk4_step

__all__ = ["Growth", "Map", "flow", "frame", "growth", "jacobian", "lost", "orbit", "prepare", "push"]

#: States (batch, n) to states (batch, n), each row by itself, differentiable by torch.
Map = Callable[[Tensor], Tensor]

_MOST_NUMBERS = 2**25  # of tangents pushed at once


class Growth(NamedTuple):
    """One step of an orbit with tangents: states (batch, n), an orthonormal frame (batch, n, count), and the logarithms
    (batch, count) by which the step stretched the frame, after Gram and Schmidt."""

    states: Tensor
    frame: Tensor
    stretch: Tensor


def prepare(step: Map, start: Tensor | ArrayLike, name: str = "start") -> Tensor:
    """Return `start` as states that `step` maps row by row; refuse anything else.

    Parameters
    ----------
    step : Map
        The map.
    start : array or torch.Tensor (batch, n)
        Where to start.
    name : str
        What errors call it.

    Returns
    -------
    torch.Tensor (batch, n)
        A floating-point tensor keeps its type and device, all else becomes float64.

    Raises
    ------
    TypeError, ValueError
        Where the states are not real, finite and (batch, n), or the map changes their shape or type or mixes the rows.
    """
    tensor = start.detach() if isinstance(start, Tensor) else None
    array = checks.array(name, start if tensor is None else tensor.cpu(), ndim=2)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    x = tensor if tensor is not None and tensor.is_floating_point() else torch.as_tensor(array)
    with torch.no_grad():
        y = step(x)
        if not isinstance(y, Tensor):
            raise TypeError(f"step must return a tensor, got {type(y).__name__}")
        if y.shape != x.shape or y.dtype != x.dtype:
            raise ValueError(
                f"step must keep the shape {tuple(x.shape)} and {x.dtype}, got {tuple(y.shape)} and {y.dtype}"
            )
        if not torch.allclose(step(x[:1]), y[:1], rtol=1e-3, atol=1e-5, equal_nan=True):
            raise ValueError("step must map each row by itself, got another first row when it was alone")
    return x


def flow(field: Callable[[float, Tensor], Tensor], t: float, dt: float, steps: int, x: Tensor) -> Tensor:
    """Follow dx/dt = field(t, x) from t to t + dt in equal steps of the classical fourth-order Runge-Kutta method.

    Parameters
    ----------
    field : callable
        dx/dt at (t, x), of the shape of x.
    t, dt : float
        Start and duration.
    steps : int
        How many.
    x : torch.Tensor
        The state at t.

    Returns
    -------
    torch.Tensor
        The state at t + dt.

    >>> flow(lambda t, x: -x, 0.0, 1.0, 10, torch.ones(1, 1, dtype=torch.float64)).item()  # exp(-1) = 0.367879
    0.3678797744124984
    """
    h = dt / steps
    for k in range(steps):
        x = rk4_step(field, t + k * h, x, h)
    return x


@torch.no_grad()
def orbit(step: Map, start: Tensor, steps: int) -> Tensor:
    """Iterate the map.

    Parameters
    ----------
    step : Map
        The map.
    start : torch.Tensor (batch, n)
        Where to start.
    steps : int
        How often.

    Returns
    -------
    torch.Tensor (batch, time, n)
        The start first and `steps` images after it.

    >>> orbit(lambda x: x / 2, torch.ones(1, 1), 2).flatten().tolist()
    [1.0, 0.5, 0.25]
    """
    states = [start]
    for _ in range(steps):
        states.append(step(states[-1]))
    return torch.stack(states, 1)


@torch.enable_grad()
def push(step: Map, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Map states together with tangents.

    J v is the derivative of J^T w by w, times v: two sweeps of reverse-mode differentiation, which take torch a quarter
    of the time of its forward mode on small states.

    Parameters
    ----------
    step : Map
        F.
    x : torch.Tensor (batch, n)
        States.
    tangents : torch.Tensor (batch, n, count)
        v.

    Returns
    -------
    (torch.Tensor, torch.Tensor)
        F(x) and J(x) v, in the shapes of x and v.
    """
    count = tangents.shape[-1]
    start = x.detach().repeat_interleave(count, 0).requires_grad_()
    image = step(start)
    weights = torch.zeros_like(image, requires_grad=True)
    moved = torch.zeros_like(image)
    if image.requires_grad:
        (pulled,) = torch.autograd.grad(image, start, weights, create_graph=True, materialize_grads=True)
        if pulled.requires_grad:
            (moved,) = torch.autograd.grad(pulled, weights, tangents.mT.flatten(0, 1), materialize_grads=True)
    return image.detach()[::count], moved.unflatten(0, (-1, count)).mT


def jacobian(step: Map, x: Tensor) -> Tensor:
    """The derivatives dF_i/dx_j of a map.

    Parameters
    ----------
    step : Map
        F.
    x : torch.Tensor (batch, n)
        States.

    Returns
    -------
    torch.Tensor (batch, n, n)
        dF_i/dx_j.

    >>> jacobian(lambda x: x**2, torch.tensor([[1.0, 3.0]])).tolist()
    [[[2.0, 0.0], [0.0, 6.0]]]
    """
    n = x.shape[1]
    basis = torch.eye(n, dtype=x.dtype, device=x.device)
    blocks = x.split(max(1, _MOST_NUMBERS // n**2))
    return torch.cat([push(step, block, basis.expand(len(block), n, n))[1] for block in blocks])


def frame(x: Tensor, count: int, seed: int) -> Tensor:
    """Draw an orthonormal frame for each state.

    Parameters
    ----------
    x : torch.Tensor (batch, n)
        States.
    count : int
        Tangents of each.
    seed : int
        Of the draw.

    Returns
    -------
    torch.Tensor (batch, n, count)
    """
    normal = torch.randn((*x.shape, count), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(normal.to(x))[0]


@torch.no_grad()
def growth(steps: Iterable[Map], x: Tensor, tangents: Tensor) -> Iterator[Growth]:
    """Follow an orbit and a frame of tangents through one map after another, made orthonormal after each.

        J(x) Q = Q' R,      stretch_i = ln |R_ii|

    Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9. A tangent that vanishes is stretched by minus
    infinity and replaced by another.

    Parameters
    ----------
    steps : iterable of Map
        One map after another.
    x : torch.Tensor (batch, n)
        States.
    tangents : torch.Tensor (batch, n, count)
        An orthonormal frame of each.

    Yields
    ------
    Growth
        After each map.
    """
    for step in steps:
        x, moved = push(step, x, tangents)
        tangents, r = torch.linalg.qr(moved)
        yield Growth(x, tangents, r.diagonal(dim1=-2, dim2=-1).double().abs().log())


def lost(now: Growth) -> np.ndarray:
    """Which rows of an orbit are no longer finite, in state or in tangents.

    Parameters
    ----------
    now : Growth
        A step of the orbit.

    Returns
    -------
    array of bool (batch,)
    """
    good = now.states.isfinite().all(1) & now.frame.isfinite().flatten(1).all(1)
    return ~good.cpu().numpy()
