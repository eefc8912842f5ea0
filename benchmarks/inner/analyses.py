"""A network that learned Lorenz-63 beside the equations: each analysis a labelled Dataset."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import xarray as xr
from torch import nn

import columns
import systems
from rnnbias import analysis, fit_system, metrics
from rnnbias.evaluation import forecast_windows
from rnnbias.networks import parameters
from rnnbias.problems import SystemFit
from systems import maps

__all__ = ["ANALYSES", "SETTLE", "Lorenz", "Size"]

_TEST, _CONTEXT, _AHEAD = 1, 100, 1000  # seed of the test data, samples before a forecast and of it
SETTLE = 500  # samples of a free run before those that count


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    units: int = 400
    samples: int = 3000
    trials: int = 60  # of the exponents
    duration: float = 30.0  # of each
    runs: int = 10
    run_samples: int = 4000
    starts: int = 48  # of the search for fixed points
    moments: int = 6  # of the Jacobians
    mixtures: int = 21
    mixture_steps: int = 500  # of the exponent at each
    tested: int = 25  # trials of the valid time

    @classmethod
    def quick(cls) -> Size:
        """For a look: the report has its form, with coarser numbers."""
        return cls(
            units=200, samples=1500, trials=30, duration=10.0, runs=4, run_samples=1000, starts=24, moments=3,
            mixtures=6, tested=5,
        )  # fmt: skip


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
        samples = _CONTEXT + SETTLE + self.size.run_samples
        return self.system.simulate(self.size.runs, samples * self.system.dt, seed=_TEST).trajectory

    @cached_property
    def contexts(self) -> xr.DataArray:
        """Many short true trials to start closed loops from."""
        return self.system.simulate(self.size.trials, _CONTEXT * self.system.dt, seed=_TEST).trajectory

    @cached_property
    def free(self) -> xr.DataArray:
        """Free runs of the truth and of the network, (learner, trial, time, state), the transient dropped."""
        size, dt = self.size, self.system.dt
        made = forecast_windows(
            self.fit, self.runs, windows=size.runs, context=_CONTEXT, steps=SETTLE + size.run_samples
        ).isel(time=slice(SETTLE, None))
        both = xr.concat([made.truth, made.forecast], "learner", combine_attrs="drop_conflicts")
        times = ("time", np.arange(size.run_samples) * dt, made.time.attrs)
        return both.assign_coords(learner=["truth", "network"], time=times).drop_vars(["trial", "state_units"])

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
    pairs = [fit.free_map(lorenz.runs[:, :end]) for end in range(_CONTEXT, _CONTEXT + SETTLE, 25)]
    step = pairs[0][0]
    states = torch.stack([state for _, state in pairs], 1)
    found = analysis.fixed_points(step, states, lorenz.system.dt, starts=size.starts, slow=0.0)
    seen = found.isel(state=slice(fit.network.units, None)).assign_coords(state=list(lorenz.system.states))
    for name in ("position", "start"):
        seen[name] = seen[name] * fit.standardiser.scale + fit.standardiser.mean
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
    """D_stsp over all runs together and the mean D_H of single ones, of the network and of two halves of the truth."""
    fit = lorenz.fit
    scale = xr.DataArray(fit.standardiser.scale, {"state": list(fit.recording.states)}, "state")
    truth, network = (lorenz.free.sel(learner=name, drop=True) for name in ("truth", "network"))
    floor = analysis.floors(truth, scale).mean("trial", keep_attrs=True)
    floor["state_space_divergence"] = analysis.floors(_joined(truth), scale).state_space_divergence
    half = {"time": slice(0, truth.sizes["time"] // 2)}
    own = {
        "state_space_divergence": _stsp(_joined(network), _joined(truth), scale),
        "spectral_distance": metrics.spectral_distance(network[half], truth[half]).mean().item(),
    }
    both = [floor, floor.copy(data={name: np.array(value) for name, value in own.items()})]
    return xr.concat(both, "learner", combine_attrs="override", join="outer").assign_coords(
        learner=["truth", "network"]
    )


def _joined(runs: xr.DataArray) -> xr.DataArray:
    """All trials one after another; only for what does not depend on the order of samples."""
    values = runs.values.reshape(-1, runs.sizes["state"])
    return xr.DataArray(values, {"time": np.arange(len(values)), "state": runs.state.values}, ("time", "state"))


def _stsp(network: xr.DataArray, truth: xr.DataArray, scale: xr.DataArray) -> float:
    """D_stsp on half of the samples, as many as the floor has."""
    half = {"time": slice(0, truth.sizes["time"] // 2)}
    return metrics.state_space_divergence(network[half], truth[half], scale).divergence.item()


def eigenvalues(lorenz: Lorenz) -> xr.Dataset:
    """Eigenvalues of the closed loop before and after learning."""
    return analysis.before_after(lorenz.fit, lorenz.runs[:1, : 10 * lorenz.size.moments], points=lorenz.size.moments)


def biases(lorenz: Lorenz) -> xr.Dataset:
    """What learning added to the biases; under push-pull wiring, opposite shifts to the two units of a pair."""
    network = lorenz.fit.network
    shift = network.biases.detach() - analysis.untrained(network).biases.detach()
    return analysis.bias_histogram(
        xr.DataArray(shift.numpy(), dims="unit", attrs={"units": "1", "long_name": "learned shift of the bias"})
    )


def interpolation(lorenz: Lorenz) -> xr.Dataset:
    """From the biases that the network started from to those it learned: largest exponent, and how much a free run
    moves (its standard deviation in time, over that of the data)."""
    fit, dt = lorenz.fit, lorenz.system.dt
    contexts = lorenz.contexts[:20]
    scale, steps = fit.standardiser.scale, lorenz.size.mixture_steps

    def evaluate(network: nn.Module) -> dict[str, float]:
        step, state = _swapped(fit, network).free_map(contexts)
        found = metrics.largest_exponent(step, state, steps, dt, transient=steps // 2)
        run = _swapped(fit, network).forecast(contexts, 2 * steps).forecast.values[:, steps:]
        spread = (run / scale).std(1).mean() if np.isfinite(run).all() else np.nan
        return {"largest_exponent": found.exponent.item(), "motion_of_free_run": float(spread)}

    network = fit.network
    start, end = parameters.read(analysis.untrained(network)), parameters.read(network)
    found = analysis.interpolate(network, start, end, evaluate, points=lorenz.size.mixtures)
    exponents = [_slowed(lorenz, s, contexts.values[:, -1]) for s in found.mix.values]
    attrs = {"units": "1", "long_name": "largest exponent of x + s (x(t + dt) - x), by the equations"}
    return found.assign(by_the_equations=("mix", exponents, attrs))


def robustness(lorenz: Lorenz) -> xr.Dataset:
    """What single precision and noise on biases and rates leave of the valid time."""
    samples = _CONTEXT + min(lorenz.size.run_samples, _AHEAD)
    test = lorenz.system.simulate(lorenz.size.tested, samples * lorenz.system.dt, seed=_TEST)
    return columns.robustness(lorenz.fit, test)


def _slowed(lorenz: Lorenz, s: float, starts: np.ndarray) -> float:
    """Largest exponent of the map that makes the fraction s of each true step."""
    system, steps = lorenz.system, lorenz.size.mixture_steps

    def step(x: torch.Tensor) -> torch.Tensor:
        return x + s * (maps.flow(system, 0.0, system.dt, 2, x) - x)

    return metrics.largest_exponent(step, starts, steps, system.dt, transient=steps // 2).exponent.item()


def _swapped(fit: SystemFit, network: nn.Module) -> SystemFit:
    return replace(fit, network=network)


def _side_by_side(found: Sequence[xr.Dataset]) -> xr.Dataset:
    both = [ds.drop_dims("start") for ds in found]
    return xr.concat(both, "learner", combine_attrs="override", join="outer").assign_coords(
        learner=["truth", "network"]
    )


ANALYSES = {
    "exponents": exponents,
    "fixed_points": fixed_points,
    "return_map": return_map,
    "spectra": spectra,
    "distances": distances,
    "eigenvalues": eigenvalues,
    "biases": biases,
    "interpolation": interpolation,
    "robustness": robustness,
}
