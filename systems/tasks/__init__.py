"""What a network is asked to do over time: reach with a limb, or answer in a cognitive task.

    get, available      a task of either kind by name; what there is

    reaching            CentreOut, RandomReach: reaches of a hand; Session: a task on a plant
    losses              Loss, and its terms POSITION, VELOCITY, FORCE, WAIT, PATH, EFFORT, ACTIVITY
    cognitive           FlipFlop, IntervalTiming, DelayedMatch: trials with inputs and targets

>>> get("centre-out", targets=4).inputs, get("flip_flop", bits=2).inputs
(2, ('pulse 0', 'pulse 1'))
"""

from __future__ import annotations

from collections.abc import Callable

from systems import checks
from systems.tasks import cognitive, losses, reaching
from systems.tasks.cognitive import CognitiveTask
from systems.tasks.losses import ACTIVITY, EFFORT, FORCE, PATH, POSITION, VELOCITY, WAIT, Loss
from systems.tasks.reaching import CentreOut, Controller, Movement, RandomReach, Reaching, Session

__all__ = [
    "ACTIVITY",
    "EFFORT",
    "FORCE",
    "PATH",
    "POSITION",
    "TASKS",
    "VELOCITY",
    "WAIT",
    "CentreOut",
    "CognitiveTask",
    "Controller",
    "Loss",
    "Movement",
    "RandomReach",
    "Reaching",
    "Session",
    "available",
    "cognitive",
    "get",
    "losses",
    "reaching",
]

#: Tasks of both kinds by name.
TASKS: dict[str, type[Reaching] | type[CognitiveTask]] = {**reaching.TASKS, **cognitive.TASKS}


def get(name: str, **settings: object) -> Reaching | CognitiveTask:
    """Return the task of this name, with the given settings.

    Parameters
    ----------
    name : str
        One of `available()`.
    **settings
        Of the task; others keep their defaults.

    Returns
    -------
    Reaching or CognitiveTask

    Raises
    ------
    ValueError
        For an unknown name or setting, with the nearest.

    >>> get("interval_timing", wait=0).steps
    81
    """
    kind: Callable[..., Reaching | CognitiveTask] = TASKS[checks.choice("name", name, TASKS)]
    return checks.call(kind, settings)


def available() -> dict[str, str]:
    """Return one line about every task, by name.

    >>> available()["random"]
    'Reaches between points drawn in a square'
    """
    return {name: task.description for name, task in TASKS.items()}
