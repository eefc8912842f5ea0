"""How units organise by task: variances, clusters, and what biases have to do with them.

    task_variance    the variance of each unit's rate over each task's images, and how often it is on
    clusters         K-means of the units by their variances, K chosen by held-out likelihood
    correlation      Spearman's correlation of bias and variance over tasks, by cluster, against shuffled tasks
    switching        fractions of units that are on, off, always on and selective
    agreement        correlation of unit variances between networks

Each takes and returns labelled Datasets over `task` and `unit`, and knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr
from scipy.cluster.vq import ClusterError, kmeans2
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import rankdata

from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["agreement", "clusters", "correlation", "switching", "task_variance"]

_STARTS = 10  # of K-means
_ENOUGH = 2000  # units, drawn from the active ones, by which K is chosen
_ACTIVE = 1e-3  # summed variance above which a unit takes part (Yang et al. 2019)


def task_variance(rates: Mapping[str, Iterable[np.ndarray]]) -> xr.Dataset:
    """The variance of each unit's rate over the samples of each task, and how often the unit is on.

    Parameters
    ----------
    rates : mapping of str to iterable of array (sample, unit) or (sample, time, unit)
        For each task its samples, in blocks of any size: what `ClassFit.rates` yields, or a list of one array. Where
        there are times, the variance over samples is averaged over them (Yang et al. 2019).

    Returns
    -------
    Dataset with `variance`, `mean` and `on` (task, unit): variance and mean of the rate, and the fraction of samples
    for which it is above zero.

    Raises ValueError, naming the task, for no tasks or samples, NaN, and blocks or tasks whose units differ.

    >>> found = task_variance({"a": [np.array([[0.0, 1.0], [2.0, 1.0]])], "b": [np.zeros((3, 2))]})
    >>> found.variance.values.tolist(), found.on.sel(task="a").values.tolist()
    ([[1.0, 0.0], [0.0, 0.0]], [0.5, 1.0])
    """
    found = {str(task): _moments(f"rates of task {str(task)!r}", blocks) for task, blocks in rates.items()}
    if not found:
        raise ValueError("rates must have at least one task, got none")
    counts = {len(row[0]) for row in found.values()}
    if len(counts) > 1:
        raise ValueError(f"rates must have the same units in all tasks, got {sorted(counts)} units")
    variance, mean, on = (np.stack(rows) for rows in zip(*found.values(), strict=True))
    both = ("task", "unit")
    return dataset(
        {
            "variance": Labelled(both, variance, "1", "variance of the rate over samples"),
            "mean": Labelled(both, mean, "1", "mean rate"),
            "on": Labelled(both, on, "1", "fraction of samples with a rate above zero"),
        },
        {"task": Labelled("task", list(found), "1", "task")},
        title="task variance",
        config={"seed": 0},
        references="Yang et al. 2019, Nature Neuroscience 22, 297",
    )


def clusters(
    variance: xr.DataArray, *, most: int = 15, folds: int = 5, active: float = _ACTIVE, seed: int = 0
) -> xr.Dataset:
    """Cluster units by their task variances, each divided by its largest, with K-means (Yang et al. 2019).

    The count of clusters K is the smallest from 2 to `most` whose held-out log-likelihood under equal spherical
    Gaussians around the K-means centroids is within one standard error, over `folds`, of the best one: plain held-out
    distance falls with every further cluster. The mean silhouette stands beside it. Clusters are ordered by their
    preferred task.

    Parameters
    ----------
    variance : DataArray (task, unit)
        Variance of each unit over each task.
    most : int
        Largest K tried.
    folds : int
        Of the cross-validation over units; K is chosen by 2,000 of them, drawn at random, where there are more.
    active : float
        Units whose variances sum to no more than this take no part.
    seed : int
        Of folds and K-means.

    Returns
    -------
    Dataset with `cluster` (unit), -1 where inactive; `centroid` (cluster, task); `size` (cluster); `score` and
    `silhouette` (clusters); `chosen`, the K.

    Raises ValueError or TypeError, naming the argument, for other dimensions, negative or infinite variances, and fewer
    active units than folds times clusters.

    References: Yang et al. 2019, Nature Neuroscience 22, 297; Hastie, Tibshirani & Friedman 2009, section 7.10 (one
    standard error).
    """
    tasks, values = _read("variance", variance)
    most = checks.whole("most", most, at_least=2)
    folds = checks.whole("folds", folds, at_least=2)
    if values.min() < 0:
        raise ValueError(f"variance must not be negative, got {values.min()}")
    awake = values.sum(0) > checks.number("active", active, at_least=0)
    if awake.sum() < folds * most:
        raise ValueError(
            f"variance must have at least folds * most = {folds * most} units that are active, got {awake.sum()}"
        )
    points = (values / np.maximum(values.max(0), 1e-300))[:, awake].T
    rng = np.random.default_rng(np.random.SeedSequence(checks.seed("seed", seed)))
    counts = range(2, most + 1)
    some = points[rng.permutation(len(points))[:_ENOUGH]]
    fold = np.arange(len(some)) % folds
    score = np.array([_likelihoods(some, fold, k, rng) for k in counts])
    mean, error = score.mean(1), score.std(1, ddof=1) / np.sqrt(folds)
    chosen = counts[int(np.argmax(mean >= mean.max() - error[mean.argmax()]))]
    silhouette = [_silhouette(some, _kmeans(some, k, rng)[1]) for k in counts]
    centroid, label = _kmeans(points, chosen, rng)
    order = np.lexsort((-centroid.max(1), centroid.argmax(1)))
    cluster = np.full(values.shape[1], -1)
    cluster[awake] = np.argsort(order)[label]
    return dataset(
        {
            "cluster": Labelled("unit", cluster, "1", "cluster, -1 where inactive"),
            "centroid": Labelled(("cluster", "task"), centroid[order], "1", "mean relative task variance"),
            "size": Labelled("cluster", np.bincount(label, minlength=chosen)[order], "1", "units"),
            "score": Labelled(("clusters", "fold"), score, "1", "held-out log-likelihood of a unit"),
            "silhouette": Labelled("clusters", silhouette, "1", "mean silhouette"),
            "chosen": Labelled((), chosen, "1", "count of clusters"),
        },
        {
            "task": Labelled("task", tasks, "1", "task"),
            "clusters": Labelled("clusters", counts, "1", "count of clusters"),
        },
        title="units by task variance",
        config={"seed": seed, "most": most, "folds": folds, "active": active},
    )


def correlation(
    bias: xr.DataArray, variance: xr.DataArray, cluster: xr.DataArray, *, permutations: int = 1000, seed: int = 0
) -> xr.Dataset:
    """Spearman's correlation over tasks of a unit's bias and its variance, averaged in each cluster.

    The null shuffles the tasks of the variances, the same way for all units, so that it keeps what units share; p is
    the share of shuffles, with the true order counted among them, whose mean is at least as large.

    Parameters
    ----------
    bias, variance : DataArray (task, unit)
        Over the same tasks and units, three tasks or more.
    cluster : DataArray (unit)
        From `clusters`; units of -1 are left out. A unit whose bias or variance is the same in all tasks has none.
    permutations : int
        Shuffles of the tasks.
    seed : int
        Of the shuffles.

    Returns
    -------
    Dataset with `correlation` (unit), NaN where there is none; `mean`, `p_value` and `null_sd` (cluster).

    Reference: Williams et al. 2025 (arXiv:2407.00957), Figure 1.

    >>> rank = xr.DataArray([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]], dims=("task", "unit"))
    >>> correlation(rank, rank**3, xr.DataArray([0, 0], dims="unit"), permutations=9)["mean"].round(6).item()
    1.0
    """
    tasks, biases = _read("bias", bias)
    other, variances = _read("variance", variance)
    if tasks != other or biases.shape != variances.shape:
        raise ValueError(f"variance must have the tasks and units of bias, got {variances.shape} for {biases.shape}")
    if len(tasks) < 3:
        raise ValueError(f"bias must have at least 3 tasks, got {len(tasks)}")
    labels = np.asarray(cluster.values)
    if labels.shape != biases.shape[1:]:
        raise ValueError(f"cluster must have shape {biases.shape[1:]}, got {labels.shape}")
    permutations = checks.whole("permutations", permutations, at_least=1)
    rng = np.random.default_rng(np.random.SeedSequence(checks.seed("seed", seed)))
    first, second = _ranks(biases), _ranks(variances)
    with np.errstate(invalid="ignore"):
        found = (first * second).sum(0)
    usable = np.isfinite(found)
    groups = [usable & (labels == k) for k in range(labels.max() + 1)]
    mean = np.array([_mean(found[group]) for group in groups])
    null = np.empty((permutations, len(groups)))
    for row in null:
        shuffled = second[rng.permutation(len(tasks))]
        row[:] = [_mean((first[:, group] * shuffled[:, group]).sum(0)) for group in groups]
    p = (1 + (null >= mean - 1e-12).sum(0)) / (1 + permutations)
    return dataset(
        {
            "correlation": Labelled("unit", found, "1", "Spearman's correlation of bias and variance over tasks"),
            "mean": Labelled("cluster", mean, "1", "mean correlation"),
            "p_value": Labelled("cluster", np.where(np.isfinite(mean), p, np.nan), "1", "p, one-sided, tasks shuffled"),
            "null_sd": Labelled("cluster", null.std(0), "1", "standard deviation under the null"),
        },
        {},
        title="correlation of bias and task variance",
        config={"seed": seed, "permutations": permutations},
    )


def switching(on: xr.DataArray, variance: xr.DataArray, *, threshold: float = 0.1) -> xr.Dataset:
    """Fractions of units by how they take part in each task, and in all.

    Parameters
    ----------
    on : DataArray (task, unit)
        Fraction of a task's images for which the unit is above zero.
    variance : DataArray (task, unit)
        Variance of its rate.
    threshold : float
        Variance above which a unit counts as active.

    Returns
    -------
    Dataset with `off`, `always_on`, `active` (task), and of all units `always_off`, `selective` (active in some tasks
    only) and `shared` (active in all).

    >>> on = xr.DataArray([[0.0, 1.0, 0.5, 0.0]], dims=("task", "unit"))
    >>> switching(on, on * (1 - on)).off.item()
    0.5
    """
    tasks, fraction = _read("on", on)
    _, spread = _read("variance", variance)
    if fraction.min() < 0 or fraction.max() > 1:
        raise ValueError(f"on must be fractions, got values from {fraction.min()} to {fraction.max()}")
    if fraction.shape != spread.shape:
        raise ValueError(f"variance must have the shape of on, {fraction.shape}, got {spread.shape}")
    active = spread > checks.number("threshold", threshold, at_least=0)
    share = active.mean(0)
    return dataset(
        {
            "off": Labelled("task", (fraction == 0).mean(1), "1", "units off for every image"),
            "always_on": Labelled("task", (fraction == 1).mean(1), "1", "units on for every image"),
            "active": Labelled("task", active.mean(1), "1", f"units of variance above {threshold}"),
            "always_off": Labelled((), (fraction == 0).all(0).mean(), "1", "units off in every task"),
            "selective": Labelled((), ((share > 0) & (share < 1)).mean(), "1", "units active in some tasks only"),
            "shared": Labelled((), (share == 1).mean(), "1", "units active in every task"),
        },
        {"task": Labelled("task", tasks, "1", "task")},
        title="units on, off and always on",
        config={"seed": 0, "threshold": threshold},
    )


def agreement(variance: xr.DataArray) -> xr.DataArray:
    """Pearson's correlation of unit variances between networks: (run, other_run) from (run, unit).

    A correlation between two ways of learning means little without that between two runs of one way.
    """
    if variance.dims != ("run", "unit"):
        raise ValueError(f"variance must have dimensions ('run', 'unit'), got {variance.dims}")
    values = checks.array("variance", variance.values, ndim=2)
    if (values.std(1) == 0).any():
        raise ValueError("variance must differ between the units of each run, got a run where all are equal")
    names = variance.run.values if "run" in variance.coords else np.arange(len(values))
    return xr.DataArray(
        np.corrcoef(values),
        {"run": names, "other_run": names},
        ("run", "other_run"),
        "agreement",
        {"units": "1", "long_name": "correlation of unit variances"},
    )


def _moments(name: str, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance, mean and fraction above zero of each unit, in one pass (Chan, Golub & LeVeque 1983)."""
    count = 0
    mean = square = on = np.array(0.0)
    for block in blocks:
        values = checks.array(name, block)
        if values.ndim < 2 or (count and values.shape[1:] != mean.shape):
            raise ValueError(f"{name} must be blocks (sample, unit) of the same units, got shape {values.shape}")
        added = len(values)
        if not added:
            continue
        middle = values.mean(0)
        away = middle - mean
        square = square + ((values - middle) ** 2).sum(0) + away**2 * (count * added / (count + added))
        mean, on = mean + away * (added / (count + added)), on + (values > 0).sum(0)
        count += added
    if not count:
        raise ValueError(f"{name} must have at least one sample, got none")
    times = tuple(range(mean.ndim - 1))
    variance, mean, awake = (part.mean(times) if times else part for part in (square / count, mean, on / count))
    return variance, mean, awake


def _read(name: str, data: xr.DataArray) -> tuple[list[str], np.ndarray]:
    if not isinstance(data, xr.DataArray) or set(data.dims) != {"task", "unit"}:
        raise ValueError(f"{name} must be a DataArray (task, unit), got {getattr(data, 'dims', type(data).__name__)}")
    data = data.transpose("task", "unit")
    return [str(task) for task in data.task.values], checks.array(name, data.values)


def _kmeans(points: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (cluster, task) and labels of the best of several starts; no cluster is empty."""
    best, least = None, np.inf
    for _ in range(_STARTS if len(np.unique(points, axis=0)) >= count else 0):
        try:
            centroid, label = kmeans2(points, count, minit="++", rng=rng, missing="raise")
        except ClusterError:  # an empty one
            continue
        loss = ((points - centroid[label]) ** 2).sum()
        if loss < least:
            best, least = (centroid, label), loss
    if best is None:
        raise ValueError(f"variance must have at least {count} units that differ, or give a smaller most")
    return best


def _likelihoods(points: np.ndarray, fold: np.ndarray, count: int, rng: np.random.Generator) -> list[float]:
    """Mean log-likelihood of each fold under a mixture of spherical Gaussians of one width, fitted to the others."""
    out = []
    for k in range(fold.max() + 1):
        train, test = points[fold != k], points[fold == k]
        centroid, label = _kmeans(train, count, rng)
        width = max(((train - centroid[label]) ** 2).mean(), 1e-12)
        weight = np.bincount(label, minlength=count) / len(train)
        away = cdist(test, centroid, "sqeuclidean")
        log = np.log(weight) - away / (2 * width) - 0.5 * points.shape[1] * np.log(2 * np.pi * width)
        out.append(logsumexp(log, axis=1).mean())
    return out


def _silhouette(points: np.ndarray, label: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw 1987)."""
    count = label.max() + 1
    away = cdist(points, points)
    size = np.bincount(label)
    total = np.stack([away[:, label == k].sum(1) for k in range(count)], 1)
    mine = np.arange(len(points)), label
    inside = total[mine] / np.maximum(size[label] - 1, 1)
    mean = total / size
    mean[mine] = np.inf
    near = mean.min(1)
    value = np.where(size[label] > 1, (near - inside) / np.maximum(np.maximum(near, inside), 1e-300), 0.0)
    return float(value.mean())


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks over tasks, centred and of unit length; NaN for a unit whose values are all equal."""
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(0)
    length = np.sqrt((ranks**2).sum(0))
    return ranks / np.where(length > 0, length, np.nan)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
