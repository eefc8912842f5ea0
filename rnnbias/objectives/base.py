"""What a solver learns from: examples with their residuals, and the derivatives of those."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from rnnbias.networks import wiring as pairs
from rnnbias.networks.base import RNN
from rnnbias.networks.feedforward import FNN
from rnnbias.networks.jacobians import backward_sweep, bias_jacobian, forward_sweep
from rnnbias.networks.layer_jacobian import layer_jacobian

__all__ = ["Examples", "Linearised", "Points", "Products", "Sequences"]

_ROWS = 256  # rows of a Jacobian that reverse-mode differentiation makes at once


class Linearised(NamedTuple):
    """The model e + J s: `error` e (residual,), `matrix` J (residual, learned) and the `depth` of its making."""

    error: Tensor
    matrix: Tensor
    depth: float = math.nan


class Products(NamedTuple):
    """The model e + J s with J known only through `forward`, v -> J v, and `backward`, w -> J^T w."""

    error: Tensor
    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor], Tensor]


class Examples(ABC):
    """Trials to learn from; the loss is the mean square of their residuals, unless a subclass has another `cost`.

    A subclass says what the residuals are, and overrides the derivatives where it knows a faster exact way than
    differentiation in reverse. Columns of a Jacobian follow `network.parameters()`, flattened.
    """

    @abstractmethod
    def residual(self, network: nn.Module) -> Tensor:
        """Residuals, (trial, ...), differentiable."""

    @abstractmethod
    def part(self, chosen: Tensor) -> Self:
        """The examples with these trials only."""

    def regression(self, network: nn.Module) -> tuple[Tensor, Tensor]:
        """Features (sample, row) and targets (sample, output) of the linear problem that the readout solves."""
        raise TypeError(f"solver Ridge needs residuals that are linear in the readout, {type(self).__name__} are not")

    @abstractmethod
    def __len__(self) -> int:
        """How many trials there are."""

    def cost(self, network: nn.Module) -> Tensor:
        """The loss, differentiable: what descent goes down."""
        return self.residual(network).square().mean()

    @torch.no_grad()
    def loss(self, network: nn.Module) -> float:
        """The loss; infinite where it is not finite."""
        found = float(self.cost(network))
        return found if math.isfinite(found) else math.inf

    @torch.enable_grad()
    def linearise(self, network: nn.Module, tolerance: float = 0.0) -> Linearised:
        """Residuals and their Jacobian; `tolerance` is the relative size of what may be dropped from it."""
        error = self.residual(network).flatten()
        unit = torch.eye(len(error), dtype=error.dtype, device=error.device)
        blocks = [_pulled(error, network, rows) for rows in unit.split(_ROWS)]
        return Linearised(error.detach(), torch.cat(blocks))

    @torch.enable_grad()
    def products(self, network: nn.Module) -> Products:
        """Residuals, and products with their Jacobian."""
        error = self.residual(network).flatten()
        parameters = list(network.parameters())
        dual = torch.zeros_like(error, requires_grad=True)
        pulled = torch.cat([g.flatten() for g in torch.autograd.grad(error, parameters, dual, create_graph=True)])

        def forward(vector: Tensor) -> Tensor:
            return torch.autograd.grad(pulled, dual, vector, retain_graph=True)[0]

        def backward(weight: Tensor) -> Tensor:
            return _pulled(error, network, weight[None])[0]

        return Products(error.detach(), forward, backward)


def _pulled(error: Tensor, network: nn.Module, weights: Tensor) -> Tensor:
    """J^T w for each row w of `weights`, (row, learned)."""
    found = torch.autograd.grad(
        error, list(network.parameters()), weights, retain_graph=True, is_grads_batched=True, materialize_grads=True
    )
    return torch.cat([g.flatten(1) for g in found], 1)


@dataclass(frozen=True)
class Sequences(Examples):
    """Sequences that drive a recurrent network.

    `inputs` is (trial, time, input) and `targets` (trial, time - washout, output).
    The residuals are outputs minus targets, after the first `washout` steps. Where the biases alone learn, the Jacobian
    is `rnnbias.networks.jacobians.bias_jacobian`.
    """

    inputs: Tensor
    targets: Tensor
    washout: int

    def residual(self, network: RNN) -> Tensor:
        """See `Examples.residual`; (trial, time - washout, output)."""
        return network.read(network(self.inputs).rate[:, self.washout :]) - self.targets

    def part(self, chosen: Tensor) -> Sequences:
        """See `Examples.part`."""
        return Sequences(self.inputs[chosen], self.targets[chosen], self.washout)

    def __len__(self) -> int:
        return len(self.inputs)

    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearised:
        """See `Examples.linearise`."""
        if network.learn != ("bias",):
            return super().linearise(network, tolerance)
        with torch.no_grad():
            trace = network(self.inputs)
            found = bias_jacobian(network, trace, self.washout, tolerance)
            error = network.read(trace.rate[:, self.washout :]) - self.targets
        return Linearised(error.flatten(), found.matrix.flatten(0, 2), float(found.depth))

    def products(self, network: RNN) -> Products:
        """See `Examples.products`."""
        if network.learn != ("bias",):
            return super().products(network)
        with torch.no_grad():
            trace = network(self.inputs)
            error = network.read(trace.rate[:, self.washout :]) - self.targets
        return Products(
            error.flatten(),
            lambda vector: forward_sweep(network, trace, vector, self.washout).flatten(),
            lambda weight: backward_sweep(network, trace, weight.reshape(error.shape), self.washout),
        )

    @torch.no_grad()
    def regression(self, network: RNN) -> tuple[Tensor, Tensor]:
        """See `Examples.regression`."""
        rates = network(self.inputs).rate[:, self.washout :].flatten(0, 1)
        return pairs.difference(rates, network.fan), self.targets.flatten(0, 1)


@dataclass(frozen=True)
class Points(Examples):
    """Points at which a feedforward network should take given values.

    `inputs` is (trial, input) and `targets` (trial, output), a trial being one point. The residuals are outputs minus
    targets; their Jacobian is `rnnbias.networks.layer_jacobian.layer_jacobian`.
    """

    inputs: Tensor
    targets: Tensor

    def residual(self, network: FNN) -> Tensor:
        """See `Examples.residual`; (trial, output)."""
        return network(self.inputs) - self.targets

    def part(self, chosen: Tensor) -> Points:
        """See `Examples.part`."""
        return Points(self.inputs[chosen], self.targets[chosen])

    def __len__(self) -> int:
        return len(self.inputs)

    @torch.no_grad()
    def linearise(self, network: FNN, tolerance: float = 0.0) -> Linearised:
        """See `Examples.linearise`."""
        return Linearised(self.residual(network).flatten(), layer_jacobian(network, self.inputs).flatten(0, 1))

    @torch.no_grad()
    def regression(self, network: FNN) -> tuple[Tensor, Tensor]:
        """See `Examples.regression`."""
        last = network.trace(self.inputs).rate[:, network.layers[-1].units_at]
        return pairs.difference(last, network.fan), self.targets
