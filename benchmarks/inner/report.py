"""Tables and figures of what is inside a network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

import columns
from inner.analyses import SETTLE, Lorenz
from rnnbias import plot
from tables import aligned, number

__all__ = ["draw", "report"]


def draw(lorenz: Lorenz, found: dict[str, xr.Dataset]) -> Iterator[tuple[str, object]]:
    """Draw a figure for each analysis, and the learning curve."""
    exponent = found["exponents"]
    unit = 1 / lorenz.system.lyapunov
    yield "exponents", plot.exponents(exponent)
    yield "convergence", plot.convergence(plot.time_in(exponent, unit, "Lyapunov times"), most=2)
    truth = xr.Dataset(
        {
            "position": lorenz.fixed.position.drop_vars("point"),
            "fixed": ("point", [True] * 3),
            "stable": ("point", [False] * 3),
            "learner": ("point", ["truth"] * 3),
        }
    ).set_coords("learner")
    points = found["fixed_points"][["position", "fixed", "stable", "learner", "start"]]
    both = xr.concat([truth, points.drop_vars("point")], "point", data_vars="minimal", join="outer")
    yield "fixed_points", plot.fixed_points(both, trajectory=lorenz.free[0, :2, :2000], plane=("x", "z"))
    yield "return_map", plot.return_map(found["return_map"])
    yield "spectra", plot.power_spectrum(found["spectra"].sel(frequency=slice(0, 5)))
    yield "eigenvalues", plot.eigenvalue_cloud(found["eigenvalues"])
    yield "biases", plot.bias_histogram(found["biases"])
    mixed = found["interpolation"]
    axes = plot.interpolation(mixed)
    axes[0].plot(mixed.mix, mixed.by_the_equations, "k:", lw=1.2, label="x + s (x(t + dt) - x), by the equations")
    axes[0].axvline(_onset(lorenz), color=plot.style.GREY, lw=1, ls="-.", label="C+ and C- lose stability")
    axes[0].legend(frameon=False, fontsize=8)
    yield "interpolation", axes
    yield "learning", plot.learning_curve(lorenz.fit.history)


def report(lorenz: Lorenz, found: dict[str, xr.Dataset], command: str) -> str:
    """The tables and what one needs to read them."""
    fit, size, dt = lorenz.fit, lorenz.size, lorenz.system.dt
    network = fit.network
    lines = [
        "# Inside a network that learned Lorenz-63 by its biases alone",
        "",
        f"    {command}",
        "",
        f"{network.units} units with frozen random weights, {network.learned} learned numbers, {size.samples:,} "
        f"samples {dt:g} apart, {type(fit.solver).__name__}; the held-out loss is "
        f"{float(fit.history.held_out_loss.min()):.1e}.",
        "",
        "## Lyapunov exponents (per unit of time, with the standard error over starts)",
        "",
        *_exponent_table(found["exponents"]),
        "",
        f"{size.trials} starts of {size.duration:g} time units each. The network's fourth exponent is its own memory; "
        "the system has three.",
        "",
        "## Fixed points of the closed loop, beside those of the equations",
        "",
        *_point_table(lorenz, found["fixed_points"]),
        "",
        f"From {found['fixed_points'].sizes['origin']} starts on true trajectories. Distances are in standard "
        "deviations of the data. Eigenvalues are those of one sample interval, exp(lambda dt) for the equations; the "
        "three of largest magnitude, a pair once.",
        "",
        "## Attractor",
        "",
        *_distance_table(found),
        "",
        f"{size.runs} free runs of {size.run_samples:,} samples after {SETTLE} discarded ones. D_stsp over all runs "
        "together, D_H the mean of single runs; both on half of the samples, where the truth's own row is one half "
        "against the other: the floor. Distance of return maps: the median of the network's maxima from the truth's "
        "curve, in units of z.",
        "",
        "## Between the biases at the start and those learned",
        "",
        *_interpolation_table(found["interpolation"]),
        "",
        f"Exponents are over {size.mixture_steps} samples of 20 starts after {size.mixture_steps // 2} discarded ones; "
        "motion is the standard deviation of a free run in time, over that of the data. "
        "Were the output linear in the shifts of the biases, as it is where they are lazy, the network at s would make "
        "the fraction s of each true step; the last column is the exponent of that map by the "
        "equations. By them C+ and C- stay, an eigenvalue mu becomes 1 + s (mu - 1), and "
        f"they are stable up to s = {_onset(lorenz):.3f}; a positive exponent before that is chaos beside them.",
        "",
        "## What the biases bear",
        "",
        *_robustness_table(found["robustness"]),
        "",
        columns.note(f"the median valid time (Lyapunov times) of free runs through {size.tested} trials"),
        "",
    ]
    return "\n".join(lines)


def _robustness_table(found: xr.Dataset) -> list[str]:
    cells = [number(found.skill, "{:.2f}"), *columns.words(columns.picked(found), "{:.2f}")]
    return aligned(["valid time", *columns.HEADER], [cells], words=0)


def _onset(lorenz: Lorenz) -> float:
    """The s at which |1 + s (mu - 1)| = 1 for the leading eigenvalue at C+-."""
    step = lorenz.fixed.eigenvalue.values[1, 0] - 1
    return float(-2 * step.real / abs(step) ** 2)


def _exponent_table(ds: xr.Dataset) -> list[str]:
    header = ["", *(f"exponent {k}" for k in ds.index.values), "Kaplan-Yorke", "entropy rate"]
    cells = []
    for name in ds.learner.values:
        one = ds.sel(learner=name)
        values = [
            "" if np.isnan(e) else f"{e:.4f} ± {s:.4f}"
            for e, s in zip(one.exponent.values, one.standard_error.values, strict=True)
        ]
        cells.append([str(name), *values, f"{one.kaplan_yorke.item():.4f}", f"{one.entropy_rate.item():.4f}"])
    return aligned(header, cells)


def _point_table(lorenz: Lorenz, ds: xr.Dataset) -> list[str]:
    """Each true point with the nearest one of the network, and what else the network has."""
    scale, true = lorenz.fit.standardiser.scale, lorenz.fixed
    position = ds.position.values
    header = ["point", "true (x, y, z)", "network (x, y, z)", "distance", "true eigenvalues", "network's", "starts"]
    cells, used = [], set()
    for k, name in enumerate(true.point.values):
        row = [str(name), _vector(true.position.values[k]), "not found", "", _pairs(true.eigenvalue.values[k]), "", ""]
        away = np.linalg.norm((position - true.position.values[k]) / scale, axis=1)
        fixed = np.flatnonzero(ds.fixed.values & (away < 0.5))
        if len(fixed):
            m = fixed[away[fixed].argmin()]
            used.add(m)
            row[2:4], row[5:] = (
                [_vector(position[m]), f"{away[m]:.2g}"],
                [_pairs(_eigenvalues(ds, m)), str(ds.found.values[m])],
            )
        cells.append(row)
    for m in sorted(set(range(len(position))) - used):
        kind = "fixed" if ds.fixed.values[m] else f"slow, q = {ds.speed.values[m]:.1e}"
        cells.append(
            [f"({kind})", "", _vector(position[m]), "", "", _pairs(_eigenvalues(ds, m)), str(ds.found.values[m])]
        )
    return aligned(header, cells)


def _eigenvalues(ds: xr.Dataset, point: int) -> np.ndarray:
    return ds.eigenvalue_real.values[point] + 1j * ds.eigenvalue_imag.values[point]


def _vector(x: np.ndarray) -> str:
    return "(" + ", ".join(f"{v + 0.0:.3f}" for v in x.round(3)) + ")"


def _pairs(values: np.ndarray) -> str:
    shown = [v for v in values[:3] if v.imag >= -1e-9]
    return ", ".join(f"{v.real:.4f}" + (f" ± {v.imag:.4f}i" if v.imag > 1e-9 else "") for v in shown)


def _distance_table(found: dict[str, xr.Dataset]) -> list[str]:
    header = ["", "D_stsp", "D_H", "maxima of z: mean", "sd", "distance of return maps"]
    cells, maps = [], found["return_map"]
    for name in ("truth", "network"):
        ds = found["distances"].sel(learner=name)
        events = maps.sel(event=maps.learner == name)
        cells.append(
            [
                name,
                f"{ds.state_space_divergence.mean().item():.3f}",
                f"{ds.spectral_distance.mean().item():.3f}",
                f"{events.maximum.mean().item():.3f}",
                f"{events.maximum.std().item():.3f}",
                "" if name == "truth" else f"{_map_distance(maps):.3f}",
            ]
        )
    return aligned(header, cells)


def _map_distance(maps: xr.Dataset) -> float:
    """Median vertical distance of the network's points from the truth's curve, in units of z."""
    truth, network = (maps.sel(event=maps.learner == name) for name in ("truth", "network"))
    order = np.argsort(truth.maximum.values)
    curve = np.interp(network.maximum.values, truth.maximum.values[order], truth.following.values[order])
    return float(np.median(np.abs(network.following.values - curve)))


def _interpolation_table(ds: xr.Dataset) -> list[str]:
    names = [*(str(name) for name in ds["quantity"].values), "by_the_equations"]
    header = ["s", *(name.replace("_", " ") for name in names)]
    return aligned(
        header, [[f"{s:.2f}", *(f"{ds[n].values[k]:.3f}" for n in names)] for k, s in enumerate(ds.mix.values)]
    )
