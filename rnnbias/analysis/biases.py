"""Learned biases: their distribution and distances, what they do to units, and what lies between two sets.

bias_histogram    densities of biases
bias_distance     distances and cosines between sets
unit_activity     how often units are on, and which are never or always
interpolate       what a network does on the straight line between two sets of learned numbers
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from tqdm import tqdm

from rnnbias.analysis.coordinates import labels_of
from rnnbias.analysis.numbers import Numbers, as_number, vector
from rnnbias.metrics.fields import field
from rnnbias.networks import Network, parameters
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["bias_distance", "bias_histogram", "interpolate", "unit_activity"]


def bias_histogram(bias: xr.DataArray, *, bins: int = 40, unit: str = "unit") -> xr.Dataset:
    """Return densities of biases over units, all with the same bins.

    Parameters
    ----------
    bias
        (..., unit); other dimensions (task, seed, stage, ...) pass through.
    bins
        Equal ones, from the least to the greatest bias of all.
    unit
        The name of the dimension of units.

    Returns
    -------
    Dataset with `density` (..., bias), of integral 1, at the middles of the bins; `mean` and `sd` (...).

    Raises
    ------
    TypeError, ValueError
        `bias` is no real, finite DataArray, lacks `unit`, or is the same for all.

    Examples
    --------
    >>> found = bias_histogram(xr.DataArray([0.0, 1.0, 1.0, 2.0], dims="unit"), bins=2)
    >>> found.density.values.tolist(), found.bias.values.tolist()
    ([0.25, 0.75], [0.5, 1.5])
    """
    x, bins = field("bias", bias, (unit,)), checks.whole("bins", bins, at_least=1)
    low, high = float(x.min()), float(x.max())
    if low == high:
        raise ValueError(f"bias must differ between units, got {low} for all")
    edges = np.linspace(low, high, bins + 1)
    density = np.apply_along_axis(lambda row: np.histogram(row, edges, density=True)[0], -1, x.values)
    dims = tuple(map(str, x.dims[:-1]))
    units, name = str(bias.attrs.get("units", "1")), str(bias.attrs.get("long_name", "bias"))
    return dataset(
        {
            "density": Labelled((*dims, "bias"), density, "1" if units == "1" else f"1/{units}", "density of units"),
            "mean": Labelled(dims, x.values.mean(-1), units, f"mean {name}"),
            "sd": Labelled(dims, x.values.std(-1), units, f"standard deviation of the {name}"),
        },
        {
            **{d: labels_of(bias, d) for d in dims},
            "bias": Labelled("bias", (edges[1:] + edges[:-1]) / 2, units, name),
        },
        title="histogram of biases",
        config={"bins": bins},
    )


def bias_distance(bias: xr.DataArray, *, task: str = "task", unit: str = "unit") -> xr.Dataset:
    """Return the distance and the cosine between every two sets of biases.

    Parameters
    ----------
    bias
        (task, unit), no set all zero.
    task, unit
        The names of the two dimensions.

    Returns
    -------
    Dataset with `distance`, Euclidean, and `cosine` (task, other_task).

    Raises
    ------
    TypeError, ValueError
        `bias` is no real, finite DataArray (task, unit), or a set is zero.

    Examples
    --------
    >>> found = bias_distance(xr.DataArray([[3.0, 0.0], [0.0, 4.0]], dims=("task", "unit")))
    >>> found.distance.values.tolist(), found.cosine.values.tolist()
    ([[0.0, 5.0], [5.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    """
    x = field("bias", bias, (task, unit))
    if x.ndim != 2:
        raise ValueError(f"bias must have dimensions ({task!r}, {unit!r}), got {bias.dims}")
    size = np.linalg.norm(x.values, axis=1)
    if (size == 0).any():
        raise ValueError(f"bias must not be zero for all units of a {task!r}, which has no direction")
    both, units = (task, f"other_{task}"), str(bias.attrs.get("units", "1"))
    apart = np.linalg.norm(x.values[:, None] - x.values, axis=2)
    return dataset(
        {
            "distance": Labelled(both, apart, units, "distance between biases"),
            "cosine": Labelled(both, (x.values @ x.values.T) / np.outer(size, size), "1", "cosine between biases"),
        },
        {task: labels_of(bias, task), f"other_{task}": labels_of(bias, task, f"other_{task}")},
        title="distances between biases",
        config={},
    )


def unit_activity(rate: xr.DataArray, *, threshold: float = 0.0, unit: str = "unit") -> xr.Dataset:
    """Return how often each unit is on along trajectories, and how many are never or always.

    Parameters
    ----------
    rate
        (..., unit), with the samples along `trial`, `time` or both; other dimensions (task, ...) pass through.
    threshold
        A unit is on where its rate is above this: 0 suits rectifiers, whose units are then really off.
    unit
        The name of the dimension of units.

    Returns
    -------
    Dataset with `on` (..., unit), the fraction of samples, and of all units the fractions `off` (never on),
    `always_on` and `switching` (...), which are neither.

    Raises
    ------
    TypeError, ValueError
        `rate` is no real, finite DataArray or lacks `unit` and both `trial` and `time`.

    Examples
    --------
    >>> found = unit_activity(xr.DataArray([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]], dims=("time", "unit")))
    >>> found.on.values.tolist(), round(found.off.item(), 3)
    ([0.0, 1.0, 0.5], 0.333)
    """
    x, threshold = field("rate", rate, (unit,)), checks.number("threshold", threshold)
    over = [d for d in ("trial", "time") if d in x.dims]
    if not over:
        raise ValueError(f"rate must have the dimension 'trial' or 'time', got dimensions {rate.dims}")
    on = (x > threshold).mean(over)
    dims = tuple(map(str, on.dims[:-1]))
    off, always = (on == 0).mean(unit), (on == 1).mean(unit)
    return dataset(
        {
            "on": Labelled((*dims, unit), on.values, "1", f"fraction of samples above {threshold:g}"),
            "off": Labelled(dims, off.values, "1", "units never on"),
            "always_on": Labelled(dims, always.values, "1", "units always on"),
            "switching": Labelled(dims, 1 - off.values - always.values, "1", "units sometimes on"),
        },
        {d: labels_of(rate, d) for d in (*dims, unit)},
        title="activity of units along trajectories",
        config={"threshold": threshold},
    )


def interpolate(
    network: Network,
    first: Numbers,
    second: Numbers,
    evaluate: Callable[[Network], float | Mapping[str, float]],
    *,
    points: int = 21,
    progress: bool = True,
) -> xr.Dataset:
    """Follow a network on the straight line between two sets of learned numbers, its frozen weights the same.

        b(s) = (1 - s) b_first + s b_second

    Parameters
    ----------
    network
        What `evaluate` is given, in a copy with b(s) in it; its own numbers stay.
    first, second
        A network with the same frozen arrays, an entry of a `Bank`, or a vector as `parameters.read` returns.
    evaluate
        network -> a number, or several by name: a loss, an exponent, ... NaN where there is none.
    points
        Values of s, from 0 to 1.
    progress
        Whether to show a progress bar on runs that take more than a few seconds.

    Returns
    -------
    Dataset with what was evaluated (`value`, or by its names) over `mix`, which is s; and over `quantity`: `change`,
    the s in the middle of the largest step between neighbours, `sharpness`, that step as a share of all variation (one
    over the number of steps for a steady change, 1 for one jump), and `crossing`, the first s where the sign changes,
    by linear interpolation; NaN where there is none.

    Raises
    ------
    TypeError, ValueError
        The sets do not belong to the network, `evaluate` returns no number, a number is outside its bounds.

    Examples
    --------
    >>> from rnnbias import RNN
    >>> net = RNN(6, 1, 1)
    >>> found = interpolate(net, np.zeros(3), np.ones(3), lambda n: n.bias.sum().item() - 1, points=7)
    >>> round(found.value[-1].item(), 6), round(found.crossing.item(), 6)
    (2.0, 0.333333)
    """
    points = checks.whole("points", points, at_least=2)
    ends = [vector(name, value, network) for name, value in (("first", first), ("second", second))]
    mix, work, rows = np.linspace(0, 1, points), copy.deepcopy(network), []
    for s in tqdm(mix, desc="interpolation", delay=3, disable=None if progress else True, leave=False):
        parameters.write(work, (1 - s) * ends[0] + s * ends[1])
        rows.append(_evaluated(evaluate, work))
    names = list(rows[0])
    if any(list(row) != names for row in rows):
        raise ValueError(f"evaluate must return the same names each time, got {[list(row) for row in rows]}")
    values = np.array([[row[name] for name in names] for row in rows]).T
    found = np.array([_changes(mix, row) for row in values]).reshape(-1, 3).T
    about = {
        "change": "where the largest step is",
        "sharpness": "largest step over all variation",
        "crossing": "where the sign changes first",
    }
    return dataset(
        {
            **{
                name: Labelled("mix", row, "1", name.replace("_", " ")) for name, row in zip(names, values, strict=True)
            },
            **{name: Labelled("quantity", row, "1", about[name]) for name, row in zip(about, found, strict=True)},
        },
        {
            "mix": Labelled("mix", mix, "1", "position between the two sets of learned numbers"),
            "quantity": Labelled("quantity", names, "1", "what was evaluated"),
        },
        title="between two sets of learned numbers",
        config={"points": points, "network": network.to_dict(), "frozen": network.digests()},
    )


def _evaluated(evaluate: Callable[[Network], float | Mapping[str, float]], network: Network) -> dict[str, float]:
    found = evaluate(network)
    named = found if isinstance(found, Mapping) else {"value": found}
    return {str(name): as_number(number) for name, number in named.items()}


def _changes(mix: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Where the largest step is, its share of the variation, and where the sign changes first."""
    steps = np.abs(np.diff(values))
    change = share = crossing = np.nan
    if np.nansum(steps) > 0:
        k = int(np.nanargmax(steps))
        change, share = (mix[k] + mix[k + 1]) / 2, steps[k] / np.nansum(steps)
    flips = np.flatnonzero(values[:-1] * values[1:] <= 0)
    if len(flips) and values[flips[0]] != values[flips[0] + 1]:
        k = flips[0]
        crossing = mix[k] + (mix[k + 1] - mix[k]) * values[k] / (values[k] - values[k + 1])
    return float(change), float(share), float(crossing)
