"""What every benchmark does with its command line and its results."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

from rnnbias.evaluation import Runs
from systems import checks

__all__ = ["Parser", "complete", "even_units", "machine", "save", "scores"]


class Parser(argparse.ArgumentParser):
    """The parser of the program `name`, described by the first line of `about`, that writes into a folder --out.

    It ends the program with one line and code 2 where an argument is wrong. `quick` and `resume` say whether there are
    such options.
    """

    def __init__(self, name: str, about: str, *, quick: bool = True, resume: bool = False) -> None:
        super().__init__(f"{name}.py", description=about.split("\n")[0], allow_abbrev=False)
        self.add_argument("--out", type=Path, default=Path("results") / name, metavar="DIR", help="%(default)s")
        if quick:
            self.add_argument("--quick", action="store_true", help="a small run for a look, under a minute")
        if resume:
            words = "keep the finished rows in DIR (otherwise they are removed)"
            self.add_argument("--resume", action="store_true", help=words)

    def error(self, message: object) -> NoReturn:
        """See `argparse.ArgumentParser.error`."""
        self.exit(2, f"{self.prog}: {' '.join(str(message).split())}\n")

    def command(self, argv: Sequence[str] | None, *folders: Path | None) -> str:
        """The command that was given; of these folders it says the last name."""
        words = ["python", f"benchmarks/{self.prog}", *(sys.argv[1:] if argv is None else argv)]
        names = {str(folder): folder.name for folder in folders if folder}
        return shlex.join(names.get(word, word) for word in words)


def complete(runs: Runs, make: Callable[[tuple], xr.Dataset], title: str, **options: object) -> int:
    """Make the cells that are missing; returns the exit code."""
    try:
        runs.complete(make, title=title, **options)
    except KeyboardInterrupt:
        print(f"interrupted; finished rows are in {runs.folder}, go on with --resume", file=sys.stderr)
        return 130
    return 0


def even_units(units: int, at_least: int = 2) -> int:
    """Return --units of a network whose units learn in pairs."""
    if checks.whole("--units", units, at_least=at_least) % 2:
        raise ValueError(f"--units must be even, because units learn in pairs, got {units}")
    return units


def machine() -> str:
    """Cores and torch of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, torch {torch.__version__} with {torch.get_num_threads()} threads"


def scores(values: Mapping[str, object], about: Mapping[str, tuple[str, ...]]) -> xr.Dataset:
    """The numbers and words of one row, with the units, the meaning and the dimensions that `about` gives them."""
    return xr.Dataset(
        {
            name: (dims, value, {"units": units, "long_name": words})
            for name, value in values.items()
            for units, words, *dims in [about[name]]
        }
    )


def save(drawn: object, path: Path, dpi: int = 160) -> None:
    """Write the figure of some axes, and close it."""
    figure = drawn if isinstance(drawn, plt.Figure) else np.ravel(drawn)[0].figure
    figure.savefig(path, dpi=dpi)
    plt.close(figure)
