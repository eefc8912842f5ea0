"""The flows of dysts on one recipe of frozen weights, learned together: how long forecasts hold, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from banks.data import TRAINED, simulated
from banks.experiments import Cell, Experiment, Plan
from rnnbias import LevenbergMarquardt, SystemBank, SystemFit, fit_many, fit_system
from rnnbias.evaluation import Runs
from rnnbias.plot import style
from systems.flows.catalogue import flow, flows, unbounded
from systems.labels import Labelled, dataset
from tables import aligned, number

__all__ = ["FLOWS"]

_UNITS, _BATCH = 300, 4
_SOLVER = LevenbergMarquardt(iterations=60)
_OPTIONS = {"units": _UNITS, "solver": _SOLVER, "closed_loop": (), "progress": False}
_WINDOWS, _THRESHOLD, _GOOD = 40, 0.4, 2.0
_QUICK = {"units": 40, "solver": LevenbergMarquardt(iterations=5)}


def cells(plan: Plan) -> list[Cell]:
    """Batches of flows with as many states, and the first of them one by one too."""
    names = ["Lorenz", "Rossler", "SprottB", "SprottC", "HyperRossler"] if plan.quick else flows()
    alike: dict[int, list[str]] = {}
    for name in names:
        alike.setdefault(flow(name).size + len(unbounded(name)), []).append(name)
    batches = [group[k : k + _BATCH] for _, group in sorted(alike.items()) for k in range(0, len(group), _BATCH)]
    found = [Cell("together", " ".join(batch)) for batch in batches]
    return [*found, Cell("one by one", found[0].name)]


def make(cell: Cell, plan: Plan) -> xr.Dataset:
    """The flows of one batch: `seconds` of a core to learn each, and what became of it."""
    names = cell.name.split()
    data = Runs(plan.folder / "data", {(name,): {} for name in names}, resume=True)
    data.complete(lambda key: simulated(*key), progress=False)
    known = {name: data[(name,)] for name in names if "trajectory" in data[(name,)]}
    recordings = {name: _recording(name, one, slice(0, TRAINED[0]), slice(0, TRAINED[1])) for name, one in known.items()}
    options = _OPTIONS | (_QUICK if plan.quick else {})
    began = time.process_time()
    if cell.condition == "together":
        fits: Mapping[str, SystemFit] = fit_many(recordings, batch=_BATCH, **options) if known else {}
    else:
        fits = {name: fit_system(one, hidden=False, **options) for name, one in recordings.items()}
    seconds = (time.process_time() - began) / max(len(known), 1)
    if fits and cell.condition == "together":
        folder = plan.folder / "banks"
        folder.mkdir(parents=True, exist_ok=True)
        SystemBank(fits).save(folder / f"{names[0]}.nc")
    columns: dict[str, list[float]] = {"valid_time": [], "exceeding": [], "held_out_loss": []}
    for name in names:
        if name not in fits:
            for column in columns.values():
                column.append(np.nan)
            continue
        test = _recording(name, known[name], slice(TRAINED[0], None), slice(None))
        score = fits[name].score(test, windows=_WINDOWS, threshold=[_THRESHOLD]).valid_time
        columns["valid_time"].append(float(score.median()))
        columns["exceeding"].append(float((score > _GOOD).mean()))
        columns["held_out_loss"].append(float(np.nanmin(fits[name].history.held_out_loss)))
    about = {
        "valid_time": ("Lyapunov times", "median valid time"),
        "exceeding": ("1", "windows that hold for more than two Lyapunov times"),
        "held_out_loss": ("1", "held-out loss of single steps"),
    }
    each = {name: Labelled("flow", values, *about[name]) for name, values in columns.items()}
    each["exponent"] = Labelled("flow", [float(data[(n,)].exponent) for n in names], "1", "largest Lyapunov exponent")
    each["simulation"] = Labelled("flow", [float(data[(n,)].seconds) for n in names], "s", "time to simulate")
    each["seconds"] = Labelled("flow", [seconds if n in fits else np.nan for n in names], "s", "time of a core to learn")
    states = [known[n].sizes["state"] if n in known else np.nan for n in names]
    each["states"] = Labelled("flow", states, "1", "number of states")
    return dataset(each, {"flow": Labelled("flow", names, "1", "flow")}, title="flows", config={"seed": 0})


def _recording(name: str, data: xr.Dataset, trials: slice, samples: slice) -> xr.DataArray:
    """Some trials of a flow, with its exponent where it is known to be chaotic."""
    found = data.trajectory.isel(trial=trials, time=samples)
    known = {} if np.isnan(data.exponent) else {"lyapunov": float(data.exponent)}
    return found.assign_attrs(title=f"dysts:{name}", **known)
