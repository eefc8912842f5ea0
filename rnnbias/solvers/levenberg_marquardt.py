"""Levenberg-Marquardt: second-order learning, because only a few numbers learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from rnnbias.networks import Network, Recipe, parameters
from rnnbias.objectives import Objective
from rnnbias.solvers.base import Solver
from rnnbias.solvers.linear_models import DenseModel, GramModel, LinearModel, MatrixFreeModel
from rnnbias.solvers.monitor import Monitor
from systems import checks

__all__ = ["LevenbergMarquardt"]

_SMALLEST, _LARGEST = 1e-16, 1e4  # dampings tried, relative to the largest singular value
_STRAIGHT = 0.9  # gain ratio from which the residuals are as good as linear along a step
_LONG = 0.75  # length of the geodesic acceleration, in steps, from which a step is refused
_RAISE, _LOWER = 4.0, 5.0  # factors of the damping after a refused and after a bent step
_WORTH = 1e-6  # promised fraction of the loss below which a step that failed is not tried shorter
_PROBE = 0.1  # length, in steps, of the finite difference behind the geodesic acceleration


@dataclass(frozen=True)
class LevenbergMarquardt(Solver):
    """Damped Gauss-Newton steps on e(z), the residuals as a function of the learned numbers z.

    An iteration factors the Jacobian once, J = U S V^T, so that the step for any damping mu,

        s(mu) = -V S / (S^2 + mu^2) U^T e,

    costs only a pass through the network to try. Factoring J and not J^T J keeps singular values down to 1e-16 of
    the largest, which is where the last digits of a forecast come from.

    How a search goes depends on the gain ratio rho = actual / predicted reduction of the loss at its first damping.
    Where rho >= 0.9 the residuals are nearly linear along the step: dampings are tried a decade apart, downwards until
    two in a row bring nothing, and one half a decade below the lowest loss, and the step that lowers the held-out loss
    most is taken, or, where none does, the one that lowers the training loss most. So a network with push-pull pairs
    learns in a few iterations. A bent step, rho < 0.9, is taken as it is, and the next search starts at a fifth of its
    damping: where the way is curved, going as far down as each iteration allows ends in narrow valleys, and patience
    gets further in as many iterations. Its geodesic acceleration a = -(J^T J + mu^2)^-1 J^T e'' (e'' the second
    derivative along s, by differences) is added as s + a/2 if the loss agrees; if 2|a| > 0.75 |s| the step is refused.
    After refused and uphill steps the damping rises fourfold. Reference: Transtrum & Sethna 2012, arXiv:1201.5885.

    With more residuals than learned numbers J is factored by columns, J = Q R and R = U' S V^T, otherwise by rows: J^T
    = Q R, the dual form, whose cost does not grow with the square of the count of learned numbers. Where a prior keeps
    the singular values from vanishing J^T J says as much, and is decomposed instead (`GramModel`). Where J would take
    more than `memory` bytes the steps come from products J v and J^T w (`MatrixFreeModel`), and J is never built.

    Parameters
    ----------
    iterations : int
        Factorisations at most.
    damping : float
        Where the first search starts, relative to the largest singular value.
    tolerance : float
        Relative size of what may be dropped from J; see `bias_jacobian`.
    geodesic : bool
        Whether to measure the acceleration of bent steps.
    memory : float
        Bytes that J may take.

    Raises ValueError or TypeError, naming the argument, for settings out of range.
    """

    iterations: int = 30
    damping: float = 1e-2
    tolerance: float = 1e-8
    geodesic: bool = True
    memory: float = 2e9
    recipe: ClassVar[Recipe] = Recipe.shaping(gain=0.5, input_scale=0.1)

    def __post_init__(self) -> None:
        checks.whole("iterations", self.iterations, at_least=1)
        checks.number("damping", self.damping, above=0)
        checks.number("tolerance", self.tolerance, at_least=0)
        checks.number("memory", self.memory, above=0)

    def check(self, learn: tuple[str, ...]) -> None:
        """A mask is a step function, whose derivative says nothing."""
        if "mask" in learn:
            raise ValueError("learn must be without mask for LevenbergMarquardt; use Adam")

    @torch.no_grad()
    def solve(self, network: Network, train: Objective, monitor: Monitor) -> None:
        """Iterate until the held-out loss stops falling."""
        search, damping, error = _Search(network, train, monitor, self.geodesic), self.damping, train.residual(network)
        large = error.numel() * parameters.read(network).numel() * error.element_size() > self.memory
        with monitor.watch(self.iterations):
            if monitor.record(0, train.loss(network), damping=damping):
                return
            for iteration in range(1, self.iterations + 1):
                model = self._model(network, train, large)
                found = search.go(model, damping)
                if found is None:
                    break
                best, damping = found
                parameters.write(network, best.numbers)
                more = {"damping": best.damping, "gain_ratio": best.ratio, "depth": model.depth}
                if monitor.record(iteration, best.loss, **more):
                    break

    def _model(self, network: Network, train: Objective, large: bool) -> LinearModel:
        """The linear model that the kind of the objective asks for, and whether J is too large for memory."""
        normal = train.normal(network)
        if normal is not None:
            return GramModel(*normal)
        if large:
            return MatrixFreeModel(network, train, self.tolerance)
        built = GramModel.squared if train.regular else DenseModel
        return built(network, train, self.tolerance)


class _Search(NamedTuple):
    """How the next step is found: dampings are tried, and accelerated where `geodesic`."""

    network: Network
    train: Objective
    monitor: Monitor
    geodesic: bool

    def go(self, model: LinearModel, damping: float) -> tuple[_Candidate, float] | None:
        """The best step, and where to search next; None where all are uphill or refused."""
        start, now, held = parameters.read(self.network), model.loss, self.monitor.judged()
        first = self._attempt(model, start, damping)
        if not first.ratio >= _STRAIGHT:
            while first.loss >= now and damping < _LARGEST and first.promised > _WORTH * now:
                damping *= _RAISE
                first = self._attempt(model, start, damping)
            if first.loss >= now:
                parameters.write(self.network, start)
                return None
            return first, first.damping / _LOWER

        candidates, misses = [first], 0
        while misses < 2 and damping > _SMALLEST:
            damping /= 10.0
            found = self._attempt(model, start, damping)
            better = all(found.loss < c.loss for c in candidates) or all(found.held < c.held for c in candidates)
            misses = 0 if better else misses + 1
            candidates.append(found)
        candidates.append(self._attempt(model, start, min(candidates, key=lambda c: c.loss).damping * 10**-0.5))
        falling = [c for c in candidates if c.loss < now]
        best = min(falling, key=lambda c: c.held)
        best = best if best.held < held else min(falling, key=lambda c: c.loss)
        return best, 10 * best.damping

    def _attempt(self, model: LinearModel, start: Tensor, damping: float) -> _Candidate:
        """The step for a damping, accelerated where it is bent and the loss agrees."""
        step = model.step(damping)
        predicted = model.predict(step)
        straight = self._evaluate(model, start + step, damping, predicted)
        if not self.geodesic or straight.ratio >= _STRAIGHT:
            return straight
        parameters.write(self.network, start + _PROBE * step)
        slope = (self.train.residual(self.network).flatten() - model.error) / _PROBE
        bend = model.fit(-2 / _PROBE * (slope - model.apply(step)), damping)
        if not 2 * bend.norm() <= _LONG * step.norm():
            return straight._replace(loss=math.inf)
        bent = self._evaluate(model, start + step + bend / 2, damping, predicted)
        return min(straight, bent, key=lambda c: c.loss)

    def _evaluate(self, model: LinearModel, numbers: Tensor, damping: float, predicted: float) -> _Candidate:
        """What comes of these numbers."""
        parameters.write(self.network, numbers)
        now, loss = model.loss, self.train.loss(self.network)
        held = loss if self.monitor.judge is self.train else self.monitor.judged()
        promised = max(now - predicted, 1e-300)
        return _Candidate(numbers, damping, loss, held, promised, (now - loss) / promised)


class _Candidate(NamedTuple):
    """A step that was tried, and what came of it; `promised` is the reduction of the loss that the model foretold."""

    numbers: Tensor
    damping: float
    loss: float
    held: float
    promised: float
    ratio: float
