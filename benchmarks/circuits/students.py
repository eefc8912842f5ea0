"""Students of a circuit that learned a task: biases and gains from recordings.

The setting of Beiran & Litwin-Kumar 2025, Figs 1 and 2.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from functools import cache

import numpy as np
import xarray as xr
from torch import Tensor

import columns
from circuits.cells import SKILL, Cell, chosen, shares
from circuits.teachers import TASK_DT, cycling, excitatory, taught
from experiments import Experiment, Plan, over_seeds
from rnnbias import Adam, Circuit, fit_activity
from systems.connectomes import shuffled_identities
from tables import aligned

__all__ = ["STUDENTS"]

_UNITS = 300
_NOISE = 0.01  # of noisy recordings, in standard deviations of all activity
_TRIALS = 4  # two of each pulse: there are no other conditions
_LEVELS = (0.1, 0.01, 0.001)
_SCORES = {
    "recorded": ("1", "square error of recorded neurons over their variance"),
    "unrecorded": ("1", "square error of other neurons over their variance"),
    "unrecorded_miss": ("1", "1 - |correlation| of other neurons, mean"),
    "untaught_miss": ("1", "the same before learning"),
    "bias": ("1", "square error of biases over that of the prior's mean"),
    "gain": ("1", "square error of gains over that of the prior's mean"),
    "seconds": ("s", "time to learn"),
    "misfit": ("1", "root-mean-square difference to the recording, over the spread of its neurons"),
    **{f"seconds_to_{level:g}": ("s", f"time until the misfit is {level:g}") for level in _LEVELS},
    **columns.SCORES,
}
_WAYS = ("second order", "second order, noise", "outputs alone", "shuffled identities", "Adam, as published")


def cells(plan: Plan) -> list[Cell]:
    """The cells; those that take longest are run for the first seed alone."""
    if plan.quick:
        return [Cell("second order", 20, 0), Cell("Adam, as published", 20, 0)]
    found = [Cell("second order", size, 0) for size in (40, 10, 20, 5, 1, 100, 300)]
    found += [Cell("second order, noise", size, 0) for size in (40, 10)]
    found += [Cell("outputs alone", 0, 0), Cell("shuffled identities", 40, 0), Cell("Adam, as published", 40, 0)]
    found += [Cell("second order", size, seed) for seed in range(1, plan.seeds) for size in (40, 10)]
    return found


@cache
def _teacher(plan: Plan) -> Circuit:
    return taught(0, *((60, 100) if plan.quick else (_UNITS, 1400)), plan.folder)


def make(cell: Cell, plan: Plan) -> Mapping[str, float]:
    """One student, who knows weights, inputs, initial state, and the mean and spread of biases and gains of a kind."""
    teacher, data, test = _teacher(plan), cycling(60, 0), cycling(60, 1)
    rng = np.random.default_rng((cell.seed, 2))
    recorded = rng.permutation(teacher.units)[: cell.size]
    bias, gain = teacher.start.numpy(), teacher.level.numpy()
    start = {"bias": bias.copy(), "gain": gain.copy()}
    for kind in (excitatory(teacher), ~excitatory(teacher)):
        for values in start.values():
            published = cell.condition.startswith("Adam")
            values[kind] = rng.permutation(values[kind]) if published else values[kind].mean()
    if cell.condition.startswith("Adam"):
        start["gain"] = np.maximum(0.5 * start["gain"], 1e-3)
    student = Circuit(
        teacher.connectome, inputs=teacher.input.numpy(), outputs=teacher.readout.numpy(), activation="softplus",
        decay=TASK_DT, initial=teacher.initial.numpy(), learn={"bias", "gain"}, **start,
    )  # fmt: skip
    if cell.condition == "shuffled identities":
        student = student.on(shuffled_identities(teacher.connectome, cell.seed))
    options = {"prior": {"bias": float(bias.std()), "gain": float(gain.std())}, "seed": cell.seed}
    trials = _few(data)
    if cell.condition.startswith("Adam"):
        trials = np.arange(60)
        steps = 50 if plan.quick else 7000
        options |= {
            "prior": np.inf, "solver": Adam(iterations=steps, rate=1e-3, batch=32, every=50, clip=2.0, decay="none"),
        }  # fmt: skip
    inputs = data.inputs.values[trials]
    made = teacher.run(inputs)
    seen = made.rate.isel(unit=recorded)
    if cell.condition.endswith("noise"):
        spread = _NOISE * float(made.rate.std(("trial", "time")).mean())
        seen = seen + spread * rng.standard_normal(seen.shape)
    recording = xr.Dataset({"outputs": made.outputs} if cell.condition == "outputs alone" else {"activity": seen})
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = fit_activity(student, recording, inputs, patience=10**6 if "Adam" in cell.condition else None, **options)
    seconds = time.perf_counter() - began
    truth = teacher.run(test.inputs.values).rate
    found = shares(fit, truth, test.inputs.values)
    before = shares(fit.before(), truth, test.inputs.values)
    return {
        **{name: found[name] for name in ("recorded", "unrecorded", "unrecorded_miss")},
        "untaught_miss": before["unrecorded_miss"],
        "bias": _share(fit.network.biases, bias, student.start),
        "gain": _share(fit.network.gains, gain, student.level),
        "seconds": seconds,
        **columns.picked(columns.robustness(fit, (truth, test.inputs.values))),
        **_speed(fit.history, made.outputs if cell.condition == "outputs alone" else made.rate.isel(unit=recorded)),
    }


def _few(data: xr.Dataset) -> np.ndarray:
    """Trials of every kind: as many of either pulse."""
    kind = np.where(data.inputs.any(("time", "input")), 1 + data.inputs.any("time").argmax("input"), 0)
    return np.concatenate([np.flatnonzero(kind == which)[: _TRIALS // 2] for which in (1, 2)])


def _share(found: Tensor, truth: np.ndarray, before: Tensor) -> float:
    """Square error of parameters over that before learning."""
    error, start = ((part.detach().numpy() - truth) for part in (found, before))
    return float((error**2).sum() / (start**2).sum())


def _speed(history: xr.Dataset, seen: xr.DataArray) -> dict[str, float]:
    """How near to the recording learning came, and when."""
    misfit = history.misfit.values / float(np.sqrt(seen.var(("trial", "time")).mean()))
    when = {level: history.seconds.values[misfit <= level] for level in _LEVELS}
    times = {f"seconds_to_{level:g}": float(at[0]) if len(at) else np.nan for level, at in when.items()}
    return {"misfit": float(misfit.min()), **times}


def report(data: xr.Dataset) -> list[str]:
    """The table."""
    rows = []
    for condition in (name for name in _WAYS if name in data.condition.values):
        for size in chosen(data, condition):
            one = data.sel(condition=condition, size=size)
            names = ("recorded", "unrecorded", "unrecorded_miss", "bias", "gain", "misfit")
            times = [over_seeds(one[f"seconds_to_{level:g}"], "{:.0f}") for level in _LEVELS]
            rows.append([
                condition, str(size), *(over_seeds(one[name]) for name in names), over_seeds(one.seconds, "{:.0f}"),
                *times, *columns.words(one.median("seed"), "{:.2f}"),
            ])  # fmt: skip
    header = ["student", "recorded neurons", "error, recorded", "error, others", "1 - corr, others", "biases", "gains"]
    header += ["misfit", "seconds", *(f"to {level:g}" for level in _LEVELS), *columns.HEADER]
    return [
        "## Students of a circuit that learned a task", "",
        "A teacher of softplus neurons learned, throughout, to answer a pulse by two or five cycles of a sine. "
        f"Students learn a bias and a gain a neuron ({2 * _UNITS} numbers; fewer in a quick run). They know its "
        "weights, inputs and initial state, and the mean of biases and gains among neurons that excite and among those "
        "that inhibit. Errors are mean squares under 60 fresh trials over the variance of the neurons, biases and "
        f"gains over the prior's. Second order sees {_TRIALS} trials, Adam 60 (start, rate and count of steps as "
        f"published); noise is {_NOISE:g} of the spread of all activity. Misfit: what is left of the recording over "
        "its spread, and the seconds until it was so small.", "",
        *aligned(header, rows), "", columns.note(SKILL), "",
    ]  # fmt: skip


STUDENTS = Experiment(cells, make, _SCORES, report)
