"""How well recordings of some neurons determine a circuit, and which neurons to record next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.datasets.activity import read_inputs
from rnnbias.networks import Circuit
from rnnbias.objectives import Activity
from rnnbias.problems.activity import QUANTITIES, ActivityFit
from rnnbias.solvers import DenseModel
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["greedy_choice", "record_next", "uncertainty"]

_WEAK = 1e-3  # singular values below this fraction of the noise tell nothing
_INSTANTS = 60  # of the trials, at most, at which candidates are compared


def uncertainty(
    fit: ActivityFit,
    recording: xr.Dataset | xr.DataArray,
    inputs: xr.DataArray | ArrayLike | None = None,
    *,
    at: xr.DataArray | ArrayLike | None = None,
    quantity: str | None = None,
) -> xr.Dataset:
    """How uncertain learned biases and gains are, and the activity of every neuron that follows from them.

    Around the estimate the posterior is as good as Gaussian, with covariance (J^T J)^-1, J being the Jacobian of all
    residuals, those of the prior included. Its singular values are the stiff and the sloppy directions: along mode k a
    standard deviation is 1 / s_k.

    Parameters
    ----------
    fit : ActivityFit
        Its circuit has biases, gains or both that learned.
    recording, inputs
        What it learned from, as `fit_activity` took it.
    at : array_like, optional
        Inputs (trial, time, input) under which activity is wanted; default: those of the recording.
    quantity : str, optional
        "rate" or "current"; default: what was recorded.

    Returns
    -------
    xarray.Dataset
        `bias_sd` and `gain_sd` (group), of what learned; `singular_value` (mode) and `mode_bias`, `mode_gain`
        (mode, group); `activity` and `activity_sd` (trial, time, unit), of the rates or currents, before any
        indicator and noise.

    References
    ----------
    Transtrum, Machta & Sethna 2011, Phys. Rev. E 83, 036701 (stiff and sloppy directions).

    Examples
    --------
    >>> import numpy as np
    >>> from rnnbias import Circuit, fit_activity
    >>> from systems.connectomes import Connectome
    >>> ring = Connectome.of(np.roll(np.eye(4), 1, 0), neurons=["a", "b", "c", "d"])
    >>> drive = np.random.default_rng(0).standard_normal((30, 1))
    >>> net = Circuit(ring, inputs=np.ones((4, 1)), decay=0.5)
    >>> seen = net.run(drive).rate.sel(unit=["a", "c"])
    >>> fit = fit_activity(net, seen, drive, noise=0.1, progress=False)
    >>> sd = uncertainty(fit, seen, drive).bias_sd
    >>> bool(sd.sel(group="a") < 0.1), bool(sd.max() < 1)
    (True, True)
    """
    network = _learned(fit)
    wanted = fit.quantity if quantity is None else checks.choice("quantity", quantity, QUANTITIES)
    train = fit.objective(recording, inputs)
    singular, modes = _posterior(fit, train)
    factor = modes / singular[:, None]  # (mode, learned): shifts by one standard deviation each
    deviations = factor.square().sum(0).sqrt().split([len(network.groups)] * len(network.learn))
    entering = train.inputs if at is None else torch.from_numpy(read_inputs(at, channels=network.inputs)).to(factor)
    means, sds = [], []
    for current, rate, by_current, by_rate in network.sensitivities(entering):
        now, slope = (rate, by_rate) if wanted == "rate" else (current, by_current)
        means.append(now)
        sds.append((factor @ slope).square().sum(1).sqrt())
    activity, spread = (torch.stack(each, 1).cpu().numpy() for each in (means, sds))
    kinds = zip(network.learn, deviations, modes.split([len(network.groups)] * len(network.learn), 1), strict=True)
    dims = ("trial", "time", "unit")
    variables = {
        "singular_value": Labelled("mode", singular.cpu().numpy(), "1", "singular value of the residuals"),
        "activity": Labelled(dims, activity, "1", f"{wanted} that is expected"),
        "activity_sd": Labelled(dims, spread, "1", f"standard deviation of the {wanted}"),
    }
    for part, deviation, mode in kinds:
        variables[f"{part}_sd"] = Labelled("group", deviation.cpu().numpy(), "1", f"standard deviation of the {part}")
        variables[f"mode_{part}"] = Labelled(("mode", "group"), mode.cpu().numpy(), "1", f"{part} along each mode")
    return dataset(
        variables,
        {
            "unit": Labelled("unit", list(network.neurons), "1", "neuron"),
            "group": Labelled("group", list(network.groups), "1", "group of neurons"),
            "time": Labelled("time", np.arange(1, activity.shape[1] + 1) * fit.dt, fit.time_units, "time"),
        },
        title=f"uncertainty of {fit!r}",
        config=fit.configuration(),
    )


def record_next(
    fit: ActivityFit,
    recording: xr.Dataset | xr.DataArray,
    inputs: xr.DataArray | ArrayLike | None = None,
    k: int = 10,
    *,
    candidates: Iterable[str] | None = None,
) -> xr.Dataset:
    """Which neurons to record next, so that the activity of all others becomes least uncertain.

    One neuron after the other is chosen: that whose recording, through the same trials and with the same noise, lowers
    the expected square error of all unrecorded neurons most, to first order around the estimate. (Beiran &
    Litwin-Kumar 2025 rank by the linear response to the prior; this begins at what is known already.)

    Parameters
    ----------
    fit, recording, inputs
        As in `uncertainty`.
    k : int
        How many.
    candidates : sequence of str, optional
        Neurons that can be recorded; default: all that were not.

    Returns
    -------
    xarray.Dataset
        `neuron` (rank), the best first, and `expected_error` (rank), the mean square error of the neurons that are
        still unrecorded when it and those before it have been recorded; `expected_error_now` before any of them.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnbias import Circuit, fit_activity
    >>> from systems.connectomes import Connectome
    >>> hub = np.zeros((4, 4))
    >>> hub[1:, 0] = 1.0  # a drives all others
    >>> net = Circuit(Connectome.of(hub, neurons=["a", "b", "c", "d"]), decay=0.5, leak="rate")
    >>> seen = net.run(30).current.sel(unit=["a"])
    >>> fit = fit_activity(net, seen, noise=0.01, quantity="current", progress=False)
    >>> record_next(fit, seen, k=1).neuron.values.tolist()
    ['b']
    """
    network = _learned(fit)
    train = fit.objective(recording, inputs)
    others = [name for name in network.neurons if name not in fit.recorded]
    allowed = others if candidates is None else list(candidates)
    for name in allowed:
        checks.choice("candidates", name, others)
    checks.whole("k", k, at_least=1, at_most=len(allowed))
    singular, modes = _posterior(fit, train)
    factor = modes / singular[:, None]
    samples = train.inputs.shape[:2].numel()
    every = min(-(-samples // _INSTANTS), train.inputs.shape[1])
    slopes = [
        (factor @ (by_rate if fit.quantity == "rate" else by_current)).permute(2, 0, 1)  # (unit, trial, learned)
        for t, (_, _, by_current, by_rate) in enumerate(network.sensitivities(train.inputs), 1)
        if t % every == 0
    ]
    seen = torch.cat(slopes, 1)
    seen = seen[:, :: -(-seen.shape[1] // _INSTANTS)]
    noise = fit.settings["noise"] * (seen.shape[1] / samples) ** 0.5  # each instant stands for several
    unrecorded = network.connectome.index(others)
    found = greedy_choice(seen, noise, unrecorded, network.connectome.index(allowed), k)
    return dataset(
        {
            "neuron": Labelled("rank", [network.neurons[unit] for unit in found.chosen], "1", "neuron to record"),
            "expected_error": Labelled("rank", found.error[1:], "1", "mean square error of those unrecorded"),
            "expected_error_now": Labelled((), found.error[0], "1", "mean square error of those unrecorded now"),
        },
        {"rank": Labelled("rank", np.arange(1, k + 1), "1", "rank")},
        title=f"which neurons to record next for {fit!r}",
        config=fit.configuration(),
    )


def _learned(fit: ActivityFit) -> Circuit:
    """The circuit of a fit whose biases and gains learned, and nothing else."""
    if not isinstance(fit, ActivityFit):
        raise TypeError(f"fit must be an ActivityFit, got {type(fit).__name__}")
    if {*fit.network.learn} - {"bias", "gain"}:
        raise ValueError(f"fit must have learned bias, gain or both, got {set(fit.network.learn)}")
    return fit.network


def _posterior(fit: ActivityFit, train: Activity) -> tuple[Tensor, Tensor]:
    """Singular values (mode,) and right singular vectors (mode, learned) of all residuals at the estimate."""
    model = DenseModel(fit.network, train)
    if model.singular.shape[0] < fit.network.learned or float(model.singular[-1]) <= 1e-12 * float(model.singular[0]):
        raise ValueError("prior must be finite where the recording does not determine what learns")
    return model.singular, model.right


class Choice(NamedTuple):
    """Units in the order in which they were chosen, and the mean square error before the first and after each."""

    chosen: list[int]
    error: np.ndarray


@torch.no_grad()
def greedy_choice(seen: Tensor, noise: float, unrecorded: ArrayLike, candidates: ArrayLike, k: int) -> Choice:
    """Choose k units whose recording leaves the least expected error on those unrecorded.

    Parameters
    ----------
    seen : Tensor
        (unit, instant, parameter), derivatives of what is seen by parameters whose covariance is the identity.
    noise : float
        Standard deviation of a recording at one instant.
    unrecorded, candidates : array of int
        Units.
    k : int
        How many.

    >>> seen = torch.tensor([[[1.0, 0.0]], [[0.9, 0.0]], [[0.0, 0.5]]], dtype=torch.float64)
    >>> greedy_choice(seen, 0.01, [0, 1, 2], [0, 1, 2], 2).chosen
    [0, 2]
    """
    seen, noise = seen.clone(), max(noise, 1e-12)
    left, able = list(map(int, np.asarray(unrecorded))), list(map(int, np.asarray(candidates)))
    instants, chosen = seen.shape[1], list[int]()
    error = [float(seen[left].square().sum()) / max(1, len(left) * instants)]
    for _ in range(k):
        metric = seen[left].flatten(0, 1)
        metric = metric.T @ metric
        best, fall, answer = -1, -1.0, None
        for unit in able:
            _, size, directions = torch.linalg.svd(seen[unit], full_matrices=False)
            kept = size > _WEAK * noise
            size, directions = size[kept], directions[kept]
            known = size**2 / (size**2 + noise**2)
            own = float(seen[unit].square().sum()) if unit in left else 0.0
            aware = ((directions @ metric) * directions).sum(1)
            after = own - float((known * size**2).sum()) if unit in left else 0.0  # it will be recorded: does not count
            gained = float(known @ aware) + after
            if gained > fall:
                best, fall, answer = unit, gained, (1 - (1 - known).sqrt(), directions)
        assert answer is not None
        shrink, directions = answer
        seen = seen - (seen @ directions.T * shrink) @ directions
        chosen.append(best)
        able.remove(best)
        left = [unit for unit in left if unit != best]
        error.append(float(seen[left].square().sum()) / max(1, len(left) * instants))
    return Choice(chosen, np.array(error))
