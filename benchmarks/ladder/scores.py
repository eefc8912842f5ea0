"""Scores: what a row says of one learner on one task with one seed."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ladder.data import Task
from ladder.learners import Learner, Model, Twin
from rnnbias import metrics

__all__ = ["MARK", "SCORES", "SHOWN", "THRESHOLDS", "score"]

THRESHOLDS = (0.3, 0.4, 0.5)
#: The threshold of the table and the figures.
MARK = 0.4

#: Variables of a row: dimensions, units and long name.
SCORES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "learned": ((), "1", "learned numbers"),
    "units": ((), "1", "units of the network"),
    "seconds": ((), "s", "time to fit"),
    "cpu_seconds": ((), "s", "processor time to fit, which other jobs on the machine do not lengthen"),
    "valid_time": (("threshold", "window"), "Lyapunov times", "valid prediction time"),
    "nrmse": (
        ("window",),
        "1",
        "root mean square error up to one unit of valid time, in standard deviations",
    ),
    "censored": (("threshold",), "1", "windows valid to the last sample"),
    "failed": ((), "1", "windows that fail at once or become infinite"),
    "d_stsp": ((), "1", "state-space divergence of the free runs"),
    "d_h": ((), "1", "Hellinger distance of the spectra of the free runs"),
    "divergence_rate": ((), "1", "fraction of free runs that escape"),
    "constant_rate": ((), "1", "fraction of free runs that fall silent"),
    "exponent": ((), "1/time unit", "largest Lyapunov exponent of the learned map; infinite if it escapes"),
    "exponent_error": ((), "1/time unit", "standard error of the exponent"),
    "period_error": ((), "1", "relative error of the period once settled"),
    "amplitude_error": ((), "1", "relative error of the amplitude once settled"),
}
#: What the figures show of a row, each beside the truth.
SHOWN = {
    "trace": (("source", "trace_time", "state"), "forecast of the first window"),
    "orbit": (("source", "orbit_time", "state"), "first free run"),
}


def score(model: Model, learner: Learner, task: Task) -> dict[str, object]:
    """Score a model; what does not apply is absent."""
    found: dict[str, object] = {"learned": model.learned, "units": model.units}
    count = task.protocol.windows if learner.windows is None else min(learner.windows, task.protocol.windows)
    if count:
        found |= _forecast_scores(model, task, count)
    if learner.free:
        found |= _free_scores(model, task)
    if model.free_map and not task.cyclic:
        found |= _exponent(model, task)
    elif isinstance(learner, Twin) and task.system.lyapunov:
        found["exponent"] = task.system.lyapunov
    return found


def _forecast_scores(model: Model, task: Task, count: int) -> dict[str, object]:
    context, truth = _cut(task.windows[:count], task)
    forecast = truth.copy(data=model.forecast(context.values, task.steps))
    unit, unit_name = task.unit
    valid = metrics.valid_time(forecast, truth, task.scale, unit, THRESHOLDS, units=unit_name)
    rest = task.protocol.windows - count
    failed = (valid.valid_time[-1] == 0) | ~np.isfinite(forecast).all(("time", "state"))
    error = metrics.nrmse(forecast, truth, task.scale, min(unit, task.steps * task.dt))
    return {
        "valid_time": np.pad(valid.valid_time, [(0, 0), (0, rest)], constant_values=np.nan),
        "nrmse": np.pad(error, (0, rest), constant_values=np.nan),
        "censored": valid.censored.sum("window").values,
        "failed": int(failed.sum()),
        "trace": np.stack([forecast[0], truth[0]]),
    }


def _free_scores(model: Model, task: Task) -> dict[str, object]:
    context, truth = _cut(task.free[: task.protocol.runs], task)
    truth = truth[:, task.settle :]
    run = truth.copy(data=model.forecast(context.values, task.settle + truth.sizes["time"])[:, task.settle :])
    pooled = [x.stack(sample=("trial", "time"), create_index=False) for x in (run, truth)]
    if truth.sizes["state"] <= 5:
        strayed = metrics.state_space_divergence(*pooled, task.scale, time="sample")
    else:
        strayed = metrics.mixture_divergence(*(x[:, ::5] for x in pooled), task.scale, time="sample")
    found = {
        "d_stsp": float(strayed.divergence),
        "d_h": float(metrics.spectral_distance(run, truth).mean()),
        "divergence_rate": float(metrics.divergence_rate(run, task.mean, task.scale)),
        "constant_rate": float(metrics.constant_rate(run, task.scale)),
        "orbit": np.stack([run[0], truth[0]]),
    }
    if task.cyclic:
        off = metrics.cycle_error(run, truth)
        for name in ("period_error", "amplitude_error"):
            found[name] = float(off[name].where(~off.failed, np.inf).max("state").median())
    return found


def _cut(trials: xr.DataArray, task: Task) -> tuple[xr.DataArray, xr.DataArray]:
    """Split trials into the context and what follows."""
    return trials[:, : task.context], trials[:, task.context :]


def _exponent(model: Model, task: Task) -> dict[str, object]:
    contexts = task.windows[: task.protocol.starts, : task.context].values
    steps = task.protocol.exponent_steps
    step, start = model.free_map(contexts)
    found = metrics.largest_exponent(step, start, steps, task.dt, transient=steps // 2)
    exponent = np.inf if found.failed.any() else float(found.exponent)
    return {"exponent": exponent, "exponent_error": float(found.standard_error)}
