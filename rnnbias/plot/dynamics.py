"""Figures of what a network does.

eigenvalue_cloud    eigenvalues in the complex plane, with the unit circle
exponents           Lyapunov spectra side by side
convergence         how the exponents settle
fixed_points        fixed and slow points over the states visited
return_map          successive maxima
power_spectrum      power against frequency
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rnnbias.plot import style

__all__ = ["convergence", "eigenvalue_cloud", "exponents", "fixed_points", "power_spectrum", "return_map", "time_in"]

_DOTS = {"marker": ".", "ms": 3, "alpha": 0.7}
_STAGES = {"before": {"marker": "o", "ms": 6, "mfc": "none", "mew": 0.6, "color": style.GREY}}  # seen under dots


def time_in(data: xr.Dataset, unit: float, name: str) -> xr.Dataset:
    """Return `data` with its times in multiples of `unit`: a Lyapunov time 1 / exponent, or a period.

    >>> ds = xr.Dataset(coords={"time": ("time", [0.0, 5.0], {"units": "s"})})
    >>> time_in(ds, 2.5, "periods").time.values.tolist()
    [0.0, 2.0]
    """
    return data.assign_coords(time=(data.time.dims, data.time.values / unit, {**data.time.attrs, "units": name}))


def eigenvalue_cloud(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw eigenvalues in the complex plane with the unit circle, beyond which modes grow.

    Parameters
    ----------
    data : xarray.Dataset
        `eigenvalue_real` and `eigenvalue_imag` (..., mode), as `analysis.eigenvalues`, `before_after` and
        `fixed_points` return them; a dimension `stage` or `learner` is told apart by colour. The legend gives the
        largest spectral radius.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    style.need(data, "eigenvalue_real", "eigenvalue_imag")
    axes = style.one(axes, 1.5, 1.45)
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color=style.BLACK, lw=0.8)
    for name, part, colour in style.learners(data, "stage" if "stage" in data.dims else "learner"):
        real, imag = part.eigenvalue_real.values.ravel(), part.eigenvalue_imag.values.ravel()
        radius = f"largest |λ| {np.hypot(real, imag).max():.3f}" if real.size else "none"
        label = f"{name}: {radius}" if name else radius
        look: dict[str, Any] = {
            "ls": "",
            "color": colour,
            "label": label,
            "rasterized": True,
            **_STAGES.get(name, _DOTS),
        }
        axes.plot(real, imag, **look)
    axes.axhline(0, color=style.GREY, lw=0.4, zorder=0)
    axes.axvline(0, color=style.GREY, lw=0.4, zorder=0)
    axes.set(aspect="equal", xlabel="real part of the eigenvalue", ylabel="imaginary part")
    axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    style.bare(axes)
    return axes


def exponents(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw Lyapunov spectra, with bars of two standard errors.

    Parameters
    ----------
    data : xarray.Dataset
        `exponent`, `standard_error` (index) and `kaplan_yorke`, as `analysis.lyapunov_spectrum` returns them; a
        dimension `learner` is told apart by colour, the truth in black.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    style.need(data, "exponent", "standard_error", "kaplan_yorke")
    axes = style.one(axes)
    parts = style.learners(data)
    for k, (name, part, colour) in enumerate(parts):
        place = part.index + 0.14 * (k - (len(parts) - 1) / 2)
        label = f"{name + ': ' if name else ''}Kaplan-Yorke dimension {float(part.kaplan_yorke):.3f}"
        axes.errorbar(
            place, part.exponent, 2 * part.standard_error.fillna(0), fmt=style.look(k)["marker"], ms=6, color=colour,
            capsize=3, label=label,
        )  # fmt: skip
    axes.axhline(0, color=style.GREY, lw=0.8, zorder=0)
    axes.set(xticks=data.index.values, xlabel=style.label(data.index), ylabel=style.label(data.exponent))
    axes.set_xlim(0.5, data.sizes["index"] + 0.5)
    axes.legend(frameon=False, fontsize=9, loc="best")
    style.bare(axes)
    return axes


def convergence(data: xr.Dataset, axes: Axes | None = None, most: int = 3) -> Axes:
    """Draw how the running means of the first exponents settle.

    Parameters
    ----------
    data : xarray.Dataset
        `running` (time, index), as `analysis.lyapunov_spectrum` returns it; a dimension `learner` is told apart by
        colour, the truth in black.
    axes : Axes, optional
        Where to draw.
    most : int
        How many exponents.

    Returns
    -------
    The axes.
    """
    style.need(data, "running")
    axes = style.one(axes)
    for name, part, colour in style.learners(data):
        for k in range(min(most, data.sizes["index"])):
            label = name if name and k == 0 else None
            axes.plot(
                data.time, part.running.isel(index=k), color=colour, lw=1.2, ls=("-", "--", ":")[k % 3], label=label
            )
    axes.axhline(0, color=style.GREY, lw=0.8, zorder=0)
    axes.set(xlabel=style.label(data.time), ylabel=style.label(data.running))
    if "learner" in data.dims:
        axes.legend(frameon=False, fontsize=9)
    style.bare(axes)
    return axes


def fixed_points(
    data: xr.Dataset,
    axes: Axes | None = None,
    *,
    trajectory: xr.DataArray | None = None,
    plane: Sequence[str] | None = None,
) -> Axes:
    """Draw fixed and slow points over the states visited: discs are stable, rings unstable, crosses only slow.

    Parameters
    ----------
    data : xarray.Dataset
        `position` (point, state), `fixed` and `stable` (point) and `start` (origin, state), as
        `analysis.fixed_points` returns them; a coordinate `learner` (point) is told apart by colour.
    axes : Axes, optional
        Where to draw.
    trajectory : xarray.DataArray, optional
        (trial, time, state), drawn as lines; its states, otherwise the starts, span the principal components.
    plane : two names, optional
        Draw against these states instead of the first two principal components.

    Returns
    -------
    The axes.
    """
    style.need(data, "position", "fixed", "stable", "start")
    axes = style.one(axes, 1.7, 1.5)
    visited = data.start.values if trajectory is None else trajectory.values.reshape(-1, trajectory.sizes["state"])
    if plane is None:
        centre = visited.mean(0)
        _, size, across = np.linalg.svd(visited - centre, full_matrices=False)
        if len(across) < 2:
            raise ValueError(f"data must have two states or more to have a plane, got {len(across)}")
        share = size**2 / (size**2).sum()
        labels = [f"principal component {k + 1} ({100 * share[k]:.0f} % of the variance)" for k in (0, 1)]

        def place(x: NDArray) -> NDArray:
            return (x - centre) @ across[:2].T
    else:
        names = [str(name) for name in data.state.values]
        where = [names.index(name) for name in plane]
        labels = [style.with_units(name, style.units_of(data, name)) for name in plane]

        def place(x: NDArray) -> NDArray:
            return x[..., where]

    if trajectory is None:
        axes.plot(*place(visited).T, ".", ms=3, color=style.GREY, alpha=0.5, zorder=0)
    else:
        for row in place(trajectory.values):
            axes.plot(*row.T, lw=0.4, color=style.GREY, alpha=0.7, zorder=0, rasterized=True)
    whose = data.learner.values if "learner" in data.coords else np.full(data.sizes["point"], "")
    colours = iter(style.COLOURS * len(whose))
    for k, name in enumerate(dict.fromkeys(map(str, whose))):
        colour = style.BLACK if name == "truth" else next(colours)
        for kind, marker, face in (("stable", "o", colour), ("unstable", "o", "none"), ("slow", "x", colour)):
            stable, fixed = data.stable.values.astype(bool), data.fixed.values.astype(bool)
            mine = {"stable": fixed & stable, "unstable": fixed & ~stable, "slow": ~fixed}[kind] & (whose == name)
            if mine.any():
                label = f"{name + ': ' if name else ''}{kind} ({mine.sum()})"
                axes.plot(
                    *place(data.position.values[mine]).T, marker, ms=11 - 3 * k, mew=1.8, mec=colour, mfc=face, ls="",
                    label=label,
                )  # fmt: skip
    axes.set(xlabel=labels[0], ylabel=labels[1])
    if data.sizes["point"]:
        axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    style.bare(axes)
    return axes


def return_map(data: xr.Dataset, axes: Axes | None = None) -> Axes:
    """Draw each maximum against the one before it, with the diagonal.

    Parameters
    ----------
    data : xarray.Dataset
        `maximum` and `following` (event), as `analysis.return_map` returns them; a coordinate `learner` (event) is
        told apart by colour, the truth in black.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    The axes.
    """
    style.need(data, "maximum", "following")
    axes = style.one(axes, 1.5, 1.4)
    whose = data.learner.values if "learner" in data.coords else np.full(data.sizes["event"], "")
    colours = iter(style.COLOURS * len(whose))
    for name in dict.fromkeys(map(str, whose)):
        mine = whose == name
        colour = style.BLACK if name == "truth" else next(colours)
        axes.plot(
            data.maximum.values[mine], data.following.values[mine], ".", ms=3, alpha=0.7, color=colour, label=name,
            rasterized=True,
        )  # fmt: skip
    ends = [float(data.maximum.min()), float(data.maximum.max())]
    axes.plot(ends, ends, color=style.GREY, lw=0.8, zorder=0)
    axes.set(xlabel=style.label(data.maximum), ylabel=style.label(data.following))
    if "learner" in data.coords:
        axes.legend(frameon=False, fontsize=9, markerscale=3)
    style.bare(axes)
    return axes


def power_spectrum(data: xr.Dataset, axes: Sequence[Axes] | NDArray | Axes | None = None) -> NDArray:
    """Draw power against frequency, a panel a state.

    Parameters
    ----------
    data : xarray.Dataset
        `power` (frequency) or (state, frequency), as `analysis.power_spectrum` returns it; a dimension `learner` is
        told apart by colour, the truth in black. The frequency 0, which holds the mean, is left out.
    axes : Axes or sequence of Axes, optional
        One a state.

    Returns
    -------
    The axes, (state,).
    """
    style.need(data, "power")
    count = data.sizes.get("state", 1)
    axes = style.grid(axes, 1, count, (1.3 * style.PANEL, style.PANEL), sharey=True).ravel()
    for j, ax in enumerate(axes):
        panel = data.isel(state=j) if "state" in data.dims else data
        for name, part, colour in style.learners(panel.isel(frequency=slice(1, None))):
            ax.plot(part.frequency, part.power, color=colour, lw=1.1, label=name or None)
        ax.set(yscale="log", xlabel=style.label(data.frequency))
        if "state" in data.dims:
            ax.set_title(str(data.state.values[j]), fontsize=10)
        style.bare(ax)
    axes[0].set_ylabel(style.label(data.power))
    if "learner" in data.dims:
        axes[0].legend(frameon=False, fontsize=9)
    return axes
