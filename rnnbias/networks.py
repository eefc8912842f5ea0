"""Networks with frozen random weights: the learned parts are parameters, the frozen ones are buffers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rnnbias import pairs
from rnnbias.activations import ACTIVATIONS
from rnnbias.weights import Recipe, digest
from systems import checks

__all__ = ["LEARNABLE", "NETWORKS", "RNN", "Trace", "learn_set"]

#: What `learn=` may name.
LEARNABLE = ("bias", "gain", "mask", "readout", "initial", "weights")

_MOST_UNITS = 10**5


class Trace(NamedTuple):
    """What a network did: pre-activation u_t and rate r_t, each (trial, time, unit)."""

    drive: Tensor
    rate: Tensor


def learn_set(learn: str | Iterable[str]) -> tuple[str, ...]:
    """Return the parts named by `learn` in canonical order; refuse unknown and missing names."""
    if not isinstance(learn, Iterable):
        raise TypeError(f"learn must be one or more of {', '.join(LEARNABLE)}, got {learn!r}")
    names = [learn] if isinstance(learn, str) else list(learn)
    if not names:
        raise ValueError(f"learn must name at least one of {', '.join(LEARNABLE)}, got none")
    for name in names:
        checks.choice("learn", name, LEARNABLE)
    return tuple(name for name in LEARNABLE if name in names)


class RNN(nn.Module):
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

    #: The dimensions of what can learn.
    dims: ClassVar[dict[str, tuple[str, ...]]] = {
        "recurrent": ("row", "unit"), "input": ("row", "input"), "readout": ("output", "row"), "bias": ("row",),
        "gain": ("unit",), "mask": ("unit",), "initial": ("unit",),
    }  # fmt: skip

    recurrent: Tensor
    input: Tensor
    readout: Tensor
    start: Tensor
    bias: Tensor
    gain: Tensor
    mask: Tensor
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
        super().__init__()
        self.units = checks.whole("units", units, at_least=1, at_most=_MOST_UNITS)
        self.inputs = checks.whole("inputs", inputs, at_least=0)
        self.outputs = checks.whole("outputs", outputs, at_least=1)
        self.recipe = recipe or Recipe()
        self.learn = learn_set(learn)
        self.activation = checks.choice("activation", activation, ACTIVATIONS)
        self.alpha = checks.number("alpha", alpha, at_least=-1, at_most=1)
        self.beta = checks.number("beta", beta, above=0)
        self.fan = self.recipe.units_per_row

        frozen = self.recipe.draw(units, inputs=inputs, outputs=outputs)
        rows = self.recipe.rows(units)
        values = {
            "recurrent": ("weights", torch.from_numpy(frozen.recurrent)),
            "input": ("weights", torch.from_numpy(frozen.input)),
            "readout": ("readout", torch.from_numpy(frozen.readout)),
            "start": (None, torch.from_numpy(frozen.bias)),
            "bias": ("bias", torch.zeros(rows)),
            "gain": ("gain", torch.ones(units)),
            "mask": ("mask", torch.ones(units)),
            "initial": ("initial", torch.zeros(units)),
        }
        for name, (part, value) in values.items():
            value = value.to(device=device, dtype=dtype)
            if part in self.learn:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    @property
    def learned(self) -> int:
        """How many numbers learn."""
        return sum(p.numel() for p in self.parameters())

    @property
    def biases(self) -> Tensor:
        """The bias b of every unit (unit,): where it started plus what it learned."""
        return pairs.share(self.start, self.fan) + pairs.oppose(self.bias, self.fan)

    def to_dict(self) -> dict[str, object]:
        """What rebuilds the network but its learned numbers, as plain numbers, strings, lists and dicts."""
        return {
            "network": type(self).__name__,
            "units": self.units,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "learn": list(self.learn),
            "activation": self.activation,
            "alpha": self.alpha,
            "beta": self.beta,
            "recipe": self.recipe.to_dict(),
        }

    @classmethod
    def from_dict(cls, settings: dict[str, object], device: torch.device | str = "cpu") -> RNN:
        """Rebuild a network, not yet taught, from `to_dict` without its entry "network"."""
        return cls(**{**settings, "recipe": Recipe(**settings["recipe"]), "device": device})

    @staticmethod
    def shapes(settings: dict[str, object]) -> dict[str, tuple[int, ...]]:
        """The shapes of the learned arrays of such a network, which is not drawn for that."""
        units = checks.whole("units", settings["units"], at_least=1, at_most=_MOST_UNITS)
        inputs = checks.whole("inputs", settings["inputs"], at_least=0, at_most=_MOST_UNITS)
        outputs = checks.whole("outputs", settings["outputs"], at_least=1, at_most=_MOST_UNITS)
        rows = Recipe(**settings["recipe"]).rows(units)
        shapes = {
            "bias": {"bias": (rows,)},
            "gain": {"gain": (units,)},
            "mask": {"mask": (units,)},
            "readout": {"readout": (outputs, rows)},
            "initial": {"initial": (units,)},
            "weights": {"recurrent": (rows, units), "input": (rows, inputs)},
        }
        return {name: shape for part in learn_set(settings["learn"]) for name, shape in shapes[part].items()}

    def digests(self) -> dict[str, str]:
        """SHA-256 of every array that does not learn."""
        return {name: digest(value.cpu().numpy()) for name, value in self.named_buffers()}

    def resting(self, trials: int) -> Tensor:
        """The starting rates r_0, (trial, unit)."""
        return self.initial.expand(trials, self.units)

    def advance(self, rate: Tensor, external: Tensor) -> tuple[Tensor, Tensor]:
        """One step from rate r_{t-1} (trial, unit) with `external` = B x + b; returns u_t and r_t."""
        drive = external + pairs.share(rate @ self.recurrent.T, self.fan)
        phi = ACTIVATIONS[self.activation].value
        if "gain" in self.learn:
            drive = drive * self.gain
        fired = phi(drive)
        if "mask" in self.learn:
            soft = torch.sigmoid(self.mask)
            fired = fired * ((self.mask >= 0).to(soft.dtype) + (soft - soft.detach()))
        fresh = self.beta * fired
        return drive, fresh - self.alpha * rate if self.alpha else fresh

    def external(self, inputs: Tensor) -> Tensor:
        """B x + b for inputs (..., input); returns (..., unit)."""
        return pairs.share(inputs @ self.input.T, self.fan) + self.biases

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

    def extra_repr(self) -> str:
        """Describe the network in one line."""
        return (
            f"units={self.units}, inputs={self.inputs}, outputs={self.outputs}, learn={set(self.learn)}, "
            f"learned={self.learned}, wiring={self.recipe.wiring!r}, activation={self.activation!r}"
        )


#: Networks by class name, as files name them.
NETWORKS = {"RNN": RNN}
