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
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from arguments import Parser
from ladder.table import aligned, number
from rnnbias import Recipe, fit_system, metrics, plot
from rnnbias.datasets.recordings import SHORTEST, Recording, read
from rnnbias.evaluation.baselines import NVAR, Baseline, LinearAutoregression, Persistence
from rnnbias.storage.netcdf import write_netcdf
from systems import checks, labels
from systems.labels import Labelled, dataset

_CONTEXT = 200  # true samples before a free run, where the test data have as many to spare
_WINDOWS = 50
_THRESHOLD = 0.4
_SMOOTHING = 20.0  # of the spectra, in frequency bins
_DELAYS = (5, 50)  # of the linear autoregressions

SCORES = {
    "learned": ((), "1", "learned numbers"),
    "seconds": ((), "s", "time to fit"),
    "step_error": ((), "1", "root mean square error one step ahead, in training standard deviations"),
    "valid_time": (("window",), "", "valid prediction time"),
    "spectral_distance": ((), "1", "Hellinger distance of the spectra of a free run and the truth"),
    "spread": ((), "1", "standard deviation of a free run over the truth's"),
}


class Model(NamedTuple):
    """What was learned, as functions of values (trial, time, state)."""

    learned: int
    predict: Callable[[np.ndarray], np.ndarray]  # one step ahead of every sample
    forecast: Callable[[np.ndarray, int], np.ndarray]  # so many steps after the last


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


def split(ds: xr.Dataset, dt: float | None, share: float) -> tuple[Recording, xr.Dataset, Recording, int]:
    """Check a recording; return it, its first part, and what tests it with the context before that."""
    whole = read(ds, dt)
    samples = whole.values.shape[1]
    count = round(share * samples)
    if samples - count < SHORTEST or count < 20:
        raise ValueError(
            f"the recording must have at least {SHORTEST} samples to learn from and 20 to test, got {samples - count} "
            f"and {count} of {samples}: too short"
        )
    context = min(_CONTEXT, samples - count)
    test = whole._replace(values=whole.values[:, samples - count - context :])
    return whole, ds.isel(time=slice(0, samples - count)), test, context


def learners(train: xr.Dataset, dt: float | None, units: int) -> Iterator[tuple[str, bool, Callable[[int], Model]]]:
    """Each learner's name, whether it has random weights, and how a seed of it is fitted."""
    values = read(train, dt).values

    def baseline(kind: Baseline) -> Model:
        fitted = kind.fit(values)

        def predict(past: np.ndarray) -> np.ndarray:
            step, _ = fitted.free_map(past)
            standard = torch.from_numpy((past - fitted.mean) / fitted.scale)
            state = standard.unfold(1, fitted.delays, 1).transpose(-1, -2).flatten(2)
            ahead = step(state.flatten(0, 1))[:, -past.shape[2] :].unflatten(0, state.shape[:2]).numpy()
            missing = np.full((len(past), fitted.delays - 1, past.shape[2]), np.nan)
            return np.concatenate([missing, ahead * fitted.scale + fitted.mean], 1)

        return Model(fitted.learned, predict, fitted.forecast)

    def network(seed: int) -> Model:
        fit = fit_system(train, dt=dt, units=units, seed=seed, progress=sys.stderr.isatty())
        if fit.settings["interrupted"]:
            raise KeyboardInterrupt
        return Model(
            fit.network.learned,
            lambda past: fit.drive(past).prediction.values,
            lambda context, steps: fit.forecast(context, steps).forecast.values,
        )

    yield "persistence", False, lambda seed: baseline(Persistence())
    for delays in _DELAYS:
        if delays * values.shape[2] < values.shape[1] // 4:
            yield f"linear, {delays} delays", False, lambda seed, k=delays: baseline(LinearAutoregression(k))
    yield "nvar", False, lambda seed: baseline(NVAR())
    yield "bias", True, network


def score(model: Model, test: Recording, context: int, scale: np.ndarray) -> dict[str, object]:
    """One-step error and free runs on the test data."""
    values, samples = test.values, test.values.shape[1] - context
    ahead = model.predict(values)[:, context - 1 : -1]
    steps = max(10, samples // 2)
    firsts = np.unique(np.linspace(0, samples - steps, ceil(_WINDOWS / len(values))).astype(int))
    cut = np.concatenate([values[:, f : f + context + steps] for f in firsts])
    runs = model.forecast(cut[:, :context], steps)
    valid = metrics.valid_time(
        _labelled(runs, test), _labelled(cut[:, context:], test), _per_state(scale, test), test.unit, _THRESHOLD
    )
    run, truth = model.forecast(values[:, :context], samples), values[:, context:]
    found = {
        "learned": model.learned,
        "step_error": np.sqrt((((ahead - values[:, context:]) / scale) ** 2).mean()),
        "valid_time": valid.valid_time.values,
        "spread": run.std((0, 1)).mean() / truth.std((0, 1)).mean() if np.isfinite(run).all() else np.inf,
        "run": run[0],
    }
    if samples >= 8 * _SMOOTHING:
        distance = metrics.spectral_distance(_labelled(run, test), _labelled(truth, test), _SMOOTHING)
        found["spectral_distance"] = float(distance.mean())
    return found


def _labelled(values: np.ndarray, like: Recording) -> xr.DataArray:
    times = np.arange(values.shape[1]) * like.dt
    return xr.DataArray(values, {"time": times, "state": list(like.states)}, ("trial", "time", "state"))


def _per_state(scale: np.ndarray, like: Recording) -> xr.DataArray:
    return xr.DataArray(scale, {"state": list(like.states)}, "state")


def measure(ds: xr.Dataset, dt: float | None, share: float, units: int, seeds: int) -> xr.Dataset:
    """Fit and score all learners; the labelled results with the free run through the test data."""
    whole, train, test, context = split(ds, dt, share)
    scale = read(train, dt).values.std((0, 1))
    rows: list[tuple[str, int, dict[str, object]]] = []
    plan = [(name, s, fit) for name, drawn, fit in learners(train, dt, units) for s in range(seeds if drawn else 1)]
    for name, seed, fit in (bar := tqdm(plan, desc="recording", unit="fit")):
        bar.set_postfix_str(name)
        begun = time.perf_counter()
        model = fit(seed)
        taken = time.perf_counter() - begun
        rows.append((name, seed, {"seconds": taken, **score(model, test, context, scale)}))
    names = list(dict.fromkeys(name for name, *_ in rows))
    windows, samples = len(rows[0][2]["valid_time"]), test.values.shape[1] - context
    shapes = {name: (windows,) if dims else () for name, (dims, *_) in SCORES.items()}
    values = {name: np.full((seeds, len(names), *shape), np.nan) for name, shape in shapes.items()}
    runs = np.full((seeds, len(names), samples, len(test.states)), np.nan)
    for name, seed, found in rows:
        place = seed, names.index(name)
        runs[place] = found["run"]
        for key in SCORES:
            values[key][place] = found.get(key, np.nan)
    variables = {
        key: Labelled(("seed", "learner", *dims), values[key], words[0] or test.unit_name, words[1])
        for key, (dims, *words) in SCORES.items()
    }
    variables["free_run"] = Labelled(("seed", "learner", "time", "state"), runs, "see state_units", "free run")
    variables["truth"] = Labelled(("time", "state"), test.values[0, context:], "see state_units", "test data")
    coords = {
        "seed": Labelled("seed", np.arange(seeds), "1", "seed of the weights"),
        "learner": Labelled("learner", names, "1", "learner"),
        "window": Labelled("window", np.arange(windows), "1", "free run"),
        "time": Labelled("time", np.arange(1, samples + 1) * test.dt, test.time_units, "time forecast"),
        "state": Labelled("state", list(test.states), "1", "state"),
        "state_units": Labelled("state", list(test.state_units), "1", "units of the state"),
    }
    config = {
        "recording": whole.name,
        "samples": whole.values.shape[1],
        "trials": len(whole.values),
        "dt": whole.dt,
        "test": samples,
        "context": context,
        "threshold": _THRESHOLD,
        "units": units,
        "seed": list(range(seeds)),
    }
    made = dataset(variables, coords, title=f"Forecasts of {whole.name}", config=config)
    return made.assign_attrs({f"recording_{k}": str(ds.attrs[k]) for k in ("source", "license") if k in ds.attrs})


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


def draw(found: xr.Dataset) -> plt.Figure:
    """Draw the free runs of the first seed through the first half of the test data."""
    first = found.isel(seed=0, time=slice(0, max(10, found.sizes["time"] // 2)), state=slice(0, 4))
    data = first[["truth"]].assign(trace=first.free_run, valid_time=first.valid_time.isel(window=0))
    return np.ravel(plot.traces(data))[0].figure


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write and print; returns the exit code."""
    parser = Parser("recording.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("file", type=Path, metavar="FILE", help="netCDF or CSV")
    parser.add_argument("--variables", nargs="+", metavar="NAME", help="which variables or columns (all over time)")
    parser.add_argument("--dt", type=float, help="time between samples, where FILE has no times")
    parser.add_argument("--units", type=int, default=600, metavar="N", help="units of the network, even (600)")
    parser.add_argument("--seeds", type=int, default=1, metavar="K", help="seeds of the random weights (1)")
    parser.add_argument(
        "--test", type=float, default=0.25, metavar="F", help="fraction of a trial kept for the test (0.25)"
    )
    parser.add_argument("--out", type=Path, default=Path("results/recording"), metavar="DIR", help="%(default)s")
    args = parser.parse_args(argv)
    command = shlex.join(["python", "benchmarks/recording.py", *(sys.argv[1:] if argv is None else argv)])
    try:
        checks.whole("--seeds", args.seeds, at_least=1)
        Recipe().rows(checks.whole("--units", args.units, at_least=2), "--units")
        checks.number("--test", args.test, above=0, at_most=0.9)
        ds = open_recording(args.file, args.variables)
        split(ds, args.dt, args.test)
        args.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, TypeError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    found = measure(ds, args.dt, args.test, args.units, args.seeds)
    write_netcdf(found, args.out / "recording.nc")
    text = report(found, command)
    (args.out / "recording.md").write_text(text)
    figure = draw(found)
    figure.savefig(args.out / "traces.png", dpi=160)
    plt.close(figure)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
