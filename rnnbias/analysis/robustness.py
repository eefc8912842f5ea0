"""How robust learned biases are, and whether they shape anything."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor
from tqdm import tqdm

from rnnbias.analysis.numbers import evaluated
from rnnbias.networks import FNN, Network, Trace
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["Skilled", "linearised", "robustness"]

_NOISES = tuple(10.0**k for k in range(-12, 1))


@runtime_checkable
class Skilled(Protocol):
    """A `Fit` that can say how good it is by one number; `data` are what it is tested on, where it needs any."""

    network: Any

    def skill(self, *data: Any) -> float:
        """Larger where the network is better, and 0 where it is of no use."""

    def stimuli(self, *data: Any) -> Tensor:
        """What the network is given, as it takes it."""


def robustness(
    learned: Network | Skilled,
    skill: Any = None,
    *,
    noises: ArrayLike = _NOISES,
    draws: int = 3,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Measure how far biases moved, and how much noise on them, and on the rates, the skill bears.

    Parameters
    ----------
    learned : Fit or Network
        What learned biases; it stays as it is.
    skill : optional
        Of a fit, what its own `skill` takes: test data for a system or images; a pair (recording, inputs) for activity;
        nothing for a function with a name, and for what reaches, oscillates or answers. Of a network, a callable,
        network -> a number, larger where the network is better and 0 where it is of no use.
    noises : array
        Standard deviations of Gaussian noise to try, ascending: on the biases in units of the spread of those that were
        drawn, on the rates at every step in units of 1.
    draws : int
        How many times each is drawn.
    seed : int
        Of the noise.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    xarray.Dataset
        `moved`, root mean square of the shifts of the units' biases, and `moved_relative`, in units of the spread of
        the biases that were drawn; `skill`, and `skill_float32` and `skill_bfloat16` with biases of that precision;
        `skill_bias_noise` and `skill_rate_noise` (noise), means over the draws; `bias_noise` and `rate_noise`, the
        smallest noise tried under which the skill is less than half (NaN: none). Forecasts bear float32, and seldom
        bfloat16 (Lorenz-63 with 5 % noise, 200 biases: 4.0 Lyapunov times become 1.7).

    Examples
    --------
    >>> from rnnbias import fit_function
    >>> fit = fit_function("runge", units=40, samples=200, progress=False)
    >>> found = robustness(fit, noises=[1e-3, 1.0], progress=False)
    >>> bool(found.moved_relative > 0.05), bool(found.skill_float32 > 0.9 * found.skill), found.bias_noise.item()
    (True, True, 1.0)

    >>> found = robustness(fit.network, lambda net: float(net.biases.mean() > -9), noises=[0.1], progress=False)
    >>> found.skill.item()
    1.0
    """
    network, measure = _network(learned), _measure(learned, skill)
    levels = checks.array("noises", noises, ndim=1)
    if not len(levels) or levels[0] <= 0 or (np.diff(levels) <= 0).any():
        raise ValueError(f"noises must be positive and ascending, got {noises!r}")
    draws, seed = checks.whole("draws", draws, at_least=1), checks.seed("seed", seed)
    spread = float(network.start.std(correction=0)) or 1.0
    work = copy.deepcopy(network)
    usual = evaluated(measure, work)
    rng = torch.Generator().manual_seed(seed)

    def shifted(bias: Tensor) -> float:
        with torch.no_grad():
            before = work.bias.detach().clone()
            work.bias.copy_(bias)
            found = evaluated(measure, work)
            work.bias.copy_(before)
        return found

    single, half = (shifted(network.bias.detach().to(kind).to(network.bias)) for kind in (torch.float, torch.bfloat16))
    by_bias, by_rate = np.empty((len(levels), draws)), np.empty((len(levels), draws))
    for k in tqdm(range(len(levels)), desc="robustness", disable=not progress, leave=False):
        for j in range(draws):
            draw = torch.randn(network.bias.shape, generator=rng, dtype=torch.float64).to(network.bias)
            by_bias[k, j] = shifted(network.bias.detach() + levels[k] * spread * draw)
            with noisy_rates(work, levels[k], rng):
                by_rate[k, j] = evaluated(measure, work)
    moved = float((network.biases - network.wiring.spread(network.start)).detach().square().mean().sqrt())
    noise = Labelled("noise", levels, "1", "standard deviation of the noise")
    return dataset(
        {
            "moved": Labelled((), moved, "1", "root-mean-square shift of the biases"),
            "moved_relative": Labelled((), moved / spread, "1", "shift over the spread of the biases drawn"),
            "skill": Labelled((), usual, "1", "skill"),
            "skill_float32": Labelled((), single, "1", "skill with biases of single precision"),
            "skill_bfloat16": Labelled((), half, "1", "skill with biases of bfloat16"),
            "skill_bias_noise": Labelled("noise", by_bias.mean(1), "1", "skill with noise on the biases"),
            "skill_rate_noise": Labelled("noise", by_rate.mean(1), "1", "skill with noise on the rates"),
            "bias_noise": Labelled(
                (), _halving(levels, by_bias.mean(1), usual), "1", "bias noise that halves the skill"
            ),
            "rate_noise": Labelled(
                (), _halving(levels, by_rate.mean(1), usual), "1", "rate noise that halves the skill"
            ),
        },
        {"noise": noise},
        title="robustness of learned biases",
        config={"seed": seed, "draws": draws, "network": network.to_dict()},
    )


@contextmanager
def noisy_rates(network: Network, size: float, rng: torch.Generator) -> Iterator[None]:
    """Add Gaussian noise of this size to whatever the units of a network answer, within a `with` block."""

    def answer(fired: Tensor) -> Tensor:
        return fired + size * torch.randn(fired.shape, generator=rng, dtype=torch.float64).to(fired)

    network.answer = answer  # type: ignore[method-assign]
    try:
        yield
    finally:
        del network.answer


def linearised(learned: Network | Skilled, inputs: Any = None) -> xr.Dataset:
    """Measure whether learned biases do more than a linear regression on the slopes of the untaught network would.

        y_lin = y(b_0) + dy/db (b_0) (b - b_0),      nonlinearity = rms(y - y_lin) / rms(y - y(b_0))

    with b_0 the biases as they were drawn. Near 0 the biases are lazy: what was learned is such a regression. Near 1
    and above, they shape what the units do.

    Parameters
    ----------
    learned : Fit or Network
        What learned biases.
    inputs : optional
        Of a fit, what its `stimuli` takes: test data, as in `robustness`. Of a network, an array of what it is given:
        (trial, time, input) for an `RNN` or a `Circuit`, (sample, input) for an `FNN`.

    Returns
    -------
    xarray.Dataset
        `nonlinearity` (output), or (unit) of a circuit that is not read, and `moved`, the root mean square of the
        shifts of what learns.

    Examples
    --------
    >>> from rnnbias import FNN
    >>> network = FNN(6, 1, 1)
    >>> _ = torch.nn.init.constant_(network.bias, 1e-9)
    >>> bool(linearised(network, np.ones((5, 1))).nonlinearity[0] < 1e-6)
    True

    >>> from rnnbias import fit_function
    >>> bool(linearised(fit_function("runge", units=40, samples=200, progress=False)).nonlinearity[0] > 0.05)
    True
    """
    network = _network(learned)
    if not isinstance(learned, Network):
        inputs = learned.stimuli(*_given(inputs))
    plain = inputs.detach().cpu() if isinstance(inputs, Tensor) else inputs
    ndim = 2 if isinstance(network, FNN) else 3
    given = torch.as_tensor(checks.array("inputs", plain, ndim=ndim)).to(network.start)
    if given.shape[-1] != network.inputs:
        raise ValueError(f"inputs must have {network.inputs} columns as the network takes, got {given.shape[-1]}")
    shift = network.bias.detach()

    def outputs(bias: Tensor) -> Tensor:
        found = torch.func.functional_call(network, {"bias": bias}, (given,))
        if isinstance(found, Trace):
            return network.read(found.rate) if network.outputs else found.rate
        return found

    with torch.no_grad():
        end = outputs(shift)
    start, tangent = torch.autograd.functional.jvp(outputs, torch.zeros_like(shift), shift)
    axes = tuple(range(given.ndim - 1))
    bent, whole = (x.square().mean(axes).sqrt() for x in (end - start - tangent, end - start))
    share, seen = (bent / whole).detach().cpu().numpy(), "output" if network.outputs else "unit"
    return dataset(
        {
            "nonlinearity": Labelled(seen, share, "1", "part of what was learned that is not linear in the biases"),
            "moved": Labelled((), float(shift.square().mean().sqrt()), "1", "root-mean-square shift of the biases"),
        },
        {seen: Labelled(seen, np.arange(len(share)), "1", seen)},
        title="whether biases shape anything",
        config={"network": network.to_dict()},
    )


def _network(learned: Network | Skilled) -> Network:
    """The network that learned."""
    if isinstance(learned, Network):
        return learned
    if isinstance(learned, Skilled):
        return learned.network
    raise TypeError(
        f"learned must be a Network, or a fit with the methods `skill` and `stimuli`, got {type(learned).__name__}"
    )


def _measure(learned: Network | Skilled, skill: Any) -> Callable[[Network], float]:
    """What tells how good a network is."""
    if isinstance(learned, Network):
        if not callable(skill):
            raise TypeError(f"skill must be a function of the network, got {skill!r}")
        return skill
    return lambda network: replace(learned, network=network).skill(*_given(skill))  # type: ignore[type-var]


def _given(data: Any) -> tuple[Any, ...]:
    return () if data is None else (data,)


def _halving(levels: np.ndarray, skill: np.ndarray, usual: float) -> float:
    """The smallest level under which the skill is less than half."""
    low = np.flatnonzero(~(skill >= usual / 2))
    return float(levels[low[0]]) if len(low) else np.nan
