"""Forecast a recording of your own with learned biases, beside what they must beat.

    python benchmarks/recording.py FILE [--variables ...] [--dt DT] [--units N] [--seeds K] [--test F] [--out DIR]

FILE is netCDF, with a dimension `time` and, if wanted, `trial` and one more for the states; or CSV with a line of
names (`hand [m]`: with units), a column `time` (or --dt) and one column a state. The last part of every trial is kept
for the test; everything before it goes to `fit_system` with its defaults, and to persistence, linear and quadratic
autoregression. Each then predicts every test sample from the true ones before it (one step), and runs on alone from
many places in the test data (free run). DIR receives `recording.md` (the table), `recording.nc` and `traces.png`.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from arguments import Parser, even_units, save, scores
from rnnbias import SystemFit, fit_system, metrics, plot
from rnnbias.datasets.recordings import SHORTEST, read
from rnnbias.evaluation import (
    NVAR,
    Forecaster,
    LinearAutoregression,
    Persistence,
    forecast_windows,
    gather,
    score_windows,
)
from rnnbias.evaluation.forecasters import read_like
from rnnbias.storage import write_netcdf
from systems import checks, labels
from tables import aligned, number

_CONTEXT = 200  # true samples before a free run, where the test data have as many to spare
_WINDOWS = 50
_THRESHOLD = 0.4
_SMOOTHING = 20.0  # of the spectra, in frequency bins
_DELAYS = (5, 50)  # of the linear autoregressions

SCORES = {
    "learned": ("1", "learned numbers"),
    "seconds": ("s", "time to fit"),
    "step_error": ("1", "root mean square error one step ahead, in training standard deviations"),
    "spectral_distance": ("1", "Hellinger distance of the spectra of a free run and the truth"),
    "spread": ("1", "standard deviation of a free run over the truth's"),
}


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
    columns = {}
    for name, column in zip(names, values.T, strict=True):
        bare, units = re.fullmatch(r"\s*(.*?)\s*(?:\[(.*)\])?\s*", name).groups()
        columns[bare] = ("time", column, {"units": units or "1"})
    times = {"time": columns.pop("time")} if "time" in columns else {}
    return xr.Dataset(columns, times)


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


def learners(
    train: xr.Dataset, dt: float | None, units: int, seeds: int
) -> Iterator[tuple[str, int, Callable[[], Forecaster]]]:
    """Each learner's name, the seed of its weights, and how it is fitted."""

    def network(seed: int) -> SystemFit:
        fit = fit_system(train, dt=dt, units=units, seed=seed, progress=sys.stderr.isatty())
        if fit.settings["interrupted"]:
            raise KeyboardInterrupt
        return fit

    _, samples, states = read(train, dt).values.shape
    linear = {f"linear, {k} delays": LinearAutoregression(k) for k in _DELAYS if k * states < samples // 4}
    for name, baseline in {"persistence": Persistence(), **linear, "nvar": NVAR()}.items():
        yield name, 0, partial(baseline.fit, train, dt)
    for seed in range(seeds):
        yield "bias", seed, partial(network, seed)


def score(model: Forecaster, test: xr.Dataset, context: int, scale: np.ndarray) -> xr.Dataset:
    """One-step error and free runs on the test data."""
    truth = read_like(model.recording, test).values[:, context:]
    trials, samples, _ = truth.shape
    ahead = model.drive(test).prediction.values[:, context - 1 : -1]
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
        "step_error": np.sqrt((((ahead - truth) / scale) ** 2).mean()),
        "spectral_distance": apart,
        "spread": run.values.std((0, 1)).mean() / truth.std((0, 1)).mean() if np.isfinite(run).all() else np.inf,
    }
    valid = valid.isel(threshold=0, drop=True).reset_coords(drop=True).rename(trial="window")
    return scores(row, SCORES).assign(valid_time=valid, free_run=run.isel(trial=0, drop=True))


def measure(ds: xr.Dataset, dt: float | None, share: float, units: int, seeds: int) -> xr.Dataset:
    """Fit and score all learners; the labelled results with the free run through the test data."""
    train, test, context = split(ds, dt, share)
    whole, truth = read(ds, dt), read(test, dt, shortest=1).values[0, context:]
    scale, rows = read(train, dt).values.std((0, 1)), {}
    for name, seed, fit in (bar := tqdm(list(learners(train, dt, units, seeds)), desc="recording", unit="fit")):
        bar.set_postfix_str(name)
        begun = time.perf_counter()
        model = fit()
        taken = time.perf_counter() - begun
        rows[seed, name] = score(model, test, context, scale).merge(scores({"seconds": taken}, SCORES))
    config = {
        "recording": whole.name,
        "samples": whole.values.shape[1],
        "trials": len(whole.values),
        "dt": whole.dt,
        "test": len(truth),
        "context": context,
        "threshold": _THRESHOLD,
        "units": units,
        "seed": list(range(seeds)),
    }
    found = gather(rows, ("seed", "learner"), title=f"Forecasts of {whole.name}", config=config)
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
            ]
        )
    return "\n".join([*lines, *aligned(header, cells)]) + "\n"


def draw(found: xr.Dataset) -> np.ndarray:
    """Draw the free runs of the first seed through the first half of the test data; returns the axes."""
    first = found.isel(seed=0, time=slice(0, max(10, found.sizes["time"] // 2)), state=slice(0, 4))
    return plot.traces(first[["truth"]].assign(trace=first.free_run, valid_time=first.valid_time.isel(window=0)))


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write and print; returns the exit code."""
    parser = Parser("recording", __doc__, quick=False)
    parser.add_argument("file", type=Path, metavar="FILE", help="netCDF or CSV")
    parser.add_argument("--variables", nargs="+", metavar="NAME", help="which variables or columns (all over time)")
    parser.add_argument("--dt", type=float, help="time between samples, where FILE has no times")
    parser.add_argument("--units", type=int, default=600, metavar="N", help="units of the network, even (600)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument(
        "--test", type=float, default=0.25, metavar="F", help="fraction of a trial kept for the test (0.25)"
    )
    args = parser.parse_args(argv)
    try:
        checks.whole("--seeds", args.seeds, at_least=1)
        even_units(args.units)
        checks.number("--test", args.test, above=0, at_most=0.9)
        ds = open_recording(args.file, args.variables)
        split(ds, args.dt, args.test)
        args.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    found = measure(ds, args.dt, args.test, args.units, args.seeds)
    write_netcdf(found, args.out / "recording.nc")
    text = report(found, parser.command(argv))
    (args.out / "recording.md").write_text(text)
    save(draw(found), args.out / "traces.png")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
