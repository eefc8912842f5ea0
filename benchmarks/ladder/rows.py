"""Rows as files: made, stored, read again and put together."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from ladder.data import Protocol, Task
from ladder.learners import LEARNERS, Learner, ladder
from ladder.scores import SCORES, SHOWN, THRESHOLDS, score
from systems import labels
from systems.labels import Labelled, dataset

__all__ = ["Key", "check_settings", "gather", "make_row", "stored"]


class Key(NamedTuple):
    """Which row."""

    system: str
    learner: str
    seed: int

    def path(self, out: Path) -> Path:
        """Where the row is stored."""
        return out / "rows" / f"{self.system.replace(':', '-')}--{self.learner}--{self.seed}.nc"


def configuration(key: Key, learner: Learner, protocol: Protocol) -> dict[str, object]:
    """Everything that a row depends on."""
    return {**key._asdict(), "about": repr(learner), "protocol": asdict(protocol)}


def make_row(key: Key, learner: Learner, task: Task) -> xr.Dataset:
    """Fit and score; a learner that the system is not for gives a row with nothing but the reason."""
    problem, found, _ = "", {}, task.train  # simulated before the clock starts
    began, began_cpu = time.perf_counter(), time.process_time()
    try:
        model = learner.fit(task, key.seed)
    except ValueError as error:
        problem = " ".join(str(error).split())
    else:
        taken = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
        found = {**taken, **score(model, learner, task)}
    (unit, unit_name), time_unit = task.unit, task.system.units["time"]
    variables = {
        name: Labelled(dims, found[name], unit_name if name == "valid_time" else units, words)
        for name, (dims, units, words) in SCORES.items()
        if name in found
    }
    variables |= {
        name: Labelled(dims, found[name], "see state_units", words)
        for name, (dims, words) in SHOWN.items()
        if name in found
    }
    ahead, later = np.arange(1, task.steps + 1), np.arange(task.protocol.run_steps)
    states = task.system.states
    coords = {
        "threshold": Labelled("threshold", THRESHOLDS, "1", "error at which a forecast stops being valid"),
        "window": Labelled("window", np.arange(task.protocol.windows), "1", "window"),
        "source": Labelled("source", ["forecast", "truth"], "1", "forecast or truth"),
        "trace_time": Labelled("trace_time", ahead * task.dt / unit, unit_name, "time forecast"),
        "orbit_time": Labelled("orbit_time", later * task.dt, time_unit, "time"),
        "state": Labelled("state", list(states), "1", "state"),
        "state_units": Labelled("state", [task.system.units[s] for s in states], "1", "units of the state"),
    }
    row = dataset(
        variables,
        coords,
        title=f"forecast benchmark: {key.learner} on {key.system}",
        config=configuration(key, learner, task.protocol),
    )
    return row.assign_attrs(problem=problem, about=learner.about, role=learner.role, machine=machine())


def machine() -> str:
    """Cores and torch of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, torch {torch.__version__} with {torch.get_num_threads()} threads"


def stored(out: Path) -> dict[Key, xr.Dataset]:
    """Read the finished rows."""
    rows = {}
    for path in sorted((out / "rows").glob("*.nc")):
        try:
            row = xr.load_dataset(path, engine="h5netcdf")
            about = labels.config(row)
            rows[Key(about["system"], about["learner"], about["seed"])] = row
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path} is not a row of this benchmark: use another --out") from error
    return rows


def check_settings(rows: dict[Key, xr.Dataset], protocol: Protocol) -> None:
    """Refuse rows that were made with other settings."""
    for key, row in rows.items():
        learner = ladder(protocol, row.sizes["state"]).get(key.learner)
        wanted = learner and json.loads(json.dumps(configuration(key, learner, protocol)))
        have = labels.config(row)
        if have != wanted:
            before, now = have["protocol"], asdict(protocol)
            changed = [f"{k} {before.get(k)}, now {v}" for k, v in now.items() if before.get(k) != v]
            raise ValueError(
                f"--resume needs the settings of the stored rows, but {key.learner} on {key.system} had "
                f"{'; '.join(changed) or 'another definition'}: use another --out or start afresh"
            )


def gather(rows: dict[Key, xr.Dataset]) -> xr.Dataset:
    """Put all rows into one Dataset over seed, system and learner; what is missing is NaN."""
    names = list(dict.fromkeys(key.system for key in rows))
    learners = [name for name in LEARNERS if any(key.learner == name for key in rows)]
    seeds = sorted({key.seed for key in rows})
    some = next(iter(rows.values()))
    shape = len(seeds), len(names), len(learners)
    outer = ("seed", "system", "learner")
    problems = np.full(shape, "", dtype=object)
    values = {name: np.full(shape + tuple(some.sizes[d] for d in dims), np.nan) for name, (dims, *_) in SCORES.items()}
    for key, row in rows.items():
        place = seeds.index(key.seed), names.index(key.system), learners.index(key.learner)
        problems[place] = row.attrs["problem"]
        for name in SCORES:
            if name in row:
                values[name][place] = row[name]
    of_learner = {key.learner: row.attrs for key, row in rows.items()}
    units = {key.system: row.trace_time.attrs["units"] for key, row in rows.items()}
    variables = {
        name: Labelled((*outer, *dims), values[name], "see unit" if name == "valid_time" else unit, words)
        for name, (dims, unit, words) in SCORES.items()
    }
    variables["problem"] = Labelled(outer, problems, "1", "why there are no scores")
    coords = {
        "seed": Labelled("seed", seeds, "1", "seed of the weights"),
        "system": Labelled("system", names, "1", "system"),
        "learner": Labelled("learner", learners, "1", "learner"),
        "threshold": Labelled("threshold", some.threshold.values, *some.threshold.attrs.values()),
        "window": Labelled("window", some.window.values, "1", "window"),
        "role": Labelled("learner", [of_learner[name]["role"] for name in learners], "1", "role"),
        "about": Labelled("learner", [of_learner[name]["about"] for name in learners], "1", "what it is"),
        "unit": Labelled("system", [units[name] for name in names], "1", "unit of valid times"),
    }
    config = {"protocol": labels.config(some)["protocol"], "seed": seeds}
    ds = dataset(variables, coords, title="Forecast benchmark", config=config)
    return ds.assign_attrs(machine="; ".join(sorted({row.attrs["machine"] for row in rows.values()})))
