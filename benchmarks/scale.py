"""Scale: what a step costs from a thousand to a million units, and a million biases that learn.

    python benchmarks/scale.py [--experiments ...] [--threads K] [--out DIR] [--quick] [--resume]

Structured weights (signs and Hadamard transforms, low rank plus a diagonal) beside dense ones as far as those fit. The
folder DIR receives `scale.md` (the tables), one netCDF file an experiment, figures, and `rows/`, one file for each
finished row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
import xarray as xr

from arguments import Parser, complete, machine, save, scores
from rnnbias.evaluation import Runs, gather
from rnnbias.storage import write_netcdf
from scaling import EXPERIMENTS
from scaling.experiments import Cell
from systems import checks
from systems.labels import source


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("scale", __doc__, resume=True)
    names = list(EXPERIMENTS)
    parser.add_argument("--experiments", nargs="+", default=names, metavar="NAME", help=f"default: {', '.join(names)}")
    parser.add_argument("--threads", type=int, default=1, metavar="K", help="%(default)s")
    args = parser.parse_args(argv)
    try:
        args.experiments = [checks.choice("--experiments", name, names) for name in dict.fromkeys(args.experiments)]
        checks.whole("--threads", args.threads, at_least=1)
        args.runs = {
            name: Runs(
                args.out / "rows" / name,
                {cell: {"threads": args.threads} for cell in EXPERIMENTS[name].cells(args.quick)},
                resume=args.resume,
            )
            for name in args.experiments
        }
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    torch.set_num_threads(args.threads)
    lines = ["# Scale", "", f"    {args.command}", "", f"{machine()}, {source()}.", ""]
    code = 0
    for name, runs in args.runs.items():
        experiment = EXPERIMENTS[name]

        def make(cell: Cell, experiment=experiment) -> xr.Dataset:
            return scores(dict.fromkeys(experiment.scores, float("nan")) | experiment.make(cell), experiment.scores)

        code = code or complete(runs, make, name)
        if runs:
            data = gather(runs, Cell._fields, title=f"scale benchmark: {name}", config={"seed": 0})
            write_netcdf(data, args.out / f"{name}.nc")
            lines += experiment.report(data)
            if experiment.picture is not None:
                save(experiment.picture(data), args.out / f"{name}.png")
    text = "\n".join(lines)
    (args.out / "scale.md").write_text(text)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
