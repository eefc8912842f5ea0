"""Columns of robustness: how far biases moved, and how much precision and noise their skill bears."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr

from rnnbias import Fit, analysis
from rnnbias.networks import Network
from tables import number

__all__ = ["HEADER", "NOISES", "SCORES", "note", "picked", "robustness", "rounded", "steadiness", "words"]

NOISES = 10.0 ** np.arange(-10, 1)
HEADER = ["moved", "float32", "bias noise", "rate noise"]
SCORES = {
    "moved": ("1", "shift of the biases over the spread of those drawn"),
    "float32": ("1", "skill with biases of single precision"),
    "bias_noise": ("1", "smallest noise tried on the biases that halves the skill"),
    "rate_noise": ("1", "smallest noise tried on the rates that halves the skill"),
}


def steadiness(learned: Fit | Network, skill: object = None) -> dict[str, float]:
    """The numbers of `SCORES`, or none where more than biases learned; arguments as in `analysis.robustness`."""
    if (learned.network if isinstance(learned, Fit) else learned).learn != ("bias",):
        return {}
    return picked(robustness(learned, skill))


def robustness(learned: Fit | Network, skill: object = None) -> xr.Dataset:
    """See `analysis.robustness`; noise is drawn once at each level of `NOISES`."""
    return analysis.robustness(learned, skill, noises=NOISES, draws=1, progress=False)


def picked(found: xr.Dataset) -> dict[str, float]:
    """The numbers of `SCORES`, of what `analysis.robustness` found."""
    names = ("moved_relative", "skill_float32", "bias_noise", "rate_noise")
    return {score: float(found[name]) for score, name in zip(SCORES, names, strict=True)}


def rounded(network: Network) -> Network:
    """The network with biases of single precision."""
    single = copy.deepcopy(network)
    with torch.no_grad():
        single.bias.copy_(network.bias.float())
    return single


def words(row: Mapping[str, object], form: str) -> list[str]:
    """What stands under `HEADER`; `form` is that of the skill."""
    forms = ("{:.2g}", form, "{:.0e}", "{:.0e}")
    return [number(row[name], each) for name, each in zip(SCORES, forms, strict=True)]


def note(skill: str) -> str:
    """The footnote of a table whose skill is `skill`."""
    return (
        "*Moved*: root-mean-square shift of the biases over the spread of those drawn. *float32*: the same with biases "
        "of single precision. *Bias noise* (in units of that spread), *rate noise* (of each unit whenever it answers): "
        f"the smallest tried, of the powers of ten from {min(NOISES):g} to {max(NOISES):g}, that halves the skill, "
        f"which is {skill}; none where empty."
    )
