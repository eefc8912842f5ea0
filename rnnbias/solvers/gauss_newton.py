"""Gauss-Newton with shortened steps: for targets that lie at the end of a long, curved way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from rnnbias.networks import Network, Recipe, parameters
from rnnbias.objectives import Objective
from rnnbias.solvers.base import Solver
from rnnbias.solvers.linear_models import DenseModel
from rnnbias.solvers.monitor import Monitor
from systems import checks

__all__ = ["GaussNewton"]

_DAMPINGS = (1e-1, 1e-2, 1e-3, 1e-4)  # relative to the largest singular value
_SHORTEST = 0.03  # fraction of a step


@dataclass(frozen=True)
class GaussNewton(Solver):
    """Fractions of lightly damped Gauss-Newton steps on the residuals as a function of the learned numbers.

    An iteration factors the Jacobian once and tries the steps eta s(mu), with s(mu) as in `LevenbergMarquardt`, for
    four dampings mu and for fractions eta that fall threefold from the last one that served until the loss falls, and
    grow while it falls further. The step after which the training loss is lowest is taken.

    A large damping takes all of the way along stiff directions and next to none along the others; a fraction takes the
    same part of the way along all of them, as a continuous deformation of what the network does into what it should do
    would. That is what a free run needs, whose dynamics a full step may destroy.
    Reference: Nocedal & Wright 2006, Numerical Optimization, Springer, section 10.3.

    Parameters
    ----------
    iterations : int
        Factorisations at most.
    tolerance : float
        Relative size of the terms dropped from the Jacobian; see `bias_jacobian`.

    Raises ValueError or TypeError, naming the argument, for settings out of range.
    """

    iterations: int = 40
    tolerance: float = 0.0
    recipe: ClassVar[Recipe] = Recipe(wiring="independent", gain=1.2, input_scale=0.3, readout_scale=10.0)

    def __post_init__(self) -> None:
        checks.whole("iterations", self.iterations, at_least=1)
        checks.number("tolerance", self.tolerance, at_least=0)

    def check(self, learn: tuple[str, ...]) -> None:
        """A mask has no derivative; weights have one, but only small networks can afford it."""
        if "mask" in learn:
            raise ValueError("learn must be without mask for GaussNewton; use Adam")

    @torch.no_grad()
    def solve(self, network: Network, train: Objective, monitor: Monitor) -> None:
        """Iterate until no step lowers the training loss, or the monitor says so."""
        loss, fraction = train.loss(network), 1.0
        with monitor.watch(self.iterations):
            if monitor.record(0, loss):
                return
            for iteration in range(1, self.iterations + 1):
                model, start = DenseModel(network, train, self.tolerance), parameters.read(network)

                def attempt(damping: float, fraction: float) -> float:
                    parameters.write(network, start + fraction * model.step(damping))  # noqa: B023
                    return train.loss(network)

                found = [_search(attempt, damping, fraction, loss) for damping in _DAMPINGS]
                best, damping, fraction = min(found)
                if best >= loss:
                    parameters.write(network, start)
                    break
                loss = attempt(damping, fraction)
                if monitor.record(iteration, loss, damping=damping, fraction=fraction, depth=model.depth):
                    break


def _search(
    attempt: Callable[[float, float], float], damping: float, fraction: float, now: float
) -> tuple[float, float, float]:
    """Shorten the step until the loss is below `now`, or lengthen it while it falls: loss, damping and fraction."""
    loss = attempt(damping, fraction)
    while loss >= now and fraction > _SHORTEST:
        fraction /= 3
        loss = attempt(damping, fraction)
    longer = min(1.0, 3 * fraction)
    while loss < now and longer > fraction and (further := attempt(damping, longer)) < loss:
        fraction, loss, longer = longer, further, min(1.0, 3 * longer)
    return loss, damping, fraction
