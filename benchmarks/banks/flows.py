"""The flows of dysts on one recipe of frozen weights: how long forecasts hold, and what they cost."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import columns
from arguments import cores
from banks.data import TRAINED, simulated
from banks.experiments import Cell, Experiment
from experiments import Plan
from rnnbias import LevenbergMarquardt, SystemBank, SystemFit, fit_many, fit_system
from rnnbias.evaluation import Runs, local_client
from rnnbias.plot import style
from systems.flows.catalogue import flow, flows, unbounded
from systems.labels import Labelled, dataset
from tables import aligned, number

__all__ = ["FLOWS"]

_UNITS, _BATCH, _TIMED = 600, 4, 8
_SOLVER = LevenbergMarquardt(iterations=60)
_OPTIONS = {"units": _UNITS, "solver": _SOLVER, "closed_loop": (), "progress": False}
_WINDOWS, _THRESHOLD, _GOOD = 40, 0.4, 2.0
_QUICK = {"units": 40, "solver": LevenbergMarquardt(iterations=5)}
_CLOCK = {
    "many": ("s", "time on the clock to learn some flows by a worker for each core"),
    "alone": ("s", "time on the clock to learn them one by one"),
    "cores": ("1", "cores of the machine"),
    "timed": ("1", "flows that were timed"),
}


def cells(plan: Plan) -> list[Cell]:
    """Batches of flows with as many states; the first of them by all cores of the machine too, and one by one."""
    names = ["Lorenz", "Rossler", "SprottB", "SprottC", "HyperRossler"] if plan.quick else flows()
    alike: dict[int, list[str]] = {}
    for name in names:
        alike.setdefault(flow(name).size + len(unbounded(name)), []).append(name)
    batches = [group[k : k + _BATCH] for _, group in sorted(alike.items()) for k in range(0, len(group), _BATCH)]
    found = [Cell("together", " ".join(batch)) for batch in batches]
    return [*found, Cell("timed", " ".join(max(alike.values(), key=len)[:_TIMED]))]


def make(cell: Cell, plan: Plan) -> xr.Dataset:
    """The flows of one batch: `seconds` of a core to learn each, and what became of it."""
    names = cell.name.split()
    data = Runs(plan.folder / "data", {(name,): {} for name in names}, resume=True)
    data.complete(lambda key: simulated(*key), progress=False)
    known = {name: data[(name,)] for name in names if "trajectory" in data[(name,)]}
    recordings = {
        name: _recording(name, one, slice(0, TRAINED[0]), slice(0, TRAINED[1])) for name, one in known.items()
    }
    options = _OPTIONS | (_QUICK if plan.quick else {})
    if cell.condition == "timed":
        return _timed(recordings, options)
    began = time.process_time()
    fits: Mapping[str, SystemFit] = fit_many(recordings, **options) if known else {}
    seconds = (time.process_time() - began) / max(len(known), 1)
    if fits:
        folder = plan.folder / "banks"
        folder.mkdir(parents=True, exist_ok=True)
        SystemBank(fits).save(folder / f"{names[0]}.nc")
    about = {
        "valid_time": ("Lyapunov times", "median valid time"),
        "exceeding": ("1", "windows that hold for more than two Lyapunov times"),
        "held_out_loss": ("1", "held-out loss of single steps"),
        **columns.SCORES,
    }
    found = []
    for name in names:
        row = dict.fromkeys(about, np.nan)
        if name in fits:
            test = _recording(name, known[name], slice(TRAINED[0], None), slice(None))
            score = fits[name].score(test, windows=_WINDOWS, threshold=[_THRESHOLD]).valid_time
            row["valid_time"], row["exceeding"] = float(score.median()), float((score > _GOOD).mean())
            row["held_out_loss"] = float(np.nanmin(fits[name].history.held_out_loss))
            row |= columns.steadiness(fits[name], test)
        found.append(row)
    each = {key: Labelled("flow", [row[key] for row in found], *words) for key, words in about.items()}
    each["exponent"] = Labelled("flow", [float(data[(n,)].exponent) for n in names], "1", "largest Lyapunov exponent")
    each["simulation"] = Labelled("flow", [float(data[(n,)].seconds) for n in names], "s", "time to simulate")
    each["seconds"] = Labelled(
        "flow", [seconds if n in fits else np.nan for n in names], "s", "time of a core to learn"
    )
    states = [known[n].sizes["state"] if n in known else np.nan for n in names]
    each["states"] = Labelled("flow", states, "1", "number of states")
    return dataset(each, {"flow": Labelled("flow", names, "1", "flow")}, title="flows", config={"seed": 0})


def _timed(recordings: Mapping[str, xr.DataArray], options: Mapping[str, object]) -> xr.Dataset:
    """Seconds on the clock to learn flows by a worker for each core, and one by one with all cores for each."""
    if multiprocessing.current_process().daemon:
        raise RuntimeError("the clock is read by processes of its own: run this row without --workers")
    found = {"cores": float(cores()), "timed": float(len(recordings))}
    with local_client(cores()) as client:
        found["many"] = _seconds(lambda: fit_many(recordings, client, **options))
    had = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        found["alone"] = _seconds(lambda: [fit_system(one, hidden=False, **options) for one in recordings.values()])
    finally:
        torch.set_num_threads(had)
    each = {name: Labelled((), found[name], *about) for name, about in _CLOCK.items()}
    return dataset(each, {}, title="time on the clock", config={"flows": list(recordings)})


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _recording(name: str, data: xr.Dataset, trials: slice, samples: slice) -> xr.DataArray:
    """Some trials of a flow, with its exponent where it is known to be chaotic."""
    found = data.trajectory.isel(trial=trials, time=samples)
    known = {} if np.isnan(data.exponent) else {"lyapunov": float(data.exponent)}
    return found.assign_attrs(title=f"dysts:{name}", **known)


def together(runs: Mapping[Cell, xr.Dataset], folder: Path) -> xr.Dataset:
    """All flows, over (flow,); the bank of them is left in the folder."""
    every = xr.concat(
        [one.drop_encoding() for cell, one in runs.items() if cell.condition == "together"], "flow", join="outer"
    )
    timed = xr.merge([one for cell, one in runs.items() if cell.condition == "timed"])
    parts = [SystemBank.load(path) for path in sorted((folder / "rows" / "kept" / "banks").glob("*.nc"))]
    bank = SystemBank({name: fit for part in parts for name, fit in part.items()})
    path, names = bank.save(folder / "flows-bank.nc"), list(bank)
    bank, began = SystemBank.load(path), time.perf_counter()
    for name in names:
        bank[name]
    switching = (time.perf_counter() - began) / len(bank)
    found = {
        "kilobytes": (path.stat().st_size / 1e3 / len(bank), "kB", "size of the bank's file a flow"),
        "switching": (switching, "s", "time to switch to another flow"),
        "kept": (float(len(bank)), "1", "flows in the bank"),
    }
    more = {k: ((), value, {"units": units, "long_name": words}) for k, (value, units, words) in found.items()}
    return every.assign(more).assign({name: timed.get(name, xr.DataArray(np.nan)) for name in _CLOCK})


def report(data: xr.Dataset) -> list[str]:
    """What the bank holds and costs, and a table of all flows, the longest forecast first."""
    learned = data.where(data.seconds.notnull(), drop=True)
    chaotic = learned.where(learned.exponent.notnull(), drop=True)
    exceeding = int((chaotic.valid_time > _GOOD).sum())
    lines = [
        "## The flows of dysts", "",
        f"{data.sizes['flow']} flows, {learned.sizes['flow']} of them learned (the others could not be solved), "
        f"{_UNITS} biases each, from {TRAINED[0]} trials of {TRAINED[1]} samples (50 a period) "
        f"without noise; at most {_SOLVER.iterations} iterations on single steps. {chaotic.sizes['flow']} are chaotic: "
        "neighbours part by a factor of e^6 within 2,800 samples.", "",
        *aligned(["figure", "", "value"], [
            ["median forecast exceeds two Lyapunov times", "", f"{exceeding} of {chaotic.sizes['flow']} chaotic flows"],
            ["median valid time, in Lyapunov times", "", number(chaotic.valid_time.median(), "{:.1f}")],
            ["seconds of a core to learn all", "", number(learned.seconds.sum(), "{:.0f}")],
            ["seconds to simulate them and measure exponents", "", number(data.simulation.sum(), "{:.0f}")],
            [f"time on the clock to learn {number(data.timed, '{:.0f}')} of them by {number(data.cores, '{:.0f}')} "
             "workers, over that of one by one", "", number(data.many / data.alone, "{:.2f}")],
            ["kB a flow in the file of the bank", "", number(data.kilobytes, "{:.1f}")],
            ["microseconds to switch", "", number(1e6 * data.switching, "{:.1f}")],
        ]), "",
        f"Median valid time (threshold {_THRESHOLD}) of {_WINDOWS} windows in Lyapunov times, of trials that were not "
        "seen. Tests last for four Lyapunov times or more. A state that grows without bound is an angle, seen as its "
        "cosine and its sine. Trials start all over the attractor: from one state, pushed apart by a tenth of the "
        "states' spread, after ten to twenty periods.", "",
    ]  # fmt: skip
    order = chaotic.sortby(chaotic.valid_time, ascending=False)
    names = ("states", "exponent", "valid_time", "exceeding", "held_out_loss")
    forms = ("{:.0f}", "{:.3g}", "{:.1f}", "{:.0%}", "{:.0e}")
    rows = [
        [
            str(flow), "", *(number(order[n].sel(flow=flow), f) for n, f in zip(names, forms, strict=True)),
            *columns.words(order.sel(flow=flow), "{:.1f}"),
        ]
        for flow in order.flow.values
    ]  # fmt: skip
    header = ["flow", "", "states", "exponent", "valid time", "windows beyond 2", "held-out loss", *columns.HEADER]
    others = [str(flow) for flow in learned.flow.values if flow not in chaotic.flow.values]
    failed = [str(flow) for flow in data.flow.values if flow not in learned.flow.values]
    return [
        *lines, *aligned(header, rows), "", columns.note("the median valid time of 25 windows"), "",
        f"Learned, but not chaotic within 2,800 samples: {', '.join(others) or 'none'}. Not solved: "
        f"{', '.join(failed) or 'none'}.", "",
    ]  # fmt: skip


def picture(data: xr.Dataset) -> object:
    """How many flows are forecast for how long."""
    valid = np.sort(data.valid_time.where(data.exponent.notnull()).dropna("flow").values)[::-1]
    ax = style.one(None)
    ax.step(valid, np.arange(1, len(valid) + 1), where="post", color=style.COLOURS[0])
    ax.axvline(_GOOD, color=style.GREY, lw=0.8)
    ax.set(xlabel="median valid time (Lyapunov times)", ylabel="flows forecast for longer")
    style.bare(ax)
    return ax


FLOWS = Experiment(cells=cells, make=make, gathered=together, report=report, picture=picture)
