"""Feedforward networks with frozen random weights: the layers of `RNN` without time."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import TRAINABLE, Network, Trace, hidden_widths, weight_arrays, weight_dims
from rnnbias.networks.operators import Operator
from rnnbias.networks.recipe import Recipe
from systems import checks

__all__ = ["FNN", "Layer"]


class Layer(NamedTuple):
    """One hidden layer: its `weight` (row, input or unit below), by its products, and where its units and their learned
    biases are among all.
    """

    weight: Operator
    biases_at: slice
    units_at: slice

    @property
    def rows(self) -> int:
        """How many rows it has: its units, or its pairs under push-pull wiring."""
        return self.weight.shape[0]


class FNN(Network):
    """A feedforward network with frozen random weights (Williams et al. 2025, Section 2), of any depth.

        r_k = m_k * phi(g_k * (W_k r_{k-1} + b_k)),  k = 1 ... depth,      r_0 = x,      y = C r_depth

    with inputs x (input), rates r_k (unit of layer k) and outputs y (output). The weights W_k, the readout C and the
    starting biases are drawn from `recipe` and never change unless `learn` names them. Biases, gains and masks are one
    vector over the units of all layers, first layer first.

    Learned parts (`learn`, any set): "bias": shifts of the biases b, one a unit, or one a pair under push-pull wiring
    (see `Recipe`); "gain": g (start 1); "mask": see `Network`; "readout": C; "weights": every W_k.

    Parameters
    ----------
    units : int or sequence of int
        Units of each hidden layer; even under push-pull wiring.
    inputs, outputs : int
        Sizes.
    recipe : Recipe
        Where the frozen arrays come from.
    learn : str or set of str
        What learns.
    activation : str
        A key of `ACTIVATIONS`. The theorem asks that a low enough bias silences a unit, which only "relu" meets; the
        others learn as well or better but give a warning.
    device, dtype
        As in torch; float64 by default.

    Raises ValueError or TypeError, naming the argument, for sizes below 1, unknown names and NaN.

    >>> net = FNN((6, 4), 2, 1)
    >>> net.learned, net(torch.ones(3, 2, dtype=torch.float64)).shape
    (5, torch.Size([3, 1]))
    """

    parts = tuple(part for part in TRAINABLE if part != "initial")

    def __init__(
        self,
        units: int | Sequence[int],
        inputs: int,
        outputs: int,
        *,
        recipe: Recipe | None = None,
        learn: str | Iterable[str] = "bias",
        activation: str = "relu",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__(inputs, outputs, recipe, learn, activation)
        checks.whole("inputs", inputs, at_least=1)
        self.widths = hidden_widths(units)
        self.units = sum(self.widths)
        if not ACTIVATIONS[activation].silent:
            warnings.warn(
                f"no bias silences a unit with activation {activation!r}: the theorem on learned biases covers "
                "'relu', not this",
                stacklevel=2,
            )
        self.check_memory(self.widths, dtype, recurrent=False)
        frozen = self.recipe.draw_layers(self.widths, inputs=inputs, outputs=outputs)
        start = torch.cat([torch.from_numpy(b) for b in frozen.biases])
        values: dict[str, tuple[str | None, Tensor]] = {}
        for k, weights in enumerate(frozen.weights):
            values |= weight_arrays(_weight(k), weights)
        values |= {
            "readout": ("readout", torch.from_numpy(frozen.readout)),
            "start": (None, start),
            "bias": ("bias", torch.zeros(self.units // self.wiring.units_per_bias)),
            "gain": ("gain", torch.ones(self.units)),
            "mask": ("mask", torch.ones(self.units)),
        }
        self.register(values, device, dtype)

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """See `Network.dims`; rows and units of one layer carry its number."""
        below = ["input", *(f"unit_{k + 1}" for k in range(len(self.widths)))]
        found: dict[str, tuple[str, ...]] = {"readout": ("output", f"row_{len(self.widths)}"), "bias": self.bias_dims}
        for k in range(len(self.widths)):
            found |= weight_dims(_weight(k), (f"row_{k + 1}", below[k]))
        return {**found, "gain": ("unit",), "mask": ("unit",)}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The hidden layers, inputs first."""
        ends, each = list(itertools.accumulate(self.widths, initial=0)), self.wiring.units_per_bias
        below = [self.inputs, *self.widths[:-1]]
        return tuple(
            Layer(
                self.operator(_weight(k), self.wiring.rows(b - a), below[k]),
                slice(a // each, b // each),
                slice(a, b),
            )
            for k, (a, b) in enumerate(itertools.pairwise(ends))
        )

    def trace(self, inputs: Tensor) -> Trace:
        """What the units of all layers do, (..., unit) each, for inputs (..., input)."""
        return self.trace_above(self.layers[0].weight.apply(inputs))

    def trace_above(self, first: Tensor) -> Trace:
        """The same from W_1 x (..., row of the first layer), which never changes while W_1 is frozen."""
        biases, below, drives, rates = self.biases, first, [], []
        for k, layer in enumerate(self.layers):
            fed = layer.weight.apply(below) if k else first
            drive = self.wiring.spread(fed) + biases[layer.units_at]
            drive, below = self.activate(drive, layer.units_at)
            drives.append(drive)
            rates.append(below)
        return Trace(torch.cat(drives, -1), torch.cat(rates, -1)) if len(drives) > 1 else Trace(drives[0], rates[0])

    def read(self, rate: Tensor) -> Tensor:
        """y = C r for rates (..., unit) of all layers, of which the last is read."""
        return self.wiring.contrast(rate[..., self.layers[-1].units_at]) @ self.readout.T

    def forward(self, inputs: Tensor) -> Tensor:
        """The outputs (..., output) for inputs (..., input)."""
        return self.read(self.trace(inputs).rate)

    def to_dict(self) -> dict[str, Any]:
        """See `Network.to_dict`."""
        return {**super().to_dict(), "units": list(self.widths)}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """See `Network.from_dict`; without the warning about the activation, which was given when it was chosen."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return super().from_dict(settings, device)

    @staticmethod
    def weight_shapes(inputs: int, widths: Sequence[int], rows: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """See `Network.weight_shapes`."""
        return {_weight(k): shape for k, shape in enumerate(zip(rows, [inputs, *widths[:-1]], strict=True))}

    def extra_repr(self) -> str:
        """Describe the network in one line."""
        return f"widths={self.widths}, {super().extra_repr()}"


def _weight(layer: int) -> str:
    return f"weight_{layer + 1}"
