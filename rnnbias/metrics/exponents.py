"""How chaotic a learned map is."""

from __future__ import annotations

import math
from itertools import repeat

import numpy as np
import torch
import xarray as xr

from systems import checks, maps
from systems.labels import Labelled, dataset

__all__ = ["largest_exponent"]

_BENETTIN = "Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9"


def largest_exponent(
    step: maps.Map,
    start: torch.Tensor | np.ndarray,
    steps: int,
    dt: float,
    transient: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    r"""Return the largest Lyapunov exponent of a learned map by the method of Benettin.

    .. math:: \lambda_1 = \frac{1}{N \Delta t} \sum_{k=1}^N \ln |J(x_{k-1}) v_{k-1}|, \qquad
              v_k = \frac{J(x_{k-1}) v_{k-1}}{|J(x_{k-1}) v_{k-1}|}

    The products with the Jacobian J are exact (`maps.push`), one tangent for each start. The
    state of a recurrent network is all that it carries from step to step, so `step` closes the loop over
    that.

    Parameters
    ----------
    step
        The map: a tensor (batch, n) to a tensor (batch, n) of the same type, differentiable by torch, each
        row by itself.
    start
        Initial states (batch, n), best on the attractor and far from one another: an orbit near a weakly
        unstable fixed point may outstay the transient. A floating-point tensor keeps its type and device;
        all else becomes float64.
    steps, dt
        N, 1 or more, and the time between steps, greater than 0. Batch and time count alike: 100 starts of
        1,000 steps serve as well as one of 100,000, and take a fraction of the time.
    transient
        Steps before the average begins, 1,000 by default, in which state and tangent settle. The tangent
        does so at the rate of the gap to the second exponent (0 for a flow), so give it several Lyapunov
        times; what is left of its turning biases the mean by something of the order of 1 / (N dt).
    seed
        Draws the first tangents.

    Returns
    -------
    `exponent` (), the mean over the starts, in one over the units of `dt`; `standard_error` () over the
    starts (NaN for a single one); `local_exponent` (start); the Boolean `failed` (start). A start fails
    when its state or tangent is no longer finite: its exponent is NaN, and so is the mean, which is never
    taken over survivors. A tangent that vanishes (a superstable orbit, or a step that hides its derivative
    from torch) has exponent minus infinity.

    Raises
    ------
    TypeError
        `start` or a number has the wrong type, or `step` returns no tensor.
    ValueError
        A number is outside its bounds, `start` is not finite, `step` changes the shape or mixes the rows.

    References
    ----------
    Benettin, Galgani, Giorgilli and Strelcyn 1980, Meccanica 15, 9.

    Examples
    --------
    >>> ds = largest_exponent(lambda x: 0.5 * x, np.ones((2, 3)), steps=10, dt=1.0, transient=0)
    >>> round(ds.exponent.item(), 6), round(float(np.log(0.5)), 6)
    (-0.693147, -0.693147)
    """
    dt = checks.number("dt", dt, above=0)
    steps, transient = checks.whole("steps", steps, at_least=1), checks.whole("transient", transient)
    seed = checks.seed("seed", seed)
    x = maps.prepare(step, start)
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for k, now in enumerate(maps.growth(repeat(step, transient + steps), x, maps.frame(x, 1, seed))):
        if k >= transient:
            total += now.stretch[:, 0]
    failed = maps.lost(now) | (total == math.inf).cpu().numpy()
    local = np.where(failed, np.nan, total.cpu().numpy() / (steps * dt))
    spread = local.std(ddof=1) / math.sqrt(local.size) if local.size > 1 and np.isfinite(local).all() else np.nan
    per_time = "1/time unit of dt"
    return dataset(
        {
            "exponent": Labelled((), local.mean(), per_time, "largest Lyapunov exponent"),
            "standard_error": Labelled((), spread, per_time, "standard error of the exponent over the starts"),
            "local_exponent": Labelled("start", local, per_time, "largest exponent along the orbit of each start"),
            "failed": Labelled("start", failed, "1", "orbit or tangent no longer finite"),
        },
        {"start": Labelled("start", np.arange(local.size), "1", "initial state")},
        title="Largest Lyapunov exponent",
        config={"steps": steps, "dt": dt, "transient": transient, "seed": seed},
        references=_BENETTIN,
    )
