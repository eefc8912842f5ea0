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

from rnnbias import maps
from rnnbias.analysis.jacobians import modes
from rnnbias.networks import RNN
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["fixed_points", "with_input"]

_REFERENCE = (
    "Sussillo and Barak 2013, Neural Computation 25, 626; Golub and Sussillo 2018, J. Open Source Software 3, 1003"
)
_FIRST, _LEAST, _MOST = 1e-3, 1e-15, 1e3  # damping relative to the scaled system
_POLISH = 8  # Newton steps at the end
_FLAT = 1e-3  # slope of q at a minimum, relative
_STILL = 1e-12  # relative step at which the search has arrived


def fixed_points(
    step: maps.Map,
    trajectory: Tensor | ArrayLike,
    dt: float = 1.0,
    *,
    starts: int = 64,
    noise: float = 0.0,
    tolerance: float = 1e-16,
    slow: float = 0.01,
    unique: float = 1e-3,
    iterations: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    r"""Find fixed and slow points of a map, from many starts on trajectories.

    .. math:: q(x) = \tfrac12 |F(x) - x|^2

    is minimised by the method of Levenberg and Marquardt on the exact Jacobian, all starts at once, and Newton's
    method refines what it finds. A point with q up to `tolerance` is *fixed*; another one is *slow* where q has a
    minimum and |F(x) - x| is at most the fraction `slow` of its median over the starts. Anything else is dropped.

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
    tolerance, slow
        See above.
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
    >>> sorted(found.position.values.ravel().round(6).tolist()), int(found.stable.sum())
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
    start = states[chosen] + noise * spread * torch.as_tensor(rng.standard_normal((len(chosen), len(spread))))
    with torch.no_grad():
        fastest = slow**2 * _speed(step, start).median()
        end, width = _descend(step, start, iterations, progress)
        end = _polish(step, end)
        q, settled = _speed(step, end), _flat(step, end, width)
    kept = ((q <= tolerance) | (settled & (q <= fastest))).nonzero()[:, 0]
    kept = kept[q[kept].argsort(stable=True)]
    point, found = _distinct(end[kept], unique * float(spread.norm()))
    point, q = end[kept[point]], q[kept[point]]
    return _describe(step, point, q, found, start, states, dt, tolerance, {
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


def _speed(step: maps.Map, x: Tensor) -> Tensor:
    """q, (batch,)."""
    return (step(x) - x).square().sum(1) / 2


def _linear(step: maps.Map, x: Tensor) -> tuple[Tensor, Tensor]:
    """F(x) - x and its Jacobian."""
    return step(x) - x, maps.jacobian(step, x) - torch.eye(x.shape[1], dtype=x.dtype, device=x.device)


def _flat(step: maps.Map, x: Tensor, width: Tensor) -> Tensor:
    """Whether q is stationary: a move by one column's scale hardly changes |F(x) - x| against that scale."""
    g, j = _linear(step, x)
    slope = (j.mT @ g[..., None])[..., 0].abs()
    return (slope <= _FLAT * width * g.norm(dim=1, keepdim=True)).all(1)


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


def _polish(step: maps.Map, x: Tensor) -> Tensor:
    """Take Newton's steps while q falls."""
    q = _speed(step, x)
    for _ in range(_POLISH):
        g, j = _linear(step, x)
        move, singular = torch.linalg.solve_ex(j, -g)
        then = torch.where((singular == 0)[:, None], x + move, x)
        new = _speed(step, then)
        better = new < q
        if not better.any():
            break
        x, q = torch.where(better[:, None], then, x), torch.where(better, new, q)
    return x


def _distinct(points: Tensor, apart: float) -> tuple[list[int], list[int]]:
    """The first of each group of points no more than `apart` from it, and the sizes of the groups, largest first."""
    away = torch.cdist(points, points).cpu().numpy() if len(points) else np.zeros((0, 0))
    left, groups = np.ones(len(points), dtype=bool), []
    for k in range(len(points)):
        if left[k]:
            near = left & (away[k] <= apart)
            left &= ~near
            groups.append((k, int(near.sum())))
    groups.sort(key=lambda group: -group[1])
    return [k for k, _ in groups], [size for _, size in groups]


def _describe(
    step: maps.Map,
    point: Tensor,
    q: Tensor,
    found: list[int],
    start: Tensor,
    states: Tensor,
    dt: float,
    tolerance: float,
    config: dict[str, object],
) -> xr.Dataset:
    count, n = point.shape
    jacobian = maps.jacobian(step, point) if count else point.new_empty((0, n, n))
    variables, mode = modes(jacobian, dt, ("point",), "time unit of dt")
    fixed, unstable = (q <= tolerance).cpu().numpy(), variables["n_unstable"].values
    distance = torch.cdist(point, states).amin(1) if count else q
    return dataset(
        {
            "position": Labelled(("point", "state"), point.cpu().numpy(), "1", "position in the map's own state"),
            "speed": Labelled("point", q.cpu().numpy(), "1", "speed q = |F(x) - x|^2 / 2"),
            "fixed": Labelled("point", fixed, "1", "fixed rather than slow"),
            "stable": Labelled("point", fixed & (unstable == 0), "1", "fixed, and no mode grows"),
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
