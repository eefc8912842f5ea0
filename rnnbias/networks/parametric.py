"""Networks whose biases depend on known parameters of what they learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnnbias.networks.base import TRAINABLE
from rnnbias.networks.recurrent import RNN
from systems import checks

__all__ = ["ParametricRNN"]


class ParametricRNN(RNN):
    """An `RNN` with parametric biases: they are linear in parameters z that are constant in a trial.

        b(z) = b + M^T z

    "modulation", M (parameter, bias), learns from zero. z is given behind the inputs, (..., input + parameter); `at` is
    the plain `RNN` of one z. As inputs whose weights learn: Tani 2003, Neural Networks 16, 11 (parametric bias).

    Parameters
    ----------
    units, inputs, outputs : int
        As in `RNN`.
    parameters : int
        How many numbers z has.
    **settings
        As in `RNN`; `learn` may name "modulation".

    >>> from rnnbias import Recipe
    >>> network = ParametricRNN(6, 2, 2, parameters=1, recipe=Recipe.shaping(), learn={"bias", "modulation"})
    >>> network.learned, network.at(torch.ones(1, dtype=torch.float64)).learned
    (12, 6)
    """

    parts = (*TRAINABLE, "modulation")  # type: ignore[assignment]
    modulation: Tensor

    def __init__(self, units: int, inputs: int, outputs: int, *, parameters: int, **settings: Any) -> None:
        super().__init__(units, inputs, outputs, **settings)
        size = checks.whole("parameters", parameters, at_least=1), self.bias.numel()
        self.register({"modulation": ("modulation", torch.zeros(size))}, self.start.device, self.start.dtype)

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """See `Network.dims`."""
        return {**super().dims, "modulation": ("parameter", *self.bias_dims)}

    def to_dict(self) -> dict[str, Any]:
        """See `Network.to_dict`."""
        return {**super().to_dict(), "parameters": len(self.modulation)}

    @classmethod
    def part_shapes(cls, settings: Mapping[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
        """See `Network.part_shapes`."""
        shapes = super().part_shapes(settings)
        parameters = checks.whole("parameters", settings["parameters"], at_least=1)
        return {**shapes, "modulation": {"modulation": (parameters, *shapes["bias"]["bias"])}}

    def external(self, inputs: Tensor, biases: Tensor | None = None) -> Tensor:
        """B x + b(z) for inputs x and parameters z, (..., input + parameter); see `RNN.external`."""
        seen, z = inputs.split([self.inputs, len(self.modulation)], -1)
        return super().external(seen, biases) + self.wiring.to_units(z @ self.modulation)

    @torch.no_grad()
    def at(self, z: Tensor) -> RNN:
        """The plain network with the biases b(z), z being (parameter,); it shares the frozen arrays."""
        settings = {k: v for k, v in self.to_dict().items() if k not in ("network", "parameters")}
        plain = RNN.from_dict({**settings, "learn": ["bias"]}, self.start.device)
        for name, _ in plain.named_buffers():
            plain.register_buffer(name, self.get_buffer(name))
        plain.bias.copy_(self.bias + z @ self.modulation)
        return plain
