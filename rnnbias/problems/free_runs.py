"""Free runs through held-out data: how long they stay valid, and what becomes of a long one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnbias.networks import RNN
from rnnbias.problems.frame import Frame, closed_loop

__all__ = ["STAYS", "VALID", "FreeRuns", "correlation_time", "ending", "long_run", "warn"]

VALID = 0.4  # threshold of the valid time shown while learning
STAYS = "stays with what was learned"
_ESCAPED, _FROZEN, _DRIFTED = 10.0, 0.05, 1.5  # standard deviations of a long free run


class FreeRuns(NamedTuple):
    """Held-out windows: `context` and the `truth` that follows it, both (trial, time, state)."""

    frame: Frame
    context: Tensor
    truth: Tensor
    unit: float

    def error(self, network: RNN) -> Tensor:
        """Error in standard deviations of the free run at each window and time, (trial, time); 10 at most."""
        ahead = closed_loop(network, self.frame, self.context, self.truth.shape[1])
        return (ahead - self.truth).square().mean(-1).sqrt().nan_to_num(torch.inf).clamp(max=_ESCAPED)

    def valid_time(self, network: RNN) -> float:
        """Median time until the error passes 0.4, in Lyapunov times, periods or time units."""
        good = self.error(network) <= VALID
        return float(good.cumprod(1).sum(1).to(torch.float64).median()) * self.unit

    def fate(self, network: RNN, steps: int) -> str:
        """What becomes of a free run of so many steps after the first window's context."""
        ahead = closed_loop(network, self.frame, self.context[:1], steps)[0]
        gone = torch.nonzero(~(ahead.abs() <= _ESCAPED).all(1))
        if len(gone):
            return f"escapes after {int(gone[0])} samples"
        late = ahead[steps // 2 :]
        if float(late.std(0).max()) < _FROZEN:
            return f"freezes within {steps} samples"
        if float(late.mean(0).abs().max()) > _DRIFTED:
            return f"drifts away within {steps} samples"
        return STAYS

    def typical_error(self, network: RNN) -> float:
        """Geometric mean of the error over windows and times."""
        return float(self.error(network).clamp(min=1e-12).log().mean().exp())


def warn(settings: Mapping[str, object]) -> None:
    """Warn who called the caller where the long free run of a fit of these settings does not stay."""
    if (fate := settings["free_run"]) != STAYS:
        warnings.warn(f"a long free run {fate}: the fit is not to be trusted beyond its valid time", stacklevel=3)


def ending(settings: Mapping[str, object]) -> str:
    """What the representation of a fit of these settings says of its long free run: nothing where it stays."""
    fate = str(settings.get("free_run", STAYS))
    return "" if fate == STAYS else f"; a long free run {fate}"


def long_run(values: np.ndarray) -> int:
    """Steps of a long free run: 20 correlation times of data (trial, time, state), within bounds."""
    return int(np.clip(20 * correlation_time(values), 1000, 20000))


def correlation_time(values: np.ndarray) -> int:
    """Samples until no state is like itself any more: until every autocorrelation has fallen to 1/e."""
    standard = values - values.mean((0, 1))
    lags = np.unique(np.geomspace(1, values.shape[1] // 2, 40).astype(int))
    alike = [(standard[:, lag:] * standard[:, :-lag]).mean((0, 1)) / standard.var((0, 1)) for lag in lags]
    apart = np.flatnonzero(np.max(alike, 1) < np.exp(-1))
    return int(lags[apart[0]]) if len(apart) else values.shape[1]
