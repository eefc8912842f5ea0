"""Experiments: what a benchmark is made of whose cells are stored one by one, and that leaves one page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from arguments import complete, save, scores
from rnnbias.evaluation import Runs, gather
from rnnbias.storage import write_netcdf
from tables import number

__all__ = ["Experiment", "Plan", "conduct", "over_seeds", "rows_of"]


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
    experiments: Mapping[str, Experiment], runs: Mapping[str, Runs], plan: Plan, out: Path, *, names: Collection[str],
    title: str,
) -> tuple[int, dict[str, xr.Dataset]]:  # fmt: skip
    """Make the missing rows of the experiments named, and write and draw all that there are.

    Returns the exit code, and the numbers of each experiment that has any.
    """
    code, found = 0, {}
    for name, experiment in experiments.items():
        if name in names:
            code = code or complete(runs[name], lambda cell, each=experiment: each.row(cell, plan), name)
        if runs[name]:
            rows = {cell: runs[name].get(cell, xr.Dataset()) for cell in runs[name].cells}
            dims = next(iter(rows))._fields
            found[name] = data = gather(rows, dims, title=f"{title}: {name}", config={"seed": 0})
            write_netcdf(data, out / f"{name}.nc")
            if experiment.picture is not None:
                save(experiment.picture(data), out / f"{name}.png")
    return code, found


def over_seeds(values: xr.DataArray, form: str = "{:.1e}") -> str:
    """Median over seeds, and the range where there are several."""
    each = values.dropna("seed").values
    if not len(each):
        return ""
    middle = number(np.median(each), form)
    return middle if len(each) == 1 else f"{middle} ({number(min(each), form)} to {number(max(each), form)})"
