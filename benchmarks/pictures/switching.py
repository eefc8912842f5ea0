"""One network object whose stored bias sets switch it from task to task."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr

from rnnbias import FNN, Bank, Recipe
from rnnbias.datasets import Standardiser
from rnnbias.objectives import OneHot
from rnnbias.problems.classification import network_inputs
from systems.images import Images
from systems.labels import Labelled, dataset

__all__ = ["switch"]


def switch(rows: Mapping[str, xr.Dataset], data: Mapping[str, Images]) -> xr.Dataset:
    """Put the learned numbers of each task's row into a `Bank` over one network, and test every task, twice.

    Returns the bank's biases (task, unit) with `accuracy` (visit, task): tasks in order, then in the reverse order.
    """
    some, first = next(iter(rows.values())), next(iter(data.values()))
    recipe = Recipe(**json.loads(some.attrs["recipe"]))
    inputs = first.shape[0] * first.shape[1]
    network = FNN(some.sizes["unit"], inputs, len(first.classes), recipe=recipe, dtype=torch.float32)
    bank = Bank(network)
    for task, row in rows.items():
        with torch.no_grad():
            network.bias.copy_(torch.from_numpy(row["shift"].values))
        bank.store(task)

    def accuracy(task: str) -> float:
        scale = Standardiser(rows[task]["brightness"].values, rows[task]["size"].values)
        inputs = network_inputs(data[task].test, scale, network.start)
        return OneHot(inputs, torch.from_numpy(data[task].test_labels)).accuracy(bank.use(task))

    forward = [accuracy(task) for task in rows]
    backward = [accuracy(task) for task in reversed(rows)][::-1]
    biases = bank.to_dataset().bias.sel(task=list(rows))
    return dataset(
        {
            "bias": Labelled(("task", "unit"), biases.values, "1", "bias"),
            "accuracy": Labelled(("visit", "task"), np.array([forward, backward]), "1", "accuracy on test images"),
        },
        {"task": Labelled("task", list(rows), "1", "task")},
        title="one frozen network switched between tasks",
        config={"seed": recipe.seed, "network": network.to_dict()},
    )
