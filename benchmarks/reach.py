"""Reaching learned by biases alone: how soon, how well on targets never seen, and how it adapts to a load.

    python benchmarks/reach.py [--plant NAME] [--units N] [--seeds K] [--targets N] [--sees WHAT]
                               [--learn PARTS ...] [--solver NAME ...] [--scales WHICH ...]
                               [--adapt LOAD] [--out DIR] [--quick]

Every combination of PARTS (joined by +), solver and scales learns centre-out reaches, for K seeds of the frozen
weights. DIR receives `reach.md` (the table), `reach.nc` (scores, and movements of the first learner's first seed) and
figures of that one: hand paths, speed profiles, the terms of the loss. With --adapt every learner learns straight
reaches first, and then the load, by biases alone, with a hand in a viscous medium, because a free mass flies off
where a field is switched off: DIR receives `adapt.md`, `adapt.nc` and a figure for each learner.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from tqdm.auto import tqdm

from arguments import Parser, even_units
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
from rnnbias import LevenbergMarquardt, ReachFit
from rnnbias.networks import trainable_parts
from systems import checks, plants
from systems.tasks.reaching import SEES, CentreOut, Session


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Protocol]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("reach", __doc__)
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
        args.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, protocol


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, protocol = parse(argv)
    torch.set_num_threads(1)  # the matrices are small: more threads only wait for one another
    plan = [(learner, seed) for seed in range(args.seeds) for learner in args.learners]
    bar = tqdm(plan, desc="reach benchmark", unit="fit")
    print((adapt if args.adapt else learn)(args, protocol, bar))
    return 0


def learn(args: argparse.Namespace, protocol: Protocol, bar: tqdm) -> str:
    """Learn to reach with every learner and seed."""
    scores: dict[tuple[str, int], dict[str, float]] = {}
    first: ReachFit | None = None
    for learner, seed in bar:
        bar.set_postfix_str(f"{learner.name}, seed {seed}")
        if learner.solver == "adam":
            solver, goal = adam(protocol, _budget(learner, protocol, seed, scores)), GOAL
        else:
            solver, goal = LevenbergMarquardt(), 1e-4
        fit = learner.fit(protocol, seed, solver, goal=goal, progress=True)
        scores[learner.name, seed] = found = score(fit, protocol)
        first = first or fit
        bar.write(
            f"{learner.name}, seed {seed}: loss {found['loss']:.1e} in {found['spent']:.1f} s, "
            f"unseen {found['unseen_loss']:.1e}, error {1e3 * found['error']:.3f} mm",
            file=sys.stderr,
        )
    return report.publish(args.out, protocol, scores, first, args.command)


def _budget(learner: Learner, protocol: Protocol, seed: int, scores: dict[tuple[str, int], dict[str, float]]) -> int:
    """The steps that Adam may take."""
    times = [row["seconds"] for (name, s), row in scores.items() if s == seed and "levenberg" in name]
    if not times or not times[0] > 0:
        return protocol.steps
    return affordable(learner, protocol, seed, protocol.budget * times[0])


def adapt(args: argparse.Namespace, protocol: Protocol, bar: tqdm) -> str:
    """Learn straight reaches with every learner and seed, then adapt to the load by biases alone, with each solver."""
    rows: dict[tuple[str, int], dict[str, float]] = {}
    fits: dict[str, tuple[ReachFit, ReachFit]] = {}
    for learner, seed in bar:
        bar.set_postfix_str(f"{learner.name}, seed {seed}")
        solver = adam(protocol, protocol.steps) if learner.solver == "adam" else LevenbergMarquardt()
        before = learner.fit(protocol, seed, solver, loss=NATURAL, goal=1e-3, progress=True)
        after, row = adapted(before, LOADS[args.adapt], LevenbergMarquardt(), progress=True)
        rows[learner.name, seed] = row
        fits.setdefault(learner.name, (before, after))
    return report.publish_adaptation(args.out, protocol, rows, fits, args.command)


if __name__ == "__main__":
    sys.exit(main())
