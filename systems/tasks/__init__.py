"""What a network is asked to do over time: reach with a limb, or answer in a cognitive task.

reaching   CentreOut, RandomReach: tasks; Session: a task on a plant
losses     named terms that add and scale: Loss, PATH, EFFORT and others
cognitive  trials with inputs and targets: cognitive.get, cognitive.available
"""

from systems.tasks import cognitive
from systems.tasks.cognitive import CognitiveTask
from systems.tasks.losses import ACTIVITY, EFFORT, FORCE, PATH, POSITION, VELOCITY, WAIT, Loss
from systems.tasks.reaching import TASKS, CentreOut, Controller, Movement, RandomReach, Reaching, Session

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
    "cognitive",
]
