"""Which rows answer which question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pictures.learners import LEARNERS, LEVERS, Learner
from pictures.rows import Key, Plan
from systems import images
from systems.images import Images, numerals

__all__ = ["EXPERIMENTS", "Protocol", "load", "planned"]

EXPERIMENTS = ("width", "levers", "best", "mask", "tasks", "speed")
_TASKS = 7


@dataclass(frozen=True)
class Protocol:
    """What all rows of a run share."""

    widths: tuple[int, ...] = (100, 300, 1000, 3000, 10000)
    epochs: int = 20
    best_units: int = 32000
    best_epochs: int = 15
    best_seeds: int = 3
    lever_units: int = 4000
    lever_epochs: int = 6
    mask_units: int = 10000
    mask_epochs: int = 30
    task_units: int = 4000
    task_epochs: int = 10
    script_train: int = 9000
    script_test: int = 2000
    train: int | None = None  # images at most
    test: int | None = None

    @property
    def counts(self) -> dict[str, object]:
        """What of this decides on the images."""
        return {name: getattr(self, name) for name in ("train", "test", "script_train", "script_test")}

    @classmethod
    def quick(cls) -> Protocol:
        """A protocol for a look: the tables have their form but not their meaning."""
        return cls(
            widths=(50, 150), epochs=2, best_units=400, best_epochs=2, best_seeds=1, lever_units=100, lever_epochs=1,
            mask_units=150, mask_epochs=2, task_units=100, task_epochs=2, script_train=240, script_test=120, train=600,
            test=200,
        )  # fmt: skip


@cache
def load(name: str, data: Path | None, protocol: Protocol) -> Images:
    """A data set: a script in the protocol's numbers, anything else as it is."""
    if name in numerals.SCRIPTS:
        drawn = numerals.draw(name, train=protocol.script_train, test=protocol.script_test)
        return Images(name, *drawn, note="rendered numerals, deformed")
    found = images.get(name, data)
    train, test = (
        None if most is None else min(most, len(part))
        for most, part in ((protocol.train, found.train), (protocol.test, found.test))
    )
    return found.first(train, test)


def planned(
    experiments: Sequence[str], protocol: Protocol, seeds: int, available: Sequence[str], tasks: Sequence[str] | None
) -> Iterator[tuple[Key, Plan]]:
    """The rows of these experiments; `available` are the names of the data sets that are there."""
    fashion = "fashion-mnist" if "fashion-mnist" in available else "digits"
    digits = "mnist" if "mnist" in available else "digits"
    if "levers" in experiments:
        for name, learner in LEVERS.items():
            made = _for(learner, protocol.lever_epochs)
            yield Key("levers", fashion, name, protocol.lever_units, 0), Plan(made, tested=False)
    if "best" in experiments:
        made = _for(LEARNERS["bias"], protocol.best_epochs)
        for seed in range(protocol.best_seeds):
            for data in dict.fromkeys((fashion, digits)):
                yield Key("best", data, "bias", protocol.best_units, seed), Plan(made)
    if "mask" in experiments:
        for order in (0, 1):
            for name in ("bias-uniform", "mask-annealed", "mask-hard"):
                made = _for(LEARNERS[name], protocol.mask_epochs)
                yield Key("mask", digits, name, protocol.mask_units, 0, order), Plan(made, unitwise=True)
    if "tasks" in experiments:
        for data in tasks or default_tasks(available):
            for name in ("bias", "bias-uniform", "readout", "full"):
                made = _for(LEARNERS[name], protocol.task_epochs)
                yield Key("tasks", data, name, protocol.task_units, 0), Plan(made, unitwise=name != "readout")
    if "width" in experiments:
        for units in protocol.widths:
            for name in ("bias-uniform", "bias-gaussian", "bias", "readout", "full", "full-low"):
                made = _for(LEARNERS[name], protocol.epochs)
                for seed in range(seeds):
                    yield Key("width", fashion, name, units, seed), Plan(made)


def default_tasks(available: Sequence[str]) -> list[str]:
    """Folders of 28 x 28 pixels that are known, then scripts, seven in all."""
    known = [name for name in ("mnist", "fashion-mnist", "kmnist") if name in available]
    scripts = ["nko", "lao", "arabic-indic", "circled", "roman", "latin", "double-struck"]
    return [*known, *scripts][:_TASKS]


def _for(learner: Learner, epochs: int) -> Learner:
    """The learner with so many epochs."""
    return replace(learner, solver=replace(learner.solver, epochs=epochs))
