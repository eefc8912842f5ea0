"""Problems: what can be learned, each with its face `fit_...` and its kind of `Fit`.

base             `Problem`: make your own; `solve`: the one procedure that learns any
forecasting      `fit_system`: forecast a system or a recording (`frame`: how a network sees it; `scales`:
                 which weights suit it)
family           `fit_family`: a system at several values of its parameters, and at others between and beyond
many             `fit_many`: many systems over the same weights; `SystemBank`: all of them in one file
autonomous       `fit_autonomous`: oscillate without input
cognitive        `fit_task`: answer in the trials of a cognitive task
reaching         `fit_reach`: reach with a limb, and adapt to loads
regression       `fit_function`: a static function
classification   `fit_classes`: tell images apart
activity         `fit_activity`: biases and gains of a measured circuit, from recordings of some neurons
controls         `connectome_controls`: what real wiring is worth, beside shuffles and other learners
comparison       `compare`: what biases, gains, masks, readouts and everything reach at one count of parameters
placement        biases under which the state at rest has the eigenvalues that one wants: where learning may start
"""

from rnnbias.problems.activity import ActivityFit, ActivityProblem, fit_activity
from rnnbias.problems.autonomous import Autonomous, AutonomousFit, fit_autonomous
from rnnbias.problems.base import Objectives, Problem, optimise, solve
from rnnbias.problems.classification import ClassFit, Classification, fit_classes
from rnnbias.problems.cognitive import CognitiveProblem, TaskFit, fit_task
from rnnbias.problems.comparison import LEARNERS, compare
from rnnbias.problems.controls import CONTROLS, connectome_controls
from rnnbias.problems.family import Family, FamilyFit, fit_family
from rnnbias.problems.forecasting import Forecasting, fit_system
from rnnbias.problems.many import SystemBank, fit_many
from rnnbias.problems.reaching import ReachFit, ReachingProblem, fit_reach
from rnnbias.problems.regression import FunctionFit, Regression, fit_function
from rnnbias.problems.system_fit import SystemFit

__all__ = [
    "CONTROLS",
    "LEARNERS",
    "ActivityFit",
    "ActivityProblem",
    "Autonomous",
    "AutonomousFit",
    "ClassFit",
    "Classification",
    "CognitiveProblem",
    "Family",
    "FamilyFit",
    "Forecasting",
    "FunctionFit",
    "Objectives",
    "Problem",
    "ReachFit",
    "ReachingProblem",
    "Regression",
    "SystemBank",
    "SystemFit",
    "TaskFit",
    "compare",
    "connectome_controls",
    "fit_activity",
    "fit_autonomous",
    "fit_classes",
    "fit_family",
    "fit_function",
    "fit_many",
    "fit_reach",
    "fit_system",
    "fit_task",
    "optimise",
    "solve",
]
