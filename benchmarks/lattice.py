"""Lattices: one local network whose biases serve every site, beside a polynomial and an echo-state network that do.

    python benchmarks/lattice.py [--systems ...] [--noises ...] [--learners ...] [--seeds K] [--units N] [--out DIR]
                                 [--quick] [--resume] [--workers N]

All learners see the same neighbours of each site, standardise all sites alike and share what they learn; they learn
from one trial and forecast the same windows of others. Tuning looks at the end of the training trial alone. The folder
DIR receives `lattice.md`, `lattice.nc`, a figure SYSTEM.png of a forecast over time and sites, and `rows/`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
import peers
import seeds
import systems
from arguments import Parser, complete, machine, module, save, scores
from noise import CONTEXT, MARK, SCORES, Key, exponent, noisy, told, undenoised
from rnnbias import LevenbergMarquardt, SystemFit, fit_system, plot
from rnnbias.evaluation import Forecaster, Runs, forecast_windows, gather, score_windows
from rnnbias.storage import write_netcdf
from systems import System, checks
from systems.labels import source
from tables import aligned, number

_RINGS = {"lorenz96": (40, 0.02), "kuramoto_sivashinsky": (32, 0.25)}  # sites, and the time between samples


class Size(NamedTuple):
    """What a row's result depends on beside its key."""

    units: int
    windows: int = 50
    sites: int | None = None  # None: those of `_RINGS`
    iterations: int = 200
    settings: int = 48  # of each peer, at most, that are tried
    samples: int = 5000
    reach: float = 12.0  # Lyapunov times of a forecast


def single(data: xr.DataArray, system: System, size: Size, seed: int) -> SystemFit:
    """Biases, by single steps alone."""
    return _biases(data, system, size, seed, ())


def closed(data: xr.DataArray, system: System, size: Size, seed: int) -> SystemFit:
    """Biases, by single steps and then by free runs through the data."""
    return _biases(data, system, size, seed, (5, 10, 20))


def _biases(data: xr.DataArray, system: System, size: Size, seed: int, lengths: tuple[int, ...]) -> SystemFit:
    return fit_system(
        data, lattice=system.lattice, hidden=False, units=size.units, seed=seed, closed_loop=lengths,
        solver=LevenbergMarquardt(size.iterations), holdout=0.05, progress=False,
    )  # fmt: skip


def polynomial(data: xr.DataArray, system: System, size: Size, seed: int) -> Forecaster:
    """See `peers.polynomial`; one for all sites."""
    return peers.polynomial(data, size.settings, system.lattice, stirred=True)


def echo(data: xr.DataArray, system: System, size: Size, seed: int) -> Forecaster:
    """See `peers.echo_state`; one for all sites, which learns as many numbers as the biases."""
    return peers.echo_state(data, size.units, seed, size.settings, system.lattice)


LEARNERS: Mapping[str, Callable[[xr.DataArray, System, Size, int], Forecaster]] = {
    "polynomial": polynomial, "echo-state": echo, "biases, single steps": single, "biases, closed loop": closed,
}  # fmt: skip


@cache
def trials(name: str, size: Size) -> tuple[System, xr.DataArray, xr.DataArray]:
    """A system, its true training trial, and the test trials: context and what follows."""
    sites, dt = _RINGS[checks.choice("--systems", name, _RINGS)]
    system = systems.get(name, size=size.sites or sites)
    ahead = (CONTEXT + 1) * dt + size.reach / exponent(name)
    train = system.simulate(duration=(size.samples + 1) * dt, dt=dt, seed=seeds.TRAIN).trajectory
    test = system.simulate(trials=size.windows, duration=ahead, dt=dt, seed=seeds.TEST).trajectory
    return system, train.assign_attrs(lyapunov=exponent(name)), test


def row(key: Key, size: Size) -> xr.Dataset:
    """Learn, and score from true and from noisy starts."""
    system, train, test = trials(key.system, size)
    scale = train.std()
    data = noisy(train, key.noise, scale, seeds.TRAIN, key.seed)
    began = time.perf_counter()
    model = LEARNERS[key.learner](data, system, size, key.seed)
    found = {"seconds": time.perf_counter() - began, "learned": float(model.learned), "tuned": peers.chosen(model)}
    truth, steps = test.isel(time=slice(CONTEXT, -1)), test.sizes["time"] - CONTEXT - 1

    def made(model: Forecaster, start: xr.DataArray) -> xr.Dataset:
        """Forecasts after the contexts of `start`, beside the truth."""
        run = forecast_windows(model, start, windows=len(start), context=CONTEXT, steps=steps)
        clean = run.truth.copy(data=truth.values[: len(start)])
        return run.assign(truth=clean, scale=xr.full_like(run.scale, float(scale)))

    def valid(model: Forecaster, start: xr.DataArray) -> float:
        return float(score_windows(made(model, start), [MARK]).valid_time.median())

    found["clean_start"] = valid(model, test)
    found["noisy_start"] = valid(model, noisy(test, key.noise, scale, seeds.TEST, key.seed))
    if isinstance(model, SystemFit) and model.network.learn == ("bias",):
        raw = undenoised(model)
        borne = columns.robustness(raw.network, lambda network: valid(replace(raw, network=network), test))
        found |= {"clean_raw": float(borne.skill), **columns.picked(borne)}
    shown = made(model, test[:1]).isel(trial=0)[["truth", "forecast"]].reset_coords(drop=True)
    times = ("time", shown.time.values * exponent(key.system), {"units": "Lyapunov times"})
    return scores({name: found.get(name, np.nan) for name in SCORES}, SCORES).merge(shown.assign_coords(time=times))


def report(data: xr.Dataset, size: Size, command: str) -> str:
    """The table."""

    def cells(name: str, noise: float, learner: str) -> list[str]:
        one = data.sel(system=name, learner=learner, noise=noise)
        row, each = one.median("seed"), one.clean_start.dropna("seed").values
        return [
            name,
            f"{100 * noise:g} %",
            learner,
            number(row.learned, "{:.0f}"),
            number(row.clean_start, "{:.2f}"),
            f"{min(each):.1f} to {max(each):.1f}" if len(each) > 1 else "",
            number(row.clean_raw, "{:.2f}"),
            number(row.noisy_start, "{:.2f}"),
            *columns.words(row, "{:.2f}"),
            number(row.seconds, "{:.0f}"),
        ]

    names = ["system", "noise", "learner", "learned", "valid time", "over seeds", "clean raw", "noisy start"]
    table = [
        cells(*each)
        for each in itertools.product(data.system.values, data.noise.values, data.learner.values)
        if data.seconds.sel(dict(zip(("system", "noise", "learner"), each, strict=True))).notnull().any()
    ]
    return "\n".join([
        "# One network for every site of a lattice", "", f"    {command}", "", f"{machine()}, {source()}.", "",
        f"{size.samples} samples of one trial, noise in standard deviations; {size.windows} windows of other trials, "
        f"{data.sizes['seed']} seeds of noise and weights: medians. Valid times in Lyapunov times at threshold "
        f"{MARK}, at most {size.reach:g}, always against the truth; *valid time* and *clean raw* after {CONTEXT} true "
        "samples, *noisy start* after noisy ones. Biases that learned in closed loop begin a forecast at what they "
        "estimate behind the last samples, but for *clean raw*, where they begin at the very last.", "",
        *_lattices(data, size), "", *aligned([*names, *columns.HEADER, "seconds"], table), "", *told(data),
        columns.note("*clean raw*"), "",
        "The peers were tuned by free runs through the second half of the training trial; no choice was made on trials "
        "that are tested here.", "",
    ])  # fmt: skip


def _lattices(data: xr.Dataset, size: Size) -> Iterator[str]:
    """What each system is."""
    for name in data.system.values:
        system = trials(name, size)[0]
        yield f"- {name}: {system.size} sites, {system.lattice}, a sample every {_RINGS[name][1]:g}."


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("lattice", __doc__, rows=True)
    parser.add_argument("--systems", nargs="+", default=list(_RINGS), metavar="NAME", help=", ".join(_RINGS))
    parser.add_argument("--noises", type=float, nargs="+", default=[0.0, 0.01], metavar="SD")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), metavar="NAME", help=", ".join(LEARNERS))
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="%(default)s")
    parser.add_argument("--units", type=int, default=600, metavar="N", help="biases that learn (%(default)s)")
    args = parser.parse_args(argv)
    try:
        for noise in args.noises:
            checks.number("--noises", noise, at_least=0)
        for name in args.learners:
            checks.choice("--learners", name, LEARNERS)
        checks.whole("--seeds", args.seeds, at_least=1)
        checks.whole("--units", args.units, at_least=1)
        args.size = Size(args.units)
        if args.quick:
            args.systems, args.noises, args.seeds = ["lorenz96"], args.noises[-1:], 1
            args.size = Size(60, windows=10, sites=8, iterations=20, settings=6, samples=600, reach=3.0)
        for name in args.systems:
            trials(name, args.size)
        keys = [Key(*each) for each in itertools.product(args.systems, args.learners, args.noises, range(args.seeds))]
        args.runs = Runs(args.out / "rows", dict.fromkeys(keys, args.size._asdict()), resume=args.resume)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def _draw(runs: Runs, folder: Path) -> None:
    """The forecast of one learner on each system, that of the cleanest data and of the most biases' learning."""
    for name in {key.system for key in runs}:
        ours = [key for key in runs if key.system == name and key.learner.startswith("biases")]
        if ours:
            shown = runs[min(ours, key=lambda key: (key.noise, key.learner))]
            save(plot.space_time(shown), folder / f"{name}.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    code = complete(args, args.runs, partial(row, size=args.size), "lattice benchmark")
    if args.runs:
        rows = {
            key: made[list(SCORES)].drop_vars(["time", "state"], errors="ignore") for key, made in args.runs.items()
        }
        data = gather(rows, Key._fields, title="one network for every site", config=args.size._asdict())
        write_netcdf(data, args.out / "lattice.nc")
        _draw(args.runs, args.out)
        text = report(data, args.size, args.command)
        (args.out / "lattice.md").write_text(text)
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
