"""Objectives: what a solver can learn from. Each is trials with residuals, a loss, and exact derivatives.

base             `Objective`: make your own
sequences        `Sequences`: outputs that a driven `RNN` should give
single_steps     `SingleSteps`: those of networks without memory, under many conditions at once
parametric_steps  `ParametricSteps`: the same for biases that are linear in what is known of each condition
shooting         `Shooting`: short free runs of an `RNN` through noisy data, whose starts are estimated too
remembering      `RememberingShooting`: the same for networks with a memory
orbits           `FreeRun`: a closed `Orbit` that an `RNN` without input should follow, whatever its phase
reaching         `Reaches`: an `RNN` in control of a plant, judged by a loss
activity         `Activity`: rates or currents of some neurons of a `Circuit`, with a prior on what learns
points           `Points`: values that an `FNN` should take
classification   `OneHot`, `CrossEntropy`: classes that an `FNN` should tell apart
first_layer      `FirstLayer`: W x of every trial, computed once while the first layer is frozen
"""

from rnnbias.objectives.activity import Activity, Observed
from rnnbias.objectives.base import Linearisation, Normal, Objective, Products, finite, gram
from rnnbias.objectives.classification import CrossEntropy, OneHot
from rnnbias.objectives.first_layer import FirstLayer
from rnnbias.objectives.orbits import FreeRun, Orbit
from rnnbias.objectives.parametric_steps import ParametricSteps
from rnnbias.objectives.points import Points
from rnnbias.objectives.reaching import Reaches
from rnnbias.objectives.remembering import RememberingShooting
from rnnbias.objectives.sequences import Sequences
from rnnbias.objectives.shooting import ClosedLoop, Shooting
from rnnbias.objectives.single_steps import SingleSteps

__all__ = [
    "Activity",
    "ClosedLoop",
    "CrossEntropy",
    "FirstLayer",
    "FreeRun",
    "Linearisation",
    "Normal",
    "Objective",
    "Observed",
    "OneHot",
    "Orbit",
    "ParametricSteps",
    "Points",
    "Products",
    "Reaches",
    "RememberingShooting",
    "Sequences",
    "Shooting",
    "SingleSteps",
    "finite",
    "gram",
]
