"""The record of learning: what is noted at every iteration, which numbers were best, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from rnnbias.networks import Network, parameters
from rnnbias.objectives import Objective
from systems.labels import Labelled, dataset

__all__ = ["Monitor"]

_MEANING = {
    "loss": ("1", "training loss"),
    "held_out_loss": ("1", "loss on held-out examples"),
    "seconds": ("s", "time since learning began"),
    "stage": ("1", "stage of learning"),
    "damping": ("1", "damping relative to the largest singular value"),
    "fraction": ("1", "fraction of the step that was taken"),
    "gain_ratio": ("1", "actual over predicted reduction"),
    "depth": ("1", "terms of the adjoint recursion"),
    "ridge": ("1", "ridge"),
}


@dataclass
class Monitor:
    """Keeps the history and the best parameters, shows the bar and decides when to stop.

    Parameters
    ----------
    network : Network
        What learns.
    held_out : Objective
        Its loss is recorded.
    patience : int
        How many records without a better one end the learning.
    judge : Objective, optional
        "Best" is the lowest loss of this one; default: the held-out.
    measure : callable, optional
        network -> further quantities to record and show, by name.
    progress : bool
        Whether to show a bar.
    goal : float
        Training loss at which learning ends; default 0: never.
    better : float
        The factor by which a loss must fall, since the last that was better, to be better; default: by a tenth.
    """

    network: Network
    held_out: Objective
    patience: float
    measure: Callable[[Network], dict[str, float]] = lambda network: {}
    progress: bool = True
    goal: float = 0.0
    better: float = 0.9
    records: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    judge: Objective | None = None
    stage: int = 0

    def enter(
        self,
        held_out: Objective,
        judge: Objective | None,
        measure: Callable[[Network], dict[str, float]],
        better: float,
        patience: float,
    ) -> None:
        """Go on to another stage of the same learning, with as much patience or less."""
        self.held_out, self.judge, self.measure, self.better = held_out, judge, measure, better
        self.patience = min(self.patience, patience)
        self.stage += 1

    def judged(self) -> float:
        """The loss by which the best parameters are chosen."""
        return (self.held_out if self.judge is None else self.judge).loss(self.network)

    @contextmanager
    def watch(self, total: int) -> Iterator[None]:
        """Show a bar of `total` iterations; at the end, or on Ctrl-C, put the best numbers back."""
        self._best_loss, self._best, self._waited = math.inf, parameters.read(self.network), 0
        self._counted = math.inf  # the last loss that was better by as much as counts
        if not self.records:
            self._began = time.perf_counter()
        self._before = self.records[-1]["iteration"] + 1 if self.records else 0
        self._bar = tqdm(total=total, disable=not self.progress, desc="learning", leave=False)
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self._bar.close()
            parameters.write(self.network, self._best)

    def record(self, iteration: int, loss: float, **more: float) -> bool:
        """Note the state after `iteration`; returns True when it is time to stop."""
        seconds = time.perf_counter() - self._began
        held = self.held_out.loss(self.network)
        shown = {"loss": loss, "held_out_loss": held, **self.measure(self.network)}
        entry = {"iteration": self._before + iteration, **shown, "seconds": seconds, "stage": self.stage, **more}
        self.records.append(entry)
        self._bar.update(iteration - self._bar.n)
        self._bar.set_postfix_str(", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in shown.items()))
        self._waited += 1
        judged = held if self.judge is None else self.judged()
        if judged < self.better * self._counted:
            self._counted, self._waited = judged, 0
        if judged < self._best_loss:
            self._best_loss, self._best = judged, parameters.read(self.network)
        return self._waited >= self.patience or loss <= self.goal or not math.isfinite(loss)

    def history(self, units: Mapping[str, tuple[str, str]]) -> xr.Dataset:
        """The records as a Dataset over `iteration`; `units` gives units and long names."""
        names = {name: ("1", name.replace("_", " ")) for entry in self.records for name in entry}
        if not self.stage:
            names.pop("stage", None)
        known = {**_MEANING, **units}
        order = {name: known[name] for name in known if name in names or name in ("loss", "held_out_loss")}
        columns = {
            name: Labelled("iteration", [entry.get(name, np.nan) for entry in self.records], *about)
            for name, about in {**order, **{name: names[name] for name in names if name not in order}}.items()
            if name != "iteration"
        }
        iterations = Labelled("iteration", [int(entry["iteration"]) for entry in self.records], "1", "iteration")
        return dataset(columns, {"iteration": iterations}, title="history of learning", config={})
