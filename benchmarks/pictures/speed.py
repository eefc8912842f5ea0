"""An epoch of bias learning beside one of full training of the same network in plain PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
import xarray as xr
from torch import nn
from tqdm.auto import tqdm

from arguments import machine
from pictures.learners import LEARNERS
from rnnbias import FNN
from rnnbias.objectives import CrossEntropy, FirstLayer
from rnnbias.problems.classification import brightness_scale, network_inputs
from systems.images import Images
from systems.labels import Labelled, dataset

__all__ = ["measure"]

_BATCH, _RATE = 512, 0.01


def measure(data: Images, units: int, repeats: int, progress: bool) -> xr.Dataset:
    """Seconds of an epoch over the training images but the held-out sixth, every way in turn, `repeats` times.

    Returns `seconds` (way, repeat) and `setup` (way): what is computed once.
    """
    split = data.held_out(max(1, round(len(data.train) / 6)))
    like = torch.empty(0, dtype=torch.float32)
    inputs = network_inputs(split.train, brightness_scale(split.train, "unit"), like)
    labels = torch.from_numpy(split.train_labels)
    ways = {
        "full": ("all weights, plain PyTorch, float32", _plain(inputs, labels, units, full=True)),
        "full-bf16": ("the same under autocast to bfloat16", _plain(inputs, labels, units, full=True, half=True)),
        "bias-plain": ("biases alone, plain PyTorch, float32", _plain(inputs, labels, units, full=False)),
    }
    setup = dict.fromkeys(ways, 0.0)
    for name, memory, about in (
        ("bias-kept", np.inf, "biases alone, W x kept in float32"),
        ("bias-half", 2.0 * len(inputs) * units, "biases alone, W x kept in float16"),
        ("bias-anew", 0.0, "biases alone, W x computed at every batch"),
    ):
        began = time.perf_counter()
        ways[name] = about, _ours(inputs, labels, units, len(data.classes), memory)
        setup[name] = time.perf_counter() - began
    seconds = np.zeros((len(ways), repeats))
    with tqdm(total=seconds.size, desc="epochs", disable=not progress) as bar:
        for repeat in range(repeats):
            for k, (_, epoch) in enumerate(ways.values()):
                began = time.perf_counter()
                epoch()
                seconds[k, repeat] = time.perf_counter() - began
                bar.update()
    return dataset(
        {
            "seconds": Labelled(("way", "repeat"), seconds, "s", "time of an epoch"),
            "setup": Labelled("way", list(setup.values()), "s", "time before the first epoch: drawing and W x"),
            "about": Labelled("way", [about for about, _ in ways.values()], "1", "what it is"),
        },
        {"way": Labelled("way", list(ways), "1", "way")},
        title=f"time of an epoch on {data.name}",
        config={"seed": 0, "units": units, "images": len(inputs), "batch": _BATCH, "repeats": repeats},
    ).assign_attrs(machine=f"{machine()} with {torch.get_num_threads()} threads")


def _plain(inputs: torch.Tensor, labels: torch.Tensor, units: int, *, full: bool, half: bool = False) -> Callable:
    """An epoch as one would write it in PyTorch."""
    network = nn.Sequential(
        nn.Linear(inputs.shape[1], units), nn.ReLU(), nn.Linear(units, int(labels.max()) + 1, bias=False)
    )
    if not full:
        for weight in (network[0].weight, network[2].weight):
            weight.requires_grad_(False)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=_RATE)

    def epoch() -> None:
        for chosen in torch.randperm(len(inputs)).split(_BATCH):
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
                loss = nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()

    return epoch


def _ours(inputs: torch.Tensor, labels: torch.Tensor, units: int, classes: int, memory: float) -> Callable:
    """An epoch as `fit_classes` does it, without the record at its end."""
    recipe = LEARNERS["bias-uniform"].recipe(inputs.shape[1], units)
    network = FNN(units, inputs.shape[1], classes, recipe=recipe, dtype=torch.float32)
    examples = CrossEntropy(inputs, labels, FirstLayer(inputs, network.layers[0].weight, memory))
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)

    def epoch() -> None:
        for chosen in torch.randperm(len(inputs)).split(_BATCH):
            optimiser.zero_grad()
            examples.subset(chosen).cost(network).backward()
            optimiser.step()

    return epoch
