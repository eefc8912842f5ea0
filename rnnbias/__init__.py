"""Networks whose random weights are frozen and whose biases learn.

fit_system      learn a system or a recording, and forecast it
fit_autonomous  learn to oscillate without input
fit_task        learn a cognitive task from its trials
fit_reach       learn to reach with a limb, and adapt to loads
fit_function    learn a static function
fit_classes     learn to tell images apart
compare         what biases, gains, masks, readouts and everything reach at one count of learned numbers
load            read a saved `Fit`, whatever its kind
Bank            many named sets of biases over one frozen network

Recipe          the law, scales and wiring of the frozen weights
RNN, FNN        the networks as torch modules
LevenbergMarquardt, GaussNewton, Adam, Ridge    the solvers

metrics         how good forecasts, free runs and reaches are, on named dimensions
analysis        what learned networks do: spectra, fixed points, dimensions, biases, clusters
plot            figures from labelled results
theory          the biases that the proof constructs
"""

from rnnbias import metrics
from rnnbias.evaluation.comparison import compare
from rnnbias.fit import Fit, load
from rnnbias.networks.base import RNN
from rnnbias.networks.feedforward import FNN
from rnnbias.networks.recipe import Recipe
from rnnbias.problems.autonomous import AutonomousFit, fit_autonomous
from rnnbias.problems.classification import ClassFit, fit_classes
from rnnbias.problems.cognitive import TaskFit, fit_task
from rnnbias.problems.forecasting import SystemFit, fit_system
from rnnbias.problems.reaching import ReachFit, fit_reach
from rnnbias.problems.regression import FunctionFit, fit_function
from rnnbias.solvers import Adam, GaussNewton, LevenbergMarquardt, Ridge
from rnnbias.storage.bank import Bank

__all__ = [
    "FNN",
    "RNN",
    "Adam",
    "AutonomousFit",
    "Bank",
    "ClassFit",
    "Fit",
    "FunctionFit",
    "GaussNewton",
    "LevenbergMarquardt",
    "ReachFit",
    "Recipe",
    "Ridge",
    "SystemFit",
    "TaskFit",
    "compare",
    "fit_autonomous",
    "fit_classes",
    "fit_function",
    "fit_reach",
    "fit_system",
    "fit_task",
    "load",
    "metrics",
]
