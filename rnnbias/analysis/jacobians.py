"""Jacobians of a map along its orbits, their eigenvalues, and what learning did to them.

jacobians       dF_i/dx_j along trajectories
eigenvalues     their eigenvalues and spectral radius
before_after    eigenvalues of a fit and of the network it started from, on the same data
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.networks import Network, parameters
from rnnbias.problems import SystemFit
from systems import checks, maps
from systems.labels import Labelled, dataset

__all__ = ["before_after", "eigenvalues", "jacobians", "modes", "untrained"]


def jacobians(step: maps.Map, states: Tensor | ArrayLike, dt: float = 1.0, *, every: int = 1) -> xr.Dataset:
    """Return the Jacobian of a map at states along trajectories.

    Parameters
    ----------
    step
        The map: a tensor (batch, n) to a tensor (batch, n) of the same type, differentiable by torch, each row by
        itself.
    states
        Trajectories (trial, time, n), as from `maps.orbit`.
    dt
        Time between the states.
    every
        Every so many of them.

    Returns
    -------
    Dataset with `jacobian` (trial, time, state, other_state): how state `state` after a step depends on `other_state`
    before it.

    Raises
    ------
    TypeError, ValueError
        `states` is not real, finite and (trial, time, n), a number is outside its bounds, `step` is no such map.

    Examples
    --------
    >>> jacobians(lambda x: x**2, [[[1.0], [3.0]]]).jacobian.values.ravel().tolist()
    [2.0, 6.0]
    """
    found, coords, config = _along(step, states, dt, every)
    n = found.shape[-1]
    dims = ("trial", "time", "state", "other_state")
    label = Labelled("state", np.arange(n), "1", "state of the map")
    return dataset(
        {"jacobian": Labelled(dims, found.cpu().numpy(), "1", "derivative of the state after a step")},
        {**coords, "state": label, "other_state": label._replace(dims="other_state")},
        title="Jacobian along trajectories",
        config=config,
    )


def eigenvalues(step: maps.Map, states: Tensor | ArrayLike, dt: float = 1.0, *, every: int = 1) -> xr.Dataset:
    """Return the eigenvalues of a map's Jacobian at states along trajectories, largest magnitude first.

    Parameters
    ----------
    step, states, dt, every
        As for `jacobians`.

    Returns
    -------
    Dataset over (trial, time, mode): `eigenvalue_real` and `eigenvalue_imag`, `time_constant` -dt / ln|lambda|
    (negative where a mode grows) and `frequency` arg(lambda) / (2 pi dt); over (trial, time): `spectral_radius` and
    `n_unstable`, how many modes grow.

    Raises
    ------
    TypeError, ValueError
        As `jacobians`.

    Examples
    --------
    >>> turn = torch.tensor([[0.0, -0.5], [0.5, 0.0]], dtype=torch.float64)
    >>> found = eigenvalues(lambda x: x @ turn.T, np.ones((1, 1, 2)))
    >>> found.spectral_radius.values.round(6).ravel().tolist(), abs(found.frequency).values.ravel().tolist()
    ([0.5], [0.25, 0.25])
    """
    found, coords, config = _along(step, states, dt, every)
    variables, mode = modes(found, dt, ("trial", "time"), f"{coords['time'].units}")
    return dataset(variables, {**coords, "mode": mode}, title="eigenvalues along trajectories", config=config)


def untrained(network: Network) -> Network:
    """Return the network as its recipe draws it, with its learned numbers at their start; `network` stays as it is.

    >>> from rnnbias import RNN
    >>> net = RNN(6, 1, 1)
    >>> torch.equal(untrained(net).recurrent, net.recurrent)
    True
    """
    return network.redrawn()


def before_after(fit: SystemFit, inputs: xr.Dataset | xr.DataArray | ArrayLike, *, points: int = 10) -> xr.Dataset:
    """Return the eigenvalues of a fit's closed loop, and of the loop of the network that it started from.

    Both networks are driven by the same data up to a moment and then closed, so that they differ only by what was
    learned. The moments are spread evenly over the second half of `inputs`.

    Parameters
    ----------
    fit
        With a `free_map`, such as a `SystemFit`.
    inputs
        Data of the learned kind, (time, state) or (trial, time, state), of at least twice `points` samples.
    points
        How many moments.

    Returns
    -------
    As `eigenvalues`, with the leading dimension `stage`: "before", "after".

    Raises
    ------
    TypeError, ValueError
        `fit` has no closed loop or has learned nothing, `inputs` are not of its kind or too short.

    Examples
    --------
    >>> from rnnbias import fit_system
    >>> import systems
    >>> fit = fit_system("cosine", units=20, samples=200, progress=False)
    >>> data = systems.get("cosine").simulate(duration=2.0)
    >>> before_after(fit, data, points=4).spectral_radius.dims
    ('stage', 'trial', 'time')
    """
    if not isinstance(fit, SystemFit):
        raise TypeError(f"fit must be a SystemFit, got {fit!r}")
    points = checks.whole("points", points, at_least=1)
    start = fit.network.redrawn()
    if torch.equal(parameters.read(start), parameters.read(fit.network)):
        raise ValueError("fit must have learned: its learned numbers are those that it started from")
    data = inputs.trajectory if isinstance(inputs, xr.Dataset) and "trajectory" in inputs else inputs
    samples = data.sizes["time"] if isinstance(data, xr.DataArray) else np.shape(data)[-2]
    if samples < 2 * points:
        raise ValueError(f"inputs must have at least 2 * points = {2 * points} samples, got {samples}")
    ends = np.unique(np.linspace(samples // 2, samples, points + 1).astype(int)[1:])
    dt, units = fit.recording.dt, fit.recording.time_units

    def along(fit: SystemFit) -> Tensor:
        pairs = [fit.free_map(_first(data, end)) for end in ends]
        return torch.stack([maps.jacobian(step, state) for step, state in pairs], 1)

    variables, mode = modes(
        torch.stack([along(replace(fit, network=start)), along(fit)]), dt, ("stage", "trial", "time"), units
    )
    trials = variables["spectral_radius"].values.shape[1]
    return dataset(
        variables,
        {
            "stage": Labelled("stage", ["before", "after"], "1", "stage of learning"),
            "trial": Labelled("trial", np.arange(trials), "1", "trial"),
            "time": Labelled("time", (ends - 1) * dt, units, "time"),
            "mode": mode,
        },
        title=f"eigenvalues of the closed loop of {fit.name}, before and after learning",
        config={"points": points, "fit": fit.configuration()},
    )


def modes(jacobian: Tensor, dt: float, dims: tuple[str, ...], time_units: str) -> tuple[dict[str, Labelled], Labelled]:
    """Eigenvalues of Jacobians (..., n, n), whose leading dimensions are `dims`: labelled variables and modes."""
    found = np.linalg.eigvals(jacobian.cpu().numpy()).astype(complex)
    size = np.abs(found)
    order = np.lexsort((found.imag, -size.round(12)), axis=-1)
    found, size = (np.take_along_axis(a, order, -1) for a in (found, size))
    with np.errstate(divide="ignore"):
        constant = -dt / np.log(size)
    inverse = "1" if time_units == "1" else f"1/{time_units}"
    variables = {
        "eigenvalue_real": Labelled((*dims, "mode"), found.real, "1", "real part of the eigenvalue"),
        "eigenvalue_imag": Labelled((*dims, "mode"), found.imag, "1", "imaginary part of the eigenvalue"),
        "time_constant": Labelled((*dims, "mode"), constant, time_units, "time constant"),
        "frequency": Labelled((*dims, "mode"), np.angle(found) / (2 * np.pi * dt), inverse, "frequency"),
        "spectral_radius": Labelled(dims, size[..., 0], "1", "spectral radius"),
        "n_unstable": Labelled(dims, (size > 1).sum(-1), "1", "growing modes"),
    }
    return variables, Labelled("mode", np.arange(found.shape[-1]), "1", "mode, largest magnitude first")


def _first(data: xr.DataArray | ArrayLike, samples: int) -> xr.DataArray | ArrayLike:
    return data.isel(time=slice(samples)) if isinstance(data, xr.DataArray) else np.asarray(data)[..., :samples, :]


def _along(
    step: maps.Map, states: Tensor | ArrayLike, dt: float, every: int
) -> tuple[Tensor, dict[str, Labelled], dict[str, object]]:
    """Jacobians (trial, time, n, n), the coordinates of trials and times, and the configuration."""
    dt, every = checks.number("dt", dt, above=0), checks.whole("every", every, at_least=1)
    shape = np.shape(states.detach() if isinstance(states, Tensor) else states)
    if len(shape) != 3 or 0 in shape:
        raise ValueError(f"states must be (trial, time, n), none of them 0, got shape {shape}")
    states = states if isinstance(states, Tensor) else torch.as_tensor(checks.array("states", states))
    chosen = states[:, ::every]
    x = maps.prepare(step, chosen.flatten(0, 1), "states")
    found = maps.jacobian(step, x).unflatten(0, chosen.shape[:2])
    coords = {
        "trial": Labelled("trial", np.arange(shape[0]), "1", "trial"),
        "time": Labelled("time", np.arange(0, shape[1], every) * dt, "time unit of dt", "time"),
    }
    return found, coords, {"dt": dt, "every": every}
