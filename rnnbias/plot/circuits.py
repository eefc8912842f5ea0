"""Figures of circuits whose weights were measured: what recordings of some neurons say about all.

activity_bands     expected activity with 90 % bands, the truth over it
neurons            how well each neuron is predicted, recorded and unrecorded apart
stiff_and_sloppy   what a recording says along each direction of what learned, beside the prior
recording_order    the error that is left as neurons are recorded one after the other
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from rnnbias.plot import style
from systems import checks
from systems.labels import config

__all__ = ["activity_bands", "neurons", "recording_order", "stiff_and_sloppy"]

_SHOWN = (0.5, 0.9, 1.0)  # where among neurons, from the surest to the least sure, those are that are drawn
_NAMED = 3  # of those that are predicted worst
_NINETY = 1.645  # standard deviations on each side of 90 %
_KINDS = {True: ("recorded", style.COLOURS[0]), False: ("unrecorded", style.COLOURS[1])}


def activity_bands(
    found: xr.Dataset,
    truth: xr.DataArray | None = None,
    units: Sequence[str] | None = None,
    trial: int = 0,
    axes: Sequence[Axes] | NDArray | None = None,
) -> NDArray:
    """Draw the expected activity of some neurons with 90 % bands, a panel a neuron.

    Parameters
    ----------
    found : xarray.Dataset
        What `analysis.uncertainty` found.
    truth : xarray.DataArray, optional
        (trial, time, unit), what neurons did, drawn in black in the panels of those that it holds.
    units : sequence of str, optional
        The neurons. Default: of those recorded and of the others the middling, one of the uncertain and the most
        uncertain.
    trial : int
        Which trial.
    axes : sequence of Axes, optional
        One a neuron.

    Returns
    -------
    The axes, (unit,).
    """
    style.need(found, "activity", "activity_sd")
    trial = checks.whole("trial", trial, at_least=0, at_most=found.sizes["trial"] - 1)
    if truth is not None and truth.sizes["time"] != found.sizes["time"]:
        raise ValueError(f"truth must have {found.sizes['time']} samples, got {truth.sizes['time']}")
    recorded = found.unit.isin(config(found)["about"]["recorded"])
    one, names = found.isel(trial=trial), found.unit.values.astype(str)
    if units is None:
        order = one.activity_sd.mean("time").argsort().values
        kinds = [order[recorded.values[order] == kind] for kind in _KINDS]
        units = [names[each[int(place * (len(each) - 1))]] for each in kinds if len(each) for place in _SHOWN]
    axes = style.grid(axes, len(units), 1, (2.2 * style.PANEL, 0.36 * style.PANEL), sharex=True).ravel()
    legend: dict[str, tuple[Artist, ...]] = {}
    for ax, name in zip(axes, units, strict=True):
        this = one.sel(unit=checks.choice("units", name, names))
        kind, colour = _KINDS[bool(recorded.sel(unit=name))]
        mean, spread = this.activity, _NINETY * this.activity_sd
        band = ax.fill_between(found.time, mean - spread, mean + spread, color=colour, alpha=0.3, lw=0)
        legend[f"{kind}, with 90 % band"] = (band, *ax.plot(found.time, mean, color=colour, lw=1.4))
        if truth is not None and name in truth.unit:
            did = truth.isel(trial=trial).sel(unit=name)
            legend["truth"] = tuple(ax.plot(found.time, did, "--", color=style.BLACK, lw=1))
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.margins(x=0)
        style.bare(ax)
    axes[-1].set_xlabel(style.label(found.time))
    if (figure := axes[0].figure) is not None:
        figure.align_ylabels(axes)
        words = sorted(legend, key="truth".__eq__)  # last
        handles = [legend[each] for each in words]
        figure.legend(handles, words, loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return axes


def neurons(score: xr.Dataset, by: str = "error", axes: Axes | None = None) -> Axes:
    """Draw how well each neuron is predicted, the best first, and name the worst.

    Parameters
    ----------
    score : xarray.Dataset
        What `ActivityFit.score` made.
    by : str
        "error", as a share of that before learning, or "correlation". Neurons of which there is none, since nothing
        reaches them, are left out.
    axes : Axes, optional

    Returns
    -------
    The axes.
    """
    style.need(score, "error", "untaught_error", "correlation", "recorded")
    axes, share = style.one(axes, 1.9, 1.3), checks.choice("by", by, ("error", "correlation")) == "error"
    value = score.error / score.untaught_error.where(score.untaught_error > 0) if share else score.correlation
    value = value.dropna("unit")
    value = value.isel(unit=np.argsort(value.values if share else -value.values))
    places = np.arange(1, value.size + 1)
    for recorded, (kind, colour) in _KINDS.items():
        chosen = score.recorded.sel(unit=value.unit).values == recorded
        look: dict[str, Any] = {"ms": 3.5, "color": colour, "zorder": 3 if recorded else 2}  # the few on top
        axes.plot(places[chosen], value[chosen], "o", label=f"{kind} ({chosen.sum()})", **look)
    names = ", ".join(map(str, value.unit.values[-_NAMED:]))
    beside: dict[str, Any] = {"xytext": (-7, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
    axes.annotate(names, (places[-1], float(value[-1])), fontsize=8, **beside)
    if share:
        axes.set_yscale("log")
    axes.axhline(1, color=style.GREY, lw=0.8, ls="--")
    axes.set(xlabel="neuron, by rank", ylabel="error, as a share of that\nbefore learning" if share else "correlation")
    axes.legend(frameon=False, fontsize=9, loc="upper left" if share else "lower left")
    style.bare(axes)
    return axes


def stiff_and_sloppy(found: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw the singular values of a recording's residuals; a line a prior marks what they are without the recording.

    Parameters
    ----------
    found : xarray.Dataset
        What `analysis.uncertainty` found.
    axes : Axes, optional

    Returns
    -------
    The axes.
    """
    style.need(found, "singular_value")
    axes, value = style.one(axes), found.singular_value
    axes.plot(np.arange(1, value.size + 1), value, "o", ms=3.5, color=style.COLOURS[0], label="with the recording")
    learned = {part: width for part, width in config(found)["about"]["prior"].items() if f"{part}_sd" in found}
    for (part, width), dash in zip(learned.items(), ("--", ":"), strict=False):
        axes.axhline(1 / width, color=style.BLACK, lw=1, ls=dash, label=f"prior of the {part} alone")
    axes.set(yscale="log", xlabel="direction, the stiffest first", ylabel="1 / standard deviation")
    axes.legend(frameon=False, fontsize=9)
    style.bare(axes)
    return axes


def recording_order(chosen: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw the error that is expected to be left as neurons are recorded one after the other.

    Parameters
    ----------
    chosen : xarray.Dataset
        What `analysis.record_next` chose.
    axes : Axes, optional

    Returns
    -------
    The axes.
    """
    style.need(chosen, "neuron", "expected_error", "expected_error_now")
    count, now = chosen.sizes["rank"], len(config(chosen)["about"]["recorded"])
    axes = style.one(axes, 0.8 + 0.09 * count, 1.3)
    error = np.append(chosen.expected_error_now, chosen.expected_error)
    axes.plot(range(count + 1), error, "o-", ms=5, lw=1.3, color=style.COLOURS[0])
    names = [f"the {now} recorded", *(f"+ {name}" for name in chosen.neuron.values)]
    axes.set_xticks(range(count + 1), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set(yscale="log", ylabel="expected square error\nof the unrecorded neurons")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    style.bare(axes)
    return axes
