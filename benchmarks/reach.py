"""Reaching learned by biases alone: how soon, how well on targets never seen, and how it adapts to a load.

    python benchmarks/reach.py [--plant NAME] [--units N] [--seeds K] [--targets N] [--sees WHAT]
                               [--learn PARTS ...] [--solver NAME ...] [--scales WHICH ...]
                               [--adapt LOAD]
                               [--out DIR] [--quick] [--resume] [--workers N]

Every combination of PARTS (joined by +), solver and scales learns centre-out reaches, for K seeds of the frozen
weights. DIR receives `reach.md` (the table), `reach.nc` (scores, and movements of the first learner's first seed) and
figures of that one: hand paths, speed profiles, the terms of the loss. With --adapt every learner learns straight
reaches first, and then the load, by biases alone, with a hand in a viscous medium, because a free mass flies off
where a field is switched off: DIR receives `adapt.md`, `adapt.nc` and a figure for each learner. `rows/` has one file
for each finished row, and `fits/` those that are drawn: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from arguments import Parser, complete, even_units, module
from reaches import report
from reaches.learners import (
    GOAL,
    LOADS,
    NATURAL,
    SCALES,
    Learner,
    Protocol,
    adam,
    adapted,
    affordable,
    learners,
    score,
)
from rnnbias import LevenbergMarquardt, load
from rnnbias.evaluation import Runs
from rnnbias.networks import trainable_parts
from systems import checks, plants
from systems.tasks.reaching import SEES, CentreOut, Session


class Key(NamedTuple):
    """Which row."""

    learner: str
    seed: int


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Protocol]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("reach", __doc__, rows=True)
    parser.add_argument(
        "--plant", metavar="NAME", help=f"one of {', '.join(plants.PLANTS)} (point, or point-viscous to adapt)"
    )
    parser.add_argument("--units", type=int, default=400, metavar="N", help="units, even (400)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the frozen weights (1)")
    parser.add_argument("--targets", type=int, default=24, metavar="N", help="training targets (24)")
    parser.add_argument("--sees", default="target", metavar="WHAT", help=f"one of {', '.join(SEES)} (target)")
    parser.add_argument("--learn", nargs="+", default=["bias"], metavar="PARTS", help="such as bias, bias+weights")
    parser.add_argument(
        "--solver",
        nargs="+",
        default=["levenberg-marquardt"],
        metavar="NAME",
        help="levenberg-marquardt (default), adam",
    )
    parser.add_argument(
        "--scales", nargs="+", default=["same"], metavar="WHICH",
        help="of the frozen weights: same as the defaults of Levenberg-Marquardt, lazy, own to Adam (same)",
    )  # fmt: skip
    parser.add_argument("--adapt", metavar="LOAD", help=f"adapt to a load: {', '.join(LOADS)}")
    args = parser.parse_args(argv)
    if args.quick:
        args.units, args.targets = min(args.units, 100), min(args.targets, 12)
    try:
        for parts in args.learn:
            trainable_parts(parts.split("+"))
        for solver in args.solver:
            checks.choice("--solver", solver, ("levenberg-marquardt", "adam"))
        for scales in args.scales:
            checks.choice("--scales", scales, SCALES)
        if args.adapt is not None:
            checks.choice("--adapt", args.adapt, LOADS)
        checks.whole("--seeds", args.seeds, at_least=1)
        even_units(args.units)
        task = CentreOut(targets=args.targets, sees=args.sees)
        plant = plants.get(args.plant or ("point-viscous" if args.adapt else "point"))
        protocol = Protocol(task, plant, args.units, steps=20 if args.quick else 400)
        Session(task, protocol.plant)
        args.learners = learners(args.learn, args.solver, args.scales)
        if not args.learners:
            raise ValueError("--learn must have parts that --solver can learn, got weights and no adam")
        settings = {
            "task": task.to_dict(), "plant": plant.to_dict(), "adapt": args.adapt or "",
            **{name: getattr(protocol, name) for name in ("units", "unseen", "budget", "steps")},
        }  # fmt: skip
        args.runs = {}
        for solver in ("levenberg-marquardt", "adam"):
            names = [learner.name for learner in args.learners if learner.solver == solver]
            keys = [Key(name, seed) for seed in range(args.seeds) for name in names]
            args.runs[solver] = Runs(args.out / "rows", dict.fromkeys(keys, settings), resume=args.resume)
        (args.out / "fits").mkdir(exist_ok=True)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, protocol


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, protocol = parse(argv)
    named = {learner.name: learner for learner in args.learners}
    fits = args.out.resolve() / "fits"
    rows: dict[Key, dict[str, float]] = {}
    for solver, runs in args.runs.items():  # Adam second, because its budget is a multiple of what the other took
        if args.adapt:
            make = partial(adapt, learners=named, protocol=protocol, load=args.adapt, fits=fits)
        else:
            times = {key.seed: row["seconds"] for key, row in reversed(rows.items())}
            make = partial(learn, learners=named, protocol=protocol, times=times, fits=fits)
        if code := complete(args, runs, make, f"reach benchmark, {solver}"):
            return code
        rows |= {key: {str(name): float(value) for name, value in row.items()} for key, row in runs.items()}
    if args.adapt:
        drawn = {name: tuple(load(fits / f"{name}, {when}.nc") for when in ("before", "after")) for name in named}
        print(report.publish_adaptation(args.out, protocol, rows, drawn, args.command))
    else:
        first = load(fits / f"{args.learners[0].name}.nc")
        print(report.publish(args.out, protocol, rows, first, args.command))
    return 0


def learn(
    key: Key, learners: Mapping[str, Learner], protocol: Protocol, times: Mapping[int, float], fits: Path
) -> xr.Dataset:
    """Learn to reach; `times` are what the second-order solver took, by seed."""
    learner = learners[key.learner]
    if learner.solver == "adam":
        took = times.get(key.seed, 0.0)
        steps = affordable(learner, protocol, key.seed, protocol.budget * took) if took > 0 else protocol.steps
        solver, goal = adam(protocol, steps), GOAL
    else:
        solver, goal = LevenbergMarquardt(), 1e-4
    fit = learner.fit(protocol, key.seed, solver, goal=goal)
    if key.seed == 0:
        fit.save(fits / f"{key.learner}.nc")
    return xr.Dataset(score(fit, protocol))


def adapt(key: Key, learners: Mapping[str, Learner], protocol: Protocol, load: str, fits: Path) -> xr.Dataset:
    """Learn straight reaches, then adapt to the load by biases alone."""
    learner = learners[key.learner]
    solver = adam(protocol, protocol.steps) if learner.solver == "adam" else LevenbergMarquardt()
    before = learner.fit(protocol, key.seed, solver, loss=NATURAL, goal=1e-3)
    after, row = adapted(before, LOADS[load], LevenbergMarquardt())
    if key.seed == 0:
        before.save(fits / f"{key.learner}, before.nc")
        after.save(fits / f"{key.learner}, after.nc")
    return xr.Dataset(row)


if __name__ == "__main__":
    sys.exit(module(__file__).main())
