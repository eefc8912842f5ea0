"""The forecast ladder: bias learning beside what it must beat, on the same data and the same windows.

    python benchmarks/forecast.py [--systems ...] [--units N] [--seeds K] [--learners ...] [--windows W]
                                  [--out DIR] [--quick] [--resume]

Every learner gets the same noise-free training trial and forecasts the same windows in closed loop; then it
runs freely, and its attractor, spectrum and largest exponent are compared with the truth's. The folder DIR
receives `forecast.md` (the table), `forecast.nc` (all scores, labelled), figures, and `rows/`, one file for
each finished row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import NamedTuple, NoReturn

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm.auto import tqdm

import systems
from rnnbias import Adam, LevenbergMarquardt, Recipe, Ridge, SystemFit, fit_system, metrics, plot
from rnnbias.baselines import NVAR, Baseline, LinearAutoregression, Persistence, least_squares
from rnnbias.files import write_netcdf
from rnnbias.recordings import hides_states, simulate
from systems import System, checks, labels
from systems.labels import Labelled, dataset

_TRAIN, _TEST, _FREE = 0, 1, 2  # seeds of the data
_THRESHOLDS = (0.3, 0.4, 0.5)
_MARK = 0.4  # the threshold of the table and the figures
_SHOWN = ("nvar", "esn-matched", "bias-adam", "bias")  # in the figure of traces, where they were run


@dataclass(frozen=True)
class Protocol:
    """What all rows of a run share; a row is resumed only under an equal one."""

    units: int = 1206
    samples: int = 5000
    windows: int = 200
    context: int = 100
    cycle_context: int = 10
    reach: float = 20.0  # length of a forecast, in Lyapunov times or periods
    runs: int = 20
    run_steps: int = 5000  # samples of each free run that count
    settle: int = 1000  # samples before them
    cycles: int = 100  # periods before them, for a limit cycle
    starts: int = 100  # of the exponent
    exponent_steps: int = 500
    esn_units: int = 500
    lm_iterations: int = 30
    adam_steps: int = 200
    full_steps: int = 2000

    @classmethod
    def quick(cls) -> Protocol:
        """A protocol for a look: the table has its form but not its meaning."""
        return cls(
            units=300, windows=20, reach=10.0, runs=2, run_steps=800, settle=200, starts=20,
            exponent_steps=150, esn_units=300, lm_iterations=4, adam_steps=20, full_steps=60,
        )  # fmt: skip


class Task:
    """A system and its data: one training trial, windows to forecast, and free runs of the truth."""

    def __init__(self, name: str, protocol: Protocol) -> None:
        self.name, self.protocol = name, protocol
        self.system: System = systems.get(name)
        self.dt = self.system.dt
        self.cyclic = self.system.lyapunov is None and self.system.period is not None

    @property
    def unit(self) -> tuple[float, str]:
        """What valid times are counted in: Lyapunov times, periods or, where neither is known, time units."""
        if self.system.lyapunov:
            return 1 / self.system.lyapunov, "Lyapunov times"
        return (self.system.period, "periods") if self.system.period else (1.0, "time units")

    @property
    def steps(self) -> int:
        """Samples that a window forecasts."""
        return round(self.protocol.reach * self.unit[0] / self.dt)

    @property
    def settle(self) -> int:
        """Samples of a free run before those that count."""
        if self.cyclic:
            return round(self.protocol.cycles * self.system.period / self.dt)
        return self.protocol.settle

    @property
    def context(self) -> int:
        """True samples before a forecast; few for a limit cycle, whose trials start off it."""
        return self.protocol.cycle_context if self.cyclic else self.protocol.context

    @cached_property
    def train(self) -> xr.Dataset:
        """The training data, as `fit_system` would simulate them."""
        return simulate(self.system, samples=self.protocol.samples, seed=_TRAIN)

    @cached_property
    def windows(self) -> xr.DataArray:
        """Independent trials: context and what follows."""
        return self._simulate(self.protocol.windows, self.context + self.steps, _TEST).trajectory.rename(trial="window")

    @cached_property
    def free(self) -> xr.DataArray:
        """Long trials: the first half are the truth of the free runs, the others an independent one."""
        return self._simulate(
            2 * self.protocol.runs, self.context + self.settle + self.protocol.run_steps, _FREE
        ).trajectory

    @cached_property
    def mean(self) -> xr.DataArray:
        """Training mean of each state."""
        return self.train.trajectory.mean(("trial", "time"))

    @cached_property
    def scale(self) -> xr.DataArray:
        """Training standard deviation of each state."""
        return self.train.trajectory.std(("trial", "time"))

    def _simulate(self, trials: int, samples: int, seed: int) -> xr.Dataset:
        start = self.system.starts(trials, seed) if self.cyclic else None
        return self.system.simulate(trials=trials, duration=samples * self.dt, seed=seed, start=start)


# ----------------------------------------------------------------------------------------------------------
# Learners: each makes a model of a task.


class Model(NamedTuple):
    """What a learner learned, as functions of a context (trial, time, state)."""

    learned: int
    units: int
    forecast: Callable[[np.ndarray, int], np.ndarray]
    free_map: Callable[[np.ndarray], tuple[Callable[[Tensor], Tensor], Tensor]] | None = None


@dataclass(frozen=True, kw_only=True)
class Learner(ABC):
    """A row of the ladder.

    `seeded`: has random weights; `windows`: forecasts so many at most; `free`: runs freely.
    """

    about: str
    role: str
    seeded: bool = False
    windows: int | None = None
    free: bool = True

    @abstractmethod
    def fit(self, task: Task, seed: int) -> Model:
        """Learn the task."""


@dataclass(frozen=True, kw_only=True)
class Twin(Learner):
    """The truth against an independent truth: the floor of D_stsp and D_H."""

    windows: int | None = 0

    def fit(self, task: Task, seed: int) -> Model:
        """Learn nothing: "forecast" other trials."""

        def forecast(context: np.ndarray, steps: int) -> np.ndarray:
            first = task.context
            return task.free[task.protocol.runs :, first : first + steps].values

        return Model(0, 0, forecast)


@dataclass(frozen=True, kw_only=True)
class Restart(Learner):
    """The true equations, restarted on every window with a coarser solver."""

    method: str
    free: bool = False

    def fit(self, task: Task, seed: int) -> Model:
        """Learn nothing: integrate."""
        checks.choice(f"solver of {task.name}", self.method, task.system.methods)

        def forecast(context: np.ndarray, steps: int) -> np.ndarray:
            times = (context.shape[1] - 1 + np.arange(steps + 1)) * task.dt
            options = {"method": self.method, "rtol": 1e-3, "atol": 1e-6}
            return task.system.solve(context[:, -1], times, **options)[:, 1:]

        return Model(0, 0, forecast)


@dataclass(frozen=True, kw_only=True)
class Classic(Learner):
    """A baseline without a network."""

    baseline: Baseline

    def fit(self, task: Task, seed: int) -> Model:
        """Fit the baseline to the training trial."""
        fitted = replace(self.baseline).fit(task.train.trajectory.values)
        return Model(fitted.learned, 0, fitted.forecast, fitted.free_map)


@dataclass(frozen=True, kw_only=True)
class Network(Learner):
    """One of our own networks, by `fit_system`."""

    units: int
    solver: Adam | LevenbergMarquardt | Ridge
    recipe: Recipe | None
    learn: tuple[str, ...] = ("bias",)
    output: str = "increment"
    holdout: float = 0.1
    seeded: bool = True

    def fit(self, task: Task, seed: int) -> Model:
        """Fit the network to the training trial."""
        fit = fit_system(
            task.train,
            units=self.units,
            learn=self.learn,
            solver=replace(self.solver, seed=seed) if isinstance(self.solver, Adam) else self.solver,
            recipe=self.recipe,
            hidden=hides_states(task.system, task.system.size),
            output=self.output,
            holdout=self.holdout,
            seed=seed,
            progress=sys.stderr.isatty(),
        )
        return _model(fit)


@dataclass(frozen=True, kw_only=True)
class Echo(Learner):
    """An echo-state network as reservoirpy has it: tanh units, a ridge readout of the state and an intercept."""

    units: int
    recipe: Recipe
    ridge: float = 1e-8
    washout: int = 100
    role: str = "baseline"
    seeded: bool = True

    def fit(self, task: Task, seed: int) -> Model:
        """Fit the readout, and then once more together with its intercept, on all training samples."""
        fit = fit_system(
            task.train,
            units=self.units,
            learn="readout",
            solver=Ridge(self.ridge),
            recipe=self.recipe,
            output="state",
            holdout=0.01,
            seed=seed,
            progress=False,
        )
        standard = fit.frame.standardise(task.train.trajectory.values, fit.network.start)
        washout = min(self.washout, task.context, standard.shape[1] // 3)
        then = standard[:, washout + 1 :].flatten(0, 1)
        with torch.no_grad():
            rates = fit.network(standard[:, :-1]).rate[:, washout:].flatten(0, 1)
            middle, level = rates.mean(0), then.mean(0)
            fit.network.readout.copy_(least_squares(rates - middle, then - level, self.ridge).T)
            intercept = level - fit.network.readout @ middle
        model = _model(replace(fit, frame=fit.frame._replace(step_mean=intercept.numpy())))
        return model._replace(learned=model.learned + len(intercept))


def _model(fit: SystemFit) -> Model:
    if fit.settings["interrupted"]:  # a row that was cut short is no row
        raise KeyboardInterrupt

    def forecast(context: np.ndarray, steps: int) -> np.ndarray:
        return fit.forecast(context, steps).forecast.values

    return Model(fit.network.learned, fit.network.units, forecast, fit.free_map)


def ladder(protocol: Protocol, states: int) -> dict[str, Learner]:
    """All learners by name, from floor to ceiling, for a system with so many states."""
    learned = protocol.units // 2  # of the bias row, whose units are in pairs
    readout = max(1, learned // states)
    full = max(1, int(sqrt((states + 0.5) ** 2 + learned) - (states + 0.5)))  # n^2 + (2 states + 1) n numbers
    esn = Recipe(
        law="uniform", wiring="independent", gain=0.9, input_scale=0.1 / sqrt(3), bias_scale=0.5 / sqrt(3),
        readout_scale=1.0,
    )  # fmt: skip
    lm = LevenbergMarquardt(iterations=protocol.lm_iterations)
    adam = Adam(iterations=protocol.adam_steps, every=max(1, protocol.adam_steps // 6))
    slow = Adam(iterations=protocol.full_steps, every=max(1, protocol.full_steps // 6), rate=1e-2)
    ours = {"role": "biases only"}
    return {
        "truth": Twin(about="an independent truth against the truth: the floor of D_stsp and D_H", role="floor"),
        "persistence": Classic(about="nothing changes", role="floor", baseline=Persistence()),
        "linear": Classic(about="linear autoregression on 5 delays", role="baseline", baseline=LinearAutoregression()),
        "nvar": Classic(
            about="quadratic delay features, k = 2, ridge 2.5e-6 (Gauthier et al. 2021)",
            role="baseline",
            baseline=NVAR(),
        ),
        "esn-nobias": Echo(
            about="echo-state network without bias: spectral radius 0.9, inputs U(-0.1, 0.1), ridge 1e-8",
            units=protocol.esn_units,
            recipe=replace(esn, bias_scale=0.0),
        ),
        "esn": Echo(about="the same with random bias U(-0.5, 0.5)", units=protocol.esn_units, recipe=esn),
        "esn-matched": Echo(
            about="the same with as many learned numbers as the bias rows",
            units=max(1, readout - 1),
            recipe=esn,
        ),
        "readout": Network(
            about="as many learned numbers as the bias row in the readout of its own kind of network",
            role="baseline",
            units=readout,
            learn=("readout",),
            solver=Ridge(),
            recipe=Ridge.recipe,
        ),
        "bias-adam": Network(
            about=f"biases by {adam.iterations} steps of Adam, independent wiring",
            units=learned,
            solver=adam,
            recipe=Adam.recipe,
            **ours,
        ),
        "bias-plain": Network(
            about="biases by Levenberg-Marquardt, independent wiring (the paper's)",
            units=learned,
            solver=replace(lm, iterations=min(lm.iterations, 20)),
            recipe=Adam.recipe,
            **ours,
        ),
        "bias": Network(
            about="biases by Levenberg-Marquardt, push-pull wiring (the default of fit_system)",
            units=protocol.units,
            solver=lm,
            recipe=None,  # chosen by fit_system
            **ours,
        ),
        "full-adam": Network(
            about=f"all weights and biases by {slow.iterations} steps of Adam",
            role="baseline",
            units=full,
            learn=("bias", "readout", "weights"),
            solver=slow,
            recipe=Adam.recipe,
        ),
        "ceiling-rk4": Restart(about="the true equations by RK4, one step a sample", role="ceiling", method="RK4"),
        "ceiling-rk45": Restart(
            about="the true equations by scipy's RK45 at its default tolerances (rtol 1e-3), 30 windows",
            role="ceiling",
            method="RK45",
            windows=30,
        ),
    }


LEARNERS = tuple(ladder(Protocol(), 3))

# ----------------------------------------------------------------------------------------------------------
# Scores: one row is one learner on one task with one seed.

#: Variables of a row: dimensions, units and long name.
SCORES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "learned": ((), "1", "learned numbers"),
    "units": ((), "1", "units of the network"),
    "seconds": ((), "s", "time to fit"),
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
    valid = metrics.valid_time(forecast, truth, task.scale, unit, _THRESHOLDS, units=unit_name)
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


# ----------------------------------------------------------------------------------------------------------
# Rows as files.


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
    began = time.perf_counter()
    try:
        model = learner.fit(task, key.seed)
    except ValueError as error:
        problem = " ".join(str(error).split())
    else:
        found = {"seconds": time.perf_counter() - began, **score(model, learner, task)}
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
        "threshold": Labelled("threshold", _THRESHOLDS, "1", "error at which a forecast stops being valid"),
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


# ----------------------------------------------------------------------------------------------------------
# What a run leaves.


def publish(out: Path, rows: dict[Key, xr.Dataset], command: str) -> str:
    """Write scores, table and figures from the stored rows; returns the table."""
    scores = gather(rows)
    write_netcdf(scores, out / "forecast.nc")
    text = report(scores, command)
    (out / "forecast.md").write_text(text)
    for name in scores.system.values:
        ending = f"-{name.replace(':', '-')}" if scores.sizes["system"] > 1 else ""
        mine = {key.learner: row for key, row in rows.items() if key.system == name and key.seed == scores.seed[0]}
        for figure, axes in draw(scores.sel(system=name), mine):
            np.ravel(axes)[0].figure.savefig(out / f"{figure}{ending}.png", dpi=160)
            plt.close(np.ravel(axes)[0].figure)
    return text


def draw(scores: xr.Dataset, rows: dict[str, xr.Dataset]) -> Iterator[tuple[str, object]]:
    """Draw the figures of one system, as far as its rows allow."""
    ordered = {name: rows[name] for name in LEARNERS if name in rows}
    forecast = {name: row for name, row in ordered.items() if "trace" in row}
    chosen = [name for name in _SHOWN if name in forecast] or list(forecast)[:4]
    if chosen:
        pick = [forecast[name] for name in chosen]
        data = xr.Dataset(
            {
                "trace": _side_by_side([row.trace.sel(source="forecast") for row in pick], chosen),
                "truth": pick[0].trace.sel(source="truth"),
                "valid_time": ("learner", [row.valid_time.sel(threshold=_MARK)[0].item() for row in pick]),
            }
        ).rename(trace_time="time")
        yield "traces", plot.traces(data.isel(state=slice(0, 4)))
        marked = scores.sel(threshold=_MARK)
        marked.valid_time.attrs["units"] = str(scores.unit.values)
        yield "valid_time", plot.valid_time(marked)
    free = {name: row.orbit for name, row in ordered.items() if "orbit" in row and name != "truth"}
    if free:
        runs = [next(iter(free.values())).sel(source="truth")]
        runs += [orbit.sel(source="forecast") for orbit in free.values()]
        data = _side_by_side(runs, ["truth", *free]).rename(orbit_time="time")
        yield "attractors", plot.attractors(data)


def _side_by_side(arrays: Sequence[xr.DataArray], names: Sequence[str]) -> xr.DataArray:
    parts = [array.drop_vars("source") for array in arrays]
    return xr.concat(parts, "learner").assign_coords(learner=list(names))


def report(scores: xr.Dataset, command: str) -> str:
    """The table and what one needs to read it."""
    protocol = Protocol(**labels.config(scores)["protocol"])
    lines = [
        "# Forecasting with learned biases: the ladder",
        "",
        f"    {command}",
        "",
        f"Made on {scores.attrs['machine']}; {scores.attrs['source']}.",
        "",
        f"- Data: {protocol.samples:,} noise-free training samples at each system's own step, standardised "
        f"with training statistics; {protocol.windows} test windows, each a trial of its own.",
        f"- Forecast: {protocol.context} true samples ({protocol.cycle_context}, from a start off the cycle, where "
        f"there is a limit cycle), then a closed loop over {protocol.reach:g} Lyapunov "
        f"times (periods of a limit cycle). Valid time: until the error exceeds {_MARK} standard deviations; "
        "the median over windows, then over seeds of the weights, with the range over seeds where there are "
        "several; IQR over all windows. NRMSE: up to one unit of valid time.",
        f"- Free runs: {protocol.runs} of {protocol.run_steps:,} samples after {protocol.settle:,} to settle "
        f"({protocol.cycles} periods of a limit cycle). D_stsp: all runs pooled, 30 bins a state (mixtures "
        "above 5 states). D_H: run by run, smoothed over 20 bins. Escaped, silent: fractions of the runs. "
        "Failed: windows wrong at once or infinite.",
        f"- Exponent of the learned map from {min(protocol.starts, protocol.windows)} orbits of "
        f"{protocol.exponent_steps} steps; the row `truth` states the known one.",
        "- Frozen weights have the same SHA-256 before and after every fit, or the fit would have failed.",
    ]
    for name in scores.system.values:
        one = scores.sel(system=name)
        header, *cells = _table(one)
        lines += ["", f"## {name}", "", f"Valid times in {one.unit.values}.", "", *_aligned(header, cells)]
        lines += [
            "",
            *(f"{learner}: {reason}." for learner, reason in _problems(one)),
        ]
    lines += ["", "## Learners", ""]
    lines += [f"- `{row.learner.values}`: {row.about.values}." for row in scores.learner]
    return "\n".join(lines) + "\n"


def _problems(scores: xr.Dataset) -> Iterator[tuple[str, str]]:
    for learner in scores.learner.values:
        for reason in {str(r) for r in scores.problem.sel(learner=learner).values if r}:
            yield f"- `{learner}` has no scores", reason


def _table(scores: xr.Dataset) -> Iterator[list[str]]:
    """The rows of one system's table, the header first."""
    cyclic = bool(np.isfinite(scores.period_error).any())
    last = ["period error", "amplitude error"] if cyclic else ["exponent"]
    yield [
        "learner", "role", "learned", "units", "fit (s)", "valid time", "IQR", "seeds", "at 0.3", "at 0.5",
        "NRMSE", "D_stsp", "D_H", *last, "escaped", "silent", "failed", "ESN, same count",
    ]  # fmt: skip
    middle = scores.median("seed")
    medians = scores.valid_time.median("window")

    def valid(learner: str, threshold: float = _MARK) -> str:
        value = float(medians.sel(learner=learner, threshold=threshold).median("seed"))
        return _number(value, "{:.2f}")

    for learner in scores.learner.values:
        row, seeds = middle.sel(learner=learner), medians.sel(learner=learner, threshold=_MARK)
        windows = scores.valid_time.sel(learner=learner, threshold=_MARK).values
        known = windows[np.isfinite(windows)]
        role, several = str(row.role.values), int(np.isfinite(seeds).sum()) > 1
        if cyclic:
            tail = [_number(row[f"{part}_error"], "{:.2%}") for part in ("period", "amplitude")]
        else:
            error = "" if np.isnan(row.exponent_error) else f" ± {float(row.exponent_error):.3f}"
            tail = ["escaped" if np.isinf(row.exponent) else _number(row.exponent, "{:.3f}") + error]
        twin = role == "biases only" and "esn-matched" in scores.learner
        yield [
            str(learner),
            role,
            _number(row.learned, "{:.0f}"),
            _number(row.units, "{:.0f}") if row.units else "",
            _number(row.seconds, "{:.1f}") if row.learned else "",
            valid(learner),
            "–".join(f"{q:.1f}" for q in np.quantile(known, [0.25, 0.75])) if known.size else "",
            f"[{float(seeds.min()):.2f}, {float(seeds.max()):.2f}]" if several else "",
            valid(learner, 0.3),
            valid(learner, 0.5),
            _number(row.nrmse.median("window"), "{:.1e}"),
            _number(row.d_stsp, "{:.3f}"),
            _number(row.d_h, "{:.3f}"),
            *tail,
            _number(row.divergence_rate, "{:.0%}"),
            _number(row.constant_rate, "{:.0%}"),
            _number(row.failed, "{:.0f}"),
            valid("esn-matched") if twin else "",
        ]


def _number(value: object, form: str) -> str:
    value = float(value)
    return "" if np.isnan(value) else "∞" if np.isinf(value) else form.format(value)


def _aligned(header: list[str], cells: list[list[str]]) -> list[str]:
    """A Markdown table whose columns line up as plain text too."""
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]

    def line(row: list[str]) -> str:
        parts = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        return f"| {' | '.join(parts)} |"

    rule = [f":{'-' * (w - 1)}" if k < 2 else f"{'-' * (w - 1)}:" for k, w in enumerate(widths)]
    return [line(header), line(rule), *map(line, cells)]


# ----------------------------------------------------------------------------------------------------------
# The command line.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Protocol]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = _Parser("forecast.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument(
        "--systems",
        nargs="+",
        default=["lorenz63"],
        metavar="NAME",
        help="default: lorenz63; also dysts:NAME",
    )
    parser.add_argument("--units", type=int, metavar="N", help="units of the bias row, even: N/2 numbers learn (1206)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument(
        "--learners",
        nargs="+",
        default=LEARNERS,
        metavar="NAME",
        help=f"default: all of {', '.join(LEARNERS)}; a bias row brings its twin esn-matched",
    )
    parser.add_argument("--windows", type=int, metavar="W", help="test windows (200)")
    parser.add_argument(
        "--reach", type=float, metavar="T", help="length of a forecast in Lyapunov times or periods (20)"
    )
    parser.add_argument("--out", type=Path, default=Path("results/forecast"), metavar="DIR", help="%(default)s")
    parser.add_argument("--quick", action="store_true", help="a small run for a look, under a minute")
    parser.add_argument(
        "--resume", action="store_true", help="keep the finished rows in DIR (otherwise they are removed)"
    )
    args = parser.parse_args(argv)
    protocol = Protocol.quick() if args.quick else Protocol()
    try:
        given = {name: getattr(args, name) for name in ("units", "windows", "reach") if getattr(args, name) is not None}
        protocol = replace(protocol, **given)
        checks.whole("--windows", protocol.windows, at_least=1)
        checks.number("--reach", protocol.reach, above=0, at_most=1000)
        checks.whole("--seeds", args.seeds, at_least=1)
        if checks.whole("--units", protocol.units, at_least=8) % 2:
            raise ValueError(f"--units must be even, because units learn in pairs, got {protocol.units}")
        args.learners = _twinned([checks.choice("--learners", name, LEARNERS) for name in args.learners])
        args.systems = list(dict.fromkeys(args.systems))
        for name in args.systems:
            systems.get(name)
        (args.out / "rows").mkdir(parents=True, exist_ok=True)
        if not os.access(args.out / "rows", os.W_OK):
            raise PermissionError(f"--out must be writable, got {args.out}")
        args.rows = stored(args.out) if args.resume else {}
        check_settings(args.rows, protocol)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(str(error))
    return args, protocol


def _twinned(names: Sequence[str]) -> list[str]:
    """The chosen learners in the order of the ladder, with the twin that each bias row is compared to."""
    chosen = set(names)
    if any(learner.role == "biases only" for name, learner in ladder(Protocol(), 3).items() if name in chosen):
        chosen.add("esn-matched")
    return [name for name in LEARNERS if name in chosen]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, protocol = parse(argv)
    command = shlex.join(["python", "benchmarks/forecast.py", *(sys.argv[1:] if argv is None else argv)])
    if not args.resume:
        for path in (args.out / "rows").glob("*.nc"):
            path.unlink()
    code, rows = 0, args.rows
    try:
        run(args, protocol, rows)
    except KeyboardInterrupt:
        print(f"interrupted; finished rows are in {args.out}, go on with --resume", file=sys.stderr)
        code = 130
    if rows:
        print(publish(args.out, rows, command))
    return code


def run(args: argparse.Namespace, protocol: Protocol, rows: dict[Key, xr.Dataset]) -> None:
    """Make the rows that are missing from `rows`, storing each as it is finished."""
    tasks = [Task(name, protocol) for name in args.systems]
    planned = [
        (task, Key(task.name, name, seed), learner)
        for task in tasks
        for seed in range(args.seeds)
        for name, learner in ladder(protocol, task.system.size).items()
        if name in args.learners and (learner.seeded or seed == 0)
    ]
    with tqdm(total=len(planned), desc="forecast benchmark", unit="row") as bar:
        for task, key, learner in planned:
            bar.set_postfix_str(" ".join(map(str, key)))
            if key not in rows:
                row = make_row(key, learner, task)
                write_netcdf(row, key.path(args.out))
                rows[key] = row
                bar.write(_news(key, row), file=sys.stderr)
            bar.update()


def _news(key: Key, row: xr.Dataset) -> str:
    """One line on a finished row."""
    words = [row.attrs["problem"]] if row.attrs["problem"] else []
    if "valid_time" in row:
        middle = float(row.valid_time.sel(threshold=_MARK).median())
        words.append(f"valid time {middle:.2f} {row.valid_time.attrs['units']}")
    if row.get("learned", 0):
        words.append(f"{int(row.learned)} numbers in {float(row.seconds):.1f} s")
    return f"{key.system} {key.learner} (seed {key.seed}): {', '.join(words) or 'done'}"


if __name__ == "__main__":
    sys.exit(main())
