"""Fixed and slow points of a map: where a network stays, or almost stays, and how it leaves.

fixed_points    points from many starts, with stability, time constants and frequencies
with_input      the map of a recurrent network under a constant input
"""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor
from tqdm import tqdm

from rnnbias.analysis.jacobians import modes
from rnnbias.networks import RNN
from systems import checks, maps
from systems.labels import Labelled, dataset

__all__ = ["fixed_points", "with_input"]

_REFERENCE = (
    "Sussillo and Barak 2013, Neural Computation 25, 626; Golub and Sussillo 2018, J. Open Source Software 3, 1003"
)
_FIRST, _LEAST, _MOST = 1e-3, 1e-15, 1e3  # damping relative to the scaled system
_LENGTHS = [0.5**k for k in range(8)]  # of Newton's steps
_RANK = 1e-11  # singular values below this fraction of the largest are none
_FLAT = 1e-3  # slope of q at a minimum, relative
_STILL = 1e-12  # relative step at which the search has arrived


def fixed_points(
    step: maps.Map,
    trajectory: Tensor | ArrayLike,
    dt: float = 1.0,
    *,
    starts: int = 64,
    noise: float = 0.0,
    tolerance: float = 1e-6,
    slow: float = 0.01,
    unique: float = 1e-3,
    iterations: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    r"""Find fixed and slow points of a map, from many starts on trajectories.

    .. math:: q(x) = \tfrac12 |F(x) - x|^2

    is zero at a *fixed* point. These are roots of F(x) - x, which Newton's method finds on the exact Jacobian, all
    starts at once and damped so that the scales of the states do not matter. A *slow* point is a minimum of q that is
    no root; for these q is minimised by the method of Levenberg and Marquardt.

    Parameters
    ----------
    step
        The map: a tensor (batch, n) to a tensor (batch, n) of the same type, differentiable by torch, each row by
        itself. A network with inputs is such a map only under a constant input; see `with_input`.
    trajectory
        Where to start: states (trial, time, n), as from `maps.orbit`, or (point, n).
    dt
        Time between steps.
    starts
        How many of those states are drawn, or all of them where there are fewer.
    noise
        Gaussian noise on the starts, in standard deviations of each state over the trajectories.
    tolerance
        A point counts as fixed where a root is no further from it, to first order, than this fraction of the
        root-mean-square spread of the trajectories.
    slow
        Keep slow points where |F(x) - x| is at most this fraction of its median over the starts; 0: look for none.
        Their speed means little where states differ much in scale, as with the large readouts of push-pull wiring.
    unique
        Points nearer than this fraction of the root-mean-square spread of the trajectories are one.
    iterations
        At most so many.
    seed
        Of the starts and the noise.
    progress
        Whether to show a progress bar on searches of more than a few seconds.

    Returns
    -------
    Dataset with `position` (point, state); `speed` (point), which is q; the Booleans `fixed` and `stable` (point);
    `n_unstable` and `spectral_radius` (point); `eigenvalue_real`, `eigenvalue_imag`, `time_constant` -dt / ln|lambda|
    and `frequency` arg(lambda) / (2 pi dt), all (point, mode), largest magnitude first; `found` (point), how many
    starts ended there; `distance` (point) to the nearest state of the trajectories; `start` (start, state). Points
    are ordered by how many starts found them. There may be none.

    Raises
    ------
    TypeError, ValueError
        `trajectory` is not real and finite, a number is outside its bounds, `step` is no such map.

    Examples
    --------
    >>> found = fixed_points(lambda x: x + 0.1 * (x - x**3), np.linspace(-2, 2, 16)[:, None])
    >>> np.sort(found.position.values.round(6).ravel() + 0.0).tolist(), int(found.stable.sum())
    ([-1.0, 0.0, 1.0], 2)
    """
    dt = checks.number("dt", dt, above=0)
    starts, iterations = checks.whole("starts", starts, at_least=1), checks.whole("iterations", iterations, at_least=1)
    noise, slow = checks.number("noise", noise, at_least=0), checks.number("slow", slow, at_least=0)
    tolerance, unique = checks.number("tolerance", tolerance, above=0), checks.number("unique", unique, above=0)
    seed = checks.seed("seed", seed)
    if isinstance(trajectory, Tensor):
        trajectory = trajectory.detach()
    if np.ndim(trajectory) == 3:
        trajectory = torch.as_tensor(trajectory).flatten(0, 1)
    states = maps.prepare(step, trajectory, "trajectory").double()

    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(states))[:starts]
    spread = states.std(0, correction=0)
    start = states[chosen] + noise * spread * torch.as_tensor(rng.standard_normal((len(chosen), len(spread)))).to(
        spread
    )
    reach = float(spread.norm()) or 1.0  # one state has no spread
    with torch.no_grad():
        low, origin = _slow_points(step, start, slow, iterations, progress) if slow else (start[:0], [])
        root = _newton(step, torch.cat([start, low]), iterations, progress)
        root, origins = _distinct(root, [{k} for k in [*range(len(start)), *origin]], unique * reach)
        near = _near_root(step, root, tolerance * reach)
        root, origins = root[near], [found for found, good in zip(origins, near.tolist(), strict=True) if good]
        point, origins = _distinct(torch.cat([root, low]), [*origins, *({k} for k in origin)], unique * reach)
        order = np.argsort([-len(found) for found in origins], kind="stable")
        point, found = point[torch.as_tensor(order, dtype=torch.long)], [len(origins[k]) for k in order]
        fixed = _near_root(step, point, tolerance * reach)
    return _describe(step, point, fixed, found, start, states, dt, {
        "dt": dt, "starts": starts, "noise": noise, "tolerance": tolerance, "slow": slow, "unique": unique,
        "iterations": iterations, "seed": seed,
    })  # fmt: skip


def with_input(network: RNN, inputs: ArrayLike = ()) -> maps.Map:
    """Return the map r -> r' of a recurrent network's rates under a constant input (input,); none by default.

    >>> step = with_input(RNN(4, 2, 1), [0.0, 1.0])
    >>> step(torch.zeros(3, 4, dtype=torch.float64)).shape
    torch.Size([3, 4])
    """
    if not isinstance(network, RNN):
        raise TypeError(f"network must be an RNN, got {type(network).__name__}")
    constant = checks.array("inputs", np.asarray(inputs, dtype=float), shape=(network.inputs,))
    held = torch.as_tensor(constant, dtype=network.start.dtype, device=network.start.device)

    def step(rate: Tensor) -> Tensor:
        return network.advance(rate, network.external(held))[1]

    return step


@torch.no_grad()
def _speed(step: maps.Map, x: Tensor) -> Tensor:
    """q, (batch,)."""
    return (step(x) - x).square().sum(1) / 2


def _linear(step: maps.Map, x: Tensor) -> tuple[Tensor, Tensor]:
    """F(x) - x and its Jacobian."""
    return step(x) - x, maps.jacobian(step, x) - torch.eye(x.shape[1], dtype=x.dtype, device=x.device)


def _slow_points(
    step: maps.Map, start: Tensor, slow: float, iterations: int, progress: bool
) -> tuple[Tensor, list[int]]:
    """Minima of q that are slow against the starts, and which start each came from."""
    end, width = _descend(step, start, iterations, progress)
    limit = slow**2 * _speed(step, start).median()
    kept = (_flat(step, end, width) & (_speed(step, end) <= limit)).nonzero()[:, 0]
    return end[kept], kept.tolist()


def _flat(step: maps.Map, x: Tensor, width: Tensor) -> Tensor:
    """Whether q is stationary: a move by one column's scale hardly changes |F(x) - x| against that scale."""
    g, j = _linear(step, x)
    slope = (j.mT @ g[..., None])[..., 0].abs()
    return (slope <= _FLAT * width * g.norm(dim=1, keepdim=True)).all(1)


def _newton(step: maps.Map, x: Tensor, iterations: int, progress: bool) -> Tensor:
    """Follow Newton's direction from each row as far as the next correction is shorter than the last.

    That test does not depend on the scales of F(x) - x (Deuflhard 2004, Newton Methods for Nonlinear Problems), which
    matters where a readout is large: there a small |F(x) - x| is no sign of a fixed point nearby.
    """
    x = x.clone()
    moving = torch.arange(len(x), device=x.device)
    for _ in tqdm(range(iterations), desc="fixed points", delay=3, disable=None if progress else True, leave=False):
        if not len(moving):
            break
        now = x[moving]
        g, j = _linear(step, now)
        lu, pivots, singular = torch.linalg.lu_factor_ex(j)
        move = -torch.linalg.lu_solve(lu, pivots, g[..., None])[..., 0]
        size = move.norm(dim=1)
        going = (singular == 0) & size.isfinite() & (size > _STILL * (1 + now.norm(dim=1)))
        waiting, moved = going.nonzero()[:, 0], torch.zeros_like(going)
        for length in _LENGTHS:
            then = now[waiting] + length * move[waiting]
            again = torch.linalg.lu_solve(lu[waiting], pivots[waiting], (step(then) - then)[..., None])[..., 0]
            good = again.norm(dim=1) <= (1 - length / 2) * size[waiting]
            x[moving[waiting[good]]] = then[good]
            moved[waiting[good]] = True
            waiting = waiting[~good]
            if not len(waiting):
                break
        moving = moving[moved]
    return x


def _descend(step: maps.Map, x: Tensor, iterations: int, progress: bool) -> tuple[Tensor, Tensor]:
    """Minimise q from each row by the method of Levenberg and Marquardt, scaled as by Moré (1978).

    Returns the ends, and the scales: the greatest length that each column of the Jacobian had on the way.
    """
    x, n = x.clone(), x.shape[1]
    width = torch.full_like(x, 1e-300)
    damping = x.new_full((len(x),), _FIRST)
    moving = torch.arange(len(x), device=x.device)
    eye = torch.eye(n, dtype=x.dtype, device=x.device)
    for _ in tqdm(range(iterations), desc="fixed points", delay=3, disable=None if progress else True, leave=False):
        now = x[moving]
        g, j = _linear(step, now)
        width[moving] = scale = width[moving].maximum(j.norm(dim=1))
        scaled = j / scale[:, None]
        normal, slope = scaled.mT @ scaled, (scaled.mT @ g[..., None])
        old, arrived = g.square().sum(1), torch.zeros(len(moving), dtype=torch.bool, device=x.device)
        waiting = torch.arange(len(moving), device=x.device)
        while len(waiting):  # raise the damping of those whose step does not go down
            factor, bad = torch.linalg.cholesky_ex(normal[waiting] + damping[moving[waiting], None, None] * eye)
            move = -torch.cholesky_solve(slope[waiting], factor)[..., 0] / scale[waiting]
            then = now[waiting] + move
            new = (step(then) - then).square().sum(1)
            good = (bad == 0) & (new < old[waiting])
            index = waiting[good]
            x[moving[index]] = then[good]
            damping[moving[index]] = (damping[moving[index]] / 10).clamp_min(_LEAST)
            short = move.norm(dim=1) <= _STILL * (1 + now[waiting].norm(dim=1))
            arrived[waiting[short]] = True
            waiting = waiting[~good]
            damping[moving[waiting]] *= 10
            stuck = damping[moving[waiting]] > _MOST
            arrived[waiting[stuck]] = True
            waiting = waiting[~stuck]
        moving = moving[~arrived]
        if not len(moving):
            break
    return x, width


def _distinct(points: Tensor, origins: list[set[int]], apart: float) -> tuple[Tensor, list[set[int]]]:
    """The first of each group of finite points no more than `apart` from it, and the origins of the whole group."""
    away = torch.cdist(points, points).nan_to_num(torch.inf).cpu().numpy() if len(points) else np.zeros((0, 0))
    left, first, found = np.isfinite(np.diag(away)), [], []
    for k in range(len(points)):
        if left[k]:
            near = left & (away[k] <= apart)
            left &= ~near
            first.append(k)
            found.append(set().union(*(origins[m] for m in np.flatnonzero(near))))
    return points[first], found


def _near_root(step: maps.Map, x: Tensor, reach: float) -> Tensor:
    """Whether a root of F(x) - x is no further than `reach`: the least correction that removes it, to first order."""
    if not len(x):
        return x.new_zeros(0, dtype=torch.bool)
    g, j = (a.cpu() for a in _linear(step, x))
    move = torch.linalg.lstsq(j, -g[..., None], rcond=_RANK, driver="gelsd")[0]
    size, left = g.norm(dim=1), ((j @ move)[..., 0] + g).norm(dim=1)
    there = size <= _STILL * (1 + x.cpu().norm(dim=1))
    return (there | ((move.norm(dim=(1, 2)) <= reach) & (left <= size / 2))).to(x.device)


def _describe(
    step: maps.Map,
    point: Tensor,
    fixed: Tensor,
    found: list[int],
    start: Tensor,
    states: Tensor,
    dt: float,
    config: dict[str, object],
) -> xr.Dataset:
    count, n = point.shape
    jacobian = maps.jacobian(step, point) if count else point.new_empty((0, n, n))
    variables, mode = modes(jacobian, dt, ("point",), "time unit of dt")
    q, at_rest, unstable = _speed(step, point), fixed.cpu().numpy(), variables["n_unstable"].values
    distance = torch.cdist(point, states).amin(1) if count else q
    return dataset(
        {
            "position": Labelled(("point", "state"), point.cpu().numpy(), "1", "position in the map's own state"),
            "speed": Labelled("point", q.cpu().numpy(), "1", "speed q = |F(x) - x|^2 / 2"),
            "fixed": Labelled("point", at_rest, "1", "fixed rather than slow"),
            "stable": Labelled("point", at_rest & (unstable == 0), "1", "fixed, and no mode grows"),
            "found": Labelled("point", np.array(found, dtype=int), "1", "starts that ended here"),
            "distance": Labelled("point", distance.cpu().numpy(), "1", "distance to the nearest state visited"),
            "start": Labelled(("origin", "state"), start.cpu().numpy(), "1", "state that the search started from"),
            **variables,
        },
        {
            "point": Labelled("point", np.arange(count), "1", "fixed or slow point"),
            "state": Labelled("state", np.arange(n), "1", "state of the map"),
            "origin": Labelled("origin", np.arange(len(start)), "1", "start of the search"),
            "mode": mode,
        },
        title="fixed and slow points",
        config=config,
        references=_REFERENCE,
    )
