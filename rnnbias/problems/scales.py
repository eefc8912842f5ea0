"""The scales of frozen weights that suit a system: a short trial of each says which bend as much as it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rnnbias.networks import RNN, Recipe
from rnnbias.objectives import ParametricSteps, Sequences
from rnnbias.solvers import LevenbergMarquardt, Monitor

__all__ = ["SCALES", "UNITS", "chosen_scales"]

UNITS = 300  # of a trial, at most
_SAMPLES, _ITERATIONS = 2000, 20  # of a trial
_BETTER, _MUCH = 0.5, 0.05  # times the loss of the first scales, and how far below it, where others are preferred
#: What is tried, from smooth to bent.
SCALES = (
    Recipe.shaping(),
    Recipe.shaping(readout_scale=30.0),
    Recipe.shaping(input_scale=0.5, readout_scale=30.0),
)


def chosen_scales(networks: Sequence[RNN], train: Sequences, held_out: Sequences, seed: int) -> Recipe:
    """The recipe, of `SCALES`, whose biases predict held-out single steps best after a few iterations.

    Smooth units (input scale 0.3, readout scale 10) forecast most systems longest; those that turn within a standard
    deviation of their states (Thomas, Duffing, Chua) leave them behind, and are learned by louder or steeper ones.
    Others are preferred where they halve the loss or, from noisy data, lower it by a twentieth of the steps' variance.
    `networks` holds one of each recipe.
    """
    random = np.random.default_rng(seed)
    few = [_some(part, random) for part in (train, held_out)]
    losses = []
    for network in networks:
        fitting, test = (ParametricSteps.of(network, part) for part in few)
        monitor = Monitor(network, test, _ITERATIONS, progress=False)
        LevenbergMarquardt(iterations=_ITERATIONS).solve(network, fitting, monitor)
        if monitor.interrupted:  # nothing has been learned that could be kept
            raise KeyboardInterrupt
        losses.append(test.loss(network))
    best = int(np.argmin(losses))
    return SCALES[best if losses[best] < max(_BETTER * losses[0], losses[0] - _MUCH) else 0]


def _some(sequences: Sequences, random: np.random.Generator) -> Sequences:
    """Single steps, drawn at random where there are many."""
    steps = sequences.single_steps()
    drawn = torch.from_numpy(np.sort(random.permutation(len(steps))[:_SAMPLES]))
    return steps.subset(drawn.to(steps.targets.device))
