"""The tables and the figures of a run, from its stored rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import columns
from arguments import save
from pictures.learners import LEARNERS, LEVERS
from pictures.rows import ACCURACY, Key
from rnnbias import analysis, plot
from rnnbias.evaluation import gather
from rnnbias.storage import read_netcdf, write_netcdf
from systems import labels
from systems.labels import Labelled, dataset
from tables import aligned, number

__all__ = ["gathered", "publish"]

Rows = Mapping[Key, xr.Dataset]


def publish(out: Path, rows: Rows, counts: dict[str, object], command: str) -> str:
    """Write scores, tables and figures from the stored rows; returns the tables."""
    sections = {
        "width": (_width, "Accuracy against width"),
        "levers": (_levers, "What each choice gives"),
        "best": (_best, "The best recipe for biases alone"),
        "mask": (_mask, "Biases against masks"),
        "tasks": (_tasks, "Several tasks on one frozen matrix"),
    }
    lines = ["# Images classified by learned biases", "", f"    {command}", ""]
    if rows:
        write_netcdf(gathered(rows, counts), out / "classify.nc")
        machines = "; ".join(sorted({row.attrs["machine"] for row in rows.values()}))
        lines += [f"Made on {machines}; {next(iter(rows.values())).attrs['source']}.", "", *_notes(rows)]
    for name, (write, title) in sections.items():
        mine = {key: row for key, row in rows.items() if key.experiment == name}
        if mine:
            lines += ["", f"## {title}", "", *write(mine, out)]
    steady = {key: row for key, row in rows.items() if "moved" in row}
    if steady:
        lines += ["", "## How robust learned biases are", "", *_steadiness(steady)]
    if (out / "speed.nc").exists():
        lines += ["", "## Time of an epoch", "", *_speed(read_netcdf(out / "speed.nc"))]
    used = dict.fromkeys(key.learner for key in rows if key.experiment != "levers")
    lines += ["", "## Learners", "", *(f"- `{name}`: {LEARNERS[name].about}." for name in used)]
    text = "\n".join(lines) + "\n"
    (out / "classify.md").write_text(text)
    return text


def gathered(rows: Rows, counts: dict[str, object]) -> xr.Dataset:
    """The scores of all rows as one Dataset over `row`, NaN where there is none."""
    variables = {
        name: Labelled("row", [float(row[name]) if name in row else np.nan for row in rows.values()], units, words)
        for name, (units, words) in {
            "accuracy": ("1", "accuracy on test images"),
            "held_out_accuracy": ("1", "accuracy on held-out training images"),
            "loss": ("1", "cross-entropy on test images"),
            "learned": ("1", "learned numbers"),
            "seconds": ("s", "time to fit"),
        }.items()
    }
    coords = {
        name: Labelled("row", [getattr(key, name) for key in rows], "1", words)
        for name, words in {
            "experiment": "experiment", "data": "data set", "learner": "learner", "units": "hidden units",
            "seed": "seed of the weights", "order": "seed of the minibatches",
        }.items()
    }  # fmt: skip
    config = {"seed": sorted({key.seed for key in rows}), "counts": counts}
    return dataset(variables, coords, title="Image benchmark", config=config)


def _notes(rows: Rows) -> list[str]:
    data = {key.data: row.attrs for key, row in rows.items()}
    lines = [
        "- Learning sees the training images but for the last sixth, which choose the epoch that is kept (lowest "
        "loss); test images are looked at once, by the finished row.",
        "- Frozen weights have the same SHA-256 before and after every fit, or the fit would have failed.",
    ]
    for name, about in data.items():
        note = f"; {about['note']}" if about["note"] else ""
        lines.append(f"- `{name}`: {about['images']} images (learned from to tested on){note}.")
    return lines


def _percent(values: Iterable[float]) -> str:
    """Mean, and the range where there are several."""
    known = [100 * float(v) for v in values]
    several = f" [{min(known):.2f}, {max(known):.2f}]" if len(known) > 1 else ""
    return f"{np.mean(known):.2f}{several}" if known else ""


def _of(rows: Rows, **wanted: object) -> list[xr.Dataset]:
    return [row for key, row in rows.items() if all(getattr(key, name) == value for name, value in wanted.items())]


def _unique(rows: Rows, name: str) -> list:
    return list(dict.fromkeys(getattr(key, name) for key in rows))


def _width(rows: Rows, out: Path) -> Iterator[str]:
    widths, seeds = sorted(_unique(rows, "units")), sorted(_unique(rows, "seed"))
    learners = [name for name in LEARNERS if name in _unique(rows, "learner")]
    yield (
        f"Test accuracy in % on `{_unique(rows, 'data')[0]}`: mean over up to {len(seeds)} seeds of the weights with "
        "their range, one number where there is one; in brackets the learned numbers."
    )
    yield ""
    cells = []
    for name in learners:
        found = [_of(rows, learner=name, units=units) for units in widths]
        cells.append(
            [name, *(f"{_percent(r.accuracy for r in f)} ({int(f[0].learned):,})" if f else "" for f in found)]
        )
    yield from aligned(["learner", *(f"{n:,} units" for n in widths)], cells)
    cells = {(k.learner, k.units, k.seed): row[["accuracy", "learned"]] for k, row in rows.items()}
    ds = gather(cells, ("learner", "units", "seed"), title="accuracy against width", config={})
    ds = ds.sel(learner=learners, units=widths).assign(learned=ds.learned.max("seed"))
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for ax, x in zip(axes, ("units", "learned"), strict=True):
        plot.accuracy_against(ds, x, ax)
    axes[1].set_ylabel("")
    axes[1].get_legend().remove()
    save(figure, out / "width.png")


def _levers(rows: Rows, out: Path) -> Iterator[str]:
    key = next(iter(rows))
    usual = float(rows[key._replace(learner="usual")].held_out_accuracy)
    epochs = rows[key].attrs["epochs"]
    yield (
        f"Accuracy in % on held-out training images of `{key.data}`: {key.units:,} units, {epochs} epochs, one seed; "
        "each line changes one thing of the learner `bias`."
    )
    yield ""
    cells = [
        [
            name, LEVERS[name].about, f"{int(row.learned):,}", f"{100 * float(row.held_out_accuracy):.2f}",
            f"{100 * (float(row.held_out_accuracy) - usual):+.2f}",
        ]
        for name in LEVERS
        for row in _of(rows, learner=name)
    ]  # fmt: skip
    yield from aligned(["lever", "change", "learned", "held out", "difference"], cells)


def _best(rows: Rows, out: Path) -> Iterator[str]:
    key = next(iter(rows))
    yield f"The learner `bias` with {key.units:,} units and {rows[key].attrs['epochs']} epochs; accuracy in %."
    yield ""
    cells = []
    for data in _unique(rows, "data"):
        found = _of(rows, data=data)
        cells.append([
            data, f"{key.units:,}", f"{int(found[0].learned):,}", _percent(r.held_out_accuracy for r in found),
            _percent(r.accuracy for r in found), str(len(found)),
            f"{np.mean([float(r.seconds) for r in found]):.0f}",
        ])  # fmt: skip
    yield from aligned(["data", "units", "learned", "held out", "test", "seeds", "fit (s)"], cells)


def _mask(rows: Rows, out: Path) -> Iterator[str]:
    key = next(iter(rows))
    epochs = rows[key].attrs["epochs"]
    yield (
        f"`{key.data}`, {key.units:,} units on the same frozen weights, {epochs} epochs; two orders of the minibatches."
        " Accuracy in %. Units by their rates over the test images: on for some, of variance above 0.1, on for all."
    )
    yield ""
    names = [f"{key.learner} {key.order}" for key in rows]
    variance, on = (
        xr.DataArray(np.stack([row[v] for row in rows.values()]), {"task": names}, ("task", "unit"))
        for v in ("variance", "on")
    )
    kinds = analysis.switching(on, variance)
    cells = [
        [
            name, f"{int(row.learned):,}", f"{100 * float(row.accuracy):.2f}",
            f"{1 - float(kinds.off.sel(task=name)):.1%}",
            f"{float(kinds.active.sel(task=name)):.1%}", f"{float(kinds.always_on.sel(task=name)):.1%}",
            f"{float(row.variance.mean()):.3f}",
        ]
        for name, row in zip(names, rows.values(), strict=True)
    ]  # fmt: skip
    yield from aligned(["learner, order", "learned", "test", "on", "active", "always on", "mean variance"], cells)
    agreement = analysis.agreement(variance.rename(task="run"))
    yield ""
    yield "Correlation of unit variances between networks; between two orders of one learner it is the baseline:"
    yield ""
    header = ["", *names]
    yield from aligned(header, [[n, *(f"{float(v):.2f}" for v in agreement.sel(run=n))] for n in names])
    others = ("bias-uniform 1", "mask-annealed 0", "mask-hard 0")
    pairs = [("bias-uniform 0", other) for other in others if {"bias-uniform 0", other} <= set(names)]
    figure, axes = plt.subplots(1, len(pairs), figsize=(3.4 * len(pairs), 3.5), layout="constrained", squeeze=False)
    for ax, pair in zip(axes[0], pairs, strict=True):
        plot.unit_agreement(*(variance.sel(task=name).rename(name.replace("-uniform", "")) for name in pair), ax)
    save(figure, out / "mask.png")


def _tasks(rows: Rows, out: Path) -> Iterator[str]:
    learners = [name for name in LEARNERS if name in _unique(rows, "learner")]
    tasks, units = _unique(rows, "data"), next(iter(rows)).units
    yield (
        f"{units:,} units; each learner has one frozen network for all tasks. Test accuracy in %; in brackets the "
        "learned numbers. Each task's images are centred and scaled by their own training statistics under `bias`."
    )
    yield ""
    cells = []
    for task in tasks:
        found = [_of(rows, data=task, learner=name) for name in learners]
        chance = next(r for f in found for r in f).attrs["chance"]
        cells.append([task, *(f"{100 * float(f[0].accuracy):.2f}" if f else "" for f in found), f"{100 * chance:.1f}"])
    counts = [f"{name} ({int(_of(rows, learner=name)[0].learned):,})" for name in learners]
    yield from aligned(["task", *counts, "chance"], cells)
    if (out / "bank.nc").exists():
        bank = read_netcdf(out / "bank.nc")
        yield ""
        same = np.array_equal(bank.accuracy[0], bank.accuracy[1])
        yield (
            f"One network object, its {bank.sizes['task']} stored bias sets switched in order and back again "
            f"(`Bank.use`): accuracies in % {', '.join(f'{100 * a:.2f}' for a in bank.accuracy[0].values)}, "
            f"{'the same' if same else 'NOT the same'} both times."
        )
    for name in learners:
        mine = {key.data: row for key, row in rows.items() if key.learner == name and "variance" in row}
        if len(mine) >= 3:
            yield from _organisation(name, mine, out)


def _organisation(name: str, rows: dict[str, xr.Dataset], out: Path) -> Iterator[str]:
    """How the units of one learner's networks organise by task."""
    variance, on, bias = (
        xr.DataArray(np.stack([row[v] for row in rows.values()]), {"task": list(rows)}, ("task", "unit"))
        for v in ("variance", "on", "bias")
    )
    kinds = analysis.switching(on, variance)
    yield ""
    yield f"### Units of `{name}`"
    yield ""
    yield (
        f"Off in every task {float(kinds.always_off):.1%}, of variance above 0.1 in some tasks only "
        f"{float(kinds.selective):.1%}, in all {float(kinds.shared):.1%}; on for every image of a task "
        f"{float(kinds.always_on.mean()):.1%} (mean over tasks)."
    )
    try:
        found = analysis.clusters(variance)
    except ValueError as error:
        yield f"No clusters: {error}."
        return
    linked = analysis.correlation(bias, variance, found.cluster)
    best = int(found.clusters[int(found.score.mean("fold").argmax("clusters"))])
    yield (
        f"{int(found.chosen)} clusters (one-standard-error rule; the highest held-out likelihood is at {best}, the "
        f"highest silhouette at {int(found.clusters[int(found.silhouette.argmax('clusters'))])})."
    )
    yield ""
    cells = [
        [
            str(k + 1), f"{int(found['size'][k]):,}",
            str(found.task.values[int(found.centroid[k].argmax("task"))]),
            number(linked["mean"][k], "{:+.2f}"), number(linked.p_value[k], "{:.3f}"),
        ]
        for k in range(int(found.chosen))
    ]  # fmt: skip
    yield from aligned(["cluster", "units", "largest in", "bias-variance correlation", "p"], cells)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    plot.task_clusters(found, axes[0])
    plot.bias_correlations(linked, axes[1])
    axes[0].set_title(name, fontsize=10)
    save(figure, out / f"tasks-{name}.png")
    write_netcdf(found.merge(linked, compat="no_conflicts", combine_attrs="override"), out / f"tasks-{name}.nc")


def _steadiness(rows: Rows) -> Iterator[str]:
    kinds = dict.fromkeys((key.data, key.learner, key.units) for key in rows)
    cells = []
    for data, learner, units in kinds:
        found = xr.concat(
            [row[list(columns.SCORES)] for row in _of(rows, data=data, learner=learner, units=units)], "row"
        )
        cells.append([data, learner, f"{units:,}", *columns.words(found.median("row"), "{:.3f}")])
    yield from aligned(["data", "learner", "units", *columns.HEADER], cells)
    yield ""
    yield columns.note(ACCURACY)


def _speed(found: xr.Dataset) -> Iterator[str]:
    about = labels.config(found)
    fastest = found.seconds.min("repeat")
    yield (
        f"{found.attrs['title']}: {about['images']:,} images, {about['units']:,} units, batch {about['batch']}; the "
        f"shortest of {about['repeats']} epochs each, taken in turn in one process on {found.attrs['machine']}."
    )
    yield ""
    cells = [
        [
            str(name), str(found.about.sel(way=name).values), f"{float(fastest.sel(way=name)):.2f}",
            f"{float(fastest.sel(way='full') / fastest.sel(way=name)):.1f}",
            number(found.setup.sel(way=name), "{:.1f}"),
        ]
        for name in found.way.values
    ]  # fmt: skip
    yield from aligned(["way", "what", "epoch (s)", "times faster than full", "once before (s)"], cells)
    numbers = about["images"] * about["units"]
    yield ""
    yield (
        f"Full training is bound by its products, 6 x 784 x images x units = {6 * 784 * numbers / 1e12:.1f} TFLOP an "
        f"epoch; biases with W x kept need 40 x images x units = {40 * numbers / 1e9:.0f} GFLOP in thin products, and "
        f"are bound by the passes through memory over {4 * numbers / 1e9:.1f} GB of float32."
    )
