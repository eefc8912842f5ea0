"""A row: one learner on one system with one seed, fitted and scored; and all rows as one Dataset."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import xarray as xr

import peers
from arguments import machine
from ladder.data import Protocol, Task
from ladder.learners import Learner, Peer
from ladder.scores import SCORES, SHOWN, THRESHOLDS, score
from rnnbias.evaluation import gather
from systems.labels import Labelled, dataset

__all__ = ["Key", "gathered", "make_row"]


class Key(NamedTuple):
    """Which row."""

    system: str
    learner: str
    seed: int


def make_row(key: Key, learner: Learner, task: Task) -> xr.Dataset:
    """Fit and score; a learner that the system is not for gives a row with nothing but the reason."""
    problem, tuned, found, recording = "", "", {}, task.recording  # simulated before the clock starts
    began, began_cpu = time.perf_counter(), time.process_time()
    try:
        model = learner.fit(task, key.seed)
    except ValueError as error:
        problem = " ".join(str(error).split())
    else:
        taken = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
        found = {**taken, **score(model, learner, task)}
        tuned = peers.chosen(model) if isinstance(learner, Peer) else ""
    sizes = {"threshold": len(THRESHOLDS), "window": task.protocol.windows}
    variables = {
        name: Labelled(dims, found.get(name, np.full([sizes[d] for d in dims], np.nan)), units, words)
        for name, (dims, units, words) in SCORES.items()
    }
    variables["problem"] = Labelled((), problem, "1", "why there are no scores")
    variables["tuned"] = Labelled((), tuned, *peers.TUNED)
    variables |= {
        name: Labelled(dims, found[name], "see state_units", words)
        for name, (dims, words) in SHOWN.items()
        if name in found
    }
    ahead, later = np.arange(1, task.steps + 1), np.arange(task.protocol.run_steps)
    trace_time = ahead * task.dt / recording.unit
    coords = {
        "threshold": Labelled("threshold", THRESHOLDS, "1", "error at which a forecast stops being valid"),
        "window": Labelled("window", np.arange(task.protocol.windows), "1", "window"),
        "source": Labelled("source", ["forecast", "truth"], "1", "forecast or truth"),
        "trace_time": Labelled("trace_time", trace_time, recording.unit_name, "time forecast"),
        "orbit_time": Labelled("orbit_time", later * task.dt, recording.time_units, "time"),
        "state": Labelled("state", list(recording.states), "1", "state"),
        "state_units": Labelled("state", list(recording.state_units), "1", "units of the state"),
    }
    title = f"forecast benchmark: {key.learner} on {key.system}"
    row = dataset(variables, coords, title=title, config=key._asdict())
    return row.assign_attrs(about=learner.about, role=learner.role, machine=machine())


def gathered(rows: Mapping[Key, xr.Dataset], protocol: Protocol) -> xr.Dataset:
    """All scores over seed, system and learner; what is missing is NaN."""
    config = {"protocol": asdict(protocol), "seed": sorted({key.seed for key in rows})}
    scores = {key: row[[*SCORES, "problem", "tuned"]] for key, row in rows.items()}
    ds = gather(scores, Key._fields, title="Forecast benchmark", config=config)
    ds.valid_time.attrs["units"] = "see unit"
    of_learner = {key.learner: row.attrs for key, row in rows.items()}
    units = {key.system: row.trace_time.attrs["units"] for key, row in rows.items()}

    def text(dim: str, values: list[str], long_name: str) -> tuple[str, list[str], dict[str, str]]:
        return dim, values, {"units": "1", "long_name": long_name}

    ds = ds.transpose("seed", "system", "learner", ...).assign_coords(
        role=text("learner", [of_learner[name]["role"] for name in ds.learner.values], "role"),
        about=text("learner", [of_learner[name]["about"] for name in ds.learner.values], "what it is"),
        unit=text("system", [units[name] for name in ds.system.values], "unit of valid times"),
    )
    return ds.assign_attrs(machine="; ".join(sorted({row.attrs["machine"] for row in rows.values()})))
