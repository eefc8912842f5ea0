"""A network in control of a plant: how it is run, and its reaches as an objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rnnbias.networks import RNN
from rnnbias.objectives.base import Linearisation, Objective
from systems.labels import Labelled, dataset
from systems.tasks.losses import Loss
from systems.tasks.reaching import Controller, Movement, Session

__all__ = ["Reaches", "controller", "move", "movement_dataset"]

_HAND = ("trial", "time", "space")
_ROWS = 16  # components whose gradients are pulled back together


def controller(network: RNN, bias: Tensor | None = None) -> Controller:
    """The network as a controller for `Session.run`; its memory is the rate.

    `bias` (trial, row) gives every trial learned biases of its own, in place of those of the network.
    """
    biases = network.shifted(network.bias if bias is None else bias)

    def control(inputs: Tensor, rate: Any) -> tuple[Tensor, Any]:
        rate = network.resting(len(inputs)) if rate is None else rate
        _, rate = network.advance(rate, network.external(inputs, biases))
        return network.read(rate), rate

    return control


def move(network: RNN, session: Session, bias: Tensor | None = None) -> Movement:
    """What happens when `network` reaches; differentiable."""
    return session.run(controller(network, bias))


def movement_dataset(session: Session, movement: Movement, title: str, config: Mapping[str, object]) -> xr.Dataset:
    """A movement as a labelled Dataset; see `ReachFit.reach`."""
    task, plant = session.task, session.plant
    start, target = session.start.cpu().numpy(), session.target.cpu().numpy()
    angle = np.degrees(np.arctan2(*(target - start).T[::-1])) % 360
    hidden = torch.stack(movement.memory, 1)
    variables = {
        "position": Labelled(_HAND, movement.position, "m", "position of the hand, from home"),
        "velocity": Labelled(_HAND, movement.velocity, "m s-1", "velocity of the hand"),
        "force": Labelled(_HAND, movement.force, "N", "force that drives the hand"),
        "seen": Labelled(_HAND, movement.seen, "m", "position of the hand as seen, from home"),
        "command": Labelled(("trial", "time", "output"), movement.command, plant.command_units, "command to the plant"),
        "hidden": Labelled(("trial", "time", "unit"), hidden, "1", "rate"),
        "plant_state": Labelled(("trial", "time", "state"), movement.state, "see state_units", "state of the plant"),
    }
    coords = {
        "trial": Labelled("trial", np.arange(len(session)), "1", "trial"),
        "time": Labelled("time", session.time, "s", "time from the go cue"),
        "unit": Labelled("unit", np.arange(hidden.shape[2]), "1", "unit"),
        "state": Labelled("state", list(plant.states), "1", "state of the plant"),
        "state_units": Labelled("state", list(plant.state_units), "1", "units of each state"),
        "output": Labelled("output", np.arange(movement.command.shape[2]), "1", "output"),
        "space": Labelled("space", ["x", "y"], "1", "direction"),
        "start": Labelled(("trial", "space"), start, "m", "where the reach starts, from home"),
        "target": Labelled(("trial", "space"), target, "m", "target, from home"),
        "angle": Labelled("trial", angle, "degree", "direction of the reach"),
    }
    numbers = {name: item._replace(values=_plain(item.values)) for name, item in variables.items()}
    config = {**config, "reaching": {"task": task.to_dict(), "plant": plant.to_dict()}}
    return dataset(numbers, coords, title=title, config=config)


def _plain(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy()


@dataclass(frozen=True)
class Reaches(Objective[RNN]):
    """Reaches of a session, judged by a loss.

    The residuals of a trial depend on that trial alone. So where the biases alone learn, every trial gets biases of its
    own, and one backward pass for each component of a trial's residual makes the Jacobian, not one for each residual: 6
    passes for 24 targets instead of 144, all at once. Measured with 400 units and 100 steps, on one core: 0.24 s for a
    point mass and 0.5 s for an arm; the 6 passes one after the other take 0.27 and 1.2 s, one pass through 6 copies of
    the trials 0.49 and 0.73 s.
    """

    session: Session
    criterion: Loss

    def residual(self, network: RNN) -> Tensor:
        """See `Objective.residual`; (trial, component)."""
        return self._residual(network)

    def terms(self, network: RNN) -> dict[str, float]:
        """What each term of the loss adds to it."""
        with torch.no_grad():
            return self.criterion.terms(self.session, move(network, self.session))

    def endpoint_error(self, network: RNN) -> float:
        """Mean distance of the seen hand from the target at the end (m)."""
        with torch.no_grad():
            return float((move(network, self.session).seen[:, -1] - self.session.target).norm(dim=1).mean())

    def subset(self, chosen: Tensor) -> Reaches:
        """See `Objective.subset`."""
        return Reaches(self.session.subset(chosen), self.criterion)

    def __len__(self) -> int:
        return len(self.session)

    @torch.enable_grad()
    def linearise(self, network: RNN, tolerance: float = 0.0) -> Linearisation:
        """See `Objective.linearise`."""
        if network.learn != ("bias",):
            return super().linearise(network, tolerance)
        bias = network.bias.detach().expand(len(self), -1).clone().requires_grad_()
        error = self._residual(network, bias)
        unit = torch.eye(error.shape[1], dtype=error.dtype, device=error.device)
        blocks = [
            torch.autograd.grad(
                error, bias, rows[:, None].expand(-1, len(self), -1), retain_graph=True, is_grads_batched=True
            )[0]
            for rows in unit.split(_ROWS)
        ]
        return Linearisation(error.detach().flatten(), torch.cat(blocks).transpose(0, 1).flatten(0, 1))

    def _residual(self, network: RNN, bias: Tensor | None = None) -> Tensor:
        return self.criterion.residual(self.session, move(network, self.session, bias))
