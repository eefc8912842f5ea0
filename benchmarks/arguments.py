"""What every benchmark does with its command line and its results."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

from rnnbias.evaluation import Runs, local_client
from systems import checks

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Parser", "complete", "cores", "even_units", "machine", "module", "save", "scores"]


class Parser(argparse.ArgumentParser):
    """The parser of the program `name`, described by the first line of `about`, that writes into a folder --out.

    It ends the program with one line and code 2 where an argument is wrong. `quick` says whether there is such an
    option, and `rows` whether rows are made one by one, which can be resumed and shared among workers.
    """

    def __init__(self, name: str, about: str, *, quick: bool = True, rows: bool = False) -> None:
        super().__init__(f"{name}.py", description=about.split("\n")[0], allow_abbrev=False)
        self.rows = rows
        self.add_argument("--out", type=Path, default=Path("results") / name, metavar="DIR", help="%(default)s")
        if quick:
            self.add_argument("--quick", action="store_true", help="a small run for a look, under a minute")
        if rows:
            words = "keep the finished rows in DIR (otherwise they are removed)"
            self.add_argument("--resume", action="store_true", help=words)
            shared = self.add_mutually_exclusive_group()
            shared.add_argument("--workers", type=int, default=1, metavar="N", help="processes (%(default)s)")
            shared.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that makes the rows")

    def parse_args(self, *given: object) -> argparse.Namespace:
        """See `argparse.ArgumentParser.parse_args`."""
        args = super().parse_args(*given)
        if self.rows:
            try:
                checks.whole("--workers", args.workers, at_least=1)
                if args.scheduler:
                    with _client(args):
                        pass
                elif args.workers > 1:
                    importlib.import_module("distributed")
            except ImportError:
                self.error("--workers and --scheduler need dask: pip install 'rnnbias[dask]'")
            except (ValueError, OSError) as error:
                self.error(f"--scheduler must be reached, got {args.scheduler!r}: {error}" if args.scheduler else error)
        return args

    def add_some(self, option: str, names: Sequence[str], nargs: str) -> None:
        """An option that names what is run, of `names`; default: all of them."""
        words = f"of {', '.join(names)} (all); others are reported from their rows"
        self.add_argument(option, nargs=nargs, default=names, metavar="NAME", help=words)

    def error(self, message: object) -> NoReturn:
        """See `argparse.ArgumentParser.error`."""
        self.exit(2, f"{self.prog}: {' '.join(str(message).split())}\n")

    def command(self, argv: Sequence[str] | None, *folders: Path | None) -> str:
        """The command that was given; of these folders it says the last name."""
        words = ["python", f"benchmarks/{self.prog}", *(sys.argv[1:] if argv is None else argv)]
        names = {str(folder): folder.name for folder in folders if folder}
        return shlex.join(names.get(word, word) for word in words)


def complete(args: argparse.Namespace, runs: Runs, make: Callable[[tuple], xr.Dataset], title: str) -> int:
    """Make the rows that are missing, on the workers that `args` asks for; returns the exit code."""
    try:
        with _client(args) as client:
            runs.complete(make, client, title=title)
    except KeyboardInterrupt:
        print(f"interrupted; finished rows are in {runs.folder}, go on with --resume", file=sys.stderr)
        return 130
    if runs.failures:
        print(f"{len(runs.failures)} row(s) failed, try them again with --resume; the first:", file=sys.stderr)
        traceback.print_exception(next(iter(runs.failures.values())))
    return int(bool(runs.failures))


def _client(args: argparse.Namespace) -> AbstractContextManager[Client | None]:
    """A client of the cluster of --scheduler, or of one of --workers processes; None where one process suffices."""
    if args.scheduler:
        from distributed import Client

        return Client(args.scheduler, set_as_default=False)
    return nullcontext() if args.workers == 1 else local_client(args.workers)


def module(path: str) -> ModuleType:
    """The benchmark of a file as a module, whose functions workers find by its name, as they do not in `__main__`."""
    return importlib.import_module(Path(path).stem)


def even_units(units: int, at_least: int = 2) -> int:
    """Return --units of a network whose units learn in pairs."""
    if checks.whole("--units", units, at_least=at_least) % 2:
        raise ValueError(f"--units must be even, because units learn in pairs, got {units}")
    return units


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """Cores and torch of this machine; a row is made on one of them."""
    return f"{cores()} cores, torch {torch.__version__}"


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
