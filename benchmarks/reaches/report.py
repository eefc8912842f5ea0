"""What a run leaves: a table, labelled scores and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import columns
from arguments import machine, save, scores
from reaches.learners import FLOOR, GOAL, NOISE, PROBES, SCORES, STEADY, Protocol
from rnnbias import ReachFit, plot
from rnnbias.evaluation import gather
from rnnbias.storage import write_netcdf
from systems.labels import source
from tables import aligned, number

__all__ = ["head", "publish", "publish_adaptation"]

Rows = Mapping[tuple[str, int], dict[str, float]]

_NEW = "#D55E00"
_FIGURED = 24  # unseen targets in a figure
_DRAWN = 8  # targets in a figure of an adaptation
_STEADY_HEADER = ["moved", "float32 (mm)", "bias noise", "rate noise", "noisy (mm)"]


def head(title: str, command: str, protocol: Protocol) -> list[str]:
    """What every report begins with."""
    return [
        f"# {title}", "", f"    {command}", "", f"Made on {date.today().isoformat()}, on {machine()}; {source()}.", "",
        f"- Task: {protocol.task}.",
        f"- Plant: {protocol.plant}.",
    ]  # fmt: skip


def publish(out: Path, protocol: Protocol, rows: Rows, first: ReachFit, command: str) -> str:
    """Write `reach.md`, `reach.nc` and the figures; returns the table. `first` is the fit that the figures show."""
    ds = _gathered(rows, SCORES, "learning to reach", protocol, command)
    trained, unseen = first.reach(), first.reach(_FIGURED)
    path = [trained[["position", "velocity"]], unseen[["position", "velocity"]].rename(trial="unseen")]
    path[1] = path[1].drop_vars(["start", "target", "angle"]).rename({n: f"unseen_{n}" for n in path[1].data_vars})
    history = first.history.rename({name: f"history_{name}" for name in first.history.data_vars})
    write_netcdf(ds.merge(xr.merge([*path, history]), combine_attrs="override"), out / "reach.nc")
    text = "\n".join([*_explained(protocol, command, ds), "", *_table(ds), ""])
    (out / "reach.md").write_text(text)
    _draw(out, trained, unseen, first.history)
    return text


def publish_adaptation(
    out: Path,
    protocol: Protocol,
    rows: Rows,
    fits: Mapping[str, tuple[ReachFit, ReachFit]],
    command: str,
) -> str:
    """Write `adapt.md`, `adapt.nc` and the figures of adaptations, (before, after) for each name in `fits`."""
    load = next(iter(fits.values()))[1].task.load
    lines = [
        *head(f"Adaptation by biases alone to {load}", command, protocol),
        f"- The controller sees: {protocol.task.sees}. Loss: {next(iter(fits.values()))[0].loss}.",
        "- Deviation: mean over the targets of the lateral deviation at peak speed; angle: of the hand's direction "
        "when it first moves at half its peak speed; left of the straight path positive. In brackets: the mean of the "
        "absolute values, whose fall, from the first reach under the load to the last, is in the columns `fall`.",
        "- Before: no load. Early, late: under the load, before and after adapting. After-effect: adapted, no load.",
        "- Adapted by Levenberg-Marquardt. Change: root-mean-square change of the biases. Means over seeds.",
        f"- {_steady()}",
        "",
        *_adaptation_table(rows),
        "",
    ]  # fmt: skip
    (out / "adapt.md").write_text("\n".join(lines))
    units = {"deviation": "m", "angle": "degree", "error": "m", "seconds": "s"}
    about = {key: STEADY.get(key, (units.get(key.split("_")[0], "1"), key)) for key in next(iter(rows.values()))}
    write_netcdf(_gathered(rows, about, "adaptation of reaches", protocol, command), out / "adapt.nc")
    for k, (before, after) in enumerate(fits.values()):
        _draw_adaptation(out / f"adaptation{k + 1 if len(fits) > 1 else ''}.png", list(fits)[k], before, after)
    return "\n".join(lines)


def _gathered(
    rows: Rows, about: Mapping[str, tuple[str, str]], title: str, protocol: Protocol, command: str
) -> xr.Dataset:
    config = {
        "command": command, "task": protocol.task.to_dict(), "plant": protocol.plant.to_dict(), "units": protocol.units,
    }  # fmt: skip
    cells = {key: scores(row, about) for key, row in rows.items()}
    return gather(cells, ("learner", "seed"), title=title, config=config)


def _explained(protocol: Protocol, command: str, ds: xr.Dataset) -> list[str]:
    return [
        *head("Learning to reach with learned biases", command, protocol),
        f"- {protocol.units} units, {ds.sizes['seed']} seeds of the frozen weights; the median over seeds, with the "
        "range in brackets. Loss: that of Williams et al. in units of 1 cm, 2 cm/s and 0.08 N; theirs stops at 5e-3.",
        f"- `reached`: seeds whose training loss fell to {GOAL:g}; iterations and wall time to there. `fit`: wall time "
        f"of all iterations. Adam: rate 3e-3, all targets at every step, ends at {GOAL:g} or after {protocol.budget:g} "
        "times the wall time that the second-order solver took to it on the same seed.",
        f"- Unseen: {protocol.unseen} targets between the trained ones, on the same circle.",
        f"- {_steady()}",
        "- Frozen weights have the same SHA-256 before and after every fit, or the fit would have failed.",
    ]  # fmt: skip


def _steady() -> str:
    skill = (
        f"1 / ({1e3 * FLOOR:g} mm + mean end-point error on {PROBES} unseen targets): it is halved where the error is "
        f"{1e3 * FLOOR:g} mm more than twice what it was"
    )
    return (
        f"{columns.note(skill)} *float32* and *noisy*, with bias noise of {NOISE:g}, are that error in mm, the latter "
        "as a mean over ten draws."
    )


def _steady_cells(row: xr.Dataset) -> list[str]:
    """What stands under `_STEADY_HEADER`."""
    forms = {
        "moved": "{:.2g}",
        "float32": "{:.3f}",
        "bias_noise": "{:.0e}",
        "rate_noise": "{:.0e}",
        "noisy_error": "{:.2f}",
    }
    return [_spread((1e3 if STEADY[name][0] == "m" else 1) * row[name], form) for name, form in forms.items()]


def _table(ds: xr.Dataset) -> list[str]:
    header = [
        "learner", "reached", "learned", "iterations", "seconds", "fit (s)", "steps", "loss", "unseen loss",
        "unseen / trained", "error (mm)", "largest (mm)", "peak (m/s)", "path ratio", *_STEADY_HEADER,
    ]  # fmt: skip
    cells = []
    for name in ds.learner.values:
        row = ds.sel(learner=name)
        there = int(np.isfinite(row.seconds).sum())
        ratio = row.unseen_loss / row.loss
        forms = {
            "iterations": "{:.0f}", "seconds": "{:.1f}", "spent": "{:.1f}", "steps": "{:.0f}", "loss": "{:.1e}",
            "unseen_loss": "{:.1e}", "ratio": "{:.2f}", "error": "{:.3f}", "largest_error": "{:.3f}",
            "peak_speed": "{:.2f}", "path_ratio": "{:.3f}",
        }  # fmt: skip
        row = row.assign(ratio=ratio, error=1e3 * row.error, largest_error=1e3 * row.largest_error)
        first = [str(name), f"{there} of {row.sizes['seed']}", number(row.learned[0], "{:,.0f}")]
        cells.append([*first, *(_spread(row[key], form) for key, form in forms.items()), *_steady_cells(row)])
    return aligned(header, cells)


def _adaptation_table(rows: Rows) -> list[str]:
    header = ["learner before the load", "seeds"]
    moments = ("before", "early", "late", "after_effect")
    header += [f"deviation (mm) {m.replace('_', '-')}" for m in moments] + ["fall"]
    header += [f"angle (deg) {m.replace('_', '-')}" for m in moments] + ["fall", "error late (mm)", "change"]
    header += [*_STEADY_HEADER, "seconds"]
    cells = []
    for name in dict.fromkeys(name for name, _ in rows):
        mine = [row for (other, _), row in rows.items() if other == name]
        mean = {key: float(np.mean([row[key] for row in mine])) for key in mine[0]}
        steady = xr.Dataset({key: ("seed", [row[key] for row in mine]) for key in STEADY})
        cell = [name, str(len(mine))]
        for what, scale in (("deviation", 1e3), ("angle", 1.0)):
            for m in moments:
                cell.append(f"{scale * mean[f'{what}_{m}']:.1f} ({scale * mean[f'{what}_size_{m}']:.1f})")
            falls = [1 - row[f"{what}_size_late"] / row[f"{what}_size_early"] for row in mine]
            cell.append(f"{100 * min(falls):.1f} %" if len(falls) == 1 else f"{100 * min(falls):.1f} % or more")
        cell += [f"{1e3 * mean['error_late']:.2f}", f"{mean['bias_change']:.1e}"]
        cells.append([*cell, *_steady_cells(steady), f"{mean['seconds']:.1f}"])
    return aligned(header, cells)


def _spread(values: xr.DataArray, form: str) -> str:
    found = values.values[np.isfinite(values.values)]
    if not len(found):
        return ""
    middle = number(np.median(found), form)
    return middle if len(found) == 1 else f"{middle} [{number(found.min(), form)}, {number(found.max(), form)}]"


def _draw(out: Path, trained: xr.Dataset, unseen: xr.Dataset, history: xr.Dataset) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.8), layout="constrained", sharex=True, sharey=True)
    plot.hand_paths(trained, axes[0]).set_title("trained targets", fontsize=10)
    plot.hand_paths(unseen, axes[1], _NEW).set_title("unseen targets", fontsize=10)
    save(figure, out / "paths.png", 130)
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained", sharey=True)
    plot.speed_profiles(trained, axes[0]).set_title("trained targets", fontsize=10)
    plot.speed_profiles(unseen, axes[1], _NEW).set_title("unseen targets", fontsize=10)
    save(figure, out / "speeds.png", 130)
    save(plot.learning_curve(history), out / "loss.png", 130)


def _draw_adaptation(path: Path, name: str, before: ReachFit, after: ReachFit) -> None:
    figure = plt.figure(figsize=(11, 6.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    above.suptitle(name, fontsize=10)
    axes: Sequence = above.subplots(1, 4)
    load, free = after.task.load, before.task.load
    places = replace(before.task, targets=_DRAWN).reaches()[1]
    for ax, title, reach in zip(
        axes,
        ("no load", "load, at first", "load, adapted", "load removed"),
        (before.reach(places), before.reach(places, load=load), after.reach(places), after.reach(places, load=free)),
        strict=True,
    ):
        plot.hand_paths(reach, ax).set_title(title, fontsize=10)
    plot.adaptation(after.history, below.subplots(1, 2))
    save(figure, path, 130)
