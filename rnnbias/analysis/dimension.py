"""How many dimensions activity fills, and whether tasks share them.

principal_components    variances and directions, participation ratio, components for a share of the variance
alignment               principal angles and alignment index between tasks, against random subspaces
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from rnnbias.analysis.coordinates import labels_of
from rnnbias.metrics.fields import field
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["alignment", "principal_components"]

_ELSAYED = "Elsayed, Lara, Kaufman, Churchland and Cunningham 2016, Nature Communications 7, 13239"
_BATCH = 2**23  # numbers of random subspaces held at once


def principal_components(activity: xr.DataArray, *, share: float = 0.9, unit: str = "unit") -> xr.Dataset:
    r"""Return the principal components of activity and how many dimensions it fills.

    .. math:: \mathrm{PR} = \frac{(\sum_k \sigma_k)^2}{\sum_k \sigma_k^2}

    with the eigenvalues :math:`\sigma_k` of the covariance: n for equal variance in n directions, 1 for all in one.

    Parameters
    ----------
    activity
        (..., unit), with the samples along `trial`, `time` or both; other dimensions (task, seed, ...) pass through.
    share
        Of the variance, for the count of components; 0.9 by default.
    unit
        The name of the dimension of units.

    Returns
    -------
    Dataset with `variance` (..., component), largest first, `explained` (..., component), the share that the components
    up to this one hold, `loading` (..., component, unit), `participation_ratio` (...) and `components` (...), the
    least number that holds `share`. There are as many components as the units and the samples allow.

    Raises
    ------
    TypeError, ValueError
        `activity` is no real, finite DataArray, lacks `unit` and both `trial` and `time`, has fewer than 2 samples or
        does not vary.

    Examples
    --------
    >>> round_trip = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)
    >>> found = principal_components(xr.DataArray(round_trip, dims=("time", "unit")))
    >>> round(found.participation_ratio.item(), 6), found.components.item()
    (2.0, 2)
    """
    share = checks.number("share", share, above=0, at_most=1)
    x, outer = _samples(activity, unit)
    with np.errstate(all="ignore"):
        _, singular, loading = np.linalg.svd(x - x.mean(-2, keepdims=True), full_matrices=False)
    rank = min(x.shape[-2] - 1, x.shape[-1])
    variance, loading = singular[..., :rank] ** 2 / (x.shape[-2] - 1), loading[..., :rank, :]
    total = variance.sum(-1)
    if (total <= 0).any():
        raise ValueError("activity must vary, got all samples alike")
    explained = variance.cumsum(-1) / total[..., None]
    ratio = total**2 / (variance**2).sum(-1)
    count = (explained < share * (1 - 1e-12)).sum(-1) + 1
    units = str(activity.attrs.get("units", "1"))
    dims = (*outer, "component")
    return dataset(
        {
            "variance": Labelled(dims, variance, units if units == "1" else f"({units})^2", "variance"),
            "explained": Labelled(dims, explained, "1", "cumulative share of the variance"),
            "loading": Labelled((*dims, unit), loading, "1", "direction of the component"),
            "participation_ratio": Labelled(tuple(outer), ratio, "1", "participation ratio"),
            "components": Labelled(tuple(outer), count, "1", f"components that hold {share:g} of the variance"),
        },
        {
            **{name: labels_of(activity, name) for name in (*outer, unit)},
            "component": Labelled("component", np.arange(1, rank + 1), "1", "principal component"),
        },
        title="principal components",
        config={"share": share},
    )


def alignment(
    activity: xr.DataArray,
    *,
    components: int = 10,
    draws: int = 1000,
    seed: int = 0,
    task: str = "task",
    unit: str = "unit",
) -> xr.Dataset:
    r"""Compare the subspaces that tasks use: principal angles, and the alignment index of Elsayed et al.

    .. math:: A_{ij} = \frac{\operatorname{tr}(D_j^\top C_i D_j)}{\sum_{k \le K} \sigma_k(C_i)}

    is the variance of task i in the first K principal components :math:`D_j` of task j, relative to that in its own:
    1 for one and the same subspace, 0 for orthogonal ones. The null puts random orthonormal directions in the place
    of :math:`D_j`, drawn with the covariance of all tasks together, so that they lie where there is activity at all.

    Parameters
    ----------
    activity
        (task, ..., unit), with the samples along `trial`, `time` or both.
    components
        K, less than the samples of a task and at most the units.
    draws
        Random subspaces.
    seed
        Of these.
    task, unit
        The names of the two dimensions.

    Returns
    -------
    Dataset with `alignment` (task, other_task): the variance of `task` in the subspace of `other_task`; `angle` (task,
    other_task, index), principal angles in degrees, smallest first; `null` (draw, task), the alignment with random
    subspaces; `p_lower` and `p_upper` (task, other_task), the shares of draws, the observed one counted among them,
    that are as little or as much aligned.

    Raises
    ------
    TypeError, ValueError
        As `principal_components`; there are too few samples or units for K.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> both = np.zeros((2, 50, 4))
    >>> both[0, :, :2], both[1, :, 2:] = rng.normal(size=(2, 50, 2))
    >>> found = alignment(xr.DataArray(both, dims=("task", "time", "unit")), components=2, draws=20)
    >>> found.alignment.values.round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    draws, seed = checks.whole("draws", draws, at_least=1), checks.seed("seed", seed)
    x, outer = _samples(activity, unit)
    if outer != [task]:
        raise ValueError(f"activity must have {task!r} beside its samples and units, got dimensions {activity.dims}")
    most = min(x.shape[1] - 1, x.shape[2])
    k = checks.whole("components", components, at_least=1, at_most=most)
    x = x - x.mean(1, keepdims=True)
    _, singular, axes = np.linalg.svd(x, full_matrices=False)
    own = (singular[:, :k] ** 2).sum(1)
    if (singular[:, k - 1] <= 1e-12 * singular[:, 0]).any():
        raise ValueError(f"components must be at most the dimensions that each task fills, got {k}")
    axes = axes[:, :k]

    index = ((x[:, None] @ axes[None].mT) ** 2).sum((2, 3)) / own[:, None]
    cosines = np.linalg.svd(axes[:, None] @ axes[None].mT, compute_uv=False)
    angle = np.degrees(np.arccos(np.clip(cosines, -1, 1)))

    _, all_singular, all_axes = np.linalg.svd(x.reshape(-1, x.shape[2]), full_matrices=False)
    root = all_singular[:, None] * all_axes  # maps unit noise to activity of the covariance of all tasks
    rng, null = np.random.default_rng(seed), np.empty((draws, len(x)))
    for block in np.array_split(np.arange(draws), max(1, draws * k * len(root) // _BATCH)):
        drawn = np.linalg.qr((rng.standard_normal((len(block), k, len(root))) @ root).mT)[0]
        null[block] = ((x[None] @ drawn[:, None]) ** 2).sum((2, 3)) / own
    lower = (1 + (null[..., None] <= index).sum(0)) / (1 + draws)
    upper = (1 + (null[..., None] >= index).sum(0)) / (1 + draws)
    both = task, f"other_{task}"
    return dataset(
        {
            "alignment": Labelled(both, index, "1", "alignment index"),
            "angle": Labelled((*both, "index"), angle, "degree", "principal angle"),
            "null": Labelled(("draw", task), null, "1", "alignment with random subspaces"),
            "p_lower": Labelled(both, lower, "1", "random subspaces no more aligned"),
            "p_upper": Labelled(both, upper, "1", "random subspaces no less aligned"),
        },
        {
            task: labels_of(activity, task),
            f"other_{task}": labels_of(activity, task, f"other_{task}"),
            "index": Labelled("index", np.arange(1, k + 1), "1", "number of the angle"),
            "draw": Labelled("draw", np.arange(draws), "1", "random subspace"),
        },
        title="alignment of the subspaces of tasks",
        config={"components": k, "draws": draws, "seed": seed},
        references=_ELSAYED,
    )


def _samples(activity: xr.DataArray, unit: str) -> tuple[np.ndarray, list[str]]:
    """Activity as (..., sample, unit), and the names of the leading dimensions."""
    x = field("activity", activity, (unit,))
    over = [d for d in ("trial", "time") if d in x.dims]
    if not over:
        raise ValueError(f"activity must have the dimension 'trial' or 'time', got dimensions {x.dims}")
    outer = [str(d) for d in x.dims if d not in (*over, unit)]
    x = x.transpose(*outer, *over, unit)
    values = x.values.reshape(*x.shape[: len(outer)], -1, x.sizes[unit])
    if values.shape[-2] < 2:
        raise ValueError(f"activity must have at least 2 samples over {over}, got {values.shape[-2]}")
    return values, outer
