"""Inside a network that learned Lorenz-63: is what it learned the system, or only its forecasts?

    python benchmarks/inside.py [--units N] [--samples N] [--seed S] [--out DIR] [--quick]

Fits the biases of one frozen network and sets its closed loop beside the true flow: Lyapunov spectrum and Kaplan-Yorke
dimension, fixed points (Lorenz's are known in closed form) with their eigenvalues, return map of the maxima of z, power
spectra, distances of the attractors with their floors, eigenvalues before and after learning, biases, and what lies
between the biases that the network started from and those it learned. DIR receives `inside.md` (the tables), a netCDF
file and a figure for each analysis, and `fit.nc`, the fit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import xarray as xr
from torch import nn

import systems
from rnnbias import analysis, fit_system, learned, metrics
from rnnbias.forecasting import SystemFit

_TEST, _CONTEXT = 1, 100  # seed of the test data, samples before a free run
_SETTLE = 500  # samples of a free run before those that count
_SHOWN = 100  # samples drawn where trajectories are a background


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    units: int = 600
    samples: int = 4000
    trials: int = 100  # of the exponents
    duration: float = 50.0  # of each
    runs: int = 10
    run_samples: int = 4000
    starts: int = 64  # of the search for fixed points
    moments: int = 6  # of the Jacobians
    mixtures: int = 11

    @classmethod
    def quick(cls) -> Size:
        """For a look: the report has its form, with coarser numbers."""
        return cls(
            units=200,
            samples=1500,
            trials=40,
            duration=15.0,
            runs=4,
            run_samples=1000,
            starts=24,
            moments=3,
            mixtures=6,
        )


class Lorenz:
    """The system: its data, and its fixed points in closed form."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size, self.seed = size, seed
        self.system = systems.get("lorenz63")

    @cached_property
    def fit(self) -> SystemFit:
        """The network that learned it."""
        return fit_system(
            self.system, units=self.size.units, samples=self.size.samples, seed=self.seed,
            progress=sys.stderr.isatty(),
        )  # fmt: skip

    @cached_property
    def runs(self) -> xr.DataArray:
        """The truth, (trial, time, state): context, transient, and what counts."""
        samples = _CONTEXT + _SETTLE + self.size.run_samples
        return self.system.simulate(self.size.runs, samples * self.system.dt, seed=_TEST).trajectory

    @cached_property
    def contexts(self) -> xr.DataArray:
        """Many short true trials to start closed loops from."""
        return self.system.simulate(self.size.trials, _CONTEXT * self.system.dt, seed=_TEST).trajectory

    @cached_property
    def free(self) -> xr.DataArray:
        """Free runs of the truth and of the network, (learner, trial, time, state), the transient dropped."""
        truth = self.runs[:, _CONTEXT + _SETTLE :]
        own = self.fit.forecast(self.runs[:, :_CONTEXT], _SETTLE + self.size.run_samples).forecast[:, _SETTLE:]
        both = np.stack([truth.values, own.values])
        times = np.arange(both.shape[2]) * self.system.dt
        return xr.DataArray(
            both,
            {
                "learner": ["truth", "network"],
                "time": ("time", times, {"units": self.runs.time.attrs["units"], "long_name": "time"}),
                "state": self.runs.state.values,
            },
            ("learner", "trial", "time", "state"),
            attrs={"units": "1"},
        )

    @cached_property
    def fixed(self) -> xr.Dataset:
        """The true fixed points, 0 and C+-, with the eigenvalues of the flow over one sample interval."""
        p = self.system.p
        side = np.sqrt(p.beta * (p.rho - 1))
        points = np.array([[0, 0, 0], [side, side, p.rho - 1], [-side, -side, p.rho - 1]])
        states = torch.as_tensor(points)
        rates = torch.func.vmap(torch.func.jacfwd(lambda x: self.system(0.0, x)))(states)
        eigenvalues = np.exp(np.linalg.eigvals(rates.numpy()) * self.system.dt)
        eigenvalues = np.take_along_axis(eigenvalues, np.lexsort((eigenvalues.imag, -np.abs(eigenvalues).round(9))), 1)
        return xr.Dataset(
            {
                "position": (("point", "state"), points),
                "eigenvalue": (("point", "mode"), eigenvalues),
            },
            {"point": ["0", "C+", "C-"], "state": list(self.system.states)},
        )


# ----------------------------------------------------------------------------------------------------------
# Analyses: each a labelled Dataset with a figure.


def exponents(lorenz: Lorenz) -> xr.Dataset:
    """Lyapunov spectra of the flow and of the closed loop."""
    size, dt = lorenz.size, lorenz.system.dt
    truth = analysis.system_spectrum(lorenz.system, size.duration, trials=size.trials, seed=_TEST)
    network = analysis.lyapunov_spectrum(
        *lorenz.fit.free_map(lorenz.contexts), steps=round(size.duration / dt), dt=dt, count=4,
        transient=round(size.duration / dt) // 4, seed=_TEST, units="1",
    )  # fmt: skip
    return _side_by_side([truth, network])


def fixed_points(lorenz: Lorenz) -> xr.Dataset:
    """Fixed points of the closed loop, in the units of the data, with the states that the search started from."""
    fit, size = lorenz.fit, lorenz.size
    pairs = [fit.free_map(lorenz.runs[:, :end]) for end in range(_CONTEXT, _CONTEXT + _SETTLE, 25)]
    step = pairs[0][0]
    states = torch.stack([state for _, state in pairs], 1)
    found = analysis.fixed_points(step, states, lorenz.system.dt, starts=size.starts)
    seen = found.isel(state=slice(fit.network.units, None)).assign_coords(state=list(lorenz.system.states))
    for name in ("position", "start"):
        seen[name] = seen[name] * fit.frame.scale + fit.frame.mean
        seen[name].attrs = {"units": "1", "long_name": f"{name} in the data's own state"}
    return seen.isel(mode=slice(0, 6)).assign_coords(learner=("point", ["network"] * found.sizes["point"]))


def return_map(lorenz: Lorenz) -> xr.Dataset:
    """Successive maxima of z, truth and network."""
    found = []
    for name in lorenz.free.learner.values:
        z = lorenz.free.sel(learner=name, state="z").rename("z")
        ds = analysis.return_map(z)
        found.append(ds.assign_coords(learner=("event", [str(name)] * ds.sizes["event"])))
    return xr.concat(found, "event", combine_attrs="override")


def spectra(lorenz: Lorenz) -> xr.Dataset:
    """Power spectra of truth and network, in the units of the time coordinate."""
    return analysis.power_spectrum(lorenz.free, segment=min(500, lorenz.free.sizes["time"]))


def distances(lorenz: Lorenz) -> xr.Dataset:
    """D_stsp and D_H of the network, and of two halves of the truth of the same length."""
    fit, half = lorenz.fit, lorenz.free.sizes["time"] // 2
    scale = xr.DataArray(fit.frame.scale, {"state": list(fit.recording.states)}, "state")
    truth, network = (lorenz.free.sel(learner=name, drop=True) for name in ("truth", "network"))
    floor = analysis.floors(truth, scale)
    first = {"time": slice(0, half)}
    own = {
        "state_space_divergence": metrics.state_space_divergence(network[first], truth[first], scale).divergence,
        "spectral_distance": metrics.spectral_distance(network[first], truth[first]),
    }
    network_distances = floor.copy(data={name: array.values for name, array in own.items()})
    return xr.concat([floor, network_distances], "learner", combine_attrs="override").assign_coords(
        learner=["truth", "network"]
    )


def eigenvalues(lorenz: Lorenz) -> xr.Dataset:
    """Eigenvalues of the closed loop before and after learning."""
    return analysis.before_after(lorenz.fit, lorenz.runs[:1, : 10 * lorenz.size.moments], points=lorenz.size.moments)


def biases(lorenz: Lorenz) -> xr.Dataset:
    """Biases before and after learning."""
    network = lorenz.fit.network
    values = [n.biases.detach().numpy() for n in (analysis.untrained(network), network)]
    return analysis.bias_histogram(
        xr.DataArray(np.stack(values), {"stage": ["before", "after"]}, ("stage", "unit"), attrs={"units": "1"})
    )


def interpolation(lorenz: Lorenz) -> xr.Dataset:
    """From the biases that the network started from to those it learned: largest exponent and spread of a free run."""
    fit, dt = lorenz.fit, lorenz.system.dt
    contexts = lorenz.contexts[:20]
    scale = fit.frame.scale

    def evaluate(network: nn.Module) -> dict[str, float]:
        step, state = _swapped(fit, network).free_map(contexts)
        found = metrics.largest_exponent(step, state, 1000, dt, transient=500)
        run = _swapped(fit, network).forecast(contexts, 1000).forecast.values[:, 500:]
        spread = (run / scale).std((0, 1)).mean() if np.isfinite(run).all() else np.nan
        return {"largest_exponent": found.exponent.item(), "spread_of_free_run": float(spread)}

    network = fit.network
    start, end = learned.read(analysis.untrained(network)), learned.read(network)
    return analysis.interpolate(network, start, end, evaluate, points=lorenz.size.mixtures)


def _swapped(fit: SystemFit, network: nn.Module) -> SystemFit:
    from dataclasses import replace

    return replace(fit, network=network)


def _side_by_side(found: Sequence[xr.Dataset]) -> xr.Dataset:
    both = [ds.drop_dims("start") for ds in found]
    return xr.concat(both, "learner", combine_attrs="override").assign_coords(learner=["truth", "network"])
