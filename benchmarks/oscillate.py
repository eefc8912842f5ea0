"""Oscillation without input: biases alone, by start and by solver, beside a fully trained network of as many numbers.

    python benchmarks/oscillate.py [--target NAME] [--states ...] [--gains ...] [--units N] [--seeds K]
                                   [--learners ...] [--out DIR] [--quick] [--resume] [--workers N]

Every learner teaches a network to go round the target's limit cycle by itself (Williams et al., ICLR 2025, Figure 3).
A fit passes where R^2 over the periods learned is above 0.99, and over 100 periods of free run the period is wrong by
less than 1 % and the amplitude by less than 5 %. For each gain the report also says how far biases can push the
resting state towards such an oscillation at all. DIR receives `oscillate.md` (the tables), `oscillate.nc` (all scores,
labelled), figures, and `rows/`, one file a fit: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

import columns
import systems
from arguments import Parser, complete, cores, module, save, scores
from rnnbias import RNN, Adam, AutonomousFit, GaussNewton, analysis, fit_autonomous, load, plot
from rnnbias.evaluation import Runs, gather
from rnnbias.problems.placement import placement
from rnnbias.storage import write_netcdf
from systems import checks

_PERIODS = 100
_GOOD = {"r_squared": 0.99, "period_error": 0.01, "amplitude_error": 0.05}
_REACH = 0.3  # growth asked for where it is measured how far biases can push
_FULL_READOUT = 3.0  # scale of the readout that a full network starts from
_MOMENTS = 8  # of the Jacobians along a period

_WHY = (
    "How fast an oscillation of this period can be made to grow from rest (logarithm of the swing, per step; below 0 "
    "it dies out), by the biases that placement finds for a goal far off. At rest the network's derivative is -alpha "
    "+ beta diag(d) W, and biases choose the slopes d freely between 0 and 1: the limit is one of the weights and not "
    "of the solver, though a local search may miss the last of it. Where |alpha| + beta |W| < 1, which is below a "
    "gain of one half, the network contracts, and no biases make it do anything but rest."
)


@dataclass(frozen=True)
class Learner:
    """A way to learn: `fit(units, **more)` teaches a network of which about `units` numbers learn."""

    about: str
    fit: Callable[..., AutonomousFit]


def _biases(start: str, solver: object) -> Callable[..., AutonomousFit]:
    def fit(units: int, **more: object) -> AutonomousFit:
        return fit_autonomous(units=units, start=start, settle=int(start == "hopf"), solver=solver, **more)

    return fit


def _full(steps: int) -> Callable[..., AutonomousFit]:
    def fit(units: int, states: int, **more: object) -> AutonomousFit:
        side = round((-(states + 1) + np.sqrt((states + 1) ** 2 + 4 * units)) / 2)  # n^2 + (states + 1) n = units
        learn = ("weights", "bias", "readout")
        recipe = replace(more.pop("recipe"), readout_scale=_FULL_READOUT)
        adam = Adam(iterations=steps, rate=0.01)
        return fit_autonomous(units=side, learn=learn, start="drawn", settle=0, solver=adam, recipe=recipe, **more)

    return fit


def learners(iterations: int, steps: int) -> dict[str, Learner]:
    """All learners by name, for so many iterations of Gauss-Newton and steps of Adam."""
    newton = GaussNewton(iterations=iterations)
    adam = Adam(iterations=steps, rate=0.1)
    return {
        "bias": Learner("biases alone, from the onset of the oscillation, by Gauss-Newton", _biases("hopf", newton)),
        "bias-drawn": Learner("biases alone, as drawn, by Gauss-Newton", _biases("drawn", newton)),
        "bias-adam": Learner("biases alone, as drawn, by Adam at rate 0.1 (the paper's)", _biases("drawn", adam)),
        "bias-onset-adam": Learner("biases alone, from the onset, by Adam at rate 0.1", _biases("hopf", adam)),
        "full": Learner("weights, biases and readout of a smaller network, by Adam at rate 0.01", _full(steps)),
    }


_SCORES = {
    "r_squared": ("1", "R² over the periods learned"),
    "late_r_squared": ("1", "R² at the end of the free run, in phase"),
    "period_error": ("1", "relative error of the period"),
    "amplitude_error": ("1", "relative error of the amplitude, worst state"),
    "passed": ("1", "passed"),
    "learned": ("1", "learned numbers"),
    "seconds": ("s", "time to fit"),
    **columns.SCORES,
    "reach": ("1", "largest growth of an oscillation at rest that biases were found for, per step"),
}


class Key(NamedTuple):
    """Which fit."""

    learner: str
    gain: float
    seed: int


def score(fit: AutonomousFit, seconds: float) -> dict[str, float]:
    """The numbers of one row; an error is infinite where no oscillation is left."""
    found = fit.score(periods=_PERIODS)
    errors = {
        name: float(found[name].fillna(np.inf).max()) if not found.failed.any() else np.inf
        for name in ("period_error", "amplitude_error")
    }
    row = {"r_squared": float(found.r_squared[0]), "late_r_squared": float(found.late_r_squared[0]), **errors}
    good = row["r_squared"] > _GOOD["r_squared"] and all(errors[name] < _GOOD[name] for name in errors)
    steady = columns.steadiness(fit)
    return {**row, "passed": float(good), "learned": float(fit.learned), "seconds": seconds, **steady}


def reach(units: int, gain: float, period: float, seed: int) -> float:
    """The largest growth per step of an oscillation of this period that placement finds biases for."""
    recipe = replace(GaussNewton.recipe, gain=gain, seed=seed)
    network = RNN(units, 0, 1, recipe=recipe, alpha=-0.7, beta=0.3)
    return float(np.log(np.abs(placement(network, np.exp(_REACH + 2j * np.pi / period), seed).placed[0])))


def clouds(fit: AutonomousFit) -> xr.Dataset:
    """Eigenvalues of the network along a period of its run, before and after learning."""
    parts = []
    for network in (analysis.untrained(fit.network), fit.network):
        step, rate = replace(fit, network=network).free_map()
        states = [rate]
        with torch.no_grad():
            for _ in range(int(fit.target.orbit.period)):
                states.append(step(states[-1]))
        every = max(1, len(states) // _MOMENTS)
        parts.append(analysis.eigenvalues(step, torch.stack(states, 1), fit.target.dt, every=every))
    return xr.concat(parts, "stage", combine_attrs="override").assign_coords(stage=["before", "after"])


def run(key: Key, target: str, states: list[str], units: int, iterations: int, steps: int) -> xr.Dataset:
    """Make one fit."""
    more = {"states": len(states)} if key.learner == "full" else {}
    begun = time.perf_counter()
    fit = learners(iterations, steps)[key.learner].fit(
        units, system=target, observed=states, recipe=replace(GaussNewton.recipe, gain=key.gain),
        seed=key.seed, progress=False, **more,
    )  # fmt: skip
    return fit.to_dataset().assign_attrs(seconds=time.perf_counter() - begun)


def gathered(args: argparse.Namespace) -> xr.Dataset:
    """All scores over seed, gain and learner."""
    period = systems.get(args.target).period / systems.get(args.target).dt
    rows = {}
    for key, made in args.runs.items():
        row = score(load(args.runs.path(key)), float(made.attrs["seconds"]))
        if key.learner == "bias":
            row["reach"] = reach(args.units, key.gain, period, key.seed)
        rows[key] = scores(dict.fromkeys(_SCORES, np.nan) | row, _SCORES)
    ds = gather(
        rows, Key._fields, title=f"networks that learned to oscillate like {args.target}",
        config={"command": args.command, "target": args.target, "states": args.states, "units": args.units},
        references="Williams et al., ICLR 2025 (arXiv:2407.00957), Figure 3",
    )  # fmt: skip
    ways = learners(args.iterations, args.steps)
    about = [ways[name].about for name in ds.learner.values]
    ds = ds.assign_coords(about=("learner", about, {"units": "1", "long_name": "what it is"}))
    return ds.transpose("seed", "gain", "learner")


def table(found: xr.Dataset, command: str) -> str:
    """The report."""
    lines = [
        f"# Oscillation without input: {found.title.split()[-1]}",
        "",
        f"    {command}",
        "",
        f"{cores()} cores, {found.attrs['source']}. Medians over {found.sizes['seed']} seeds; passed: R² > "
        f"{_GOOD['r_squared']:g} over the periods learned, and period wrong by less than {_GOOD['period_error']:.0%} "
        f"and amplitude by less than {_GOOD['amplitude_error']:.0%} over {_PERIODS} periods of free run from rest.",
        "",
        "| gain | learner | learned | passed | R² | R², end | period error | amplitude error | "
        f"{' | '.join(columns.HEADER)} | seconds |",
        f"| ---: | --- |{' ---: |' * (7 + len(columns.HEADER))}",
    ]
    for gain in found.gain.values:
        for name in found.learner.values:
            each = found.sel(gain=gain, learner=name)
            middle = each.median("seed")
            cells = [
                f"{float(middle.r_squared):.4f}",
                f"{float(middle.late_r_squared):.4f}",
                *(_percent(middle[k]) for k in ("period_error", "amplitude_error")),
                *columns.words(middle, "{:.4f}"),
                f"{float(middle.seconds):.1f}",
            ]
            lines.append(
                f"| {gain:g} | {name} | {int(middle.learned)} | {int(each.passed.sum())} of {each.sizes['seed']} | "
                f"{' | '.join(cells)} |"
            )
    lines += ["", columns.note("R² over the periods learned")]
    if "bias" in found.learner.values:
        lines += ["", _WHY, ""]
        lines += ["| gain | median | range |", "| ---: | ---: | ---: |"]
        for gain in found.gain.values:
            each = found.reach.sel(gain=gain, learner="bias")
            lines.append(
                f"| {gain:g} | {float(each.median()):+.3f} | {float(each.min()):+.3f} to {float(each.max()):+.3f} |"
            )
    lines += ["", "Learners:", ""]
    lines += [f"- `{row.learner.values}`: {row.about.values}." for row in found.learner]
    return "\n".join(lines) + "\n"


def _percent(value: object) -> str:
    return f"{float(value):.2%}" if np.isfinite(value) else "no oscillation"


def draw(found: xr.Dataset, args: argparse.Namespace) -> None:
    """The figures: a free run and eigenvalue clouds of the first seed at the best gain, and the sweep."""
    if len(args.gains) > 1:
        save(plot.gain_sweep(found.r_squared), args.out / "gain_sweep.png")
    name = args.learners[0]
    best = float(found.gain[int(found.passed.sel(learner=name).sum("seed").argmax("gain"))])
    fit = load(args.runs.path(Key(name, best, 0)))
    save(plot.free_runs(fit.run(round(_PERIODS * fit.target.orbit.period))), args.out / "free_run.png")
    cloud = clouds(fit)
    write_netcdf(cloud, args.out / "eigenvalues.nc")
    save(plot.eigenvalue_cloud(cloud), args.out / "eigenvalues.png")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("oscillate", __doc__, rows=True)
    parser.add_argument("--target", default="van_der_pol", metavar="NAME", help="a system with a period (van_der_pol)")
    parser.add_argument("--states", nargs="+", metavar="NAME", help="what is generated (the first state)")
    parser.add_argument("--gains", type=float, nargs="+", default=[1.2], metavar="G", help="gains of the weights (1.2)")
    parser.add_argument(
        "--units", type=int, default=200, metavar="N", help="units, and about the numbers learned (200)"
    )
    parser.add_argument("--seeds", type=int, default=10, metavar="K", help="seeds of the weights (10)")
    parser.add_argument("--learners", nargs="+", default=["bias"], metavar="NAME", help=", ".join(learners(1, 1)))
    parser.add_argument("--iterations", type=int, default=40, metavar="I", help="of Gauss-Newton (40)")
    parser.add_argument("--steps", type=int, default=500, metavar="S", help="of Adam (500)")
    args = parser.parse_args(argv)
    if args.quick:
        args.units, args.seeds, args.iterations, args.steps = 60, 1, 5, 10
    try:
        system = systems.get(args.target)
        if system.period is None:
            raise ValueError(f"--target must have a period, got {args.target!r}")
        args.states = [checks.choice("--states", each, system.states) for each in args.states or system.states[:1]]
        args.gains = [checks.number("--gains", gain, above=0) for gain in dict.fromkeys(args.gains)]
        args.learners = [checks.choice("--learners", name, learners(1, 1)) for name in dict.fromkeys(args.learners)]
        checks.whole("--units", args.units, at_least=10)
        for name in ("seeds", "iterations", "steps"):
            checks.whole(f"--{name}", getattr(args, name), at_least=1)
        args.settings = {name: getattr(args, name) for name in ("target", "states", "units", "iterations", "steps")}
        keys = [Key(name, gain, seed) for seed in range(args.seeds) for gain in args.gains for name in args.learners]
        args.runs = Runs(args.out / "rows", dict.fromkeys(keys, args.settings), resume=args.resume)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    args.command = parser.command(argv)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    if code := complete(args, args.runs, partial(run, **args.settings), "oscillation benchmark"):
        return code
    found = gathered(args)
    write_netcdf(found, args.out / "oscillate.nc")
    text = table(found, args.command)
    (args.out / "oscillate.md").write_text(text)
    draw(found, args)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(module(__file__).main())
