"""What each choice behind the defaults is worth: one lever moved at a time, on Lorenz-63, and where the time goes.

    python benchmarks/levers.py [--units N] [--samples T] [--seeds K] [--windows W]
                                [--out DIR] [--quick] [--resume] [--workers N]

Every line of the table changes one thing in `fit_system("lorenz63", units=N)` and says what the forecasts become. The
last table times the parts of one Levenberg-Marquardt iteration and compares the Jacobian's matrix products with the
machine's own rate. The data are others than those of the ladder and of `noise.py`. DIR receives `levers.md` (the
tables), `levers.nc`, and `rows/`, one file a fit: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

import seeds
import systems
from arguments import Parser, complete, even_units, machine, module, scores
from rnnbias import RNN, Adam, LevenbergMarquardt, Recipe, fit_system
from rnnbias.evaluation import Runs, gather
from rnnbias.networks import bias_jacobian
from rnnbias.problems.frame import Frame, segments
from rnnbias.storage import write_netcdf
from systems import checks
from tables import aligned

_CONTEXT, _REACH = 100, 20.0  # samples before a forecast, and its length in Lyapunov times
_PROFILED = 1206  # units whose iteration is timed
_SCORES = {
    "learned": ("1", "learned numbers"),
    "valid_time": ("Lyapunov times", "median valid time over windows"),
    "error": ("1", "one-step error on held-out data"),
    "iterations": ("1", "iterations"),
    "seconds": ("s", "time to fit"),
}


class Key(NamedTuple):
    """Which row."""

    lever: str
    seed: int


class Size(NamedTuple):
    """What a row's result depends on beside its key."""

    units: int
    samples: int
    windows: int


def levers(units: int) -> dict[str, dict[str, object]]:
    """Name each lever and the arguments of `fit_system` that move it."""
    recipes = {
        "readout scale 3": {"readout_scale": 3.0},
        "readout scale 30": {"readout_scale": 30.0},
        "readout scale 100": {"readout_scale": 100.0},
        "input scale 0.1": {"input_scale": 0.1},
        "input scale 1": {"input_scale": 1.0},
        "bias spread 0.3": {"bias_scale": 0.3},
        "bias spread 3": {"bias_scale": 3.0},
        "recurrent gain 0.1": {"gain": 0.1},
        "recurrent gain 0.9": {"gain": 0.9},
        "Gaussian weights": {"law": "gaussian"},
        "uniform weights": {"law": "uniform"},
        "sparse ternary weights": {"law": "ternary"},
        "excitatory and inhibitory columns": {"law": "dale"},
        "twins": {"wiring": "twins"},
        "twins, readout scale 30": {"wiring": "twins", "readout_scale": 30.0},
    }
    return {
        "the defaults": {},
        **{name: {"recipe": Recipe.shaping(**change)} for name, change in recipes.items()},
        "the lazy limit": {"units": 2 * units, "recipe": Recipe.lazy()},
        "the paper's recipe": {"recipe": Recipe.paper()},
        "leak (alpha -0.5, beta 0.5)": {"alpha": -0.5, "beta": 0.5},
        "ReLU": {"activation": "relu"},
        "output is the state": {"output": "state"},
        "predicting 5 samples ahead": {"horizon": 5},
        "adjoint kept to 1e-2": {"solver": LevenbergMarquardt(iterations=400, tolerance=1e-2)},
        "no geodesic acceleration": {"solver": LevenbergMarquardt(iterations=400, geodesic=False)},
        "the paper's recipe, 300 steps of Adam": {"solver": Adam(iterations=300), "recipe": Recipe.paper()},
    }


@cache
def trials(samples: int, windows: int) -> tuple[xr.Dataset, xr.Dataset]:
    """The data that choices are made on: those to learn from, and windows to forecast."""
    system = systems.get("lorenz63")
    ahead = round(_REACH / system.lyapunov / system.dt)
    train = system.simulate(duration=samples * system.dt, seed=seeds.CHOICE)
    return train, system.simulate(trials=windows, duration=(_CONTEXT + ahead) * system.dt, seed=seeds.CHOICE_TEST)


def row(key: Key, size: Size) -> xr.Dataset:
    """Fit and score with one lever moved."""
    train, test = trials(size.samples, size.windows)
    settings = {"units": size.units, "recipe": Recipe.shaping(), "seed": key.seed, "progress": False}
    begun = time.perf_counter()
    fit = fit_system(train, **settings | levers(size.units)[key.lever])
    seconds = time.perf_counter() - begun
    score = fit.score(test, windows=size.windows, context=_CONTEXT, threshold=[0.4])
    found = {
        "learned": fit.learned,
        "valid_time": float(score.valid_time.median()),
        "error": float(np.nanmin(fit.history.held_out_loss)) ** 0.5,
        "iterations": float(fit.history.iteration[-1]),
        "seconds": seconds,
    }
    return scores(found, _SCORES)


def clock(work: Callable[[], object], repeats: int = 3) -> float:
    """Median seconds of `work`, after one run to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


@torch.no_grad()
def profile(units: int, samples: int, gain: float) -> Iterator[list[str]]:
    """Seconds of each part of one iteration, and the rate of the Jacobian's products beside that of a bare one."""
    system = systems.get("lorenz63")
    values = system.simulate(duration=samples * system.dt, seed=seeds.CHOICE).trajectory.values
    frame = Frame.of(values, "increment", 1)
    network = RNN(units, 3, 3, recipe=Recipe(gain=gain, readout_scale=1.0))
    network.bias.copy_(0.1 * torch.randn(network.bias.shape, generator=torch.Generator().manual_seed(0)))
    batch = segments(frame.states.transform(values, network.start), frame, washout=50, length=100)
    trace, rows, outputs = network(batch.inputs), units // 2, 3
    counted = torch.ones(*batch.inputs.shape[:2], outputs, dtype=torch.bool)
    counted[:, :50] = False
    matrix, depth, _ = bias_jacobian(network, trace, counted, 1e-8)
    left = torch.randn(len(matrix) // outputs, rows, dtype=torch.float64)
    own = 2 * left.numel() * units / clock(lambda: left @ network.recurrent)
    taken = clock(lambda: bias_jacobian(network, trace, counted, 1e-8), 1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        bias_jacobian(network, trace, counted, 1e-8)
    parts = {event.key.removeprefix("aten::"): event.self_cpu_time_total / 1e6 for event in seen.key_averages()}
    products = sum(parts.pop(name, 0.0) for name in ("mm", "bmm", "addmm", "baddbmm"))
    terms = sum(max(0, len(batch.targets[0]) - max(0, k - 50)) for k in range(1, depth + 1))
    work = 2 * len(batch.targets) * terms * outputs * rows * units
    rest = ", ".join(f"{name} {part:.2f} s" for name, part in sorted(parts.items(), key=lambda p: -p[1])[:5])
    triangle = torch.linalg.qr(matrix, mode="r").R
    yield ["forward pass", f"{clock(lambda: network(batch.inputs)):.2f}", f"{samples:,} samples"]
    yield ["Jacobian", f"{taken:.2f}", f"depth {depth}; {work / taken / 1e9:.1f} GFLOP/s in all"]
    yield [
        "… its products",
        f"{products:.2f}",
        f"{work / products / 1e9:.1f} GFLOP/s, {work / products / own:.0%} of the machine's {own / 1e9:.1f}",
    ]
    yield ["… the rest of it", f"{sum(parts.values()):.2f}", f"elementwise, on arrays larger than the cache: {rest}"]
    yield ["QR factorisation", f"{clock(lambda: torch.linalg.qr(matrix, mode='r')):.2f}", f"{tuple(matrix.shape)}"]
    yield ["singular values", f"{clock(lambda: torch.linalg.svd(triangle)):.2f}", f"{tuple(triangle.shape)}"]


def report(data: xr.Dataset, size: Size, command: str, *, profiled: bool) -> str:
    """The tables."""
    middle, valid = data.median("seed"), data.valid_time
    rows = [
        [
            str(name),
            f"{int(one.learned)}",
            f"{float(one.valid_time):.2f}",
            f"{float(each.min()):.1f}–{float(each.max()):.1f}" if each.sizes["seed"] > 1 else "",
            f"{float(one.error):.1e}",
            f"{float(one.iterations):.0f}",
            f"{float(one.seconds):.1f}",
        ]
        for name, one, each in ((name, middle.sel(lever=name), valid.sel(lever=name)) for name in data.lever.values)
    ]
    header = ["lever", "learned", "valid time", "range", "one-step error", "iterations", "seconds"]
    lines = [
        "# Levers",
        "",
        f"    {command}",
        "",
        f"On {machine()}. Lorenz-63, dt 0.02, {size.samples:,} noise-free samples, {size.windows} windows, "
        f"{size.units} biases, {data.sizes['seed']} seeds of the weights. Valid time at threshold 0.4 in Lyapunov "
        "times: median over windows, then median, range over seeds. One-step error in standard deviations of the "
        "increment, on held-out data. Each line changes one thing in the first.",
        "",
        *aligned(header, rows),
    ]
    units = min(_PROFILED, 3 * size.units)
    for gain, samples in ((0.1, 5000), (0.9, 1000)) if profiled else ():
        lines += ["", f"One iteration at {units:,} units, gain {gain}, {torch.get_num_threads()} threads:", ""]
        lines += aligned(["part", "seconds", ""], list(profile(units, samples, gain)))
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write and print the tables; returns the exit code."""
    parser = Parser("levers", __doc__, rows=True)
    parser.add_argument("--units", type=int, default=400, metavar="N", help="biases that learn, even (400)")
    parser.add_argument("--samples", type=int, default=2500, metavar="T", help="training samples (2500)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument("--windows", type=int, default=50, metavar="W", help="test windows (50)")
    parser.add_argument("--only", nargs="+", metavar="LEVER", help="these alone, without the timing")
    chosen = parser.parse_args(argv)
    if chosen.quick:
        chosen.units, chosen.samples, chosen.windows = 80, 600, 10
    try:
        even_units(chosen.units, at_least=8)
        for name, least in (("samples", 300), ("seeds", 1), ("windows", 1)):
            checks.whole(f"--{name}", getattr(chosen, name), at_least=least)
        named = levers(chosen.units)
        only = [checks.choice("--only", name, named) for name in dict.fromkeys(chosen.only or named)]
        size = Size(chosen.units, chosen.samples, chosen.windows)
        keys = [Key(name, seed) for name in only for seed in range(chosen.seeds)]
        runs = Runs(chosen.out / "rows", dict.fromkeys(keys, size._asdict()), resume=chosen.resume)
    except (ValueError, OSError) as error:
        parser.error(error)
    code = complete(chosen, runs, partial(row, size=size), "levers")
    if runs:
        data = gather(runs, Key._fields, title="levers of the defaults on Lorenz-63", config=size._asdict())
        write_netcdf(data, chosen.out / "levers.nc")
        text = report(data, size, parser.command(argv), profiled=chosen.only is None)
        (chosen.out / "levers.md").write_text(text)
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
