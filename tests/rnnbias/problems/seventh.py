"""A problem of one's own, as a user would write it: a network smooths its input."""

from dataclasses import dataclass

import torch
import xarray as xr

from rnnbias import RNN, Fit, Problem
from rnnbias.objectives import Sequences
from rnnbias.problems import Objectives


def draw(tau, trials, seed, like):
    """Noise (trial, time, 1), and its running mean of time constant `tau`: what to answer."""
    inputs = torch.randn(trials, 60, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mean, means = torch.zeros(trials, 1, dtype=torch.float64), []
    for now in inputs.unbind(1):
        mean = mean + (now - mean) / tau
        means.append(mean)
    return inputs.to(like), torch.stack(means, 1).to(like)


@dataclass(frozen=True)
class Smoothing(Problem):
    tau: float = 3.0

    def network(self, units, **drawing):
        return RNN(units, 1, 1, alpha=-0.7, beta=0.3, **drawing)

    def objectives(self, network, seed):
        return Objectives(*(Sequences(*draw(self.tau, 10, 2 * seed + k, network.start)) for k in (0, 1)))

    def fit(self, **fields):
        return SmoothingFit(tau=self.tau, **fields)


@dataclass(frozen=True, kw_only=True)
class SmoothingFit(Fit):
    kind = "smoothing"
    tau: float

    @property
    def name(self):
        return f"running mean over {self.tau:g} steps"

    def about(self):
        return {"tau": self.tau}

    @classmethod
    def revive(cls, about, arrays, **fields):
        return cls(tau=float(about["tau"]), **fields)

    @torch.no_grad()
    def score(self, trials=20, seed=10**6):
        inputs, right = draw(self.tau, trials, seed, self.network.start)
        wrong = self.network.read(self.network(inputs).rate) - right
        return xr.Dataset({"nrmse": float(wrong.std() / right.std())}, attrs={"learned": self.learned})
