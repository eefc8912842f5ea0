"""Skill against noise: biases beside polynomial regression and an echo-state network, both tuned on training data.

    python benchmarks/noise.py [--system NAME] [--noises ...] [--learners ...] [--seeds K] [--units N] [--out DIR]
                               [--quick] [--resume]

Every seed draws the noise (in standard deviations of each state) and the random weights anew; all learners see the
same noisy trial, and forecast the same windows of other trials, from a true state and from a noisy one. Tuning looks at
the end of the training trial alone. The folder DIR receives `noise.md`, `noise.nc`, `noise.png`, and `rows/`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import xarray as xr

import systems
from arguments import Parser, complete, machine, save, scores
from rnnbias import LevenbergMarquardt, Recipe, Ridge, SystemFit, analysis, fit_system, plot
from rnnbias.evaluation import Forecaster, Polynomial, Runs, forecast_windows, gather, score_windows, tuned
from rnnbias.storage import write_netcdf
from systems import checks
from systems.labels import source
from tables import aligned, number

_TRAIN, _TEST = 0, 1  # seeds of the data; those of the noise begin here
_NOISE_SEED = 1000
_CONTEXT = 100
_MARK = 0.4  # threshold of the valid time
_FEW = 50  # windows of the robustness columns
_STEADY = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])  # noises of the robustness columns
_SCORES = {
    "clean_start": ("Lyapunov times", "median valid time from a true state"),
    "noisy_start": ("Lyapunov times", "median valid time from a noisy state"),
    "learned": ("1", "learned numbers"),
    "seconds": ("s", "time to tune and learn"),
    "moved": ("1", "shift of the biases over the spread of those drawn"),
    "float32": ("Lyapunov times", "valid time with biases of single precision"),
    "bias_noise": ("1", "smallest noise tried on the biases that halves the valid time"),
    "rate_noise": ("1", "smallest noise tried on the rates that halves the valid time"),
}


class Key(NamedTuple):
    """Which row."""

    learner: str
    noise: float
    seed: int


class Size(NamedTuple):
    """What a row's result depends on beside its key."""

    system: str
    units: int
    windows: int
    lengths: tuple[int, ...]
    settings: int
    samples: int = 5000
    reach: float = 20.0  # Lyapunov times of a forecast


def closed(data: xr.DataArray, size: Size, seed: int) -> SystemFit:
    """Biases of independent units, by free runs through the data."""
    solver = LevenbergMarquardt(iterations=12, geodesic=False)
    return fit_system(
        data, units=size.units, seed=seed, closed_loop=size.lengths, solver=solver, holdout=0.02, progress=False
    )


def single(data: xr.DataArray, size: Size, seed: int) -> SystemFit:
    """The same network, by single steps."""
    return fit_system(data, units=size.units, seed=seed, recipe=Recipe.shaping(), hidden=False, progress=False)


def lazy(data: xr.DataArray, size: Size, seed: int) -> SystemFit:
    """Push-pull pairs under a readout of 1e7, of as many biases."""
    return fit_system(data, units=2 * size.units, seed=seed, hidden=False, progress=False)


def polynomial(data: xr.DataArray, size: Size, seed: int) -> Forecaster:
    """Polynomial regression: total degree, delays and ridge tuned."""
    grid = itertools.product(range(1, 8), (1, 2), (0.0, 1e-4, 1e-2, 1.0))
    makers = {
        f"degree {degree}, {delays} delays, ridge {ridge:g}": Polynomial(degree, delays, ridge).fit
        for degree, delays, ridge in grid
        if delays == 1 or degree <= 3
    }
    return tuned(dict(list(makers.items())[:: 1 if size.settings > 4 else 6]), data)[0]


def echo(data: xr.DataArray, size: Size, seed: int) -> Forecaster:
    """An echo-state network of as many learned numbers: spectral radius, input scale and ridge tuned."""

    def maker(radius: float, scale: float, ridge: float) -> Callable[[xr.DataArray], SystemFit]:
        recipe = Recipe(wiring="independent", gain=radius, input_scale=scale, bias_scale=0.5, readout_scale=1.0)
        return lambda values: fit_system(
            values, units=size.units // values.sizes["state"], learn="readout", solver=Ridge(ridge), recipe=recipe,
            seed=seed, holdout=0.02, progress=False,
        )  # fmt: skip

    grid = itertools.product((0.4, 0.9), (0.1, 0.4), (1e-8, 1e-4, 1e-1, 10.0))
    makers = {f"radius {r}, inputs {s}, ridge {k:g}": maker(r, s, k) for r, s, k in grid}
    return tuned(dict(list(makers.items())[: size.settings]), data)[0]


LEARNERS: Mapping[str, Callable[[xr.DataArray, Size, int], Forecaster]] = {
    "polynomial": polynomial, "echo-state": echo, "lazy biases": lazy, "biases, single steps": single,
    "biases, closed loop": closed,
}  # fmt: skip


@cache
def trials(name: str, windows: int, samples: int, reach: float) -> tuple[xr.DataArray, xr.DataArray]:
    """The true training trial, and the test trials: context and what follows."""
    system = systems.get(name)
    if system.lyapunov is None:
        raise ValueError(f"--system must have a known Lyapunov exponent, got {name!r}")
    ahead = (_CONTEXT + 1) * system.dt + reach / system.lyapunov
    train = system.simulate(duration=(samples + 1) * system.dt, seed=_TRAIN).trajectory
    test = system.simulate(trials=windows, duration=ahead, seed=_TEST).trajectory
    return train, test


def noisy(values: xr.DataArray, noise: float, seed: int, scale: xr.DataArray) -> xr.DataArray:
    """`values` with Gaussian noise, in units of `scale`."""
    drawn = np.random.default_rng(_NOISE_SEED + seed).standard_normal(values.shape)
    return (values + noise * scale * xr.DataArray(drawn, dims=values.dims)).assign_attrs(values.attrs)


def row(key: Key, size: Size) -> xr.Dataset:
    """Learn, and score from true and from noisy starts."""
    train, test = trials(size.system, size.windows, size.samples, size.reach)
    scale = train.std(("trial", "time"))
    data = noisy(train, key.noise, key.seed, scale).assign_attrs(lyapunov=systems.get(size.system).lyapunov)
    began = time.perf_counter()
    model = LEARNERS[key.learner](data, size, key.seed)
    found = {"seconds": time.perf_counter() - began, "learned": float(model.learned)}
    truth, steps = test.isel(time=slice(_CONTEXT, -1)), test.sizes["time"] - _CONTEXT - 1

    def valid(model: Forecaster, start: xr.DataArray, windows: int = size.windows) -> float:
        """Median valid time after the contexts of `start`, beside the truth."""
        made = forecast_windows(model, start[:windows], windows=windows, context=_CONTEXT, steps=steps)
        made = made.assign(truth=made.truth.copy(data=truth.values[:windows]), scale=made.scale.copy(data=scale))
        return float(score_windows(made, [_MARK]).valid_time.median())

    found["clean_start"] = valid(model, test)
    found["noisy_start"] = valid(model, noisy(test, key.noise, key.seed + 1, scale))
    if isinstance(model, SystemFit) and "bias" in model.network.learn:
        few = min(_FEW, size.windows)
        steady = analysis.robustness(
            model.network, lambda network: valid(replace(model, network=network), test, few), noises=_STEADY, draws=1,
            progress=False,
        )  # fmt: skip
        found |= {"moved": float(steady.moved_relative), "float32": float(steady.skill_float32)}
        found |= {name: float(steady[name]) for name in ("bias_noise", "rate_noise")}
    return scores(found, {name: _SCORES[name] for name in found})


def report(data: xr.Dataset, size: Size, command: str) -> str:
    """The table."""

    def words(name: str, form: str, learner: str, noise: float) -> str:
        values = data[name].sel(learner=learner, noise=noise).values
        values = values[~np.isnan(values)]
        return number(np.median(values), form) if len(values) else ""

    def spread(learner: str, noise: float) -> str:
        values = data.clean_start.sel(learner=learner, noise=noise).values
        return f"{np.nanmin(values):.1f} to {np.nanmax(values):.1f}"

    header = [
        "noise", "learner", "learned", "valid time", "over seeds", "noisy start", "moved", "float32", "bias noise",
        "rate noise", "seconds",
    ]  # fmt: skip
    cells = [
        [
            f"{100 * noise:g} %", learner, words("learned", "{:.0f}", learner, noise),
            words("clean_start", "{:.2f}", learner, noise), spread(learner, noise),
            words("noisy_start", "{:.2f}", learner, noise),
            *(words(name, form, learner, noise) for name, form in (
                ("moved", "{:.2g}"), ("float32", "{:.2f}"), ("bias_noise", "{:.0e}"), ("rate_noise", "{:.0e}"),
                ("seconds", "{:.0f}"),
            )),
        ]
        for noise in data.noise.values
        for learner in data.learner.values
    ]  # fmt: skip
    return "\n".join([
        f"# Skill against noise: {size.system}", "", f"    {command}", "", f"{machine()}, {source()}.", "",
        f"{size.samples} samples of one trial, noise in standard deviations of each state; {size.windows} windows of "
        f"other trials, {data.sizes['seed']} seeds of noise and weights: medians. Valid times in Lyapunov times at "
        f"threshold {_MARK}, after {_CONTEXT} true or noisy samples, always against the truth.", "",
        *aligned(header, cells), "",
        "*Moved*: root-mean-square shift of the biases over the spread of those drawn. *float32*: the valid time on "
        f"{min(_FEW, size.windows)} windows with biases of single precision. *Bias noise*, *rate noise*: the smallest "
        f"tried ({', '.join(f'{n:g}' for n in _STEADY)}) that halves it; none where empty. Polynomial regression and "
        "the echo-state network were tuned by free runs through the last fifth of the training trial.", "",
    ])  # fmt: skip


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("noise", __doc__, resume=True)
    parser.add_argument("--system", default="lorenz63", metavar="NAME", help="%(default)s")
    parser.add_argument("--noises", type=float, nargs="+", default=[0.0, 0.001, 0.01, 0.05, 0.1], metavar="SD")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), metavar="NAME", help=", ".join(LEARNERS))
    parser.add_argument("--seeds", type=int, default=3, metavar="K", help="%(default)s")
    parser.add_argument("--units", type=int, default=603, metavar="N", help="biases that learn (%(default)s)")
    args = parser.parse_args(argv)
    try:
        for noise in args.noises:
            checks.number("--noises", noise, at_least=0)
        for name in args.learners:
            checks.choice("--learners", name, LEARNERS)
        checks.whole("--seeds", args.seeds, at_least=1)
        checks.whole("--units", args.units, at_least=12)
        args.size = Size(args.system, args.units, 200, (5, 10, 20, 40, 80, 160), 16)
        if args.quick:
            args.size, args.noises, args.seeds = Size(args.system, 60, 10, (5, 10), 2, 600, 5.0), args.noises[-2:], 1
        trials(args.system, args.size.windows, args.size.samples, args.size.reach)
        keys = [Key(*each) for each in itertools.product(args.learners, args.noises, range(args.seeds))]
        args.runs = Runs(args.out / "rows", dict.fromkeys(keys, args.size._asdict()), resume=args.resume)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    code = complete(args.runs, lambda key: row(key, args.size), "noise benchmark")
    if args.runs:
        data = gather(args.runs, Key._fields, title=f"skill against noise, {args.system}", config=args.size._asdict())
        write_netcdf(data, args.out / "noise.nc")
        save(plot.skill_against_noise(data.clean_start), args.out / "noise.png")
        text = report(data, args.size, args.command)
        (args.out / "noise.md").write_text(text)
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
