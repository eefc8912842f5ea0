"""Parts of the connectome benchmark.

experiments   what an experiment is
teachers      circuits that learned a task
students      biases and gains found from recordings of them
"""

from circuits.students import STUDENTS

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = {"students": STUDENTS}
