"""What every network with frozen weights is: trainable parts are parameters, frozen ones are buffers."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.memory import available
from rnnbias.networks.operators import STRUCTURES, Dense, Operator
from rnnbias.networks.recipe import Recipe, Weights, digest
from rnnbias.networks.wiring import WIRINGS
from systems import checks

__all__ = ["NETWORKS", "TRAINABLE", "Network", "Trace", "hidden_widths", "trainable_parts"]

#: What `learn=` may name.
TRAINABLE = ("bias", "gain", "mask", "readout", "initial", "weights")

#: Networks by class name, as files name them.
NETWORKS: dict[str, type[Network]] = {}


class Trace(NamedTuple):
    """What a network did: pre-activation u_t and rate r_t, each (trial, time, unit)."""

    drive: Tensor
    rate: Tensor


def trainable_parts(learn: str | Iterable[str], parts: tuple[str, ...] = TRAINABLE) -> tuple[str, ...]:
    """Return those of `parts` named by `learn` in canonical order; refuse unknown and missing names."""
    if not isinstance(learn, Iterable):
        raise TypeError(f"learn must be one or more of {', '.join(parts)}, got {learn!r}")
    names = [learn] if isinstance(learn, str) else list(learn)
    if not names:
        raise ValueError(f"learn must name at least one of {', '.join(parts)}, got none")
    for name in names:
        checks.choice("learn", name, parts)
    return tuple(name for name in parts if name in names)


class Network(nn.Module, ABC):
    """What `RNN` and `FNN` share: which numbers learn, and what a unit does with what drives it.

        r = m * phi(g * u)

    u is what drives a unit, its bias included, g its gain and m its mask. What `learn` names is an `nn.Parameter`,
    everything else a buffer. A mask is a number a unit: while `steepness` is None the unit takes part where the number
    is 0 or more, and learns through the slope of a sigmoid (straight-through); else m = sigmoid(steepness * number).
    """

    #: What `learn=` may name.
    parts: ClassVar[tuple[str, ...]]
    fewest_outputs: ClassVar[int] = 1
    units: int
    readout: Tensor
    start: Tensor
    bias: Tensor
    gain: Tensor
    mask: Tensor
    steepness: float | None = None

    def __init_subclass__(cls) -> None:
        NETWORKS[cls.__name__] = cls

    def __init__(
        self, inputs: int, outputs: int, recipe: Recipe | None, learn: str | Iterable[str], activation: str
    ) -> None:
        super().__init__()
        self.inputs = checks.whole("inputs", inputs, at_least=0)
        self.outputs = checks.whole("outputs", outputs, at_least=self.fewest_outputs)
        self.recipe = recipe or Recipe()
        self.learn = trainable_parts(learn, self.parts)
        if "weights" in self.learn and self.recipe.structure != "dense":
            raise ValueError(f"learn must be without weights where their structure is {self.recipe.structure!r}")
        self.activation = checks.choice("activation", activation, ACTIVATIONS)
        self.wiring = WIRINGS[self.recipe.wiring]

    def register(
        self, values: Mapping[str, tuple[str | None, Tensor]], device: torch.device | str, dtype: torch.dtype
    ) -> None:
        """Keep each value under its name: a parameter where the part that it belongs to learns, else a buffer."""
        for name, (part, value) in values.items():
            value = value.to(device=device, dtype=dtype)
            if part in self.learn:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def check_memory(self, widths: Sequence[int], dtype: torch.dtype, *, recurrent: bool) -> None:
        """Refuse, before anything is drawn, a network whose frozen arrays take more memory than there is."""
        numbers = partial(Recipe.numbers, units=widths, inputs=self.inputs, outputs=self.outputs, recurrent=recurrent)
        each = 8 if dtype == torch.float64 else 8 + dtype.itemsize  # drawn in double precision
        needed, free = each * numbers(self.recipe), available()
        if needed > free:
            small = each * numbers(replace(self.recipe, law="gaussian", structure="hadamard"))
            raise ValueError(
                f"units must be at most what fits into memory: {sum(widths):,} units and {self.inputs:,} inputs with "
                f"{self.recipe.structure} weights take {needed // 10**6:,} MB, and {free // 10**6:,} MB are available; "
                f"under Recipe(structure='hadamard') they take {small // 10**6:,} MB"
            )

    def operator(self, name: str, rows: int, columns: int) -> Operator:
        """The weights called `name`, (row, column), by their products."""
        if hasattr(self, name):
            return Dense(getattr(self, name))
        make = STRUCTURES[self.recipe.structure]
        return make((rows, columns), *(getattr(self, f"{name}_{part}") for part in make.parts))

    @property
    @abstractmethod
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The names of the dimensions of everything that can learn."""

    @abstractmethod
    def read(self, rate: Tensor) -> Tensor:
        """The outputs y = C r (..., output) for rates (..., unit) of all units."""

    @property
    def bias_dims(self) -> tuple[str]:
        """The dimension of what the biases learn."""
        return ("unit",) if self.recipe.wiring == "twins" else ("row",)

    @property
    def learned(self) -> int:
        """How many numbers learn."""
        return sum(p.numel() for p in self.parameters())

    @property
    def biases(self) -> Tensor:
        """The bias b of every unit (unit,): where it started plus what it learned."""
        return self.shifted(self.bias)

    def shifted(self, bias: Tensor) -> Tensor:
        """The bias b of every unit (..., unit), were `bias` (..., row) learned."""
        return self.wiring.spread(self.start) + self.wiring.to_units(bias)

    @property
    def masks(self) -> Tensor:
        """The mask m of every unit (unit,)."""
        if self.steepness is not None:
            return torch.sigmoid(self.steepness * self.mask)
        soft = torch.sigmoid(self.mask)
        return (self.mask >= 0).to(soft.dtype) + (soft - soft.detach())

    def activate(self, drive: Tensor, units: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Return g u and m phi(g u) for u = `drive` (..., unit) of these units."""
        if "gain" in self.learn:
            drive = drive * self.gain[units]
        fired = ACTIVATIONS[self.activation].value(drive)
        return drive, self.answer(fired * self.masks[units] if "mask" in self.learn else fired)

    def answer(self, fired: Tensor) -> Tensor:
        """What units that fired so much (..., unit) answer: just that, unless noise is put in its place."""
        return fired

    def digests(self) -> dict[str, str]:
        """SHA-256 of every array that does not learn."""
        return {name: digest(value.cpu().numpy()) for name, value in self.named_buffers()}

    def to_dict(self) -> dict[str, Any]:
        """What rebuilds the network but its learned numbers, as plain numbers, strings, lists and dicts."""
        return {
            "network": type(self).__name__,
            "units": self.units,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "learn": list(self.learn),
            "activation": self.activation,
            "recipe": self.recipe.to_dict(),
            "dtype": str(self.start.dtype).removeprefix("torch."),
        }

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """Rebuild a network, not yet taught, from `to_dict` without its entry "network"."""
        dtype = getattr(torch, checks.choice("dtype", settings["dtype"], ("float32", "float64")))
        return cls(**{**settings, "recipe": Recipe(**settings["recipe"]), "device": device, "dtype": dtype})

    @classmethod
    def rebuilt(
        cls, settings: Mapping[str, Any], stored: Mapping[str, np.ndarray], device: torch.device | str = "cpu"
    ) -> Self:
        """Rebuild a network as `from_dict` does, with the frozen arrays `stored` instead of those drawn."""
        network = cls.from_dict(settings, device)
        for name, buffer in network.named_buffers():
            if name in stored:
                kept = checks.array(f"frozen_{name}", stored[name], shape=tuple(buffer.shape))
                buffer.copy_(torch.from_numpy(kept))
        return network

    def redrawn(self, learn: Iterable[str] | None = None) -> Self:
        """The network as its recipe draws it, with nothing learned; `learn` names other parts to learn."""
        settings = self.to_dict() if learn is None else {**self.to_dict(), "learn": list(learn)}
        del settings["network"]
        return self.from_dict(settings, self.start.device)

    @classmethod
    def shapes(cls, settings: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """The shapes of the learned arrays of such a network, which is not drawn for that."""
        shapes = cls.part_shapes(settings)
        parts = trainable_parts(settings["learn"], cls.parts)
        return {name: shape for part in parts for name, shape in shapes[part].items()}

    @classmethod
    def part_shapes(cls, settings: Mapping[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
        """The shapes of the arrays of every part that could learn."""
        widths = hidden_widths(settings["units"])
        inputs = checks.whole("inputs", settings["inputs"], at_least=0)
        outputs = checks.whole("outputs", settings["outputs"], at_least=1)
        wiring = WIRINGS[Recipe(**settings["recipe"]).wiring]
        rows = [wiring.rows(units) for units in widths]
        return {
            "bias": {"bias": (sum(widths) // wiring.units_per_bias,)},
            "gain": {"gain": (sum(widths),)},
            "mask": {"mask": (sum(widths),)},
            "readout": {"readout": (outputs, rows[-1])},
            "initial": {"initial": (sum(widths),)},
            "weights": cls.weight_shapes(inputs, widths, rows),
        }

    @classmethod
    def count(cls, settings: Mapping[str, Any]) -> int:
        """How many numbers of such a network learn, which is not drawn for that."""
        return sum(math.prod(shape) for shape in cls.shapes(settings).values())

    @staticmethod
    def weight_shapes(inputs: int, widths: Sequence[int], rows: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights between layers of `widths` units in `rows` rows, where weights are drawn."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Describe the network in one line."""
        return (
            f"units={self.units}, inputs={self.inputs}, outputs={self.outputs}, learn={set(self.learn)}, "
            f"learned={self.learned}, wiring={self.recipe.wiring!r}, activation={self.activation!r}"
        )


def hidden_widths(units: int | Sequence[int]) -> tuple[int, ...]:
    """The units of each hidden layer, from one number or several."""
    many = list(units) if isinstance(units, Iterable) and not isinstance(units, str) else [units]
    if not many:
        raise ValueError("units must name the width of at least one hidden layer, got none")
    return tuple(checks.whole("units", n, at_least=1) for n in many)


def weight_arrays(name: str, weights: Weights) -> dict[str, tuple[str, Tensor]]:
    """The arrays of the weights called `name`, as `Network.register` takes them."""
    arrays = {name: weights} if isinstance(weights, np.ndarray) else {f"{name}_{k}": a for k, a in weights.items()}
    return {each: ("weights", torch.from_numpy(array)) for each, array in arrays.items()}


def weight_dims(name: str, dims: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """The dimensions of the weights called `name`, and of the arrays that make them where they are structured."""
    parts = itertools.chain(*(make.parts.items() for make in STRUCTURES.values()))
    return {name: dims, **{f"{name}_{part}": tuple(f"{name}_{d}" for d in own) for part, own in parts}}
