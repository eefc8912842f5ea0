"""Networks with frozen random weights: the learned parts are parameters, the frozen ones are buffers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from rnnbias.networks import wiring as pairs
from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.recipe import Recipe, digest
from systems import checks

__all__ = ["LEARNABLE", "NETWORKS", "RNN", "Network", "Trace", "hidden_widths", "learn_set"]

#: What `learn=` may name for an `RNN`.
LEARNABLE = ("bias", "gain", "mask", "readout", "initial", "weights")

#: Networks by class name, as files name them.
NETWORKS: dict[str, type[Network]] = {}

_MOST_UNITS = 10**5


class Trace(NamedTuple):
    """What a network did: pre-activation u_t and rate r_t, each (trial, time, unit)."""

    drive: Tensor
    rate: Tensor


def learn_set(learn: str | Iterable[str], parts: tuple[str, ...] = LEARNABLE) -> tuple[str, ...]:
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
        self.outputs = checks.whole("outputs", outputs, at_least=1)
        self.recipe = recipe or Recipe()
        self.learn = learn_set(learn, self.parts)
        self.activation = checks.choice("activation", activation, ACTIVATIONS)
        self.fan, self.tied = self.recipe.units_per_row, self.recipe.units_per_bias

    def hold(
        self, values: dict[str, tuple[str | None, Tensor]], device: torch.device | str, dtype: torch.dtype
    ) -> None:
        """Keep each value under its name: a parameter where the part that it belongs to learns, else a buffer."""
        for name, (part, value) in values.items():
            value = value.to(device=device, dtype=dtype)
            if part in self.learn:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    @property
    @abstractmethod
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The names of the dimensions of everything that can learn."""

    @property
    def bias_dims(self) -> tuple[str]:
        """The dimension of what the biases learn."""
        return ("row",) if self.tied == self.fan else ("unit",)

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
        return pairs.share(self.start, self.fan) + pairs.oppose(bias, self.tied)

    @property
    def masks(self) -> Tensor:
        """The mask m of every unit (unit,)."""
        if self.steepness is not None:
            return torch.sigmoid(self.steepness * self.mask)
        soft = torch.sigmoid(self.mask)
        return (self.mask >= 0).to(soft.dtype) + (soft - soft.detach())

    def fire(self, drive: Tensor, units: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Return g u and m phi(g u) for u = `drive` (..., unit) of these units."""
        if "gain" in self.learn:
            drive = drive * self.gain[units]
        fired = ACTIVATIONS[self.activation].value(drive)
        return drive, fired * self.masks[units] if "mask" in self.learn else fired

    def digests(self) -> dict[str, str]:
        """SHA-256 of every array that does not learn."""
        return {name: digest(value.cpu().numpy()) for name, value in self.named_buffers()}

    def to_dict(self) -> dict[str, object]:
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
    def from_dict(cls, settings: dict[str, object], device: torch.device | str = "cpu") -> Self:
        """Rebuild a network, not yet taught, from `to_dict` without its entry "network"."""
        dtype = getattr(torch, checks.choice("dtype", settings["dtype"], ("float32", "float64")))
        return cls(**{**settings, "recipe": Recipe(**settings["recipe"]), "device": device, "dtype": dtype})

    def redrawn(self, learn: Iterable[str] | None = None) -> Self:
        """The network as its recipe draws it, with nothing learned; `learn` names other parts to learn."""
        settings = self.to_dict() if learn is None else {**self.to_dict(), "learn": list(learn)}
        del settings["network"]
        return self.from_dict(settings, self.start.device)

    @classmethod
    def shapes(cls, settings: dict[str, object]) -> dict[str, tuple[int, ...]]:
        """The shapes of the learned arrays of such a network, which is not drawn for that."""
        widths = hidden_widths(settings["units"])
        inputs = checks.whole("inputs", settings["inputs"], at_least=0, at_most=_MOST_UNITS)
        outputs = checks.whole("outputs", settings["outputs"], at_least=1, at_most=_MOST_UNITS)
        recipe = Recipe(**settings["recipe"])
        rows = [recipe.rows(units) for units in widths]
        shapes = {
            "bias": {"bias": (sum(widths) // recipe.units_per_bias,)},
            "gain": {"gain": (sum(widths),)},
            "mask": {"mask": (sum(widths),)},
            "readout": {"readout": (outputs, rows[-1])},
            "initial": {"initial": (sum(widths),)},
            "weights": cls.weight_shapes(inputs, widths, rows),
        }
        parts = learn_set(settings["learn"], cls.parts)
        return {name: shape for part in parts for name, shape in shapes[part].items()}

    @staticmethod
    @abstractmethod
    def weight_shapes(inputs: int, widths: Sequence[int], rows: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights between layers of `widths` units in `rows` rows."""

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
    return tuple(checks.whole("units", n, at_least=1, at_most=_MOST_UNITS) for n in many)


class RNN(Network):
    """A recurrent network with frozen random weights (Williams et al. 2025, Section 3).

        r_t = -alpha r_{t-1} + beta m * phi(g * (W r_{t-1} + B x_{t-1} + b)),      y_t = C r_t

    with rates r (unit), inputs x (input) and outputs y (output). `W`, `B`, `C` and the starting bias are drawn from
    `recipe` and never change unless `learn` names them; under push-pull wiring (see `Recipe`) the rows of `recurrent` W
    and `input` B and the columns of `readout` C are stored once a pair. alpha = 0, beta = 1 is the plain network;
    alpha = -(1 - dt/tau), beta = dt/tau the leaky one.

    Learned parts (`learn`, any set): "bias": shifts z of the bias b, one a unit, or one a pair under
    push-pull wiring (see `Recipe`); "gain": g (start 1); "mask": a number a unit whose sign decides whether
    the unit takes part, m = [number >= 0], trained through the slope of a sigmoid (straight-through);
    "readout": C; "initial": r_0 (start 0); "weights": W and B.

    Parameters
    ----------
    units, inputs, outputs : int
        Sizes; `units` must be even under push-pull wiring.
    recipe : Recipe
        Where the frozen arrays come from.
    learn : str or set of str
        What learns.
    activation : str
        A key of `ACTIVATIONS`.
    alpha, beta : float
        The leak; |alpha| <= 1.
    device, dtype
        As in torch; float64 by default.

    Raises ValueError or TypeError, naming the argument, for sizes below 1, unknown names and NaN.

    >>> net = RNN(6, 1, 1, recipe=Recipe(seed=1))
    >>> net.learned, net.readout.shape
    (3, torch.Size([1, 3]))
    """

    parts = LEARNABLE

    recurrent: Tensor
    input: Tensor
    initial: Tensor

    def __init__(
        self,
        units: int,
        inputs: int,
        outputs: int,
        *,
        recipe: Recipe | None = None,
        learn: str | Iterable[str] = "bias",
        activation: str = "tanh",
        alpha: float = 0.0,
        beta: float = 1.0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__(inputs, outputs, recipe, learn, activation)
        self.units = checks.whole("units", units, at_least=1, at_most=_MOST_UNITS)
        self.alpha = checks.number("alpha", alpha, at_least=-1, at_most=1)
        self.beta = checks.number("beta", beta, above=0)

        frozen = self.recipe.draw(units, inputs=inputs, outputs=outputs)
        values = {
            "recurrent": ("weights", torch.from_numpy(frozen.recurrent)),
            "input": ("weights", torch.from_numpy(frozen.input)),
            "readout": ("readout", torch.from_numpy(frozen.readout)),
            "start": (None, torch.from_numpy(frozen.bias)),
            "bias": ("bias", torch.zeros(units // self.tied)),
            "gain": ("gain", torch.ones(units)),
            "mask": ("mask", torch.ones(units)),
            "initial": ("initial", torch.zeros(units)),
        }
        self.hold(values, device, dtype)

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """See `Network.dims`."""
        return {
            "recurrent": ("row", "unit"), "input": ("row", "input"), "readout": ("output", "row"),
            "bias": self.bias_dims, "gain": ("unit",), "mask": ("unit",), "initial": ("unit",),
        }  # fmt: skip

    def to_dict(self) -> dict[str, object]:
        """See `Network.to_dict`."""
        return {**super().to_dict(), "alpha": self.alpha, "beta": self.beta}

    @staticmethod
    def weight_shapes(inputs: int, widths: Sequence[int], rows: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """See `Network.weight_shapes`."""
        return {"recurrent": (rows[0], widths[0]), "input": (rows[0], inputs)}

    def resting(self, trials: int) -> Tensor:
        """The starting rates r_0, (trial, unit)."""
        return self.initial.expand(trials, self.units)

    def advance(self, rate: Tensor, external: Tensor) -> tuple[Tensor, Tensor]:
        """One step from rate r_{t-1} (trial, unit) with `external` = B x + b; returns u_t and r_t."""
        drive = external + pairs.share(rate @ self.recurrent.T, self.fan)
        drive, fired = self.fire(drive)
        fresh = self.beta * fired
        return drive, fresh - self.alpha * rate if self.alpha else fresh

    def external(self, inputs: Tensor, biases: Tensor | None = None) -> Tensor:
        """B x + b for inputs (..., input), with b = `biases` where they are given; returns (..., unit)."""
        return pairs.share(inputs @ self.input.T, self.fan) + (self.biases if biases is None else biases)

    def forward(self, inputs: Tensor, rate: Tensor | None = None) -> Trace:
        """Run over inputs (trial, time, input), x_0 first, from `rate` (trial, unit) or r_0.

        The trace starts at r_1, the state after the first input; `readout` of it is y_1.
        """
        external = self.external(inputs)
        rate = self.resting(inputs.shape[0]) if rate is None else rate
        drives, rates = [], []
        for t in range(inputs.shape[1]):
            drive, rate = self.advance(rate, external[:, t])
            drives.append(drive)
            rates.append(rate)
        return Trace(torch.stack(drives, 1), torch.stack(rates, 1))

    def read(self, rate: Tensor) -> Tensor:
        """y = C r for rates (..., unit)."""
        return pairs.difference(rate, self.fan) @ self.readout.T
