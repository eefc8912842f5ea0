"""Experiments: what a benchmark is made of whose cells are stored one by one, and that leaves one page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from arguments import Parser, complete, machine, save, scores
from rnnbias.evaluation import Runs, gather
from rnnbias.storage import write_netcdf
from systems import checks
from systems.labels import source
from tables import number

__all__ = ["Experiment", "Plan", "conduct", "main", "over_seeds", "rows_of"]


@dataclass(frozen=True)
class Plan:
    """How large a run is."""

    seeds: int
    quick: bool
    folder: Path  # where what several cells need is kept
    data: Path | None = None  # folder of MNIST-format folders


@dataclass(frozen=True)
class Experiment:
    """Cells (named tuples), how one is made, what is measured of it (units, meaning and dimensions by name), what the
    report says, and what is drawn.
    """

    cells: Callable[[Plan], list[Any]]
    make: Callable[[Any, Plan], Mapping[str, object]]
    scores: Mapping[str, tuple[str, ...]]
    report: Callable[[xr.Dataset], list[str]]
    picture: Callable[[xr.Dataset], object] | None = None

    def row(self, cell: Any, plan: Plan) -> xr.Dataset:
        """Make a cell; numbers that it does not have are NaN."""
        alone = {name for name, (_, _, *dims) in self.scores.items() if not dims}
        return scores(dict.fromkeys(alone, np.nan) | self.make(cell, plan), self.scores)

    def together(self, runs: Runs, out: Path, title: str) -> xr.Dataset:
        """All finished rows as one Dataset; rows that are missing are NaN."""
        rows = {cell: runs.get(cell, xr.Dataset()) for cell in runs.cells}
        return gather(rows, next(iter(rows))._fields, title=title, config={"seed": 0})


def rows_of(
    experiments: Mapping[str, Experiment], plan: Plan, out: Path, afresh: Collection[str] = ()
) -> dict[str, Runs]:
    """The stored rows of each experiment, in `out`/rows; those of the experiments named in `afresh` are removed."""
    return {
        name: Runs(
            out / "rows" / name,
            {cell: {"quick": int(plan.quick)} for cell in experiment.cells(plan)},
            resume=name not in afresh,
        )
        for name, experiment in experiments.items()
    }


def conduct(
    args: argparse.Namespace, experiments: Mapping[str, Experiment], plan: Plan, *, names: Collection[str], title: str
) -> tuple[int, dict[str, xr.Dataset]]:
    """Make those of the rows `args.runs` that are missing of the experiments named, and write and draw all there are.

    Returns the exit code, and the numbers of each experiment that has any.
    """
    code, found = 0, {}
    for name, experiment in experiments.items():
        runs = args.runs[name]
        if name in names:
            code = code or complete(args, runs, partial(experiment.row, plan=plan), name)
        if runs:
            found[name] = data = experiment.together(runs, args.out, f"{title}: {name}")
            write_netcdf(data, args.out / f"{name}.nc")
            if experiment.picture is not None:
                save(experiment.picture(data), args.out / f"{name}.png")
    return code, found


def main(
    name: str, about: str, title: str, experiments: Mapping[str, Experiment], argv: Sequence[str] | None, *,
    seeds: int | None = None,
) -> int:  # fmt: skip
    """Run the benchmark `name`, described by `about`, whose options are the experiments and, where `seeds` is their
    default, how many seeds; returns the exit code. Experiments that are not named are reported from the rows there are.
    """
    parser, names = Parser(name, about, rows=True), list(experiments)
    parser.add_some("--experiments", names, "+")
    if seeds is not None:
        parser.add_argument("--seeds", type=int, default=seeds, metavar="K", help="%(default)s")
    args = parser.parse_args(argv)
    try:
        chosen = [checks.choice("--experiments", each, names) for each in args.experiments]
        count = 1 if seeds is None else checks.whole("--seeds", args.seeds, at_least=1)
        plan = Plan(count, args.quick, args.out.resolve() / "rows" / "kept")
        there = {k: v for k, v in experiments.items() if k in chosen or (args.out / "rows" / k).is_dir()}
        args.runs = rows_of(there, plan, args.out, afresh=() if args.resume else chosen)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    code, found = conduct(args, there, plan, names=chosen, title=f"{name} benchmark")
    lines = [f"# {title}", "", f"    {parser.command(argv)}", "", f"{machine()}, {source()}.", ""]
    for each, data in found.items():
        lines += experiments[each].report(data)
        done, cells = len(args.runs[each]), len(args.runs[each].cells)
        if done < cells:
            lines += [f"{done} of {cells} rows have been run.", ""]
    text = "\n".join(lines)
    (args.out / f"{name}.md").write_text(text)
    print(text)
    return code


def over_seeds(values: xr.DataArray, form: str = "{:.1e}") -> str:
    """Median over seeds, and the range where there are several."""
    each = values.dropna("seed").values
    if not len(each):
        return ""
    middle = number(np.median(each), form)
    return middle if len(each) == 1 else f"{middle} ({number(min(each), form)} to {number(max(each), form)})"
