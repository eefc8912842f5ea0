"""Datasets: what the problems read from the user or from `systems`, checked and labelled.

recordings     `Recording`: evenly sampled trials over time; `read` them from arrays, xarray or pandas objects
activity       `Trials`: recordings of neurons by name, and the inputs that were given
functions      `Samples`: points and the values of a function there; `read` them from whatever describes one
standardiser   `Standardiser`: mean 0 and standard deviation 1, and back; data `stirred` by a noise
"""

from rnnbias.datasets import functions, recordings
from rnnbias.datasets.functions import Samples, Target
from rnnbias.datasets.recordings import Recording
from rnnbias.datasets.standardiser import Standardiser, stirred

__all__ = ["Recording", "Samples", "Standardiser", "Target", "functions", "recordings", "stirred"]
