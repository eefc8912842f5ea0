"""What `benchmarks/scale.py` measures, each in a process of its own.

cells   what they share
steps   time and memory of one step of a network, against its units
tasks   a million units that learn
"""

from experiments import Experiment
from scaling.steps import STEPS
from scaling.tasks import TASKS

__all__ = ["EXPERIMENTS"]

#: By the names that `--experiments` takes.
EXPERIMENTS: dict[str, Experiment] = {"steps": STEPS, "tasks": TASKS}
