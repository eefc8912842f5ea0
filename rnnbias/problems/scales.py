"""The scales of frozen weights that suit a system: a short trial of each says which bend as much as it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rnnbias.networks import RNN, Recipe
from rnnbias.objectives import ParametricSteps, Sequences
from rnnbias.solvers import LevenbergMarquardt, Monitor

__all__ = ["SCALES", "SCALES_OF_DELAYS", "UNITS", "preferred", "tried"]

UNITS = 300  # of a trial, at most
_SAMPLES, _ITERATIONS = 2000, 20  # of a trial
_BETTER, _MUCH = 0.5, 0.05  # times the loss of the first scales, and how far below it, where others are preferred
_ENOUGH = 1e-4  # of the steps' variance, below which the last scales are not preferred
#: What is tried, from smooth to bent; last what is smoother still, and louder.
SCALES = (
    Recipe.shaping(),
    Recipe.shaping(readout_scale=30.0),
    Recipe.shaping(input_scale=0.5, readout_scale=30.0),
    Recipe.shaping(input_scale=0.2, readout_scale=30.0),
)
#: The same for networks that see delays: samples that are alike bend a unit together, and a few rhythms take units that
#: hardly bend.
SCALES_OF_DELAYS = (
    Recipe.shaping(input_scale=0.05, readout_scale=30.0),
    Recipe.shaping(input_scale=0.1),
    Recipe.shaping(),
    Recipe.shaping(readout_scale=30.0),
)


def tried(network: RNN, train: Sequences, held_out: Sequences, seed: int) -> ParametricSteps:
    """Learn some single steps for a few iterations; returns some of those held out."""
    random = np.random.default_rng(seed)
    fitting, test = (ParametricSteps.of(network, _some(part, random)) for part in (train, held_out))
    monitor = Monitor(network, test, _ITERATIONS, progress=False)
    LevenbergMarquardt(iterations=_ITERATIONS).solve(network, fitting, monitor)
    if monitor.interrupted:  # nothing has been learned that could be kept
        raise KeyboardInterrupt
    return test


def preferred(losses: Sequence[float]) -> int:
    """Which of `SCALES`, by the losses of their trials.

    Smooth units (input scale 0.3, readout scale 10) forecast most systems long; those that turn within a standard
    deviation of their states (Thomas, Duffing, Chua) leave them behind, and are learned by louder or steeper ones.
    Others are preferred where they halve the loss or, from noisy data, lower it by a twentieth of the steps' variance.
    Units that are smoother still and louder serve many systems of four states, and would forecast simpler ones a little
    longer, but bear a tenth of the noise on their biases: they must also find a loss above a ten-thousandth.
    """
    first = losses[0]
    best = int(np.argmin(losses if first > _ENOUGH else losses[:-1]))
    return best if losses[best] < max(_BETTER * first, first - _MUCH) else 0


def _some(sequences: Sequences, random: np.random.Generator) -> Sequences:
    """Single steps, drawn at random where there are many."""
    steps = sequences.single_steps()
    drawn = torch.from_numpy(np.sort(random.permutation(len(steps))[:_SAMPLES]))
    return steps.subset(drawn.to(steps.targets.device))
