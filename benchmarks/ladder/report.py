"""What a run leaves: scores, a table and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

import columns
import peers
from arguments import save
from ladder.data import Protocol
from ladder.rows import Key, gathered
from ladder.scores import MARK
from rnnbias import plot
from rnnbias.storage import write_netcdf
from tables import aligned, number

__all__ = ["draw", "publish", "report"]

_SHOWN = ("polynomial", "esn-tuned", "bias-lazy", "bias")  # in the figure of traces, where they were run


def publish(out: Path, rows: Mapping[Key, xr.Dataset], protocol: Protocol, command: str) -> str:
    """Write scores, table and figures from the finished rows; returns the table."""
    scores = gathered(rows, protocol)
    write_netcdf(scores, out / "forecast.nc")
    text = report(scores, protocol, command)
    (out / "forecast.md").write_text(text)
    for name in scores.system.values:
        ending = f"-{name.replace(':', '-')}" if scores.sizes["system"] > 1 else ""
        mine = {key.learner: row for key, row in rows.items() if key.system == name and key.seed == scores.seed[0]}
        for figure, axes in draw(scores.sel(system=name), mine):
            save(axes, out / f"{figure}{ending}.png")
    return text


def draw(scores: xr.Dataset, rows: dict[str, xr.Dataset]) -> Iterator[tuple[str, object]]:
    """Draw the figures of one system, as far as its rows allow."""
    forecast = {name: row for name, row in rows.items() if "trace" in row}
    chosen = [name for name in _SHOWN if name in forecast] or list(forecast)[:4]
    if chosen:
        pick = [forecast[name] for name in chosen]
        data = xr.Dataset(
            {
                "trace": _side_by_side([row.trace.sel(source="forecast") for row in pick], chosen),
                "truth": pick[0].trace.sel(source="truth"),
                "valid_time": ("learner", [row.valid_time.sel(threshold=MARK)[0].item() for row in pick]),
            }
        ).rename(trace_time="time")
        yield "traces", plot.traces(data.isel(state=slice(0, 4)))
        marked = scores.sel(threshold=MARK)
        marked.valid_time.attrs["units"] = str(scores.unit.values)
        yield "valid_time", plot.valid_time(marked)
    free = {name: row.orbit for name, row in rows.items() if "orbit" in row and name != "truth"}
    if free:
        runs = [next(iter(free.values())).sel(source="truth")]
        runs += [orbit.sel(source="forecast") for orbit in free.values()]
        data = _side_by_side(runs, ["truth", *free]).rename(orbit_time="time")
        yield "attractors", plot.attractors(data)


def _side_by_side(arrays: Sequence[xr.DataArray], names: Sequence[str]) -> xr.DataArray:
    parts = [array.drop_vars("source") for array in arrays]
    return xr.concat(parts, "learner").assign_coords(learner=list(names))


def report(scores: xr.Dataset, protocol: Protocol, command: str) -> str:
    """The table and what one needs to read it."""
    lines = [
        "# Forecasting with learned biases: the ladder",
        "",
        f"    {command}",
        "",
        f"Made on {scores.attrs['machine']}; {scores.attrs['source']}.",
        "",
        f"- Data: {protocol.samples:,} noise-free training samples at each system's own step, standardised "
        f"with training statistics; {protocol.windows} test windows, each a trial of its own.",
        f"- Forecast: {protocol.context} true samples ({protocol.cycle_context}, from a start off the cycle, where "
        f"there is a limit cycle), then a closed loop over {protocol.reach:g} Lyapunov "
        f"times (periods of a limit cycle). Valid time: until the error exceeds {MARK} standard deviations (≥: most "
        "windows are still valid at the end); "
        "the median over windows, then over seeds of the weights, with the range over seeds where there are "
        "several; IQR over all windows. NRMSE: up to one unit of valid time.",
        f"- Free runs: {protocol.runs} of {protocol.run_steps:,} samples after {protocol.settle:,} to settle "
        f"({protocol.cycles} periods of a limit cycle). D_stsp: all runs pooled, 30 bins a state (mixtures "
        "above 5 states). D_H: run by run, smoothed over 20 bins. Escaped, silent: fractions of the runs. "
        "Failed: windows wrong at once or infinite.",
        f"- Exponent of the learned map from {min(protocol.starts, protocol.windows)} orbits of "
        f"{protocol.exponent_steps} steps; the row `truth` states the known one.",
        f"- {columns.note('the median valid time on the first 25 windows')}",
        "- Polynomial regression and `esn-tuned` were tuned by free runs through the second half of the training data. "
        "No choice, of theirs or of the defaults here, was made on data that are tested here.",
        "- Frozen weights have the same SHA-256 before and after every fit, or the fit would have failed.",
    ]
    for name in scores.system.values:
        one = scores.sel(system=name)
        header, *cells = _table(one)
        lines += ["", f"## {name}", "", f"Valid times in {one.unit.values}.", "", *aligned(header, cells)]
        lines += [
            "",
            *_leaders(one),
            *_tuned(one),
            *(f"{learner}: {reason}." for learner, reason in _problems(one)),
        ]
    lines += ["", "## Learners", ""]
    lines += [f"- `{row.learner.values}`: {row.about.values}." for row in scores.learner]
    return "\n".join(lines) + "\n"


def _leaders(scores: xr.Dataset) -> Iterator[str]:
    """Who forecasts longer, without noise, than each of the biases."""
    middle = scores.valid_time.sel(threshold=MARK).median("window").median("seed").dropna("learner")
    others = middle[middle.role == "baseline"]
    for ours in middle[middle.role == "biases only"]:
        ahead = sorted(others[others > ours], key=float, reverse=True)
        names = ", ".join(f"`{one.learner.item()}` {float(one):.2f}" for one in ahead) or "nobody"
        yield f"- Longer than `{ours.learner.item()}` ({float(ours):.2f}) forecast without noise: {names}."


def _tuned(scores: xr.Dataset) -> Iterator[str]:
    for learner in scores.learner.values:
        if text := peers.settings(scores.tuned.sel(learner=learner)):
            yield f"- Tuned, `{learner}`: {text}."


def _problems(scores: xr.Dataset) -> Iterator[tuple[str, str]]:
    for learner in scores.learner.values:
        for reason in {str(r) for r in scores.problem.sel(learner=learner).values if r}:
            yield f"- `{learner}` has no scores", reason


def _table(scores: xr.Dataset) -> Iterator[list[str]]:
    """The rows of one system's table, the header first."""
    cyclic = bool(np.isfinite(scores.period_error).any())
    last = ["period error", "amplitude error"] if cyclic else ["exponent"]
    yield [
        "learner", "role", "learned", "units", "fit (s)", "CPU (s)", "valid time", "IQR", "seeds", "at 0.3", "at 0.5",
        "NRMSE", "D_stsp", "D_H", *last, "escaped", "silent", "failed", "tuned ESN",
        *columns.HEADER,
    ]  # fmt: skip
    middle = scores.median("seed")
    medians = scores.valid_time.median("window")

    def valid(learner: str, threshold: float = MARK) -> str:
        value = float(medians.sel(learner=learner, threshold=threshold).median("seed"))
        count = np.isfinite(scores.valid_time.sel(learner=learner, threshold=threshold)).sum("window")
        cut_off = (scores.censored.sel(learner=learner, threshold=threshold) > 0.5 * count).any()
        return ("≥ " if cut_off else "") + number(value, "{:.2f}")

    for learner in scores.learner.values:
        row, seeds = middle.sel(learner=learner), medians.sel(learner=learner, threshold=MARK)
        windows = scores.valid_time.sel(learner=learner, threshold=MARK).values
        known = windows[np.isfinite(windows)]
        role, several = str(row.role.values), int(np.isfinite(seeds).sum()) > 1
        if cyclic:
            tail = [number(row[f"{part}_error"], "{:.2%}") for part in ("period", "amplitude")]
        else:
            error = "" if np.isnan(row.exponent_error) else f" ± {float(row.exponent_error):.3f}"
            tail = ["escaped" if np.isinf(row.exponent) else number(row.exponent, "{:.3f}") + error]
        twin = role == "biases only" and "esn-tuned" in scores.learner
        yield [
            str(learner),
            role,
            number(row.learned, "{:.0f}"),
            number(row.units, "{:.0f}") if row.units else "",
            number(row.seconds, "{:.1f}") if row.learned else "",
            number(row.cpu_seconds, "{:.1f}") if row.learned else "",
            valid(learner),
            "–".join(f"{q:.1f}" for q in np.quantile(known, [0.25, 0.75])) if known.size else "",
            f"[{float(seeds.min()):.2f}, {float(seeds.max()):.2f}]" if several else "",
            valid(learner, 0.3),
            valid(learner, 0.5),
            number(row.nrmse.median("window"), "{:.1e}"),
            number(row.d_stsp, "{:.3f}"),
            number(row.d_h, "{:.3f}"),
            *tail,
            number(row.divergence_rate, "{:.0%}"),
            number(row.constant_rate, "{:.0%}"),
            number(row.failed, "{:.0f}"),
            valid("esn-tuned") if twin else "",
            *columns.words(row, "{:.2f}"),
        ]
