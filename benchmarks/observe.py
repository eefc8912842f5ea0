"""One coordinate of Lorenz-63 in, the same coordinate ahead out: driven by the truth, and driven by itself.

    python benchmarks/observe.py [--units N] [--samples N] [--seeds K] [--learners ...]
                                 [--out DIR] [--quick] [--resume] [--workers N]

Williams et al., ICLR 2025, Figure 4. The lead is tau, the half-width at half-maximum of the coordinate's
autocorrelation, measured here, and the step is tau / 27. Two ways to run are kept apart: *driven*, where the true past
is the input throughout (R^2 of the prediction tau ahead), and *self-driven*, where predictions become inputs after a
context (valid time in Lyapunov times, threshold 0.4). DIR receives `observe.md` (the table), `observe.nc` (the
scores), a figure, and `rows/`, one file a fit: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import xarray as xr

import systems
from arguments import Parser, complete, even_units, module, save, scores
from rnnbias import Adam, LevenbergMarquardt, SystemFit, fit_system, plot
from rnnbias.evaluation import Runs, forecast_windows, gather, score_windows
from rnnbias.storage import write_netcdf
from systems import checks

__all__ = ["LEAD", "REACH", "STATE", "half_width", "score", "trials"]

LEAD = 27  # steps
STATE = "x"
_TEST, _MEASURE = 1, 2  # seeds of the data
CONTEXT = 200  # true samples before a run of its own
REACH = 8.0  # Lyapunov times of such a run
_MARK = 0.4
_MEMORY = {"gain": 0.9, "input_scale": 0.3}  # recipe of networks that must remember
_LEAK = {"alpha": -0.7, "beta": 0.3}

LEARNERS = {
    "bias": "biases alone, in pairs, by Levenberg-Marquardt",
    "full": "weights, biases and readout of as many units, by Adam",
    "full-matched": "weights, biases and readout of a network with as many numbers as `bias` learns, by Adam",
}


class Key(NamedTuple):
    """Which row."""

    seed: int
    learner: str


class Size(NamedTuple):
    """What a row's result depends on beside its key and the step."""

    units: int
    samples: int
    iterations: int
    steps: int
    windows: int


def half_width(trials: int, duration: float) -> float:
    """The lag at which the autocorrelation of the coordinate has fallen to a half, in time units."""
    step = 0.02
    ds = systems.get("lorenz63").simulate(trials=trials, duration=duration, dt=step, seed=_MEASURE, observed=[STATE])
    x = ds.trajectory.values[..., 0]
    x = x - x.mean()
    lags = int(2 / step)
    correlation = np.array([np.mean(x[:, : x.shape[1] - k] * x[:, k:]) for k in range(lags)]) / np.mean(x**2)
    below = int(np.argmax(correlation < 0.5))
    return step * (below - (0.5 - correlation[below]) / (correlation[below - 1] - correlation[below]))


def learn(key: Key, size: Size, dt: float) -> SystemFit:
    """One fit."""
    shared = {
        "observed": [STATE],
        "horizon": LEAD,
        "dt": dt,
        "samples": size.samples,
        "seed": key.seed,
        "progress": False,
    }
    if key.learner == "bias":
        solver = LevenbergMarquardt(iterations=size.iterations, tolerance=1e-6)
        return fit_system(
            "lorenz63", units=size.units, recipe=replace(solver.recipe, **_MEMORY), solver=solver, **_LEAK, **shared
        )
    units = size.units if key.learner == "full" else round(np.sqrt(size.units / 2))
    rate = 3e-4 if key.learner == "full" else 1e-2
    solver = Adam(iterations=size.steps, rate=rate, every=max(1, size.steps // 10))
    return fit_system(
        "lorenz63", units=units, learn=("weights", "bias", "readout"), recipe=replace(solver.recipe, readout_scale=1.0),
        solver=solver, **_LEAK, **shared,
    )  # fmt: skip


def score(fit: SystemFit, test: xr.Dataset) -> dict[str, float]:
    """Driven R^2 and the valid times of self-driven runs."""
    dt, unit = fit.recording.dt, fit.recording.unit
    ahead = fit.drive(test).prediction.values[:, CONTEXT:-LEAD]
    truth = test.trajectory.values[:, CONTEXT + LEAD :]
    free = fit.score(
        test, windows=test.sizes["trial"], context=CONTEXT, steps=round(REACH * unit / dt), threshold=[_MARK]
    )
    valid = free.valid_time.values.ravel()
    return {
        "r_squared": 1 - np.mean((ahead - truth) ** 2) / np.var(truth),
        "valid_time": float(np.median(valid)),
        "lower": float(np.quantile(valid, 0.25)),
        "upper": float(np.quantile(valid, 0.75)),
        "learned": fit.learned,
        "units": fit.network.units,
        "iterations": float(fit.history.iteration[-1]),
    }


_SCORES = {
    "r_squared": ("1", "driven R² at tau"),
    "valid_time": ("Lyapunov times", "median valid time of self-driven runs"),
    "lower": ("Lyapunov times", "lower quartile of the valid time"),
    "upper": ("Lyapunov times", "upper quartile of the valid time"),
    "learned": ("1", "learned numbers"),
    "units": ("1", "units"),
    "iterations": ("1", "iterations"),
    "seconds": ("s", "time to fit"),
}


@cache
def trials(windows: int, dt: float) -> xr.Dataset:
    """The test trials: context, and what follows."""
    system = systems.get("lorenz63")
    length = CONTEXT + round(REACH / system.lyapunov / dt) + 2 * LEAD
    return system.simulate(trials=windows, duration=length * dt, dt=dt, seed=_TEST, observed=[STATE])


def row(key: Key, size: Size, dt: float) -> xr.Dataset:
    """Learn, score, and run through the first test trial for the figure."""
    test = trials(size.windows, dt)
    begun = time.perf_counter()
    fit = learn(key, size, dt)
    found = {"seconds": time.perf_counter() - begun, **score(fit, test)}
    unit = fit.recording.unit
    made = forecast_windows(fit, test.isel(trial=[0]), windows=1, context=CONTEXT, steps=round(REACH * unit / dt))
    shown = {
        "trace": made.forecast[0],
        "truth": made.truth[0],
        "trace_valid": score_windows(made, [_MARK]).valid_time.squeeze(drop=True),
    }
    return scores(found, _SCORES).assign(shown).assign_attrs(unit=unit)


def table(found: xr.Dataset, command: str) -> str:
    """The report."""
    tau, dt = found.attrs["tau"], found.attrs["dt"]
    lines = [
        "# One coordinate of Lorenz-63",
        "",
        f"    {command}",
        "",
        f"{os.cpu_count()} cores, {found.attrs['source']}.",
        "",
        f"The autocorrelation of x falls to a half at tau = {tau:.4f} time units: dt = tau / {LEAD} = {dt:.5f}. "
        f"Medians over {found.sizes['seed']} seeds of the weights. Valid times of self-driven runs in Lyapunov times "
        f"(threshold {_MARK}, at most {REACH:g}), {found.attrs['windows']} windows after {CONTEXT} true samples.",
        "",
        "| learner | units | learned | driven R² | valid time | quartiles | iterations | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in found.learner.values:
        each = found.sel(learner=name).median("seed")
        lines.append(
            f"| {name} | {int(each.units)} | {int(each.learned):,} | {float(each.r_squared):.5f} | "
            f"{float(each.valid_time):.2f} | {float(each.lower):.2f} to {float(each.upper):.2f} | "
            f"{int(each.iterations)} | {float(each.seconds):.0f} |"
        )
    lines += ["", *(f"- `{name}`: {LEARNERS[str(name)]}." for name in found.learner.values)]
    return "\n".join(lines) + "\n"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("observe", __doc__, rows=True)
    parser.add_argument("--units", type=int, default=1024, metavar="N", help="units (1024)")
    parser.add_argument("--samples", type=int, default=4000, metavar="N", help="training samples (4000)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the weights (1)")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), metavar="NAME", help=", ".join(LEARNERS))
    parser.add_argument("--iterations", type=int, default=12, metavar="I", help="of Levenberg-Marquardt (12)")
    parser.add_argument("--steps", type=int, default=300, metavar="S", help="of Adam (300)")
    parser.add_argument("--windows", type=int, default=40, metavar="W", help="test windows (40)")
    args = parser.parse_args(argv)
    if args.quick:
        args.units, args.samples, args.iterations, args.steps, args.windows = 60, 800, 4, 10, 4
    try:
        args.learners = [checks.choice("--learners", name, LEARNERS) for name in dict.fromkeys(args.learners)]
        for name in ("seeds", "iterations", "steps", "windows"):
            checks.whole(f"--{name}", getattr(args, name), at_least=1)
        checks.whole("--samples", args.samples, at_least=200)
        even_units(args.units, at_least=8)
        args.size = Size(args.units, args.samples, args.iterations, args.steps, args.windows)
        keys = [Key(seed, name) for seed in range(args.seeds) for name in args.learners]
        settings = {**args.size._asdict(), "quick": int(args.quick)}
        args.runs = Runs(args.out / "rows", dict.fromkeys(keys, settings), resume=args.resume)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    tau = half_width(4, 20.0) if args.quick else half_width(40, 40.0)
    dt = tau / LEAD
    code = complete(args, args.runs, partial(row, size=args.size, dt=dt), "partial observation")
    if args.runs:
        found = gather(
            args.runs, Key._fields, title="partially observed Lorenz-63",
            config={"command": args.command, "units": args.units, "samples": args.samples},
            references="Williams et al., ICLR 2025 (arXiv:2407.00957), Figure 4",
        ).assign_attrs(tau=tau, dt=dt, windows=args.windows)  # fmt: skip
        write_netcdf(found, args.out / "observe.nc")
        text = table(found, args.command)
        (args.out / "observe.md").write_text(text)
        first = found.isel(seed=0)
        shown = first[["trace"]].assign(truth=first.truth[0], valid_time=first.trace_valid)
        unit = next(iter(args.runs.values())).attrs["unit"]
        save(plot.traces(plot.time_in(shown, unit, "Lyapunov times")), args.out / "self_driven.png")
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
