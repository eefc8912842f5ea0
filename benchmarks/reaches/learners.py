"""Who learns to reach, and how well it reaches: one row of the table."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch

import columns
from rnnbias import Adam, ReachFit, Recipe, fit_reach
from rnnbias.metrics.reaching import kinematics
from rnnbias.networks import Network
from rnnbias.objectives import Reaches
from rnnbias.problems.reaching import FIRST_ORDER, SECOND_ORDER
from rnnbias.solvers import Solver
from systems.plants import Plant
from systems.plants.loads import CurlField, Load, VisuomotorRotation
from systems.tasks.losses import EFFORT, PATH, Loss
from systems.tasks.reaching import CentreOut, Session

__all__ = [
    "FLOOR", "GOAL", "LOADS", "NATURAL", "NOISE", "PROBES", "SCALES", "SCORES", "STEADY", "Learner", "Protocol", "adam",
    "adapted", "affordable", "learners", "score",
]  # fmt: skip

GOAL = 5e-3  # the training loss at which Williams et al. (2025) stop
NATURAL = Loss() + PATH + 1e-3 * EFFORT  # what adaptation starts from and goes by: straight reaches
LOADS: dict[str, Load] = {"curl": CurlField(5.0), "rotation": VisuomotorRotation(30.0)}
FLOOR = 2e-3  # m: the error, beyond twice its own, at which the skill of reaching is halved
NOISE = 1e-3  # on the biases, in units of the spread of those drawn, that reaching should bear
PROBES = 72  # unseen targets by which robustness is measured
_DRAWS = 10  # of that noise

#: Scales of the frozen weights by name: recipe, and how the table calls them.
SCALES = {
    "same": (SECOND_ORDER, ""),
    "lazy": (Recipe.lazy(gain=1.0, input_scale=0.3, readout_scale=1e5), ", lazy"),
    "own": (FIRST_ORDER, ", its own scales"),
}
_RECORDS = 40  # of an Adam run
_ENDLESS = 10**6  # records without progress that Adam may make: its budget ends it
_TIMED = 5  # Adam steps from which the time of a step is taken

#: How robust a network is that learned biases: units, name.
STEADY = {
    **columns.SCORES,
    "float32": ("m", "mean end-point error on unseen targets with biases of single precision"),
    "noisy_error": ("m", f"mean end-point error on unseen targets with noise of {NOISE:g} on the biases"),
}

#: What is measured of a fit: units, name.
SCORES = {
    "learned": ("1", "learned numbers"),
    "iterations": ("1", "iterations to the paper's loss"),
    "seconds": ("s", "time to the paper's loss"),
    "spent": ("s", "time of the whole fit"),
    "steps": ("1", "iterations of the whole fit"),
    "loss": ("1", "training loss of what is kept"),
    "unseen_loss": ("1", "loss on unseen targets"),
    "error": ("m", "mean end-point error on unseen targets"),
    "largest_error": ("m", "largest end-point error on unseen targets"),
    "peak_speed": ("m s-1", "mean peak speed on unseen targets"),
    "path_ratio": ("1", "mean path-length ratio on unseen targets"),
    **STEADY,
}


@dataclass(frozen=True)
class Protocol:
    """What the learners of a run share.

    Adam may take `budget` times as long as the second-order solver took to the paper's loss on the same seed, or, where
    that solver does not run, `steps` steps.
    """

    task: CentreOut
    plant: Plant
    units: int
    unseen: int = 360
    budget: float = 20.0
    steps: int = 400


@dataclass(frozen=True)
class Learner:
    """The parts that learn, the solver's name, and the scales of the frozen weights, a name in `SCALES`."""

    parts: tuple[str, ...]
    solver: str
    scales: str = "same"

    @property
    def name(self) -> str:
        """How the table calls it."""
        return f"{' and '.join(self.parts)}, {self.solver}{SCALES[self.scales][1]}"

    def fit(self, protocol: Protocol, seed: int, solver: Solver, **more: object) -> ReachFit:
        """Learn the protocol's task."""
        return fit_reach(
            protocol.task, plant=protocol.plant, units=protocol.units, learn=self.parts, solver=solver, seed=seed,
            recipe=SCALES[self.scales][0],
            patience=_ENDLESS if isinstance(solver, Adam) else 3, progress=False, **more,
        )  # fmt: skip


def learners(learn: list[str], solvers: list[str], scales: list[str]) -> list[Learner]:
    """Every learner that the options name; second-order solvers learn no weights, and not on the scales of Adam."""
    found = []
    for parts in learn:
        names = tuple(parts.split("+"))
        for solver in solvers:
            if solver == "adam":
                found += [Learner(names, solver, scale) for scale in scales]
            elif "weights" not in names:
                found += [Learner(names, solver, scale) for scale in scales if scale != "own"]
    return sorted(found, key=lambda learner: learner.solver == "adam")


def adam(protocol: Protocol, steps: int) -> Adam:
    """Adam as in the paper: rate 3e-3, all targets at every step."""
    return Adam(iterations=steps, batch=protocol.task.targets, every=ceil(steps / _RECORDS))


def affordable(learner: Learner, protocol: Protocol, seed: int, seconds: float) -> int:
    """How many Adam steps fit into `seconds`."""
    began = time.perf_counter()
    learner.fit(protocol, seed, replace(adam(protocol, _TIMED), every=_TIMED), goal=0.0)
    return max(1, int(seconds * _TIMED / (time.perf_counter() - began)))


def score(fit: ReachFit, protocol: Protocol) -> dict[str, float]:
    """The scores of a fit; NaN for what it did not reach."""
    history = fit.history
    there = np.flatnonzero(history.loss.values <= GOAL)
    first = {name: float(history[name][there[0]]) if len(there) else np.nan for name in ("iteration", "seconds")}
    unseen = fit.score(protocol.unseen)
    best = int(history.held_out_loss.values.argmin())
    return {
        "learned": fit.learned,
        "iterations": first["iteration"],
        "seconds": first["seconds"],
        "spent": float(history.seconds[-1]),
        "steps": int(history.iteration[-1]),
        "loss": float(history.loss[best]),
        "unseen_loss": float(unseen.loss),
        "error": float(unseen.endpoint_error.mean()),
        "largest_error": float(unseen.endpoint_error.max()),
        "peak_speed": float(unseen.peak_speed.mean()),
        "path_ratio": float(unseen.path_ratio.mean()),
        **steadiness(fit),
    }


@torch.no_grad()
def steadiness(fit: ReachFit) -> dict[str, float]:
    """The numbers of `STEADY`; NaN where more than biases learned."""
    session = Session(fit.task, fit.plant, fit.task.unseen(PROBES), like=fit.network.start)
    unseen = Reaches(session, fit.loss)

    def skill(network: Network) -> float:
        return 1 / (FLOOR + unseen.endpoint_error(network))

    found = columns.steadiness(fit.network, skill)
    if not found:
        return dict.fromkeys(STEADY, np.nan)
    changed, rng = copy.deepcopy(fit.network), torch.Generator().manual_seed(0)
    changed.bias.copy_(fit.network.bias.float())
    found["float32"] = unseen.endpoint_error(changed)
    size = NOISE * fit.network.start.std(correction=0)
    errors = []
    for _ in range(_DRAWS):
        changed.bias.copy_(fit.network.bias + size * torch.randn(changed.bias.shape, generator=rng).to(size))
        errors.append(unseen.endpoint_error(changed))
    return {**found, "noisy_error": float(np.mean(errors))}


def adapted(before: ReachFit, load: Load, solver: Solver) -> tuple[ReachFit, dict[str, float]]:
    """Adapt by biases alone; returns the fit and means over the targets, before, under and after the load."""
    patience = _ENDLESS if isinstance(solver, Adam) else 3
    after = before.adapt(replace(before.task, load=load), solver=solver, goal=1e-3, patience=patience, progress=False)
    moments = {
        "before": before.reach(), "early": before.reach(load=load), "late": after.reach(),
        "after_effect": after.reach(load=before.task.load),
    }  # fmt: skip
    found: dict[str, float] = {}
    for moment, reach in moments.items():
        moved = kinematics(reach)
        found[f"deviation_{moment}"] = float(moved.lateral_deviation.mean())
        found[f"deviation_size_{moment}"] = float(abs(moved.lateral_deviation).mean())
        found[f"angle_{moment}"] = float(moved.initial_angle.mean())
        found[f"angle_size_{moment}"] = float(abs(moved.initial_angle).mean())
        found[f"error_{moment}"] = float(moved.endpoint_error.mean())
    with torch.no_grad():
        start = before.network.biases
        found["bias_change"] = float((after.network.biases - start).square().mean().sqrt())
    found |= steadiness(after)
    found["iterations"] = float(after.history.iteration[-1])
    found["seconds"] = float(after.history.seconds[-1])
    return after, found
