"""Which units matter: clusters transplanted between sets of learned numbers, or silenced, against random controls.

transplant    one set with the numbers of a cluster from another
lesion        a network with the units of a cluster silenced
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from tqdm import tqdm

from rnnbias.analysis.numbers import Numbers, evaluated, vector
from rnnbias.networks import RNN, Network, parameters
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["lesion", "transplant"]


def transplant(
    network: Network,
    donor: Numbers,
    recipient: Numbers,
    cluster: xr.DataArray | ArrayLike,
    evaluate: Callable[[Network], float],
    *,
    controls: int = 20,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Put the donor's numbers of one cluster after another into the recipient's, and as many random ones for control.

    With the mean over tasks as the donor this is the lesion of a cluster by mean biases.

    Parameters
    ----------
    network
        What `evaluate` is given, in a copy; its own numbers stay.
    donor, recipient
        Sets of learned numbers, as for `interpolate`.
    cluster
        A whole number for each learned number; negative ones belong to no cluster.
    evaluate
        network -> a number, such as the recipient's loss.
    controls
        Random sets of equal size for each cluster, drawn from all learned numbers.
    seed
        Of these.
    progress
        Whether to show a progress bar on runs that take more than a few seconds.

    Returns
    -------
    Dataset with `value` (cluster) and `control` (cluster, draw); `intact` () of the recipient, `donor` () of the donor;
    `size` (cluster); `p_value` (cluster), the share of controls, the cluster counted among them, that move the value at
    least as far from the intact one.

    Raises
    ------
    TypeError, ValueError
        The sets or labels do not fit the network, `evaluate` returns no number, a number is outside its bounds.

    Examples
    --------
    >>> net = RNN(8, 1, 1)
    >>> found = transplant(net, np.ones(4), np.zeros(4), [0, 0, 1, -1], lambda n: n.bias.sum().item())
    >>> found.value.values.tolist(), found.intact.item(), found.donor.item()
    ([2.0, 1.0], 0.0, 4.0)
    """
    ends = [vector(name, value, network) for name, value in (("donor", donor), ("recipient", recipient))]
    labels = _clusters(cluster, len(ends[0]), "learned number")
    work = copy.deepcopy(network)

    def given(chosen: np.ndarray) -> Network:
        where = torch.as_tensor(chosen, device=ends[0].device)
        parameters.write(work, torch.where(where, ends[0], ends[1]))
        return work

    found = _against_controls(given, labels, evaluate, controls, seed, progress, "transplants")
    found["donor"] = Labelled(
        (), evaluated(evaluate, given(np.ones(len(labels), dtype=bool))), "1", "value of the donor"
    )
    return _report(found, labels, "transplant of clusters", network, controls, seed)


def lesion(
    network: RNN,
    cluster: xr.DataArray | ArrayLike,
    evaluate: Callable[[Network], float],
    *,
    controls: int = 20,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Silence the units of one cluster after another, and as many random units for control.

    A silenced unit fires no more: m = 0 in the network's equation.

    Parameters
    ----------
    network
        Its copy is lesioned; it stays.
    cluster
        A whole number for each unit; negative ones belong to no cluster.
    evaluate, controls, seed, progress
        As for `transplant`.

    Returns
    -------
    As `transplant`, without `donor`.

    Raises
    ------
    TypeError, ValueError
        `network` is no RNN, `cluster` does not fit it, or as `transplant`.

    Examples
    --------
    >>> net = RNN(6, 1, 1)
    >>> seen = lambda n: (n(torch.ones(1, 1, 1).double()).rate == 0).sum().item()
    >>> lesion(net, [0, 0, 0, 1, 1, -1], seen).value.values.tolist()
    [3.0, 2.0]
    """
    if not isinstance(network, RNN):
        raise TypeError(f"network must be an RNN, got {type(network).__name__}")
    labels = _clusters(cluster, network.units, "unit")
    work = copy.deepcopy(network)
    if "mask" not in work.learn:
        work.learn = (*work.learn, "mask")
    before = work.mask.detach().clone()

    def silenced(chosen: np.ndarray) -> Network:
        where = torch.as_tensor(chosen, device=before.device)
        work.mask.data.copy_(torch.where(where, -torch.ones_like(before), before))
        return work

    found = _against_controls(silenced, labels, evaluate, controls, seed, progress, "lesions")
    return _report(found, labels, "lesion of clusters", network, controls, seed)


def _clusters(cluster: xr.DataArray | ArrayLike, count: int, each: str) -> np.ndarray:
    labels = checks.array("cluster", getattr(cluster, "values", cluster), ndim=1)
    if len(labels) != count:
        raise ValueError(f"cluster must have a label for each {each}, {count}, got {len(labels)}")
    if (labels != labels.round()).any() or labels.max() < 0:
        raise ValueError(f"cluster must hold whole numbers, one of them 0 or more, got {labels}")
    return labels.astype(int)


def _against_controls(
    made: Callable[[np.ndarray], Network],
    labels: np.ndarray,
    evaluate: Callable[[Network], float],
    controls: int,
    seed: int,
    progress: bool,
    desc: str,
) -> dict[str, Labelled]:
    controls, seed = checks.whole("controls", controls, at_least=1), checks.seed("seed", seed)
    rng, count = np.random.default_rng(seed), labels.max() + 1
    sizes = np.array([(labels == k).sum() for k in range(count)])

    def masks() -> Iterator[np.ndarray]:
        for k, size in enumerate(sizes):
            yield labels == k
            for _ in range(controls):
                mask = np.zeros(len(labels), dtype=bool)
                mask[rng.permutation(len(labels))[:size]] = True
                yield mask

    intact = evaluated(evaluate, made(np.zeros(len(labels), dtype=bool)))
    bar = tqdm(
        masks(), desc=desc, total=count * (controls + 1), delay=3, disable=None if progress else True, leave=False
    )
    values = np.array([evaluated(evaluate, made(mask)) for mask in bar]).reshape(count, controls + 1)
    value, control = values[:, 0], values[:, 1:]
    with np.errstate(invalid="ignore"):
        further = np.abs(control - intact) >= np.abs(value - intact)[:, None] * (1 - 1e-12)
    return {
        "value": Labelled("cluster", value, "1", "value with the cluster changed"),
        "control": Labelled(("cluster", "draw"), control, "1", "value with random ones changed"),
        "intact": Labelled((), intact, "1", "value with nothing changed"),
        "size": Labelled("cluster", sizes, "1", "how many belong to the cluster"),
        "p_value": Labelled("cluster", (1 + further.sum(1)) / (1 + controls), "1", "random ones that matter as much"),
    }


def _report(
    found: dict[str, Labelled], labels: np.ndarray, title: str, network: Network, controls: int, seed: int
) -> xr.Dataset:
    return dataset(
        found,
        {
            "cluster": Labelled("cluster", np.arange(labels.max() + 1), "1", "cluster"),
            "draw": Labelled("draw", np.arange(controls), "1", "random control"),
        },
        title=title,
        config={"controls": controls, "seed": seed, "network": network.to_dict(), "frozen": network.digests()},
    )
