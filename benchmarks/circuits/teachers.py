"""Teachers: circuits that do something, whose biases and gains students are to find.

Recipes of Beiran & Litwin-Kumar 2025, Nature Neuroscience, doi:10.1038/s41593-025-02080-4 (bioRxiv v1, Methods).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy import sparse

from rnnbias import Adam, Circuit, fit_activity, load
from systems.connectomes import Connectome

__all__ = ["TASK_DT", "cycling", "excitatory", "taught"]

TASK_DT = 0.1  # time steps, in time constants
_STEPS = 200
_RATE = 3.0  # of the sine, per time constant
_CYCLES = (2, 5)  # that each input channel asks for
_LARGEST = 0.99  # real part of the fastest mode around rest


def cycling(trials: int, seed: int) -> xr.Dataset:
    """Trials of the task: a pulse on one of two channels, between 2 and 5 time constants, asks for 2 or 5 cycles of a
    sine; one trial in five has no pulse. `inputs` (trial, time, input) and `outputs` (trial, time, output).
    """
    rng = np.random.default_rng((seed, 1))
    time = TASK_DT * np.arange(1, _STEPS + 1)
    inputs, outputs = np.zeros((trials, _STEPS, 2)), np.zeros((trials, _STEPS, 1))
    for k in range(trials):
        onset, channel = rng.integers(round(2 / TASK_DT), round(5 / TASK_DT)), rng.integers(2)
        if rng.random() < 0.2:
            continue
        inputs[k, onset, channel] = 1.0
        since = time - time[onset]
        on = (since >= 0) & (since < 2 * np.pi / _RATE * _CYCLES[channel])
        outputs[k, on, 0] = np.sin(_RATE * since[on])
    dims = ("trial", "time")
    return xr.Dataset({"inputs": ((*dims, "input"), inputs), "outputs": ((*dims, "output"), outputs)}, {"time": time})


def excitatory(circuit: Circuit) -> np.ndarray:
    """Which neurons excite, by the sign of their synapses."""
    return np.asarray(circuit.connectome.weights.sum(0)).ravel() >= 0


def taught(seed: int, units: int, iterations: int, folder: Path) -> Circuit:
    """A circuit of softplus neurons, half of all synapses and Dale's signs, everything of which learned the task.

    It is kept in `folder`, and read from there if it is there.
    """
    path = folder / f"teacher-{seed}-{units}-{iterations}.nc"
    if path.exists():
        learned = load(path).network
    else:
        drawn = _drawn(seed, units)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit = fit_activity(
                drawn, cycling(60, seed), learn={"bias", "gain", "readout", "initial", "weights"}, seed=seed,
                solver=Adam(iterations=iterations, rate=1e-3, batch=32, every=100, clip=5.0, decay="none"),
            )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        fit.save(path)
        learned = fit.network
    now = {name: value.detach().numpy() for name, value in learned.state_dict().items()}
    graph = sparse.csr_array((now["recurrent"], now["columns"], now["starts"]), shape=(units, units))
    return Circuit(
        Connectome(graph, learned.neurons, name=f"teacher {seed}"),
        inputs=now["input"], outputs=now["readout"], activation="softplus", decay=TASK_DT,
        bias=learned.biases.detach().numpy(), gain=learned.gains.detach().numpy(), initial=now["initial"],
    )  # fmt: skip


def _drawn(seed: int, units: int) -> Circuit:
    """The teacher before it learns, drawn again until it is stable at rest."""
    rng = np.random.default_rng((seed, 0))
    while True:
        excites = rng.random(units) < 0.7
        weights = 2.4 / np.sqrt(units) * rng.standard_normal((units, units)) + 1 / units
        weights[rng.random((units, units)) < 0.5] = 0.0
        weights = np.where(excites, np.maximum(weights, 0), 4 * np.minimum(weights, 0))
        bias, gain = rng.uniform(-0.1, 0.1, units), np.maximum(1 + 0.4 * rng.standard_normal(units), 1e-3)
        slope = gain / (1 + np.exp(-bias))
        if np.linalg.eigvals(weights * slope).real.max() < _LARGEST:
            break
    return Circuit(
        Connectome.of(weights, neurons=[f"{'E' if e else 'I'}{k:03}" for k, e in enumerate(excites)], name="drawn"),
        inputs=rng.standard_normal((units, 2)) / TASK_DT, outputs=5 / units * rng.standard_normal((1, units)),
        learn={"bias", "gain"}, activation="softplus", decay=TASK_DT, bias=bias, gain=gain,
        dtype=torch.float32,
    )  # fmt: skip
