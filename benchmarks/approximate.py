"""Static functions by learned biases: error against learned numbers, beside what they must beat and the proof builds.

    python benchmarks/approximate.py [--targets ...] [--widths ...] [--learners ...] [--seeds K]
                                     [--out DIR] [--quick] [--resume] [--workers N]

Every learner of `rnnbias.compare` learns every target with nearly the same counts of learned numbers; the theorem's
construction gets as many units, and so do biases learned over the very weights of the construction. DIR receives
`approximate.md` (the tables), `approximate.nc` and `law.nc` (all numbers, labelled), two figures, and `rows/`, one file
for each finished row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from approximation.cells import COUNTED, PROVED, TEST, Plan, gathered, make
from approximation.law import law
from approximation.report import write
from arguments import Parser, complete, module, save
from rnnbias import plot
from rnnbias.evaluation import Runs
from rnnbias.storage import write_netcdf
from systems import checks, functions

_TARGETS = ("franke", "weierstrass", "checkerboard")


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Plan]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("approximate", __doc__, rows=True)
    parser.add_argument("--targets", nargs="+", metavar="NAME", help=f"default: {' '.join(_TARGETS)}")
    parser.add_argument("--widths", nargs="+", type=int, metavar="N", help="counts of learned numbers")
    names = (*COUNTED, *PROVED)
    parser.add_argument("--learners", nargs="+", default=names, metavar="NAME", help=f"default: {', '.join(names)}")
    parser.add_argument("--seeds", type=int, metavar="K", default=1, help="seeds of weights and samples (1)")
    args = parser.parse_args(argv)
    plan = Plan.quick() if args.quick else Plan()
    try:
        if args.widths:
            widths = tuple(sorted({checks.whole("--widths", n, at_least=2, at_most=10**5) for n in args.widths}))
            plan = replace(plan, counts=widths, widths=widths)
        checks.whole("--seeds", args.seeds, at_least=1)
        chosen = args.targets or (_TARGETS[:1] if args.quick else _TARGETS)
        args.targets = [checks.choice("--targets", name, functions.available()) for name in dict.fromkeys(chosen)]
        args.learners = [checks.choice("--learners", name, names) for name in dict.fromkeys(args.learners)]
        cells = plan.cells(args.targets, args.learners, args.seeds)
        args.runs = Runs(args.out / "rows", {cell: {"test": TEST} for cell in cells}, resume=args.resume)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run everything; returns the exit code."""
    args, plan = parse(argv)
    torch.set_num_threads(1)  # as rows have, so that the law's bits are the same anywhere too
    began = time.perf_counter()
    if code := complete(args, args.runs, make, "approximating"):
        return code
    found, needed = gathered(args.runs), law(plan.law)
    seconds = time.perf_counter() - began
    write_netcdf(found, args.out / "approximate.nc")
    write_netcdf(needed, args.out / "law.nc")
    for name, draw, data in (("error", plot.error_against_count, found), ("law", plot.width_against_error, needed)):
        save(draw(data), args.out / f"{name}.png", dpi=150)
    text = write(found, needed, command=args.command, seconds=seconds, workers=args.scheduler or args.workers)
    (args.out / "approximate.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(module(__file__).main())
