"""Free runs: does the model visit the places that the truth visits?"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from rnnbias.metrics.fields import field, labelled, long_enough, matched, scale_field, single
from systems import checks

__all__ = ["mixture_divergence", "sliced_wasserstein", "state_space_divergence"]

_SLICED = "Bonneel, Rabin, Peyre and Pfister 2015, J. Math. Imaging Vis. 51, 22"
_STSP = "Koppe et al. 2019, PLoS Comput. Biol. 15, e1007263; Hess et al. 2023, ICML, arXiv:2306.04406"


def state_space_divergence(
    model: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    bins: int = 30,
    alpha: float = 1e-5,
    margin: float = 0.1,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.Dataset:
    r"""Return D_stsp, how far a free run strays from the places that the truth visits, by histogram.

    .. math::

        D_\mathrm{stsp} = \sum_k p_k \ln\frac{p_k}{q_k}, \qquad
        p_k = \frac{n_k + \alpha}{n + \alpha K}, \qquad K = m^D + 1

    with p of the truth and q of the model. The box spans :math:`[\min x_d - \mu \sigma_d, \max x_d + \mu
    \sigma_d]` of the *truth*, with m bins for each of the D states. One more cell, the overflow, keeps
    every model sample that lies outside or is not finite. The order of the samples does not matter (a
    shuffled truth scores 0), so report :func:`spectral_distance` beside it, and the floor: the score of one
    half of the truth against the other. It falls with the number of samples, hence both runs must have
    equally many; the customary protocol drops a transient of 1,000 and keeps 100,000.

    Parameters
    ----------
    model, truth
        The free run and the truth, (..., time, state), 100 or more times, in the same units and number; the
        time labels themselves need not agree.
    scale
        :math:`\sigma`, (state,): the standard deviation of the training data, for both.
    bins, alpha, margin
        m = 30 (2 to 1,000); the pseudo-count :math:`\alpha` = 1e-5; the margin :math:`\mu` = 0.1.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `divergence` (...) in nats and `overflow` (...), the fraction of model samples in the overflow cell.

    Raises
    ------
    TypeError
        An argument is no DataArray or not real.
    ValueError
        More than 5 states (see :func:`mixture_divergence`); fewer than 100 samples; unequal lengths or
        labels; `truth` or `scale` not finite or `scale` not positive.

    References
    ----------
    Koppe et al. 2019, PLoS Comput. Biol. 15, e1007263; Hess et al. 2023, ICML, arXiv:2306.04406.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = xr.DataArray(rng.normal(size=(1000, 2)), dims=("time", "state"))
    >>> scale = xr.DataArray([1.0, 1.0], dims="state")
    >>> state_space_divergence(truth[::-1], truth, scale).divergence.item()
    0.0
    >>> state_space_divergence(truth + 100, truth, scale).overflow.item()
    1.0
    """
    x, y, s = _runs(model, truth, scale, time, state)
    if y.sizes[state] > 5:
        raise ValueError(
            f"truth must have at most 5 states for a histogram, got {y.sizes[state]}; use mixture_divergence"
        )
    config = {
        "bins": checks.whole("bins", bins, at_least=2, at_most=1000),
        "alpha": checks.number("alpha", alpha, above=0),
        "margin": checks.number("margin", margin, above=0),
    }
    divergence, overflow = xr.apply_ufunc(
        _histogram,
        x,
        y,
        s,
        input_core_dims=[[time, state], [time, state], [state]],
        output_core_dims=[[], []],
        vectorize=True,
        kwargs=config,
    )
    variables = {
        "divergence": (divergence, "nat", "state-space divergence (histogram)"),
        "overflow": (overflow, "1", "fraction of model samples outside the box of the truth"),
    }
    return labelled(variables, "State-space divergence", config, _STSP)


def mixture_divergence(
    model: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    width: float = 1.0,
    samples: int = 1000,
    seed: int = 0,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.Dataset:
    r"""Return D_stsp by Gaussian mixtures, for systems of more than five states.

    .. math::

        D_\mathrm{stsp} \approx \frac1S \sum_{i=1}^S \ln \frac{p(z_i)}{q(z_i)}, \qquad
        p(z) = \frac1T \sum_t \mathcal N(z; x_t / \sigma, w^2 I), \qquad z_i \sim p

    and q likewise from the model. It is computed with logarithms, so that no sample is dropped however far
    the model is from it; model samples that are not finite stay in the count T of q and add no density. The
    value depends on `width` and is not comparable with the histogram's. The cost grows with S T D.

    Parameters
    ----------
    model, truth, scale
        As for :func:`state_space_divergence`, with any number of states.
    width
        w in standard deviations of the training data, greater than 0; 1 by default.
    samples, seed
        S = 1,000 Monte Carlo samples (10 or more) and the seed that draws them.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `divergence` (...) in nats, infinity where the whole model run failed, and `failed` (...), the fraction
    of model samples that are not finite.

    Raises
    ------
    TypeError, ValueError
        As for :func:`state_space_divergence`, without the limit on states.

    References
    ----------
    Koppe et al. 2019, PLoS Comput. Biol. 15, e1007263; Hess et al. 2023, ICML, arXiv:2306.04406.

    Examples
    --------
    Two points at a distance of 2 are two Gaussians with divergence :math:`2^2 / 2`:

    >>> truth = xr.DataArray(np.zeros((100, 8)), dims=("time", "state"))
    >>> shift = xr.DataArray([2.0] + 7 * [0.0], dims="state")
    >>> scale = xr.ones_like(shift)
    >>> round(mixture_divergence(truth + shift, truth, scale, samples=100_000).divergence.item(), 1)
    2.0
    """
    x, y, s = _runs(model, truth, scale, time, state)
    config = {
        "width": checks.number("width", width, above=0),
        "samples": checks.whole("samples", samples, at_least=10),
        "seed": checks.seed("seed", seed),
    }
    divergence, failed = xr.apply_ufunc(
        _mixture,
        x,
        y,
        s,
        input_core_dims=[[time, state], [time, state], [state]],
        output_core_dims=[[], []],
        vectorize=True,
        kwargs=config,
    )
    variables = {
        "divergence": (divergence, "nat", "state-space divergence (Gaussian mixture)"),
        "failed": (failed, "1", "fraction of model samples that are not finite"),
    }
    return labelled(variables, "State-space divergence", config, _STSP)


def sliced_wasserstein(
    model: xr.DataArray,
    truth: xr.DataArray,
    scale: xr.DataArray,
    projections: int = 100,
    seed: int = 0,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return the sliced Wasserstein distance between the places that a free run and the truth visit.

    .. math::

        SW = \left( \frac1{P\,T} \sum_{p=1}^P \sum_{t=1}^T
             \big( \langle\theta_p, x\rangle_{(t)} - \langle\theta_p, y\rangle_{(t)} \big)^2 \right)^{1/2}

    with samples x of the model and y of the truth in units of `scale`, their projections on random directions
    :math:`\theta_p` sorted, so that each mean over t is a squared Wasserstein distance of order 2 in one dimension. The
    order of the samples does not matter, as in :func:`state_space_divergence`; no bins are chosen, and any number of
    states will do.

    Parameters
    ----------
    model, truth, scale
        As for :func:`state_space_divergence`, with any number of states.
    projections, seed
        P = 100 directions (1 or more), uniform on the sphere, and the seed that draws them.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `distance` (...) in standard deviations of the training data; infinity where the model is not finite.

    Raises
    ------
    TypeError, ValueError
        As for :func:`state_space_divergence`, without the limit on states.

    References
    ----------
    Bonneel, Rabin, Peyre and Pfister 2015, J. Math. Imaging Vis. 51, 22.

    Examples
    --------
    In one dimension a shift is its own distance:

    >>> truth = xr.DataArray(np.arange(100.0)[:, None], dims=("time", "state"))
    >>> sliced_wasserstein(truth + 3, truth, xr.DataArray([2.0], dims="state")).item()
    1.5
    """
    x, y, s = _runs(model, truth, scale, time, state)
    config = {
        "projections": checks.whole("projections", projections, at_least=1),
        "seed": checks.seed("seed", seed),
    }
    distance = xr.apply_ufunc(
        _sliced,
        x,
        y,
        s,
        input_core_dims=[[time, state], [time, state], [state]],
        vectorize=True,
        kwargs=config,
    )
    return single(labelled({"distance": (distance, "1", "sliced Wasserstein distance")}, "Distance", config, _SLICED))


def _runs(
    model: object, truth: object, scale: object, time: str, state: str
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Check the three; times need to agree in number only."""
    arrays = {
        "model": field("model", model, (time, state), finite=False),
        "truth": field("truth", truth, (time, state)),
        "scale": scale_field(scale, time, state),
    }
    long_enough("truth", arrays["truth"], time, 100, "a distribution needs samples")
    return matched(arrays, free=time)  # type: ignore[return-value]


def _histogram(
    model: np.ndarray, truth: np.ndarray, scale: np.ndarray, bins: int, alpha: float, margin: float
) -> tuple[float, float]:
    """(time, state) twice, (state,) -> D_stsp and the fraction of model samples outside the box."""
    low, high = truth.min(0) - margin * scale, truth.max(0) + margin * scale
    steps, states = truth.shape
    cells = bins**states + 1  # the last one is the overflow cell

    def cell(x: np.ndarray) -> np.ndarray:
        inside = ((x >= low) & (x <= high)).all(1)
        index = np.minimum(((x[inside] - low) / (high - low) * bins).astype(np.int64), bins - 1)
        flat = np.full(steps, cells - 1)
        flat[inside] = index @ bins ** np.arange(states)
        return flat

    of_truth, of_model = cell(truth), cell(model)
    visited, where = np.unique(np.concatenate([of_truth, of_model]), return_inverse=True)
    counts = [np.bincount(w, minlength=visited.size) for w in (where[:steps], where[steps:])]
    p, q = ((n + alpha) / (steps + alpha * cells) for n in counts)  # p = q in the cells that neither visits
    return float(np.sum(p * np.log(p / q))), float(np.mean(of_model == cells - 1))


def _sliced(model: np.ndarray, truth: np.ndarray, scale: np.ndarray, projections: int, seed: int) -> float:
    """(time, state) twice, (state,) -> the root of the mean squared distance of sorted projections."""
    if not np.isfinite(model).all():
        return math.inf
    directions = np.random.default_rng(seed).standard_normal((len(scale), projections))
    directions /= np.linalg.norm(directions, axis=0) * scale[:, None]
    of_model, of_truth = (np.sort(x @ directions, 0) for x in (model, truth))
    return float(np.sqrt(np.mean((of_model - of_truth) ** 2)))


def _mixture(
    model: np.ndarray, truth: np.ndarray, scale: np.ndarray, width: float, samples: int, seed: int
) -> tuple[float, float]:
    """(time, state) twice, (state,) -> D_stsp of two Gaussian mixtures and the fraction of failed samples."""
    from scipy.spatial.distance import cdist
    from scipy.special import logsumexp

    rng = np.random.default_rng(seed)
    finite = np.isfinite(model).all(1)
    with np.errstate(over="ignore"):
        model = model[finite] / scale
    truth = truth / scale
    points = truth[rng.integers(len(truth), size=samples)] + width * rng.standard_normal((samples, len(scale)))

    def log_density(centres: np.ndarray) -> np.ndarray:  # up to a constant that both mixtures share

        blocks = np.array_split(points, max(1, samples * len(centres) // 4_000_000))
        return np.concatenate([logsumexp(cdist(b, centres, "sqeuclidean") / (-2 * width**2), 1) for b in blocks])

    if not finite.any():
        return math.inf, 1.0
    return float(np.mean(log_density(truth) - log_density(model))), float(np.mean(~finite))
