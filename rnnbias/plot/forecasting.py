"""Figures of forecasts.

space_time      truth, forecast and error of a field, over time and sites
traces          forecasts against the truth, state by state, with the valid time marked
attractors      free runs side by side
valid_time      valid time against the count of learned numbers
skill_against_noise    valid times against the noise of the training data
skill_by_system        valid times of several systems side by side
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style

__all__ = ["attractors", "skill_against_noise", "skill_by_system", "space_time", "traces", "valid_time"]

_TICKS = (0, 0.5, 1, 2, 3, 5, 10, 20, 50)  # of valid times on an axis of square roots


def traces(data: xr.Dataset, axes: Sequence[Axes] | NDArray | None = None) -> NDArray:
    """Draw forecasts over the truth, a column a learner and a row a state; a line marks the valid time.

    Parameters
    ----------
    data : xarray.Dataset
        `trace` (learner, time, state), `truth` (time, state) and `valid_time` (learner), this in the units of
        the time coordinate.
    axes : array of Axes, optional
        (state, learner).

    Returns
    -------
    The axes, (state, learner).
    """
    rows, columns = data.sizes["state"], data.sizes["learner"]
    axes = style.grid(axes, rows, columns, (1.2 * style.PANEL, 0.55 * style.PANEL), sharex=True, sharey="row")
    for i, state in enumerate(data.state.values):
        truth = data.truth.sel(state=state)
        for j, learner in enumerate(data.learner.values):
            ax, valid = axes[i, j], float(data.valid_time.sel(learner=learner))
            ax.plot(data.time, truth, color=style.BLACK, lw=1.4, label="truth")
            run = data.trace.sel(learner=learner, state=state)
            ax.plot(data.time, run, color=style.COLOURS[1], lw=1.1, label="forecast")
            ax.axvline(valid, color=style.COLOURS[0], lw=1.2, ls="--", label="valid time")
            ax.set(xlim=(0, float(data.time[-1])), ylim=style.frame(truth))
            style.bare(ax)
            if i == 0:
                ax.set_title(f"{learner}: {valid:.1f}", fontsize=10)
            if j == 0:
                ax.set_ylabel(style.with_units(str(state), style.units_of(data, state)))
            if i == rows - 1:
                ax.set_xlabel(f"time ({data.time.attrs.get('units', '1')})")
    if (figure := axes[0, 0].figure) is not None:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return axes


def attractors(data: xr.DataArray, axes: Sequence[Axes] | NDArray | None = None, lag: int = 15) -> NDArray:
    """Draw free runs side by side in the plane of the first and the last state.

    Parameters
    ----------
    data : xarray.DataArray
        (learner, time, state); the first learner, usually the truth, sets the frame and is drawn in black.
        Where there is one state, it is drawn against itself `lag` samples before.
    axes : sequence of Axes, optional
        One a learner.
    lag : int
        See above.

    Returns
    -------
    The axes, (learner,).
    """
    count = data.sizes["learner"]
    columns = min(count, 6)
    if axes is None:
        axes = style.grid(None, -(-count // columns), columns, (0.85 * style.PANEL, 0.9 * style.PANEL)).ravel()
    axes = np.asarray(axes).ravel()
    first, last = str(data.state.values[0]), str(data.state.values[-1])
    labels = [style.with_units(name, style.units_of(data, name)) for name in (first, last)]
    if first == last:
        labels[0] = f"{first}, {lag} samples before"
        x, y = data.sel(state=first)[:, :-lag], data.sel(state=last)[:, lag:]
    else:
        x, y = data.sel(state=first), data.sel(state=last)
    for j, learner in enumerate(data.learner.values):
        ax = axes[j]
        _orbit(
            ax, x[j].values, y[j].values, style.frame(x[0]), style.frame(y[0]), style.COLOURS[0] if j else style.BLACK
        )
        ax.set_title(str(learner), fontsize=10)
        left, bottom = j % columns == 0, j + columns >= count
        ax.set(xlabel=labels[0] if bottom else "", ylabel=labels[1] if left else "")
        ax.tick_params(labelleft=left, labelbottom=bottom)
        style.bare(ax)
    for ax in axes[count:]:
        ax.set_visible(False)
    return axes[:count]


def space_time(data: xr.Dataset, axes: Sequence[Axes] | NDArray | None = None) -> NDArray:
    """Draw a field and its forecast over time and sites, and their difference below; a line marks the valid time.

    Parameters
    ----------
    data : xarray.Dataset
        `truth` and `forecast` (time, state), in the same units, and, where it is known, `valid_time` (), in the units
        of the time coordinate.
    axes : sequence of Axes, optional
        Three: of the truth, the forecast and the error.

    Returns
    -------
    The axes, (3,).
    """
    style.need(data, "truth", "forecast")
    axes = style.grid(axes, 3, 1, (2.6 * style.PANEL, 0.55 * style.PANEL), sharex=True, sharey=True).ravel()
    truth, forecast = (data[name].transpose("state", "time") for name in ("truth", "forecast"))
    low, high = np.quantile(truth, [0.005, 0.995])
    extent = (float(data.time[0]), float(data.time[-1]), -0.5, data.sizes["state"] - 0.5)
    error, reach = forecast - truth, high - low
    for ax, field, name, map_, limits in zip(
        axes, (truth, forecast, error), ("truth", "forecast", "forecast - truth"), ("viridis", "viridis", "RdBu_r"),
        ((low, high), (low, high), (-reach, reach)), strict=True,
    ):  # fmt: skip
        drawn = ax.imshow(
            field, aspect="auto", origin="lower", extent=extent, cmap=map_, vmin=limits[0], vmax=limits[1],
            interpolation="nearest",
        )  # fmt: skip
        ax.set(ylabel="site")
        ax.set_title(name, fontsize=10, loc="left")
        if "valid_time" in data:
            ax.axvline(float(data.valid_time), color=style.BLACK, lw=1.2, ls="--")
        if ax.figure is not None:
            ax.figure.colorbar(drawn, ax=ax, pad=0.01)
    axes[-1].set_xlabel(f"time ({data.time.attrs.get('units', '1')})")
    return axes


def skill_against_noise(data: xr.DataArray, axes: Axes | None = None) -> Axes:
    """Draw valid times, on an axis of square roots, against the noise of the training data, by learner.

    Parameters
    ----------
    data : xarray.DataArray
        (learner, noise, seed), noise in standard deviations; lines are medians over seeds, dots the seeds.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    axes = style.one(axes, 2.2, 1.3)
    noise = 100 * data.noise.values.astype(float)
    places = np.arange(len(noise))
    for k, learner in enumerate(data.learner.values):
        one, look = data.sel(learner=learner).transpose("noise", "seed"), style.look(k)
        axes.plot(places, one.median("seed"), lw=1.6, ms=5, label=str(learner), **look)
        for seed in np.asarray(one).T:
            axes.plot(places, seed, ".", ms=3, alpha=0.5, color=look["color"])
    axes.set(xticks=places, xticklabels=[f"{n:g} %" for n in noise], xlabel="noise of the training data")
    axes.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
    ticks = [tick for tick in _TICKS if tick <= float(data.max())]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(0, None)
    axes.set_ylabel(style.with_units("valid time", data.attrs.get("units", "1")))
    axes.legend(frameon=False, fontsize=8)
    style.bare(axes)
    return axes


def skill_by_system(data: xr.DataArray, axes: Axes | None = None) -> Axes:
    """Draw valid times of several systems side by side, a bar a learner.

    Parameters
    ----------
    data : xarray.DataArray
        (system, learner, seed); bars are medians over seeds, dots the seeds.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    axes = style.one(axes, 3.0, 1.3)
    data = data.dropna("learner", how="all")
    places, width = np.arange(data.sizes["system"]), 0.8 / data.sizes["learner"]
    for k, learner in enumerate(data.learner.values):
        one, colour = data.sel(learner=learner).transpose("system", "seed"), style.look(k)["color"]
        left = places + (k + 0.5) * width - 0.4
        axes.bar(left, one.median("seed"), 0.9 * width, color=colour, label=str(learner))
        if data.sizes["seed"] > 1:
            axes.plot(np.repeat(left, data.sizes["seed"]), np.ravel(one), ".", ms=3, color="black")
    axes.set(xticks=places, xticklabels=data.system.values)
    axes.set_ylabel(style.with_units("valid time", data.attrs.get("units", "1")))
    axes.legend(frameon=False, fontsize=8)
    style.bare(axes)
    return axes


def valid_time(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw the valid time against the count of learned numbers.

    Points are medians, thick bars the quartiles over all windows, thin bars the range of the medians over
    seeds. Learners of nearly equal count stand side by side; those that learn nothing are horizontal lines.
    Points of learners whose `role` is "biases only" are filled.

    Parameters
    ----------
    data : xarray.Dataset
        `valid_time` (seed, learner, window) and `learned` (seed, learner), NaN where there is no value; the
        coordinate `role` (learner) if it is known.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    axes = style.one(axes, 3.1, 1.7)
    medians = data.valid_time.median("window")
    kept = [name for name in data.learner.values if np.isfinite(medians.sel(learner=name)).any()]
    counts = {name: float(data.learned.sel(learner=name).max()) for name in kept}
    places = _side_by_side({name: n for name, n in counts.items() if n > 0})

    def filled(name: str) -> bool:
        return "role" in data.coords and data.role.sel(learner=name).item() == "biases only"

    for k, (name, place) in enumerate(places.items()):
        every, seeds = data.valid_time.sel(learner=name), medians.sel(learner=name)
        centre, base = float(seeds.median()), style.look(k)
        colour = base["color"]
        axes.vlines(place, *np.nanquantile(every, [0.25, 0.75]), color=colour, lw=4, alpha=0.35)
        axes.vlines(place, float(seeds.min()), float(seeds.max()), color=colour, lw=1.2)
        label = f"{name} ({counts[name]:,.0f}): {centre:.1f}"
        face = colour if filled(name) else "white"
        axes.plot(place, centre, ms=8, mew=1.6, mfc=face, clip_on=False, ls="", label=label, **base)
    for k, name in enumerate(name for name in kept if counts[name] == 0):
        centre = float(medians.sel(learner=name).median())
        dash = ("--", ":", "-.")[k % 3]
        axes.axhline(centre, color=style.GREY, ls=dash, lw=1.2, label=f"{name}: {centre:.1f}", zorder=0)
    if places:
        axes.set_xlim(min(places.values()) / 1.4, max(places.values()) * 1.4)
    style.counts(axes, 1, 2, 5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("learned numbers")
    axes.set_ylabel(f"valid time ({data.valid_time.attrs.get('units', '1')})")
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: -float(labels[k].rsplit(":", 1)[1]))
    axes.legend(
        [handles[k] for k in order], [labels[k] for k in order],
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9,
    )  # fmt: skip
    style.bare(axes)
    return axes


def _orbit(ax: Axes, x: NDArray, y: NDArray, wide: tuple[float, float], high: tuple[float, float], colour: str) -> None:
    """Draw an orbit in a frame: a point where it stands still, a word where it is not in the frame."""
    inside = (x > wide[0]) & (x < wide[1]) & (y > high[0]) & (y < high[1])
    still = np.ptp(x) < 0.01 * (wide[1] - wide[0]) and np.ptp(y) < 0.01 * (high[1] - high[0])
    ax.plot(x, y, color=colour, lw=0.4, alpha=0.85, rasterized=True, marker="o" if still else None, ms=4)
    if not inside.any():
        ax.text(0.5, 0.5, "outside", transform=ax.transAxes, ha="center", color=style.GREY)
    ax.set(xlim=wide, ylim=high)


def _side_by_side(counts: dict[str, float], apart: float = 1.09) -> dict[str, float]:
    """Move places that are closer than a factor `apart` on a log axis to be that far from one another."""
    groups: list[list[str]] = []
    for name in sorted(counts, key=counts.__getitem__):
        if groups and counts[name] < counts[groups[-1][-1]] * apart:
            groups[-1].append(name)
        else:
            groups.append([name])
    return {
        name: float(np.exp(np.mean([np.log(counts[n]) for n in group])) * apart ** (k - (len(group) - 1) / 2))
        for group in groups
        for k, name in enumerate(sorted(group, key=list(counts).index))
    }
