"""Images classified by learned biases: width sweep, best recipe, masks, several tasks on one frozen matrix, speed.

    python benchmarks/classify.py [--data DIR] [--experiments ...] [--tasks ...] [--widths ...] [--seeds K]
                                  [--epochs E] [--out DIR] [--quick] [--resume] [--workers N]

DIR of --data holds MNIST-format folders (mnist, fashion-mnist, kmnist, ...); without it the data are scikit-learn's
digits and rendered numerals. All choices are made on the last sixth of the training images, which no row learns from;
test images are looked at once, by rows that are finished. The folder of --out receives `classify.md` (the tables),
`classify.nc` (all rows, labelled), figures, and `rows/`, one file for each finished row: a killed run keeps them, and
--resume goes on from there.

    width      accuracy against width and learned numbers (Williams et al. 2025, Fig. 1A)
    levers     what each choice of the best recipe gives, on held-out images
    best       the best recipe for biases alone, wide
    mask       biases against masks on one frozen network (Fig. 2)
    tasks      seven tasks on one frozen matrix, and how units organise by task (Fig. 1B, C)
    speed      an epoch of bias learning beside one of full training in plain PyTorch
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr
from tqdm.auto import tqdm

from arguments import Parser, complete, module
from pictures import speed
from pictures.experiments import EXPERIMENTS, Protocol, load, planned
from pictures.report import publish
from pictures.rows import Key, Plan, make_row
from pictures.switching import switch
from rnnbias.evaluation import Runs
from rnnbias.storage import write_netcdf
from systems import checks, images


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Protocol]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("classify", __doc__, rows=True)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of MNIST-format folders ($RNNBIAS_DATA)")
    parser.add_argument(
        "--experiments", nargs="+", default=EXPERIMENTS, metavar="NAME", help=f"of {', '.join(EXPERIMENTS)} (all)"
    )
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="data sets of one image size (seven that are there)")
    parser.add_argument("--widths", nargs="+", type=int, metavar="N", help="units (100 300 1000 3000 10000)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the weights (1)")
    parser.add_argument("--epochs", type=int, metavar="E", help="of the width sweep (20)")
    args = parser.parse_args(argv)
    protocol = Protocol.quick() if args.quick else Protocol()
    try:
        for name in args.experiments:
            checks.choice("--experiments", name, EXPERIMENTS)
        checks.whole("--seeds", args.seeds, at_least=1)
        if args.widths:
            widths = tuple(dict.fromkeys(checks.whole("--widths", n, at_least=2) for n in args.widths))
            if any(n % 2 for n in widths):
                raise ValueError(f"--widths must be even, because some units come in pairs, got {widths}")
            protocol = replace(protocol, widths=widths)
        if args.epochs is not None:
            protocol = replace(protocol, epochs=checks.whole("--epochs", args.epochs, at_least=1))
        args.available = images.available(args.data)
        for name in args.tasks or ():
            checks.choice("--tasks", name, args.available)
        args.plans = dict(planned(args.experiments, protocol, args.seeds, args.available, args.tasks))
        cells = {key: plan.settings(key, protocol.counts) for key, plan in args.plans.items()}
        args.runs = Runs(args.out / "rows", cells, resume=args.resume)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    args.command = parser.command(argv, args.data, args.out)
    return args, protocol


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, protocol = parse(argv)
    runs, alone = args.runs, args.workers == 1 and not args.scheduler
    progress = alone and sys.stderr.isatty()
    if not args.resume:
        for name in ("speed.nc", "bank.nc"):
            (args.out / name).unlink(missing_ok=True)

    plans, data = args.plans, args.data

    def make(key: Key) -> xr.Dataset:
        row = make_row(key, plans[key], load(key.data, data, protocol), progress)
        tqdm.write(_news(key, plans[key], row), file=sys.stderr)
        return row

    code = complete(args, runs, make, "image benchmark")
    if code == 0 and "tasks" in args.experiments:
        mine = {key.data: runs[key] for key in runs if (key.experiment, key.learner) == ("tasks", "bias")}
        found = switch(mine, {name: load(name, args.data, protocol) for name in mine})
        write_netcdf(found, args.out / "bank.nc")
    if code == 0 and "speed" in args.experiments and not (args.out / "speed.nc").exists():
        name = "fashion-mnist" if "fashion-mnist" in args.available else "digits"
        found = speed.measure(load(name, args.data, protocol), max(protocol.widths), 1 if args.quick else 2, progress)
        write_netcdf(found, args.out / "speed.nc")
    if runs or (args.out / "speed.nc").exists():
        print(publish(args.out, runs, protocol.counts, args.command))
    return code


def _news(key: Key, plan: Plan, row: xr.Dataset) -> str:
    """One line on a finished row."""
    test = f", {float(row.accuracy):.2%} on test images" if plan.tested else ""
    return (
        f"{' '.join(map(str, key))}: {float(row.held_out_accuracy):.2%} held out{test}, {int(row.learned):,} numbers "
        f"in {float(row.seconds):.0f} s"
    )


if __name__ == "__main__":
    sys.exit(module(__file__).main())
