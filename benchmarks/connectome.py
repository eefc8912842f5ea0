"""Connectomes: what biases and gains over measured wiring explain, how sure one is of it, and how large they may be.

    python benchmarks/connectome.py [--experiments ...] [--seeds K] [--out DIR] [--quick] [--resume] [--workers N]

Students find the biases and gains of teachers over the same wiring from recordings of some neurons. The folder DIR
receives `connectome.md` (the tables), one netCDF file an experiment, figures, and `rows/`, one file for each finished
row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from arguments import Parser, machine, module
from circuits import EXPERIMENTS
from experiments import Plan, conduct, rows_of
from systems import checks
from systems.labels import source


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Plan]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("connectome", __doc__, rows=True)
    names = list(EXPERIMENTS)
    parser.add_argument("--experiments", nargs="+", default=names, metavar="NAME", help=f"default: {', '.join(names)}")
    parser.add_argument("--seeds", type=int, default=3, metavar="K", help="%(default)s")
    args = parser.parse_args(argv)
    try:
        chosen = [checks.choice("--experiments", name, names) for name in dict.fromkeys(args.experiments)]
        plan = Plan(
            checks.whole("--seeds", args.seeds, at_least=1), args.quick, args.out.resolve() / "rows" / "teachers"
        )
        args.experiments = {name: EXPERIMENTS[name] for name in chosen}
        args.runs = rows_of(args.experiments, plan, args.out, afresh=() if args.resume else chosen)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, plan = parse(argv)
    code, found = conduct(args, args.experiments, plan, names=args.experiments, title="connectome benchmark")
    lines = ["# Connectomes", "", f"    {args.command}", "", f"{machine()}, {source()}.", ""]
    for name, data in found.items():
        lines += EXPERIMENTS[name].report(data)
    text = "\n".join(lines)
    (args.out / "connectome.md").write_text(text)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
