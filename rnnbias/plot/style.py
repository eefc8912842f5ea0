"""What all figures share: colours that colour-blind readers tell apart (Okabe and Ito 2008), panels, words on axes."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

BLACK, GREY = "#000000", "#8c8c8c"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A800")
MARKERS = "osD^vP*X<>"
PANEL = 2.7  # inches


def grid(axes: object, rows: int, columns: int, panel: tuple[float, float], **shared: Any) -> NDArray:
    """Return `axes` as (rows, columns), or make them, each of size `panel` in inches."""
    if axes is not None:
        return np.asarray(axes, dtype=object).reshape(rows, columns)
    size = (columns * panel[0] + 0.6, rows * panel[1] + 0.7)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **shared)[1]


def look(number: int) -> dict[str, Any]:
    """Colour and marker of the learner of this number."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def bare(ax: Axes) -> None:
    """Take away the frame above and on the right."""
    ax.spines[["top", "right"]].set_visible(False)


def whole_numbers(ax: Axes) -> None:
    """Put the ticks of the x axis at whole numbers."""
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def counts(ax: Axes, *subs: float) -> None:
    """Make the x axis one of counts: logarithmic, with ticks at powers of 10 times `subs`, default 1."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=subs or (1.0,)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def frame(values: xr.DataArray) -> tuple[float, float]:
    """The range of values with a margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low)
    return low - margin, high + margin


def units_of(data: xr.Dataset | xr.DataArray, state: object) -> str:
    """The units of one state; "1" where they are not known."""
    if "state_units" not in data.coords:
        return "1"
    return str(data.state_units.sel(state=state).values)


def with_units(name: str, units: str) -> str:
    """A name with its units in brackets, unless it has none."""
    return name if units == "1" else f"{name} ({units})"


def label(data: xr.DataArray, default: str = "") -> str:
    """The long name and units of an array."""
    return with_units(str(data.attrs.get("long_name", default or data.name)), str(data.attrs.get("units", "1")))


def one(axes: Axes | None, wide: float = 1.6, high: float = 1.3) -> Axes:
    """Return `axes`, or make them, in units of a panel."""
    if axes is not None:
        return axes
    return plt.subplots(figsize=(wide * PANEL, high * PANEL), layout="constrained")[1]


def need(data: xr.Dataset, *names: str) -> None:
    """Refuse a Dataset that lacks a variable or coordinate."""
    for name in names:
        if name not in data:
            raise ValueError(f"data must have {name!r}, got {sorted(map(str, data.variables))}")


def learners(data: xr.Dataset | xr.DataArray, dim: str = "learner") -> list[tuple[str, xr.Dataset | xr.DataArray, str]]:
    """Name, data and colour of each entry of `dim`, the truth in black; or all data under no name."""
    if dim not in data.dims:
        return [("", data, COLOURS[0])]
    names = [str(name) for name in data[dim].values] if dim in data.coords else list(map(str, range(data.sizes[dim])))
    colours = iter(COLOURS * len(names))
    return [(name, data.isel({dim: k}), BLACK if name == "truth" else next(colours)) for k, name in enumerate(names)]
