"""Skill against noise: biases beside polynomial regression and an echo-state network, both tuned on training data.

    python benchmarks/noise.py [--systems ...] [--observed STATE] [--noises ...] [--learners ...] [--seeds K]
                               [--units N] [--readout-scale R] [--out DIR] [--quick] [--resume] [--workers N]

Every seed draws the noise (in standard deviations of each state) and the random weights anew; all learners see the
same noisy trial, and forecast the same windows of other trials, from a true state and from a noisy one. Tuning looks at
the end of the training trial alone. The folder DIR receives `noise.md`, `noise.nc`, `noise.png`, and `rows/`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
import peers
import seeds
import systems
from arguments import Parser, complete, machine, module, save, scores
from rivals import RIVALS
from rnnbias import Recipe, SystemFit, fit_system, plot
from rnnbias.evaluation import Forecaster, Runs, forecast_windows, gather, score_windows
from rnnbias.storage import write_netcdf
from systems import checks
from systems.flows.measure import lyapunov
from systems.labels import source
from tables import aligned, number

_NOISE_SEED = 1000
CONTEXT = 100
MARK = 0.4  # threshold of the valid time
_FOLLOWED = 2000  # samples to measure an exponent by
_FEW = 25  # windows by which noise on biases and rates is borne
SCORES = {
    "clean_start": ("Lyapunov times", "median valid time from a true state"),
    "noisy_start": ("Lyapunov times", "median valid time from a noisy state"),
    "clean_raw": ("Lyapunov times", "median valid time from the very last sample, true, of a context"),
    "learned": ("1", "learned numbers"),
    "seconds": ("s", "time to tune and learn"),
    **columns.SCORES,
    "tuned": peers.TUNED,
}


class Key(NamedTuple):
    """Which row."""

    system: str
    learner: str
    noise: float
    seed: int


class Size(NamedTuple):
    """What a row's result depends on beside its key."""

    units: int
    windows: int
    lengths: tuple[int, ...] | None = None  # of free runs that are learned from; None: as `fit_system` has them
    settings: int = 200  # of each peer, at most, that are tried
    samples: int = 5000
    reach: float = 30.0  # Lyapunov times of a forecast
    observed: str | None = None  # the one state that is seen; None: all are
    readout_scale: float | None = None  # of biases that learn by second order; None: as `fit_system` has it


def closed(data: xr.DataArray, size: Size, seed: int) -> SystemFit:
    """Biases of independent units, by single steps and then by free runs through the data."""
    return _shaped(data, size, seed, size.lengths)


def single(data: xr.DataArray, size: Size, seed: int) -> SystemFit:
    """The same network, by single steps alone."""
    return _shaped(data, size, seed, ())


def _shaped(data: xr.DataArray, size: Size, seed: int, lengths: tuple[int, ...] | None) -> SystemFit:
    recipe = None if size.readout_scale is None else Recipe.shaping(readout_scale=size.readout_scale)
    return fit_system(
        data, units=size.units, seed=seed, recipe=recipe, closed_loop=lengths, holdout=0.02,
        hidden=size.observed is not None, progress=False,
    )  # fmt: skip


def lazy(data: xr.DataArray, size: Size, seed: int) -> SystemFit:
    """The lazy limit of as many biases: a linear regression on the slopes of untaught units."""
    return fit_system(
        data, units=2 * size.units, seed=seed, recipe=Recipe.lazy(), closed_loop=(), holdout=0.02, progress=False
    )


def polynomial(data: xr.DataArray, size: Size, seed: int) -> Forecaster:
    """See `peers.polynomial`."""
    return peers.polynomial(data, size.settings, stirred=size.observed is not None)


def echo(data: xr.DataArray, size: Size, seed: int) -> Forecaster:
    """See `peers.echo_state`; it learns as many numbers."""
    return peers.echo_state(data, size.units, seed, size.settings)


LEARNERS: Mapping[str, Callable[[xr.DataArray, Size, int], Forecaster]] = {
    "polynomial": polynomial, "echo-state": echo, "lazy biases": lazy, "biases, single steps": single,
    "biases, closed loop": closed, **RIVALS,
}  # fmt: skip
_USUAL = [name for name in LEARNERS if name not in RIVALS]


@cache
def exponent(name: str) -> float:
    """The largest Lyapunov exponent of a system, measured where it is not known."""
    system = systems.get(name)
    if system.period is not None:
        raise ValueError(f"--systems must be chaotic, got {name!r}")
    return system.lyapunov or lyapunov(system, _FOLLOWED * system.dt, seed=seeds.TRAIN)[0]


@cache
def trials(
    name: str, windows: int, samples: int, reach: float, observed: str | None = None
) -> tuple[xr.DataArray, xr.DataArray]:
    """The true training trial, and the test trials: context and what follows."""
    seen = None if observed is None else [observed]
    system = systems.get(name)
    ahead = (CONTEXT + 1) * system.dt + reach / exponent(name)
    train = system.simulate(duration=(samples + 1) * system.dt, seed=seeds.TRAIN, observed=seen).trajectory
    test = system.simulate(trials=windows, duration=ahead, seed=seeds.TEST, observed=seen).trajectory
    return train, test


def noisy(values: xr.DataArray, noise: float, scale: xr.DataArray, *stream: int) -> xr.DataArray:
    """`values` with Gaussian noise in units of `scale`; each `stream` has noise of its own."""
    drawn = np.random.default_rng((_NOISE_SEED, *stream)).standard_normal(values.shape)
    return (values + noise * scale * xr.DataArray(drawn, dims=values.dims)).assign_attrs(values.attrs)


def undenoised(model: SystemFit) -> SystemFit:
    """The same fit, whose forecasts begin at the very last sample of a context."""
    return replace(model, settings={**model.settings, "noise": 0.0})


def row(key: Key, size: Size) -> xr.Dataset:
    """Learn, and score from true and from noisy starts."""
    train, test = trials(key.system, size.windows, size.samples, size.reach, size.observed)
    scale = train.std(("trial", "time"))
    data = noisy(train, key.noise, scale, seeds.TRAIN, key.seed).assign_attrs(lyapunov=exponent(key.system))
    began = time.perf_counter()
    model = LEARNERS[key.learner](data, size, key.seed)
    found = {"seconds": time.perf_counter() - began, "learned": float(model.learned), "tuned": peers.chosen(model)}
    truth, steps = test.isel(time=slice(CONTEXT, -1)), test.sizes["time"] - CONTEXT - 1

    def valid(model: Forecaster, start: xr.DataArray, windows: int = size.windows) -> float:
        """Median valid time after the contexts of `start`, beside the truth."""
        start = start[:windows]
        made = forecast_windows(model, start, windows=len(start), context=CONTEXT, steps=steps)
        made = made.assign(truth=made.truth.copy(data=truth.values[:windows]), scale=made.scale.copy(data=scale))
        return float(score_windows(made, [MARK]).valid_time.median())

    found["clean_start"] = valid(model, test)
    found["noisy_start"] = valid(model, noisy(test, key.noise, scale, seeds.TEST, key.seed))
    if isinstance(model, SystemFit) and model.network.learn == ("bias",):
        raw = undenoised(model)
        found["clean_raw"] = valid(raw, test)
        found |= columns.steadiness(raw.network, lambda network: valid(replace(raw, network=network), test, _FEW))
        found["float32"] = valid(replace(raw, network=columns.rounded(raw.network)), test)
    return scores({name: found.get(name, np.nan) for name in SCORES}, SCORES)


def report(data: xr.Dataset, size: Size, command: str) -> str:
    """The table."""
    names = [str(name) for name in data.system.values]

    def cells(system: str, learner: str, noise: float) -> list[str]:
        one = data.sel(system=system, learner=learner, noise=noise)
        row, each = one.median("seed"), one.clean_start.dropna("seed").values
        return [
            f"{100 * noise:g} %",
            learner,
            *([system] if len(names) > 1 else []),
            number(row.learned, "{:.0f}"),
            number(row.clean_start, "{:.2f}"),
            f"{min(each):.1f} to {max(each):.1f} ({len(each)})" if len(each) > 1 else "",
            number(row.clean_raw, "{:.2f}"),
            number(row.noisy_start, "{:.2f}"),
            *columns.words(row, "{:.2f}"),
            number(row.seconds, "{:.0f}"),
        ]

    header = ["noise", "learner", *(["system"] if len(names) > 1 else []), "learned", "valid time", "over seeds"]
    header += ["clean raw", "noisy start", *columns.HEADER, "seconds"]
    table = [
        cells(*each)
        for each in itertools.product(names, data.learner.values, data.noise.values)
        if data.seconds.sel(dict(zip(("system", "learner", "noise"), each, strict=True))).notnull().any()
    ]
    exponents = ", ".join(f"{name} {exponent(name):.3g}" for name in names)
    return "\n".join([
        f"# Skill against noise: {', '.join(names)}{f' by {size.observed} alone' if size.observed else ''}", "",
        f"    {command}", "", f"{machine()}, {source()}.", "",
        f"{size.samples} samples of one trial, noise in standard deviations of each state; {size.windows} windows of "
        "other trials; medians over seeds of noise and weights, how many in brackets. Valid times in Lyapunov times "
        f"(exponents per time unit: {exponents}) at threshold {MARK}, at most {size.reach:g}, always "
        f"against the truth; *valid time* and *clean raw* after {CONTEXT} true samples, *noisy start* after noisy "
        "ones. Biases that learned in closed loop begin a forecast at what they estimate behind the last samples, but "
        "for *clean raw*, where they begin at the very last.", "",
        *_leaders(data), "", *aligned(header, table), "", *told(data),
        columns.note(f"*clean raw*, under noise on {min(_FEW, size.windows)} windows"), "",
        "Polynomial regression and the echo-state network were tuned by free runs through the second half of the "
        "training trial; no choice was made on trials that are tested here.", "",
    ])  # fmt: skip


def told(data: xr.Dataset) -> Iterator[str]:
    """What tuning chose."""
    for system, learner, noise in itertools.product(data.system.values, data.learner.values, data.noise.values):
        if text := peers.settings(data.tuned.sel(system=system, learner=learner, noise=noise)):
            yield f"- Tuned, {learner} on {system} at {100 * noise:g} % noise: {text}."
    yield ""


def _leaders(data: xr.Dataset) -> Iterator[str]:
    """Who forecasts longest at each noise, from true starts."""
    for system, noise in itertools.product(data.system.values, data.noise.values):
        middle = data.clean_start.sel(system=system, noise=noise).median("seed").dropna("learner")
        ranked = middle.sortby(-middle)
        best = [f"{name} {value:.2f}" for name, value in zip(ranked.learner.values, ranked.values, strict=True)]
        yield f"- Longest on {system} at {100 * noise:g} % noise: {'; '.join(best)}."


def _draw(scores: xr.DataArray) -> object:
    """Skill against noise, or, of several systems, at the largest noise."""
    if scores.sizes["system"] == 1:
        return plot.skill_against_noise(scores.isel(system=0))
    return plot.skill_by_system(scores.isel(noise=-1))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("noise", __doc__, rows=True)
    parser.add_argument("--systems", nargs="+", default=["lorenz63"], metavar="NAME", help="lorenz63; also dysts:NAME")
    parser.add_argument("--observed", metavar="STATE", help="the one state that is seen (all)")
    parser.add_argument("--noises", type=float, nargs="+", default=[0.0, 0.001, 0.01, 0.05, 0.1], metavar="SD")
    parser.add_argument("--learners", nargs="+", default=_USUAL, metavar="NAME", help=", ".join(LEARNERS))
    parser.add_argument("--seeds", type=int, default=3, metavar="K", help="%(default)s")
    parser.add_argument("--units", type=int, default=603, metavar="N", help="biases that learn (%(default)s)")
    parser.add_argument(
        "--readout-scale", type=float, metavar="R", help="of biases, over sqrt(N) (as fit_system has it)"
    )
    args = parser.parse_args(argv)
    try:
        for noise in args.noises:
            checks.number("--noises", noise, at_least=0)
        for name in args.learners:
            checks.choice("--learners", name, LEARNERS)
        checks.whole("--seeds", args.seeds, at_least=1)
        checks.whole("--units", args.units, at_least=12)
        if args.readout_scale is not None:
            checks.number("--readout-scale", args.readout_scale, above=0)
            if args.observed is not None:
                raise ValueError("--readout-scale must be left out with --observed, where scales are tried")
        args.size = Size(args.units, 200, observed=args.observed, readout_scale=args.readout_scale)
        if args.quick:
            args.size = Size(60, 10, (5, 10), 20, 600, 5.0, args.observed, args.readout_scale)
            args.noises, args.seeds = args.noises[-2:], 1
        for name in args.systems:
            trials(name, args.size.windows, args.size.samples, args.size.reach, args.size.observed)
        keys = [Key(*each) for each in itertools.product(args.systems, args.learners, args.noises, range(args.seeds))]
        args.runs = Runs(args.out / "rows", dict.fromkeys(keys, args.size._asdict()), resume=args.resume)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    code = complete(args, args.runs, partial(row, size=args.size), "noise benchmark")
    if args.runs:
        data = gather(args.runs, Key._fields, title="skill against noise", config=args.size._asdict())
        write_netcdf(data, args.out / "noise.nc")
        save(_draw(data.clean_start), args.out / "noise.png")
        text = report(data, args.size, args.command)
        (args.out / "noise.md").write_text(text)
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
