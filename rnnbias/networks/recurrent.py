"""Recurrent networks with frozen random weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import TRAINABLE, Network, Trace, weight_arrays, weight_dims
from rnnbias.networks.operators import Operator
from rnnbias.networks.recipe import Recipe
from rnnbias.networks.unrolled import unrolled
from systems import checks

__all__ = ["RNN"]


class RNN(Network):
    """A recurrent network with frozen random weights (Williams et al. 2025, Section 3).

        r_t = -alpha r_{t-1} + beta m * phi(g * (W r_{t-1} + B x_{t-1} + b)),      y_t = C r_t

    with rates r (unit), inputs x (input) and outputs y (output). `W`, `B`, `C` and the starting bias are drawn from
    `recipe` and never change unless `learn` names them; under push-pull wiring (see `Recipe`) the rows of W and B and
    the columns of `readout` C are stored once a pair. `recurrence` and `entry` are W and B by their products, whatever
    their structure; dense ones are the arrays `recurrent` and `input`. alpha = 0, beta = 1 is the plain network; alpha
    = -(1 - dt/tau), beta = dt/tau the leaky one.

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

    parts = TRAINABLE

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
        self.units = checks.whole("units", units, at_least=1)
        self.alpha = checks.number("alpha", alpha, at_least=-1, at_most=1)
        self.beta = checks.number("beta", beta, above=0)

        self.check_memory([units], dtype, recurrent=True)
        frozen = self.recipe.draw(units, inputs=inputs, outputs=outputs)
        values = {
            **weight_arrays("recurrent", frozen.recurrent),
            **weight_arrays("input", frozen.input),
            "readout": ("readout", torch.from_numpy(frozen.readout)),
            "start": (None, torch.from_numpy(frozen.bias)),
            "bias": ("bias", torch.zeros(units // self.wiring.units_per_bias)),
            "gain": ("gain", torch.ones(units)),
            "mask": ("mask", torch.ones(units)),
            "initial": ("initial", torch.zeros(units)),
        }
        self.register(values, device, dtype)

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """See `Network.dims`."""
        return {
            **weight_dims("recurrent", ("row", "unit")), **weight_dims("input", ("row", "input")),
            "readout": ("output", "row"), "bias": self.bias_dims,
            "gain": ("unit",), "mask": ("unit",), "initial": ("unit",),
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """See `Network.to_dict`."""
        return {**super().to_dict(), "alpha": self.alpha, "beta": self.beta}

    @staticmethod
    def weight_shapes(inputs: int, widths: Sequence[int], rows: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """See `Network.weight_shapes`."""
        return {"recurrent": (rows[0], widths[0]), "input": (rows[0], inputs)}

    @property
    def recurrence(self) -> Operator:
        """W (row, unit), by its products."""
        return self.operator("recurrent", self.wiring.rows(self.units), self.units)

    @property
    def entry(self) -> Operator:
        """B (row, input), by its products."""
        return self.operator("input", self.wiring.rows(self.units), self.inputs)

    def resting(self, trials: int) -> Tensor:
        """The starting rates r_0, (trial, unit)."""
        return self.initial.expand(trials, self.units)

    @property
    def remembers(self) -> bool:
        """Whether rates depend on those before them: through W or through the leak."""
        return bool(self.alpha) or self._recurs

    @property
    def _recurs(self) -> bool:
        if self.recipe.gain > 0:
            return True
        if self.recipe.structure != "dense":
            return False
        return bool(self.recurrent.any()) if "weights" in self.learn else self._coupled

    @cached_property
    def _coupled(self) -> bool:
        """Whether frozen W is other than zero: looked at once, since a free run asks at every step."""
        return bool(self.recurrent.any())

    @property
    def _plain(self) -> bool:
        """Whether a step is that of `unrolled`, whose products with W are not in vain."""
        independent = self.wiring.units_per_row == 1 and hasattr(self, "recurrent")
        plain = independent and not {"gain", "mask"} & set(self.learn) and "answer" not in vars(self)
        return plain and ("weights" in self.learn or self._recurs)

    def advance(self, rate: Tensor, external: Tensor) -> tuple[Tensor, Tensor]:
        """One step from rate r_{t-1} (trial, unit) with `external` = B x + b; returns u_t and r_t."""
        drive = external + self.wiring.spread(self.recurrence.apply(rate)) if self._recurs else external
        drive, fired = self.activate(drive)
        fresh = self.beta * fired
        return drive, fresh - self.alpha * rate if self.alpha else fresh

    def slope(self, drive: Tensor) -> Tensor:
        """dr_t/du_t = beta phi'(u_t) for u_t = `drive` (..., unit), where neither gains nor masks learn."""
        return self.beta * ACTIVATIONS[self.activation].slope(drive)

    def external(self, inputs: Tensor, biases: Tensor | None = None) -> Tensor:
        """B x + b for inputs (..., input), with b = `biases` where they are given; returns (..., unit)."""
        return self.wiring.spread(self.entry.apply(inputs)) + (self.biases if biases is None else biases)

    def forward(self, inputs: Tensor, rate: Tensor | None = None) -> Trace:
        """Run over inputs (trial, time, input), x_0 first, from `rate` (trial, unit) or r_0.

        The trace starts at r_1, the state after the first input; `readout` of it is y_1.
        """
        external = self.external(inputs)
        if not self.remembers:
            drive, fired = self.activate(external)
            return Trace(drive, self.beta * fired)
        rate = self.resting(inputs.shape[0]) if rate is None else rate
        if self._plain and torch.is_grad_enabled():
            phi = ACTIVATIONS[self.activation]
            return Trace(*unrolled(external, rate, self.recurrent, phi, self.alpha, self.beta))
        drives, rates = [], []
        for t in range(inputs.shape[1]):
            drive, rate = self.advance(rate, external[:, t])
            drives.append(drive)
            rates.append(rate)
        return Trace(torch.stack(drives, 1), torch.stack(rates, 1))

    def read(self, rate: Tensor) -> Tensor:
        """y = C r for rates (..., unit)."""
        return self.wiring.contrast(rate) @ self.readout.T
