"""Oscillation without input: biases alone, by start and by solver, beside a fully trained network of as many numbers.

    python benchmarks/oscillate.py [--target NAME] [--states ...] [--gains ...] [--units N] [--seeds K]
                                   [--learners ...] [--out DIR] [--quick] [--resume]

Every learner teaches a network to go round the target's limit cycle by itself (Williams et al., ICLR 2025, Figure 3).
A fit passes where R^2 over the periods learned is above 0.99, and over 100 periods of free run the period is wrong by
less than 1 % and the amplitude by less than 5 %. For each gain the report also says how far biases can push the
resting state towards such an oscillation at all. DIR receives `oscillate.md` (the tables), `oscillate.nc` (all scores,
labelled), figures, and `rows/`, one file a fit: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

import systems
from arguments import Parser
from rnnbias import RNN, Adam, AutonomousFit, GaussNewton, analysis, fit_autonomous, load, plot
from rnnbias.problems.placement import placement
from rnnbias.storage.netcdf import read_netcdf, write_netcdf
from systems import checks
from systems.labels import Labelled, dataset

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
}


def score(fit: AutonomousFit, seconds: float) -> dict[str, float]:
    """The numbers of one row; an error is infinite where no oscillation is left."""
    found = fit.score(periods=_PERIODS)
    errors = {
        name: float(found[name].fillna(np.inf).max()) if not found.failed.any() else np.inf
        for name in ("period_error", "amplitude_error")
    }
    row = {"r_squared": float(found.r_squared[0]), "late_r_squared": float(found.late_r_squared[0]), **errors}
    good = row["r_squared"] > _GOOD["r_squared"] and all(errors[name] < _GOOD[name] for name in errors)
    return {**row, "passed": float(good), "learned": float(fit.network.learned), "seconds": seconds}


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


def _keys(args: argparse.Namespace) -> list[tuple[str, float, int]]:
    return [(name, gain, seed) for seed in range(args.seeds) for gain in args.gains for name in args.learners]


def _path(args: argparse.Namespace, name: str, gain: float, seed: int) -> Path:
    return args.out / "rows" / f"{name}-{gain:g}-{seed}.nc"


def _asked(args: argparse.Namespace) -> str:
    """What every fit depends on beside its learner, gain and seed."""
    return json.dumps({name: getattr(args, name) for name in ("target", "states", "units", "iterations", "steps")})


def check_settings(args: argparse.Namespace) -> None:
    """Refuse to go on from fits that were made with other settings."""
    for path in (_path(args, *key) for key in _keys(args)):
        if path.is_file() and (had := read_netcdf(path).attrs.get("asked")) != _asked(args):
            raise ValueError(
                f"--resume needs the settings of the stored fits, but {path.name} was made with {had}: use another "
                "--out or start afresh"
            )


def run(args: argparse.Namespace) -> dict[tuple[str, float, int], dict[str, float]]:
    """Make the rows that are missing, storing each fit and its numbers as it is finished."""
    period = systems.get(args.target).period / systems.get(args.target).dt
    ways = learners(args.iterations, args.steps)
    rows = {}
    with tqdm(_keys(args), desc="oscillation benchmark", unit="fit") as bar:
        for name, gain, seed in bar:
            bar.set_postfix_str(f"{name} gain {gain:g} seed {seed}")
            path = _path(args, name, gain, seed)
            if args.resume and path.is_file():
                fit, seconds = load(path), float(read_netcdf(path).attrs["seconds"])
            else:
                recipe = replace(GaussNewton.recipe, gain=gain)
                more = {"states": len(args.states)} if name == "full" else {}
                begun = time.perf_counter()
                fit = ways[name].fit(
                    args.units,
                    system=args.target,
                    observed=args.states,
                    recipe=recipe,
                    seed=seed,
                    progress=False,
                    **more,
                )
                seconds = time.perf_counter() - begun
                write_netcdf(fit.to_dataset().assign_attrs(seconds=seconds, asked=_asked(args)), path)
            rows[name, gain, seed] = score(fit, seconds)
            if name == "bias":
                rows[name, gain, seed]["reach"] = reach(args.units, gain, period, seed)
    return rows


def gather(rows: dict[tuple[str, float, int], dict[str, float]], args: argparse.Namespace, command: str) -> xr.Dataset:
    """All scores over seed, gain and learner."""
    shape = args.seeds, len(args.gains), len(args.learners)
    about = {**_SCORES, "reach": ("1", "largest growth of an oscillation at rest that biases were found for, per step")}
    values = {name: np.full(shape, np.nan) for name in about}
    for (name, gain, seed), row in rows.items():
        for key, value in row.items():
            values[key][seed, args.gains.index(gain), args.learners.index(name)] = value
    dims = ("seed", "gain", "learner")
    ways = learners(args.iterations, args.steps)
    return dataset(
        {name: Labelled(dims, values[name], *text) for name, text in about.items()},
        {
            "seed": Labelled("seed", np.arange(args.seeds), "1", "seed of the weights"),
            "gain": Labelled("gain", args.gains, "1", "gain of the weights"),
            "learner": Labelled("learner", args.learners, "1", "learner"),
            "about": Labelled("learner", [ways[name].about for name in args.learners], "1", "what it is"),
        },
        title=f"networks that learned to oscillate like {args.target}",
        config={"command": command, "target": args.target, "states": args.states, "units": args.units},
        references="Williams et al., ICLR 2025 (arXiv:2407.00957), Figure 3",
    )


def table(scores: xr.Dataset, command: str) -> str:
    """The report."""
    lines = [
        f"# Oscillation without input: {scores.title.split()[-1]}",
        "",
        f"    {command}",
        "",
        f"{os.cpu_count()} cores, {scores.attrs['source']}. Medians over {scores.sizes['seed']} seeds; passed: R² > "
        f"{_GOOD['r_squared']:g} over the periods learned, and period wrong by less than {_GOOD['period_error']:.0%} "
        f"and amplitude by less than {_GOOD['amplitude_error']:.0%} over {_PERIODS} periods of free run from rest.",
        "",
        "| gain | learner | learned | passed | R² | R², end | period error | amplitude error | seconds |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for gain in scores.gain.values:
        for name in scores.learner.values:
            each = scores.sel(gain=gain, learner=name)
            middle = each.median("seed")
            cells = [
                f"{float(middle.r_squared):.4f}",
                f"{float(middle.late_r_squared):.4f}",
                *(_percent(middle[k]) for k in ("period_error", "amplitude_error")),
                f"{float(middle.seconds):.1f}",
            ]
            lines.append(
                f"| {gain:g} | {name} | {int(middle.learned)} | {int(each.passed.sum())} of {each.sizes['seed']} | "
                f"{' | '.join(cells)} |"
            )
    if "bias" in scores.learner.values:
        lines += ["", _WHY, ""]
        lines += ["| gain | median | range |", "| ---: | ---: | ---: |"]
        for gain in scores.gain.values:
            each = scores.reach.sel(gain=gain, learner="bias")
            lines.append(
                f"| {gain:g} | {float(each.median()):+.3f} | {float(each.min()):+.3f} to {float(each.max()):+.3f} |"
            )
    lines += ["", "Learners:", ""]
    lines += [f"- `{row.learner.values}`: {row.about.values}." for row in scores.learner]
    return "\n".join(lines) + "\n"


def _percent(value: object) -> str:
    return f"{float(value):.2%}" if np.isfinite(value) else "no oscillation"


def draw(scores: xr.Dataset, args: argparse.Namespace) -> None:
    """The figures: a free run and eigenvalue clouds of the first seed at the best gain, and the sweep."""
    if len(args.gains) > 1:
        _save(plot.gain_sweep(scores.r_squared), args.out / "gain_sweep.png")
    name = args.learners[0]
    best = float(scores.gain[int(scores.passed.sel(learner=name).sum("seed").argmax("gain"))])
    fit = load(args.out / "rows" / f"{name}-{best:g}-0.nc")
    _save(plot.free_runs(fit.run(round(_PERIODS * fit.target.orbit.period))), args.out / "free_run.png")
    cloud = clouds(fit)
    write_netcdf(cloud, args.out / "eigenvalues.nc")
    _save(plot.eigenvalue_cloud(cloud), args.out / "eigenvalues.png")


def _save(axes: object, path: Path) -> None:
    figure = np.ravel(axes)[0].figure
    figure.savefig(path, dpi=160)
    plt.close(figure)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("oscillate.py", description=__doc__.split("\n")[0], allow_abbrev=False)
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
    parser.add_argument("--out", type=Path, default=Path("results/oscillate"), metavar="DIR", help="%(default)s")
    parser.add_argument("--quick", action="store_true", help="a small run for a look, under a minute")
    parser.add_argument("--resume", action="store_true", help="keep the finished fits in DIR")
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
        (args.out / "rows").mkdir(parents=True, exist_ok=True)
        if args.resume:
            check_settings(args)
    except (ValueError, TypeError, OSError) as error:
        parser.error(str(error))
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parse(argv)
    command = shlex.join(["python", "benchmarks/oscillate.py", *(sys.argv[1:] if argv is None else argv)])
    scores = gather(run(args), args, command)
    write_netcdf(scores, args.out / "oscillate.nc")
    text = table(scores, command)
    (args.out / "oscillate.md").write_text(text)
    draw(scores, args)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
