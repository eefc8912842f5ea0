"""The forecast ladder: bias learning beside what it must beat, on the same data and the same windows.

    python benchmarks/forecast.py [--systems ...] [--units N] [--seeds K] [--learners ...] [--windows W]
                                  [--reach T] [--out DIR] [--quick] [--resume]

Every learner gets the same noise-free training trial and forecasts the same windows in closed loop; then it
runs freely, and its attractor, spectrum and largest exponent are compared with the truth's. The folder DIR
receives `forecast.md` (the table), `forecast.nc` (all scores, labelled), figures, and `rows/`, one file for
each finished row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr
from tqdm.auto import tqdm

import systems
from arguments import Parser
from ladder.data import Protocol, Task
from ladder.learners import LEARNERS, ladder
from ladder.report import publish
from ladder.rows import Key, check_settings, make_row, stored
from ladder.scores import MARK
from rnnbias import Recipe
from rnnbias.storage.netcdf import write_netcdf
from systems import checks


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Protocol]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("forecast.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument(
        "--systems",
        nargs="+",
        default=["lorenz63"],
        metavar="NAME",
        help="default: lorenz63; also dysts:NAME",
    )
    parser.add_argument("--units", type=int, metavar="N", help="units of the bias row, even: N/2 numbers learn (1206)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument(
        "--learners",
        nargs="+",
        default=LEARNERS,
        metavar="NAME",
        help=f"default: all of {', '.join(LEARNERS)}; a bias row brings its twin esn-matched",
    )
    parser.add_argument("--windows", type=int, metavar="W", help="test windows (200)")
    parser.add_argument(
        "--reach", type=float, metavar="T", help="length of a forecast in Lyapunov times or periods (20)"
    )
    parser.add_argument("--out", type=Path, default=Path("results/forecast"), metavar="DIR", help="%(default)s")
    parser.add_argument("--quick", action="store_true", help="a small run for a look, under a minute")
    parser.add_argument(
        "--resume", action="store_true", help="keep the finished rows in DIR (otherwise they are removed)"
    )
    args = parser.parse_args(argv)
    protocol = Protocol.quick() if args.quick else Protocol()
    try:
        given = {name: getattr(args, name) for name in ("units", "windows", "reach") if getattr(args, name) is not None}
        protocol = replace(protocol, **given)
        checks.whole("--windows", protocol.windows, at_least=1)
        checks.number("--reach", protocol.reach, above=0, at_most=1000)
        checks.whole("--seeds", args.seeds, at_least=1)
        Recipe().rows(checks.whole("--units", protocol.units, at_least=8), "--units")
        args.learners = _twinned([checks.choice("--learners", name, LEARNERS) for name in args.learners])
        args.systems = list(dict.fromkeys(args.systems))
        for name in args.systems:
            systems.get(name)
        (args.out / "rows").mkdir(parents=True, exist_ok=True)
        if not os.access(args.out / "rows", os.W_OK):
            raise PermissionError(f"--out must be writable, got {args.out}")
        args.rows = stored(args.out) if args.resume else {}
        check_settings(args.rows, protocol)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(str(error))
    return args, protocol


def _twinned(names: Sequence[str]) -> list[str]:
    """The chosen learners in the order of the ladder, with the twin that each bias row is compared to."""
    chosen = set(names)
    if any(learner.role == "biases only" for name, learner in ladder(Protocol(), 3).items() if name in chosen):
        chosen.add("esn-matched")
    return [name for name in LEARNERS if name in chosen]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, protocol = parse(argv)
    command = shlex.join(["python", "benchmarks/forecast.py", *(sys.argv[1:] if argv is None else argv)])
    if not args.resume:
        for path in (args.out / "rows").glob("*.nc"):
            path.unlink()
    code, rows = 0, args.rows
    try:
        run(args, protocol, rows)
    except KeyboardInterrupt:
        print(f"interrupted; finished rows are in {args.out}, go on with --resume", file=sys.stderr)
        code = 130
    if rows:
        print(publish(args.out, rows, command))
    return code


def run(args: argparse.Namespace, protocol: Protocol, rows: dict[Key, xr.Dataset]) -> None:
    """Make the rows that are missing from `rows`, storing each as it is finished."""
    tasks = [Task(name, protocol) for name in args.systems]
    planned = [
        (task, Key(task.name, name, seed), learner)
        for task in tasks
        for seed in range(args.seeds)
        for name, learner in ladder(protocol, task.system.size).items()
        if name in args.learners and (learner.seeded or seed == 0)
    ]
    with tqdm(total=len(planned), desc="forecast benchmark", unit="row") as bar:
        for task, key, learner in planned:
            bar.set_postfix_str(" ".join(map(str, key)))
            if key not in rows:
                row = make_row(key, learner, task)
                write_netcdf(row, key.path(args.out))
                rows[key] = row
                bar.write(_news(key, row), file=sys.stderr)
            bar.update()


def _news(key: Key, row: xr.Dataset) -> str:
    """One line on a finished row."""
    words = [row.attrs["problem"]] if row.attrs["problem"] else []
    if "valid_time" in row:
        middle = float(row.valid_time.sel(threshold=MARK).median())
        words.append(f"valid time {middle:.2f} {row.valid_time.attrs['units']}")
    if row.get("learned", 0):
        words.append(f"{int(row.learned)} numbers in {float(row.seconds):.1f} s")
    return f"{key.system} {key.learner} (seed {key.seed}): {', '.join(words) or 'done'}"


if __name__ == "__main__":
    sys.exit(main())
