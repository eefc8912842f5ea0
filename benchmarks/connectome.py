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

import xarray as xr

from arguments import Parser, complete, machine, module, save, scores
from circuits import EXPERIMENTS
from circuits.experiments import Cell, Plan
from rnnbias.evaluation import Runs, gather
from rnnbias.storage import write_netcdf
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
        args.experiments = [checks.choice("--experiments", name, names) for name in dict.fromkeys(args.experiments)]
        plan = Plan(
            checks.whole("--seeds", args.seeds, at_least=1), args.quick, args.out.resolve() / "rows" / "teachers"
        )
        args.runs = {
            name: Runs(
                args.out / "rows" / name,
                {cell: {"quick": int(plan.quick)} for cell in EXPERIMENTS[name].cells(plan)},
                resume=args.resume,
            )
            for name in args.experiments
        }
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, plan = parse(argv)
    lines = ["# Connectomes", "", f"    {args.command}", "", f"{machine()}, {source()}.", ""]
    code = 0
    for name, runs in args.runs.items():
        experiment = EXPERIMENTS[name]

        def make(cell: Cell, experiment=experiment) -> xr.Dataset:
            return scores(
                dict.fromkeys(experiment.scores, float("nan")) | experiment.make(cell, plan), experiment.scores
            )

        code = code or complete(args, runs, make, name)
        if runs:
            data = gather(runs, Cell._fields, title=f"connectome benchmark: {name}", config={"seed": 0})
            write_netcdf(data, args.out / f"{name}.nc")
            lines += experiment.report(data)
            if experiment.picture is not None:
                save(experiment.picture(plan), args.out / f"{name}.png")
    text = "\n".join(lines)
    (args.out / "connectome.md").write_text(text)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
