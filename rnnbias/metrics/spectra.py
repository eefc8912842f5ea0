"""Free runs: does the model have the rhythms of the truth?"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from rnnbias.metrics.fields import field, flat, labelled, long_enough, matched, sampling_step, single
from systems import checks

__all__ = ["spectral_distance"]

_HELLINGER = "Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, arXiv:2110.07238"


def spectral_distance(
    model: xr.DataArray,
    truth: xr.DataArray,
    smoothing: float = 20.0,
    *,
    time: str = "time",
    state: str = "state",
) -> xr.DataArray:
    r"""Return D_H, the Hellinger distance between the smoothed power spectra of a free run and the truth.

    .. math:: D_H = \operatorname{mean}_d \sqrt{1 - \sum_f \sqrt{P_{df} Q_{df}}}

    P is the power :math:`|\mathrm{rfft}|^2` of the truth's state d, z-scored with its own mean and
    deviation, smoothed by a Gaussian and normalised to sum 1; Q is the model's. From 0 (equal) to 1. It is
    blind to amplitude (a half-amplitude copy scores 0), so report :func:`state_space_divergence` beside it.

    Parameters
    ----------
    model, truth
        As for :func:`state_space_divergence`; where both have time labels, their steps must agree.
    smoothing
        The standard deviation of the Gaussian in *frequency bins*, 0 or more, 20 by default. Its width in
        Hz is smoothing / (T dt), so **scores compare only at equal T and dt**; state both with the score.
        Without smoothing even two runs of one chaotic system score about 0.47.
    time, state
        The names of the two dimensions.

    Returns
    -------
    `spectral_distance` (...), dimensionless; a model state that is constant or not finite counts as 1.

    Raises
    ------
    TypeError
        An argument is no DataArray or not real.
    ValueError
        Fewer than 8 `smoothing` (and 16) samples, so that the Gaussian is wider than the spectrum; a
        constant state in `truth`; unequal lengths, labels or steps.

    References
    ----------
    Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, arXiv:2110.07238.

    Examples
    --------
    >>> t = np.arange(1000) * 0.1
    >>> truth = xr.DataArray(np.sin(t)[:, None], {"time": t}, ("time", "state"))
    >>> spectral_distance(truth / 2, truth).item() < 1e-7, spectral_distance(truth * 0, truth).item()
    (True, 1.0)
    """
    smoothing = checks.number("smoothing", smoothing, at_least=0)
    x = field("model", model, (time, state), finite=False)
    y = field("truth", truth, (time, state))
    long_enough("truth", y, time, max(16, math.ceil(8 * smoothing)), f"smoothing = {smoothing}")
    steps = {name: sampling_step(name, a, time) for name, a in (("model", x), ("truth", y)) if time in a.indexes}
    if len(steps) == 2 and not math.isclose(steps["model"], steps["truth"], rel_tol=1e-6):
        raise ValueError(f"model must have the time step of truth, got {steps['model']} and {steps['truth']}")
    x, y = matched({"model": x, "truth": y}, free=time)
    if flat(np.swapaxes(y.values, -1, -2)).any():
        raise ValueError(f"truth must vary over {time!r} for every {state!r}, got a constant one")
    result = xr.apply_ufunc(_hellinger, x, y, input_core_dims=[[time, state]] * 2, kwargs={"smoothing": smoothing})
    config = {
        "smoothing": smoothing,
        "samples": y.sizes[time],
        **({"dt": steps["truth"]} if "truth" in steps else {}),
    }
    words = "Hellinger distance of smoothed power spectra"
    return single(labelled({"spectral_distance": (result, "1", words)}, "Spectral distance", config, _HELLINGER))


def _hellinger(model: np.ndarray, truth: np.ndarray, smoothing: float) -> np.ndarray:
    """(..., time, state) twice -> (...): D_H, the mean over the states."""
    model, truth = np.broadcast_arrays(np.swapaxes(model, -1, -2), np.swapaxes(truth, -1, -2))
    failed = flat(model)
    p, q = (_spectrum(x, smoothing) for x in (truth, np.where(failed[..., None], truth, model)))
    distance = np.sqrt(np.clip(1 - np.sum(np.sqrt(p * q), -1), 0, 1))
    return np.where(failed, 1.0, distance).mean(-1)


def _spectrum(x: np.ndarray, smoothing: float) -> np.ndarray:
    """(..., time) -> (..., frequency): smoothed power of the z-scored series, of sum 1."""
    from scipy.ndimage import gaussian_filter1d

    x = x / np.abs(x).max(-1, keepdims=True)
    z = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    power = np.abs(np.fft.rfft(z)) ** 2
    if smoothing > 0:
        power = gaussian_filter1d(power, smoothing, axis=-1)
    return power / power.sum(-1, keepdims=True)
