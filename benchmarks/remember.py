"""Cognitive tasks by biases alone: flip-flop, interval timing, delayed match to sample.

    python benchmarks/remember.py [--tasks ...] [--bits N] [--units N] [--trials N] [--seeds K] [--iterations I]
                                  [--out DIR] [--quick] [--resume] [--workers N]

A network is taught each task with its frozen weights and learned biases and then scored on fresh trials. For the
flip-flop, each of the 2^bits memories is set from rest and held for 1,000 steps without input, and fixed points of the
silent network are sought from the states on the way. DIR receives `remember.md` (the table), `remember.nc` (the
scores), every fit, the figures, and `rows/`, one file for each finished row: a killed run keeps them, and --resume goes
on from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

import columns
from arguments import Parser, complete, cores, module, save, scores
from rnnbias import GaussNewton, TaskFit, analysis, fit_task, load, plot
from rnnbias.evaluation import Runs, gather
from rnnbias.storage import write_netcdf
from systems import checks
from systems.tasks import cognitive

_HELD_OUT = 16  # trials that early stopping watches
_HOLD = 1000
_CLOSE = 0.5  # a memory is held while every output is within this distance of its bit
_SHOWN = 150  # states from which fixed points are sought

_SCORES = {
    "r_squared": ("1", "R² of the answers that count, fresh trials"),
    "correct": ("1", "fraction of fresh trials without a wrong answer"),
    "held": ("1", f"memories held for {_HOLD} steps"),
    "memories": ("1", "memories"),
    "stable": ("1", "stable fixed points found"),
    "corners": ("1", "corners with a stable fixed point"),
    "learned": ("1", "learned numbers"),
    "loss": ("1", "training loss"),
    **columns.SCORES,
    "seconds": ("s", "time to fit"),
}


class Key(NamedTuple):
    """Which row."""

    seed: int
    task: str


class Size(NamedTuple):
    """What a row's result depends on beside its key."""

    bits: int
    units: int
    trials: int
    iterations: int


def memory(fit: TaskFit) -> tuple[dict[str, float], xr.Dataset]:
    """Whether a flip-flop's memories last, and the fixed points behind them."""
    run = fit.run(fit.task.memories(_HOLD))
    counts = run.mask.values > 0
    near = np.abs(run.outputs.values - run.targets.values) < _CLOSE
    held = (near | ~counts).all((1, 2))
    step, _ = fit.free_map(fit.task.memories(1))
    inputs = torch.from_numpy(run.inputs.values)
    with torch.no_grad():
        rates = fit.network(inputs).rate[:, fit.task.pulse + fit.task.grace :: max(1, len(inputs) * _HOLD // _SHOWN)]
    points = analysis.fixed_points(step, rates, starts=_SHOWN, progress=False)
    with torch.no_grad():
        outputs = fit.network.read(torch.from_numpy(points.position.values)).numpy()
    points = points.assign(output=(("point", "bit"), outputs, {"units": "1", "long_name": "output at the point"}))
    stable = (points.stable & points.fixed).values
    corner = np.abs(np.abs(outputs) - 1).max(1, initial=0.0) < _CLOSE
    corners = {tuple(row) for row in np.sign(outputs[stable & corner])}
    row = {
        "held": float(held.sum()),
        "memories": float(len(held)),
        "stable": float(stable.sum()),
        "corners": float(len(corners)),
    }
    return row, points


def make(key: Key, size: Size, out: Path) -> xr.Dataset:
    """Learn and score; the fit, and the fixed points of a flip-flop, are left in a folder."""
    task = cognitive.get(key.task, **({"bits": size.bits} if key.task == "flip_flop" else {}))
    solver = GaussNewton(iterations=size.iterations)
    drawn = {"trials": size.trials + _HELD_OUT, "holdout": _HELD_OUT / (size.trials + _HELD_OUT)}
    begun = time.perf_counter()
    fit = fit_task(task, units=size.units, solver=solver, seed=key.seed, progress=False, **drawn)
    seconds = time.perf_counter() - begun
    fit.save(out / f"{key.task}-{key.seed}.nc")
    score = fit.score(100)
    row = {
        "r_squared": float(score.r_squared),
        "correct": float(score.correct.mean()),
        "learned": fit.learned,
        "loss": float(fit.history.loss.min()),
        "seconds": seconds,
        **columns.steadiness(fit),
    }
    if key.task == "flip_flop":
        more, points = memory(fit)
        row |= more
        write_netcdf(points, out / f"fixed_points-{key.seed}.nc")
    return scores(dict.fromkeys(_SCORES, np.nan) | row, _SCORES)


def draw(out: Path, tasks: Sequence[str]) -> None:
    """The figures: answers of the first seed, and a flip-flop's memories."""
    for name in tasks:
        if (path := out / f"{name}-0.nc").exists():
            fit = load(path)
            save(plot.answers(fit.run(fit.task.trials(4, seed=1000))), out / f"{name}.png")
            if name == "flip_flop":
                save(plot.answers(fit.run(fit.task.memories(_HOLD)).isel(time=slice(0, 200))), out / "memories.png")


def table(found: xr.Dataset, command: str) -> str:
    """The report."""
    lines = [
        "# Cognitive tasks by biases alone",
        "",
        f"    {command}",
        "",
        f"{cores()} cores, {found.attrs['source']}.",
        "",
        f"R² and correct: over 100 fresh trials (correct: no answer off by {_CLOSE} or more). Held: memories that are "
        f"set from rest and stay within {_CLOSE} of their bits for {_HOLD:,} steps without input. Corners: those with "
        "a stable fixed point.",
        "",
        "| task | seed | learned | training loss | R² | correct | held | stable fixed points | corners | "
        f"{' | '.join(columns.HEADER)} | seconds |",
        f"| --- |{' ---: |' * (9 + len(columns.HEADER))}",
    ]
    for name in found.task.values:
        for seed in found.seed.values:
            one = found.sel(task=name, seed=seed)
            flip = np.isfinite(one.held)
            memory = (
                f"{int(one.held)} of {int(one.memories)} | {int(one.stable)} | {int(one.corners)}" if flip else "| |"
            )
            lines.append(
                f"| {name} | {seed} | {int(one.learned)} | {float(one.loss):.1e} | {float(one.r_squared):.4f} | "
                f"{float(one.correct):.0%} | {memory} | {' | '.join(columns.words(one, '{:.4f}'))} | "
                f"{float(one.seconds):.0f} |"
            )
    return "\n".join([*lines, "", columns.note("R² over 30 fresh trials")]) + "\n"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    tasks = list(cognitive.available())
    parser = Parser("remember", __doc__, rows=True)
    parser.add_argument("--tasks", nargs="+", default=tasks, metavar="NAME", help=", ".join(tasks))
    parser.add_argument("--bits", type=int, default=3, metavar="N", help="of the flip-flop (3)")
    parser.add_argument("--units", type=int, default=400, metavar="N", help="units, and numbers learned (400)")
    parser.add_argument("--trials", type=int, default=96, metavar="N", help="trials learned from (96)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the weights (1)")
    parser.add_argument("--iterations", type=int, default=40, metavar="I", help="of Gauss-Newton (40)")
    args = parser.parse_args(argv)
    if args.quick:
        args.bits, args.units, args.trials, args.iterations = 1, 60, 12, 8
    try:
        args.tasks = [checks.choice("--tasks", name, tasks) for name in dict.fromkeys(args.tasks)]
        for name in ("bits", "trials", "seeds", "iterations"):
            checks.whole(f"--{name}", getattr(args, name), at_least=1)
        checks.whole("--units", args.units, at_least=10)
        args.size = Size(args.bits, args.units, args.trials, args.iterations)
        keys = [Key(seed, name) for seed in range(args.seeds) for name in args.tasks]
        args.runs = Runs(args.out / "rows", dict.fromkeys(keys, args.size._asdict()), resume=args.resume)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    code = complete(args, args.runs, partial(make, size=args.size, out=args.out.resolve()), "cognitive tasks")
    if args.runs:
        config = {"command": args.command, "units": args.units, "trials": args.trials, "bits": args.bits}
        found = gather(args.runs, Key._fields, title="cognitive tasks by biases alone", config=config)
        write_netcdf(found, args.out / "remember.nc")
        text = table(found, args.command)
        (args.out / "remember.md").write_text(text)
        draw(args.out, args.tasks)
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
