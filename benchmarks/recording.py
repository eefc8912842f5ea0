"""Forecast a recording of your own with learned biases, beside what they must beat.

    python benchmarks/recording.py FILE [--variables ...] [--dt DT] [--units N] [--seeds K] [--test F]
                                        [--out DIR] [--resume] [--workers N]

FILE is netCDF, with a dimension `time` and, if wanted, `trial` and one more for the states; or CSV with a line of
names (`hand [m]`: with units), a column `time` (or --dt) and one column a state. The last part of every trial is kept
for the test; everything before it goes to `fit_system` with its defaults, and to persistence, linear and quadratic
autoregression. Each then predicts every test sample from the true ones before it (one step), and runs on alone from
many places in the test data (free run). DIR receives `recording.md` (the table), `recording.nc`, `traces.png`, and
`rows/`, one file a fit: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
from arguments import Parser, complete, module, save, scores
from rnnbias import SystemFit, fit_system, metrics, plot
from rnnbias.datasets.recordings import SHORTEST, read
from rnnbias.evaluation import (
    NVAR,
    Forecaster,
    LinearAutoregression,
    Persistence,
    Runs,
    forecast_windows,
    gather,
    score_windows,
)
from rnnbias.evaluation.forecasters import read_like
from rnnbias.networks.recipe import digest
from rnnbias.storage import write_netcdf
from systems import checks, labels
from tables import aligned, number

_CONTEXT = 200  # true samples before a free run, where the test data have as many to spare
_WINDOWS = 50
_THRESHOLD = 0.4
_SMOOTHING = 20.0  # of the spectra, in frequency bins
_LINEAR = {f"linear, {k} delays": k for k in (5, 50)}  # autoregressions

SCORES = {
    "learned": ("1", "learned numbers"),
    "seconds": ("s", "time to fit"),
    "step_error": ("1", "root mean square error one step ahead, in training standard deviations"),
    "spectral_distance": ("1", "Hellinger distance of the spectra of a free run and the truth"),
    "spread": ("1", "standard deviation of a free run over the truth's"),
    **columns.SCORES,
}


class Key(NamedTuple):
    """Which row."""

    seed: int
    learner: str


class Size(NamedTuple):
    """What a row's result depends on beside its key and the recording."""

    dt: float | None
    test: float
    units: int | None


def open_recording(path: Path, variables: Sequence[str] | None) -> xr.Dataset:
    """Read a netCDF or CSV file."""
    if not path.is_file():
        raise FileNotFoundError(f"FILE must name a file, got {str(path)!r}")
    if path.suffix.lower() == ".csv":
        ds = _open_csv(path)
    else:
        try:
            ds = xr.load_dataset(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"FILE must be netCDF or .csv, got {str(path)!r} ({error})") from error
    if variables:
        ds = ds[[checks.choice("--variables", name, tuple(map(str, ds.data_vars))) for name in variables]]
    return ds.assign_attrs(title=ds.attrs.get("title", path.stem))


def _open_csv(path: Path) -> xr.Dataset:
    with path.open(newline="") as file:
        names, *rows = [*csv.reader(file)] or [[]]
    if not names:
        raise ValueError(f"FILE must have a line of names, but {path.name} is empty")
    values = np.full((len(rows), len(names)), np.nan)
    for line, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(f"{path.name} must have {len(names)} columns on every line, got {len(row)} on {line + 2}")
        for column, text in enumerate(row):
            try:
                values[line, column] = float(text) if text.strip() else np.nan
            except ValueError:
                raise ValueError(
                    f"{path.name} must hold numbers, got {text!r} on line {line + 2}, column {names[column]!r}"
                ) from None
    found = {}
    for name, column in zip(names, values.T, strict=True):
        bare, units = re.fullmatch(r"\s*(.*?)\s*(?:\[(.*)\])?\s*", name).groups()
        found[bare] = ("time", column, {"units": units or "1"})
    times = {"time": found.pop("time")} if "time" in found else {}
    return xr.Dataset(found, times)


def split(ds: xr.Dataset, dt: float | None, share: float) -> tuple[xr.Dataset, xr.Dataset, int]:
    """Check a recording; return its first part, and what tests it with so many samples of context before that."""
    samples = read(ds, dt).values.shape[1]
    count = round(share * samples)
    if samples - count < SHORTEST or count < 20:
        raise ValueError(
            f"the recording must have at least {SHORTEST} samples to learn from and 20 to test, got {samples - count} "
            f"and {count} of {samples}: too short"
        )
    context = min(_CONTEXT, samples - count)
    return ds.isel(time=slice(0, samples - count)), ds.isel(time=slice(samples - count - context, None)), context


def planned(ds: xr.Dataset, size: Size, seeds: int) -> dict[Key, object]:
    """The rows, and what each depends on; linear autoregressions only where the data suffice."""
    train, _, _ = split(ds, size.dt, size.test)
    _, samples, states = read(train, size.dt).values.shape
    linear = [name for name, k in _LINEAR.items() if k * states < samples // 4]
    keys = [Key(0, name) for name in ("persistence", *linear, "nvar")] + [Key(seed, "bias") for seed in range(seeds)]
    settings = {"recording": digest(read(ds, size.dt).values), **size._asdict()}
    return dict.fromkeys(keys, settings)


def learn(key: Key, train: xr.Dataset, size: Size) -> Forecaster:
    """One fit."""
    if key.learner == "bias":
        return fit_system(train, dt=size.dt, units=size.units, seed=key.seed, progress=False)
    baselines = {"persistence": Persistence(), "nvar": NVAR()}
    baselines |= {name: LinearAutoregression(k) for name, k in _LINEAR.items()}
    return baselines[key.learner].fit(train, size.dt)


def row(key: Key, ds: xr.Dataset, size: Size) -> xr.Dataset:
    """Learn and score."""
    train, test, context = split(ds, size.dt, size.test)
    begun = time.perf_counter()
    model = learn(key, train, size)
    taken = scores({"seconds": time.perf_counter() - begun}, SCORES)
    return score(model, test, context, read(train, size.dt).values.std((0, 1))).merge(taken)


def step_error(model: Forecaster, test: xr.Dataset, truth: np.ndarray, scale: np.ndarray) -> float:
    """Root-mean-square error of predicting every sample of `truth`, which ends the test data, one step ahead."""
    ahead = model.drive(test).prediction.values[:, -truth.shape[1] - 1 : -1]
    return float(np.sqrt((((ahead - truth) / scale) ** 2).mean()))


def score(model: Forecaster, test: xr.Dataset, context: int, scale: np.ndarray) -> xr.Dataset:
    """One-step error and free runs on the test data."""
    truth = read_like(model.recording, test).values[:, context:]
    trials, samples, _ = truth.shape
    steps = max(10, samples // 2)
    windows = trials * min(ceil(_WINDOWS / trials), samples - steps + 1)
    made = forecast_windows(model, test, windows=windows, context=context, steps=steps)
    valid = score_windows(made.assign(scale=made.scale.copy(data=scale)), [_THRESHOLD]).valid_time
    whole = forecast_windows(model, test, windows=trials, context=context, steps=samples)
    run, apart = whole.forecast, np.nan
    if samples >= 8 * _SMOOTHING:
        apart = metrics.spectral_distance(run, whole.truth, _SMOOTHING).mean().item()
    row = {
        "learned": model.learned,
        "step_error": step_error(model, test, truth, scale),
        "spectral_distance": apart,
        "spread": run.values.std((0, 1)).mean() / truth.std((0, 1)).mean() if np.isfinite(run).all() else np.inf,
    }
    if isinstance(model, SystemFit):
        steady = columns.steadiness(
            model.network, lambda network: 1 / step_error(replace(model, network=network), test, truth, scale)
        )
        row |= steady | {"float32": 1 / steady["float32"]}
    valid = valid.isel(threshold=0, drop=True).reset_coords(drop=True).rename(trial="window")
    return scores(row, SCORES).assign(valid_time=valid, free_run=run.isel(trial=0, drop=True))


def gathered(rows: Mapping[Key, xr.Dataset], ds: xr.Dataset, size: Size, seeds: int) -> xr.Dataset:
    """The labelled results, with the test data."""
    _, test, context = split(ds, size.dt, size.test)
    whole, truth = read(ds, size.dt), read(test, size.dt, shortest=1).values[0, context:]
    config = {
        "recording": whole.name,
        "samples": whole.values.shape[1],
        "trials": len(whole.values),
        "dt": whole.dt,
        "test": len(truth),
        "context": context,
        "threshold": _THRESHOLD,
        "units": size.units or "default",
        "seed": list(range(seeds)),
    }
    found = gather(rows, Key._fields, title=f"Forecasts of {whole.name}", config=config)
    found["truth"] = ("time", "state"), truth, {"units": "see state_units", "long_name": "test data"}
    return found.assign_attrs({f"recording_{k}": str(ds.attrs[k]) for k in ("source", "license") if k in ds.attrs})


def report(found: xr.Dataset, command: str) -> str:
    """The table and what one needs to read it."""
    about = labels.config(found)
    units, unit = (
        "time units" if u == "1" else u for u in (found.time.attrs["units"], found.valid_time.attrs["units"])
    )
    lines = [
        f"# Forecasting {about['recording']} with learned biases",
        "",
        f"    {command}",
        "",
        *(
            f"- {k.title()}: {found.attrs[f'recording_{k}']}."
            for k in ("source", "license")
            if f"recording_{k}" in found.attrs
        ),
        f"- Data: {about['trials']} x {about['samples']:,} samples of {', '.join(map(str, found.state.values))}, one "
        f"every {about['dt']:.4g} {units}; the last {about['test']:,} of a trial are the test.",
        "- One step: error of predicting each test sample from the true ones before it, in standard deviations of the "
        "training data, and over that of persistence.",
        f"- Free runs: {found.sizes['window']} windows of the test data after {about['context']} true samples; valid "
        f"until the error exceeds {about['threshold']} standard deviations, in {unit}. D_H and spread (standard "
        "deviation over the truth's): one free run through all test data.",
        "- Medians over seeds of the weights, with the range where there are several.",
        "",
    ]
    header = ["learner", "", "learned", "fit (s)", "one step", "over persistence", "valid time", "IQR", "D_H", "spread"]
    header += columns.HEADER
    still = float(found.step_error.sel(learner="persistence").median("seed"))
    cells = []
    for name in found.learner.values:
        one = found.sel(learner=name)
        middle, windows = one.median("seed"), one.valid_time.values[np.isfinite(one.valid_time.values)]
        several = int(np.isfinite(one.step_error).sum()) > 1
        span = f" [{float(one.step_error.min()):.3g}, {float(one.step_error.max()):.3g}]" if several else ""
        cells.append(
            [
                str(name),
                "biases only" if name == "bias" else "baseline",
                number(middle.learned, "{:.0f}"),
                number(middle.seconds, "{:.1f}"),
                number(middle.step_error, "{:.3g}") + span,
                number(middle.step_error / still, "{:.2f}"),
                number(one.valid_time.median("window").median("seed"), "{:.3g}"),
                "–".join(f"{q:.3g}" for q in np.quantile(windows, [0.25, 0.75])),
                number(middle.spectral_distance, "{:.2f}"),
                number(middle.spread, "{:.2f}"),
                *columns.words(middle, "{:.3g}"),
            ]
        )
    note = columns.note("one over the error one step ahead")
    return "\n".join([*lines, *aligned(header, cells), "", note]) + "\n"


def draw(found: xr.Dataset) -> np.ndarray:
    """Draw the free runs of the first seed through the first half of the test data; returns the axes."""
    first = found.isel(seed=0, time=slice(0, max(10, found.sizes["time"] // 2)), state=slice(0, 4))
    return plot.traces(first[["truth"]].assign(trace=first.free_run, valid_time=first.valid_time.isel(window=0)))


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write and print; returns the exit code."""
    parser = Parser("recording", __doc__, quick=False, rows=True)
    parser.add_argument("file", type=Path, metavar="FILE", help="netCDF or CSV")
    parser.add_argument("--variables", nargs="+", metavar="NAME", help="which variables or columns (all over time)")
    parser.add_argument("--dt", type=float, help="time between samples, where FILE has no times")
    parser.add_argument("--units", type=int, metavar="N", help="units of the network (as fit_system has it)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument(
        "--test", type=float, default=0.25, metavar="F", help="fraction of a trial kept for the test (0.25)"
    )
    args = parser.parse_args(argv)
    try:
        checks.whole("--seeds", args.seeds, at_least=1)
        if args.units is not None:
            checks.whole("--units", args.units, at_least=1)
        checks.number("--test", args.test, above=0, at_most=0.9)
        ds = open_recording(args.file, args.variables)
        size = Size(args.dt, args.test, args.units)
        runs = Runs(args.out / "rows", planned(ds, size, args.seeds), resume=args.resume)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    code = complete(args, runs, partial(row, ds=ds, size=size), "recording")
    if runs:
        found = gathered(runs, ds, size, args.seeds)
        write_netcdf(found, args.out / "recording.nc")
        text = report(found, parser.command(argv))
        (args.out / "recording.md").write_text(text)
        save(draw(found), args.out / "traces.png")
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
