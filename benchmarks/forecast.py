"""The forecast ladder: bias learning beside what it must beat, on the same data and the same windows.

    python benchmarks/forecast.py [--systems ...] [--units N] [--seeds K] [--learners ...] [--windows W]
                                  [--reach T] [--out DIR] [--quick] [--resume] [--workers N]

Every learner gets the same noise-free training trial and forecasts the same windows in closed loop; then it
runs freely, and its attractor, spectrum and largest exponent are compared with the truth's. Biases are also disturbed,
to see what their forecasts bear. The folder DIR receives `forecast.md` (the table), `forecast.nc` (all scores,
labelled), figures, and `rows/`, one file for each finished row: a killed run keeps them, and --resume goes on from
there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from arguments import Parser, complete, module
from ladder.data import Protocol, Task
from ladder.learners import LEARNERS, ladder
from ladder.report import publish
from ladder.rows import Key, make_row
from ladder.scores import MARK
from rnnbias.evaluation import Runs
from systems import checks


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Protocol]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("forecast", __doc__, rows=True)
    parser.add_argument(
        "--systems",
        nargs="+",
        default=["lorenz63"],
        metavar="NAME",
        help="default: lorenz63; also dysts:NAME",
    )
    parser.add_argument("--units", type=int, metavar="N", help="biases that learn (603)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument(
        "--learners",
        nargs="+",
        default=LEARNERS,
        metavar="NAME",
        help=f"default: all of {', '.join(LEARNERS)}; a bias row brings its twin esn-tuned",
    )
    parser.add_argument("--windows", type=int, metavar="W", help="test windows (200)")
    parser.add_argument(
        "--reach", type=float, metavar="T", help="length of a forecast in Lyapunov times or periods (30)"
    )
    args = parser.parse_args(argv)
    protocol = Protocol.quick() if args.quick else Protocol()
    try:
        given = {name: getattr(args, name) for name in ("units", "windows", "reach") if getattr(args, name) is not None}
        protocol = replace(protocol, **given)
        checks.whole("--windows", protocol.windows, at_least=1)
        checks.number("--reach", protocol.reach, above=0, at_most=1000)
        checks.whole("--seeds", args.seeds, at_least=1)
        checks.whole("--units", protocol.units, at_least=8)
        args.learners = _twinned([checks.choice("--learners", name, LEARNERS) for name in args.learners])
        args.tasks = {name: Task(name, protocol) for name in dict.fromkeys(args.systems)}
        cells = {key: asdict(protocol) for key in _planned(args, protocol)}
        args.runs = Runs(args.out / "rows", cells, resume=args.resume)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args, protocol


def _planned(args: argparse.Namespace, protocol: Protocol) -> Iterator[Key]:
    for name, task in args.tasks.items():
        learners = ladder(protocol, task.system.size)
        for seed in range(args.seeds):
            for learner in args.learners:
                if learners[learner].seeded or seed == 0:
                    yield Key(name, learner, seed)


def _twinned(names: Sequence[str]) -> list[str]:
    """The chosen learners in the order of the ladder, with the twin that each bias row is compared to."""
    chosen = set(names)
    if any(learner.role == "biases only" for name, learner in ladder(Protocol(), 3).items() if name in chosen):
        chosen.add("esn-tuned")
    return [name for name in LEARNERS if name in chosen]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, protocol = parse(argv)
    tasks = args.tasks

    def make(key: Key) -> xr.Dataset:
        task = tasks[key.system]
        row = make_row(key, ladder(protocol, task.system.size)[key.learner], task)
        tqdm.write(_news(key, row), file=sys.stderr)
        return row

    code = complete(args, args.runs, make, "forecast benchmark")
    if args.runs:
        print(publish(args.out, args.runs, protocol, args.command))
    return code


def _news(key: Key, row: xr.Dataset) -> str:
    """One line on a finished row."""
    words = [row.problem.item()] if row.problem.item() else []
    if not np.isnan(middle := float(row.valid_time.sel(threshold=MARK).median())):
        words.append(f"valid time {middle:.2f} {row.trace_time.attrs['units']}")
    if row.learned > 0:
        words.append(f"{int(row.learned)} numbers in {float(row.seconds):.1f} s")
    return f"{key.system} {key.learner} (seed {key.seed}): {', '.join(words) or 'done'}"


if __name__ == "__main__":
    sys.exit(module(__file__).main())
