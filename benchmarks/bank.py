"""Banks of biases: a system at parameters it was not learned at, and a hundred chaotic flows on one recipe of weights.

    python benchmarks/bank.py [--experiments family flows] [--out DIR] [--quick] [--resume] [--workers N]

The flows are those of dysts (pip install 'rnnbias[catalogue]'). The folder DIR receives `bank.md` (the tables), one
netCDF file and one figure an experiment, `flows-bank.nc`, the bank of all flows, and `rows/`, one file for each
finished row and for each simulated flow: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from arguments import Parser, complete, machine, module, save
from banks import EXPERIMENTS
from banks.experiments import Plan
from rnnbias.evaluation import Runs
from rnnbias.storage import write_netcdf
from systems import checks
from systems.labels import source


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Plan]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("bank", __doc__, rows=True)
    names = list(EXPERIMENTS)
    parser.add_argument("--experiments", nargs="+", default=names, metavar="NAME", help=f"default: {', '.join(names)}")
    args = parser.parse_args(argv)
    try:
        args.experiments = [checks.choice("--experiments", name, names) for name in dict.fromkeys(args.experiments)]
        plan = Plan(args.quick, args.out.resolve() / "rows")
        args.runs = {
            name: Runs(
                plan.folder / name,
                {cell: {"quick": int(plan.quick)} for cell in EXPERIMENTS[name].cells(plan)},
                resume=args.resume,
            )
            for name in args.experiments
        }
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, plan = parse(argv)
    lines = ["# Banks of biases", "", f"    {args.command}", "", f"{machine()}, {source()}.", ""]
    code = 0
    for name, runs in args.runs.items():
        experiment = EXPERIMENTS[name]
        code = code or complete(args, runs, partial(experiment.make, plan=plan), name)
        if runs:
            data = experiment.gather(runs, args.out)
            write_netcdf(data, args.out / f"{name}.nc")
            lines += experiment.report(data)
            save(experiment.picture(data), args.out / f"{name}.png")
    text = "\n".join(lines)
    (args.out / "bank.md").write_text(text)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
