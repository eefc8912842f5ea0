"""How large a circuit may be: sparse wiring from a thousand units to the size of a fly's brain."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from scipy import sparse

from alone import alone, peak
from circuits.cells import Cell, chosen
from experiments import Experiment, Plan, over_seeds
from rnnbias import Circuit, LevenbergMarquardt, fit_activity
from systems.connectomes import Connectome
from tables import aligned

__all__ = ["SIZES"]

_STEPS = 100
_SYNAPSES = {2000: 100, 20000: 100, 139000: 108}  # onto each neuron
_GROUPS, _RECORDED, _LEARNED_STEPS, _SPREAD, _NOISE = 118, 200, 30, 0.5, 0.02
_LARGEST = 50000  # units whose groups learn by second order
_SCORES = {
    "synapses": ("1", "synapses"),
    "build": ("s", "time to make the circuit"),
    "forward": ("s", "time of 100 steps forward"),
    "gradient": ("s", "time of a gradient through 10 steps"),
    "memory": ("GiB", "largest memory of the process"),
    "learning": ("s", "time to learn the biases of all groups"),
    "bias": ("1", "square error of biases over the prior's"),
    "seconds": ("s", "time of all"),
}


def cells(plan: Plan) -> list[Cell]:
    """Sizes."""
    return [Cell("sparse", units, 0) for units in ([2000] if plan.quick else _SYNAPSES)]


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """Measured in a process of its own, so that the memory is that of this size."""
    return alone(_measure, cell.size)


def _measure(units: int) -> dict[str, float]:
    rng, began = np.random.default_rng(units), time.perf_counter()
    each = _SYNAPSES[units]
    columns = rng.integers(0, units, (units, each)).ravel()
    weights = sparse.coo_array(
        (rng.standard_normal(units * each) / np.sqrt(each), (np.repeat(np.arange(units), each), columns)),
        shape=(units, units),
    )
    wiring = Connectome(sparse.csr_array(weights), tuple(map(str, range(units))), name="sparse")
    groups = [f"group {k}" for k in rng.integers(0, _GROUPS, units)]
    circuit = Circuit(wiring, inputs=rng.standard_normal((units, 2)), decay=0.3, groups=groups)
    found = {"synapses": float(wiring.synapses), "build": time.perf_counter() - began}
    inputs = torch.from_numpy(rng.standard_normal((1, _STEPS, 2)))

    def timed(action) -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    with torch.no_grad():
        found["forward"] = timed(lambda: circuit(inputs))
    found["gradient"] = timed(lambda: circuit(inputs[:, :10]).rate.square().mean().backward())
    if units <= _LARGEST:
        truth = _SPREAD * rng.standard_normal(len(circuit.groups))
        circuit.bias.data.copy_(torch.from_numpy(truth))
        drive = inputs[:, :_LEARNED_STEPS].numpy()
        seen = circuit.run(drive).rate.isel(unit=rng.permutation(units)[:_RECORDED])
        seen = seen + _NOISE * rng.standard_normal(seen.shape)
        start = time.perf_counter()
        fit = fit_activity(
            circuit.redrawn(), seen, drive, prior=_SPREAD, noise=_NOISE, solver=LevenbergMarquardt(iterations=3),
            progress=False,
        )  # fmt: skip
        found["learning"] = time.perf_counter() - start
        found["bias"] = float(((fit.network.bias.detach().numpy() - truth) ** 2).sum() / (truth**2).sum())
    found["memory"] = peak()
    return {**found, "seconds": time.perf_counter() - began}


def report(data: xr.Dataset) -> list[str]:
    """The table."""
    rows = []
    for size in chosen(data, "sparse"):
        one = data.sel(condition="sparse", size=size)
        forms = ("{:,.0f}", "{:.1f}", "{:.2f}", "{:.2f}", "{:.1f}", "{:.0f}", "{:.0e}")
        names = ("synapses", "build", "forward", "gradient", "memory", "learning", "bias")
        rows.append([f"{size:,}", "", *(over_seeds(one[n], f) for n, f in zip(names, forms, strict=True))])
    header = ["units", "", "synapses", "s to make", "s, 100 steps", "s, gradient of 10 steps", "GiB", "s, biases"]
    return [
        "## Size", "",
        f"Sparse random wiring, one trial, one thread, float64. Biases of {_GROUPS} groups learn by second order from "
        f"{_RECORDED} neurons, {_LEARNED_STEPS} steps and noise {_NOISE}; the last column is the square error of the "
        "biases over the prior's. Memory is the largest of a process that did this alone.", "",
        *aligned([*header, "error"], rows), "",
    ]  # fmt: skip


SIZES = Experiment(cells, make, _SCORES, report)
