"""A row: one fit, its scores and what its units do."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
from arguments import machine
from pictures.learners import Learner
from rnnbias import ClassFit, analysis
from systems.images import Images
from systems.labels import Labelled, dataset

__all__ = ["ACCURACY", "Key", "Plan", "few", "make_row"]

_FEW = 1000  # test images of the columns of robustness
#: What robustness is measured by.
ACCURACY = f"the accuracy on the first {_FEW:,} test images, scaled so that naming the commonest class alone earns 0"


class Key(NamedTuple):
    """Which row: the seed is that of the weights, the order that of the minibatches."""

    experiment: str
    data: str
    learner: str
    units: int
    seed: int
    order: int = 0


class Plan(NamedTuple):
    """How a row is made: by which learner, whether its test images count and whether its units are looked at."""

    learner: Learner
    tested: bool = True
    unitwise: bool = False

    def settings(self, key: Key, counts: dict[str, object]) -> dict[str, object]:
        """Everything that the row depends on; `counts` says how many images there are."""
        recipe = self.learner.recipe(784, key.units).to_dict()
        return {"learner": {**asdict(replace(self.learner, recipe=None)), "recipe": recipe}, "counts": counts}


def make_row(key: Key, plan: Plan, data: Images, progress: bool) -> xr.Dataset:
    """Fit and score."""
    began = time.perf_counter()
    fit = plan.learner.fit(data, key.units, key.seed, progress, key.order)
    seconds = time.perf_counter() - began
    history = fit.history
    variables = {
        "held_out_accuracy": Labelled(
            (), float(history.accuracy[int(np.argmin(history.held_out_loss.values))]), "1", "held out"
        ),
        "learned": Labelled((), fit.learned, "1", "learned numbers"),
        "seconds": Labelled((), seconds, "s", "time to fit"),
        "epoch_accuracy": Labelled("epoch", history.accuracy.values, "1", "accuracy on held-out images"),
        "epoch_loss": Labelled("epoch", history.loss.values, "1", "training loss of the epoch"),
    }
    if plan.tested:
        found = fit.score(data)
        variables["accuracy"] = Labelled((), float(found.accuracy), "1", "accuracy on test images")
        variables["loss"] = Labelled((), float(found.loss), "1", "cross-entropy on test images")
        steady = columns.steadiness(fit, few(data))
        variables |= {name: Labelled((), value, *columns.SCORES[name]) for name, value in steady.items()}
    if plan.unitwise:
        variables |= _units(fit, data)
    share = np.unique(data.test_labels, return_counts=True)[1] / len(data.test)
    row = dataset(variables, {}, title=f"{key.learner} on {key.data}", config=key._asdict())
    return row.assign_attrs(
        about=plan.learner.about, epochs=plan.learner.solver.epochs, note=data.note, machine=machine(),
        recipe=json.dumps(fit.network.recipe.to_dict()), drives=fit.settings["drives"],
        chance=float(share.max()), images=f"{fit.settings['images']} to {len(data.test)}",
    )  # fmt: skip


def few(data: Images) -> Images:
    """The images by which robustness is measured."""
    return data.first(None, min(_FEW, len(data.test)))


def _units(fit: ClassFit, data: Images) -> dict[str, Labelled]:
    """Task variance and bias of every unit, and the learned numbers, from which the network can be had again."""
    found = analysis.task_variance({data.name: fit.rates(data.test)}).isel(task=0)
    out = {name: Labelled("unit", found[name].values, "1", found[name].attrs["long_name"]) for name in found}
    out["bias"] = Labelled("unit", fit.network.biases.detach().numpy(), "1", "bias")
    if fit.network.learn == ("bias",):
        out["shift"] = Labelled("number", fit.network.bias.detach().numpy(), "1", "learned numbers")
        out["brightness"] = Labelled("input", fit.scale.mean, "1", "mean brightness")
        out["size"] = Labelled((), fit.scale.scale, "1", "size of the brightness")
    return out
