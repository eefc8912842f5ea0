"""A system at parameters that it was not learned at: exponents, maxima and periods beside the true ones."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from banks.experiments import Cell, Experiment
from experiments import Plan
from rnnbias import SystemFit, fit_family, metrics
from rnnbias.evaluation import gather
from rnnbias.plot import style
from systems import System
from systems.flows import measure
from systems.integrate import rk4_step
from systems.labels import Labelled, dataset
from tables import aligned, number

__all__ = ["FAMILY"]

_RHO, _SEEN_RHO = (22, 23, 24, 25, 26.5, 27.3, 29.5, 31, 32, 34), (26, 27, 28, 29, 30)
_MU, _SEEN_MU = (0.8, 1.1, 1.6, 2.2, 2.4), (1.0, 1.25, 1.5, 1.75, 2.0)
_STARTS, _STEPS, _TRANSIENT, _SUBSTEPS = 40, 2500, 500, 2
_WANDERS = 0.3  # largest exponent of a run from which it counts as chaotic
_MAXIMA = 60
_SIZES = {"lorenz63": (300, 1000), "van_der_pol": (300, 3000)}  # units, samples a condition
_QUICK = 60, 300


def cells(plan: Plan) -> list[Cell]:
    """Systems and seeds; the one that takes longest for the first seed alone."""
    found = [Cell("lorenz63", "0"), Cell("van_der_pol", "0")]
    return found if plan.quick else [*found, Cell("van_der_pol", "1"), Cell("van_der_pol", "2")]


def make(cell: Cell, plan: Plan) -> xr.Dataset:
    """One family, learned and asked for what it has not seen."""
    units, samples = _QUICK if plan.quick else _SIZES[cell.condition]
    parameter, seen = ("rho", _SEEN_RHO) if cell.condition == "lorenz63" else ("mu", _SEEN_MU)
    system, began = systems.get(cell.condition), time.process_time()
    fit = fit_family(system, {parameter: seen}, units=units, samples=samples, seed=int(cell.name), progress=False)
    seconds = time.process_time() - began
    if cell.condition == "lorenz63":
        start = system.simulate(trials=_STARTS, duration=system.dt, seed=9).trajectory
        rows = [_chaos(fit.at(rho=rho), system.with_parameters(rho=rho), start) for rho in _RHO]
    else:
        rows = [_rhythm(fit.at(mu=mu), system.with_parameters(mu=mu)) for mu in _MU]
    points = _RHO if cell.condition == "lorenz63" else _MU
    found = xr.concat([row.expand_dims(point=[float(p)]) for row, p in zip(rows, points, strict=True)], "point")
    return found.assign(
        seconds=((), seconds, {"units": "s", "long_name": "time of a core to learn"}),
        learned=((), float(fit.learned), {"units": "1", "long_name": "learned numbers"}),
    )


def _chaos(fit: SystemFit, system: System, start: xr.DataArray) -> xr.Dataset:
    """Largest exponents, and maxima of the last state, of the fit, of the fit in single precision and of the system."""
    single, x = copy.deepcopy(fit.network).float(), torch.from_numpy(start.values[:, -1].copy())
    begin = fit.frame.states.transform(x.numpy(), fit.network.start)
    maps = {
        "learned": (lambda s: _next(fit, fit.network, s), begin),
        "single": (lambda s: _next(fit, single, s), begin.float()),
        "true": (lambda s: _flow(system, s), x),
    }
    variables = {}
    for name, (step, state) in maps.items():
        found = metrics.largest_exponent(step, state, _STEPS, system.dt, _TRANSIENT).local_exponent.values
        wander = found > _WANDERS
        variables[f"{name}_exponent"] = Labelled((), found[wander].mean() if wander.any() else found.mean(), "1", name)
        variables[f"{name}_wandering"] = Labelled((), wander.mean(), "1", f"{name}: runs that stay chaotic")
        height = _maxima(step, state[:1])
        if name != "true":
            height = height * fit.frame.states.scale[-1] + fit.frame.states.mean[-1]
        variables[f"{name}_maxima"] = Labelled("maximum", height, "1", f"{name} maxima")
    return dataset(variables, {}, title="chaos of a family", config={"seed": 9})


def _next(fit: SystemFit, network: torch.nn.Module, x: Tensor) -> Tensor:
    """The learned map of standardised states (trial, state); without memory they are all that there is."""
    return fit.frame.predict(x, network.read(network(x[:, None]).rate[:, 0]))


def _flow(system: System, x: Tensor) -> Tensor:
    for _ in range(_SUBSTEPS):
        x = rk4_step(system, 0.0, x, system.dt / _SUBSTEPS)
    return x


@torch.no_grad()
def _maxima(step: Callable[[Tensor], Tensor], x: Tensor) -> np.ndarray:
    """The last `_MAXIMA` maxima of the last state of a run, NaN where there are fewer."""
    path = []
    for _ in range(_STEPS):
        x = step(x)
        path.append(x[0, -1].item())
    height = np.array(path)
    tops = height[1:-1][(height[1:-1] > height[:-2]) & (height[1:-1] >= height[2:])][-_MAXIMA:]
    return np.concatenate([tops, np.full(_MAXIMA - len(tops), np.nan)])


def _rhythm(fit: SystemFit, system: System) -> xr.Dataset:
    """The period of the fit's free run, and the system's."""
    context = system.simulate(duration=20 * system.dt, seed=5).trajectory
    single = replace(fit, network=copy.deepcopy(fit.network).float())
    variables = {
        "learned_period": Labelled((), _period(fit, context), "1", "period of the fit"),
        "single_period": Labelled((), _period(single, context), "1", "period in single precision"),
        "true_period": Labelled((), measure.period(system), "1", "period of the system"),
    }
    return dataset(variables, {}, title="rhythm of a family", config={"seed": 5})


def _period(fit: SystemFit, context: xr.DataArray) -> float:
    run = fit.forecast(context, steps=1500).forecast.isel(trial=0, time=slice(300, None), state=0)
    return metrics.period(run).item()


def together(runs: Mapping[Cell, xr.Dataset], folder: Path) -> xr.Dataset:
    """All families, over (condition, name, point)."""
    found = {cell: one.reindex(point=sorted({*_RHO, *_MU})) for cell, one in runs.items()}
    return gather(found, Cell._fields, title="bank benchmark: family", config={"seed": 0})


def report(data: xr.Dataset) -> list[str]:
    """Two tables."""
    lines = ["## Parameters that were not seen", ""]
    chaos, rhythm = (data.sel(condition=name) for name in _SIZES)
    lines += [
        f"Lorenz-63 learned at rho {_SEEN_RHO[0]} to {_SEEN_RHO[-1]} ({len(_SEEN_RHO)} values, {_SIZES['lorenz63'][1]} "
        f"samples each), {number(chaos.learned.median(), '{:.0f}')} numbers in "
        f"{number(chaos.seconds.median(), '{:.0f}')} s of a core. Largest exponents are means over those of {_STARTS} "
        "runs that stay chaotic (below rho = 24.06 in the end none does, of the system either). Errors are medians of "
        "seeds.", "",
    ]  # fmt: skip
    header = ["rho", "", "true", "learned", "error", "worst seed", "single precision", "chaotic runs", "of the system"]
    rows = []
    for rho in _RHO:
        one = chaos.sel(point=rho).dropna("name", subset=["true_exponent"])
        error, small = (abs(one[f"{kind}_exponent"] / one.true_exponent - 1) for kind in ("learned", "single"))
        values = (one.true_exponent, one.learned_exponent, error)
        rows.append([
            f"{rho:g}", "" if min(_SEEN_RHO) <= rho <= max(_SEEN_RHO) else "outside",
            *(number(v.median(), f) for v, f in zip(values, ("{:.3f}", "{:.3f}", "{:.1%}"), strict=True)),
            number(error.max(), "{:.1%}"), number(small.median(), "{:.1%}"),
            number(one.learned_wandering.median(), "{:.0%}"), number(one.true_wandering.median(), "{:.0%}"),
        ])  # fmt: skip
    lines += [*aligned(header, rows), ""]
    lines += [
        f"Van der Pol learned at mu {_SEEN_MU[0]:g} to {_SEEN_MU[-1]:g} ({len(_SEEN_MU)} values, "
        f"{_SIZES['van_der_pol'][1]} samples each), {number(rhythm.learned.median(), '{:.0f}')} numbers in "
        f"{number(rhythm.seconds.median(), '{:.0f}')} s of a core; {int(rhythm.learned.count())} seeds. The scale of "
        "its inputs and its size were chosen by periods at 0.8, 1.6 and 2.4.", "",
    ]  # fmt: skip
    rows = []
    for mu in _MU:
        one = rhythm.sel(point=mu).dropna("name", subset=["true_period"])
        error, small = (abs(one[f"{kind}_period"] / one.true_period - 1) for kind in ("learned", "single"))
        rows.append([
            f"{mu:g}", "" if min(_SEEN_MU) <= mu <= max(_SEEN_MU) else "outside",
            number(one.true_period.median(), "{:.4f}"), number(one.learned_period.median(), "{:.4f}"),
            number(error.median(), "{:.2%}"), number(error.max(), "{:.2%}"), number(small.median(), "{:.2%}"),
        ])  # fmt: skip
    return [*lines, *aligned(["mu", "", *header[2:7]], rows), ""]


def picture(data: xr.Dataset) -> object:
    """Maxima of z and exponents against rho, and periods against mu: learned beside true."""
    one, axes = data.sel(condition="lorenz63").isel(name=0), style.grid(None, 1, 3, (3.4, 2.8))[0]
    looks = {"true": (style.BLACK, "_", -0.12), "learned": (style.COLOURS[0], ".", 0.12)}
    for name, (colour, marker, aside) in looks.items():
        maxima = one[f"{name}_maxima"].sel(point=list(_RHO))
        at = np.repeat(np.asarray(_RHO) + aside, maxima.sizes["maximum"])
        axes[0].plot(at, maxima.values.ravel(), marker, color=colour, ms=3, lw=0, label=name)
        axes[1].plot(_RHO, one[f"{name}_exponent"].sel(point=list(_RHO)), marker="o", ms=3, color=colour, label=name)
        periods = data.sel(condition="van_der_pol").isel(name=0)[f"{name}_period"].sel(point=list(_MU))
        axes[2].plot(_MU, periods, marker="o", ms=3, color=colour, label=name)
    words = (("ρ", "maxima of z"), ("ρ", "largest exponent"), ("μ", "period"))
    seen = (_SEEN_RHO, _SEEN_RHO, _SEEN_MU)
    for ax, (x, y), values in zip(axes, words, seen, strict=True):
        ax.axvspan(values[0], values[-1], color=style.GREY, alpha=0.2, lw=0)
        ax.set(xlabel=x, ylabel=y)
        style.bare(ax)
    axes[0].legend(frameon=False)
    return plt.gcf()


FAMILY = Experiment(cells=cells, make=make, gathered=together, report=report, picture=picture)
