"""Figures of learning and of what was learned.

learning_curve    losses over iterations, and what each term of the loss adds
bias_histogram    densities of biases
interpolation     what changes between two sets of learned numbers, and where
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style

__all__ = ["bias_histogram", "interpolation", "learning_curve"]


def learning_curve(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw the training and the held-out loss over the iterations, and the terms of the loss where there are any.

    Parameters
    ----------
    data : xarray.Dataset
        The history of a fit: `loss` and, if known, `held_out_loss` (iteration); each other variable called `loss_...`
        is a term. Or a whole fit's Dataset, where each name has `history_` before it.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    data = data.rename({n: str(n).removeprefix("history_") for n in data.data_vars if str(n).startswith("history_")})
    style.need(data, "loss")
    axes = style.one(axes)
    terms = [str(name) for name in data.data_vars if str(name).startswith("loss_")]
    lines = [("loss", style.BLACK, "-"), ("held_out_loss", style.COLOURS[1], "-")]
    rest = [style.COLOURS[0], *style.COLOURS[2:]]
    lines += [(name, rest[k % len(rest)], "--") for k, name in enumerate(terms)]
    for name, colour, dash in lines:
        if name in data:
            short = name.removeprefix("loss_").replace("_", " ")
            text = short if name in terms else str(data[name].attrs.get("long_name", short))
            values = data[name].where(data[name] > 0)  # the axis is logarithmic
            axes.plot(data.iteration, values, dash, color=colour, lw=1.4, marker=".", label=text)
    axes.set(
        yscale="log",
        xlabel=style.label(data.iteration),
        ylabel=style.with_units("loss", data.loss.attrs.get("units", "1")),
    )
    style.whole_numbers(axes)
    axes.legend(frameon=False, fontsize=9)
    style.bare(axes)
    return axes


def bias_histogram(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw densities of biases as steps.

    Parameters
    ----------
    data : xarray.Dataset
        `density` (bias) or (set, bias), as `analysis.bias_histogram` returns it; the sets, of any one dimension (task,
        stage, seed, ...), are told apart by colour.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    style.need(data, "density")
    outer = [str(d) for d in data.density.dims if d != "bias"]
    if len(outer) > 1:
        raise ValueError(f"data must have one dimension beside 'bias' at most, got {outer}; choose one")
    axes = style.one(axes)
    for name, part, colour in style.learners(data, *outer):
        axes.stairs(part.density, _edges(data.bias.values), color=colour, lw=1.4, label=name or None)
    axes.set(xlabel=style.label(data.bias), ylabel=style.label(data.density), ylim=(0, None))
    if outer:
        axes.legend(frameon=False, fontsize=9)
    style.bare(axes)
    return axes


def interpolation(data: xr.Dataset, axes: Sequence[Axes] | NDArray | Axes | None = None) -> NDArray:
    """Draw what was evaluated between two sets of learned numbers, with the largest change marked.

    Parameters
    ----------
    data : xarray.Dataset
        As `analysis.interpolate` returns it: quantities over `mix`, and `change` and `sharpness` (quantity).
    axes : Axes or sequence of Axes, optional
        One a quantity.

    Returns
    -------
    The axes, (quantity,).
    """
    style.need(data, "change", "sharpness")
    names = [str(name) for name in data["quantity"].values]
    axes = style.grid(axes, len(names), 1, (1.7 * style.PANEL, 0.75 * style.PANEL), sharex=True).ravel()
    for ax, name in zip(axes, names, strict=True):
        ax.plot(data.mix, data[name], marker=".", color=style.COLOURS[0], lw=1.3)
        change, share = (float(data[each].sel(quantity=name)) for each in ("change", "sharpness"))
        if np.isfinite(change):
            text = f"largest step, {100 * share:.0f} % of the variation"
            ax.axvline(change, color=style.COLOURS[1], lw=1.2, ls="--", label=text)
            ax.legend(frameon=False, fontsize=8)
        if float(data[name].min()) < 0 < float(data[name].max()):
            ax.axhline(0, color=style.GREY, lw=0.8, zorder=0)
        ax.set(ylabel=style.label(data[name]), xlim=(0, 1))
        style.bare(ax)
    axes[-1].set_xlabel("position s between the two sets")
    return axes


def _edges(middles: NDArray) -> NDArray:
    half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.5
    return np.append(middles - half, middles[-1] + half)
