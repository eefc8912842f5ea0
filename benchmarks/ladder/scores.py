"""Scores: what a row says of one learner on one task with one seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import columns
from ladder.data import Task
from ladder.learners import Learner, Twin
from rnnbias import SystemFit, metrics
from rnnbias.evaluation import Forecaster, score_attractor, score_windows

__all__ = ["MARK", "SCORES", "SHOWN", "THRESHOLDS", "score"]

_FEW = 25  # windows of the columns of robustness
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
    **{name: ((), *about) for name, about in columns.SCORES.items()},
}
#: What the figures show of a row, each beside the truth.
SHOWN = {
    "trace": (("source", "trace_time", "state"), "forecast of the first window"),
    "orbit": (("source", "orbit_time", "state"), "first free run"),
}


def score(model: Forecaster, learner: Learner, task: Task) -> dict[str, object]:
    """Score a model; what does not apply is absent."""
    units = model.network.units if isinstance(model, SystemFit) else 0
    found: dict[str, object] = {"learned": learner.learned(model), "units": units}
    if learner.windows != 0:
        found |= _forecast_scores(model, task, learner.windows)
    if learner.free:
        found |= _free_scores(model, task)
    if isinstance(learner, Twin):
        found["exponent"] = task.system.lyapunov or np.nan
    elif learner.free and not task.cyclic:
        found |= _exponent(model, task)
    if isinstance(model, SystemFit):
        found |= columns.steadiness(model.network, lambda network: _middle(replace(model, network=network), task))
    return found


def _forecast_scores(model: Forecaster, task: Task, most: int | None) -> dict[str, object]:
    made = task.forecast(model, task.windows[:most])
    scores = score_windows(made, THRESHOLDS)
    failed = (scores.valid_time[-1] == 0) | ~np.isfinite(made.forecast).all(("time", "state"))
    rest = (0, task.protocol.windows - made.sizes["trial"])
    return {
        "valid_time": np.pad(scores.valid_time, [(0, 0), rest], constant_values=np.nan),
        "nrmse": np.pad(scores.nrmse, rest, constant_values=np.nan),
        "censored": scores.censored.sum("trial").values,
        "failed": int(failed.sum()),
        "trace": np.stack([made.forecast[0], made.truth[0]]),
    }


def _middle(fit: SystemFit, task: Task) -> float:
    """Median valid time on a few windows."""
    made = task.forecast(fit, task.windows[:_FEW])
    return float(score_windows(made, [MARK]).valid_time.median())


def _free_scores(model: Forecaster, task: Task) -> dict[str, object]:
    made = task.forecast(model, task.free[: task.protocol.runs]).isel(time=slice(task.settle, None))
    scores = score_attractor(made)
    found = {name: scores[name].item() for name in scores} | {"orbit": np.stack([made.forecast[0], made.truth[0]])}
    if task.cyclic:
        off = metrics.cycle_error(made.forecast, made.truth)
        for name in ("period_error", "amplitude_error"):
            found[name] = float(off[name].where(~off.failed, np.inf).max("state").median())
    return found


def _exponent(model: Forecaster, task: Task) -> dict[str, object]:
    contexts = task.windows[: task.protocol.starts, : task.context]
    steps = task.protocol.exponent_steps
    step, start = model.free_map(contexts)
    found = metrics.largest_exponent(step, start, steps, task.dt, transient=steps // 2)
    exponent = np.inf if found.failed.any() else float(found.exponent)
    return {"exponent": exponent, "exponent_error": float(found.standard_error)}
