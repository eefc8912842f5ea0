"""Networks whose random weights are frozen and whose biases learn.

fit_system      learn a system or a recording; returns a `SystemFit`
fit_function    learn a static function or samples of one; returns a `FunctionFit`
fit_classes     learn to classify images; returns a `ClassFit`
load            read a saved `Fit`
Recipe          the law, scales and wiring of the frozen weights
RNN, FNN        the networks as torch modules
Bank            many sets of learned numbers over one network
LevenbergMarquardt, Adam, Ridge    the solvers
metrics         valid time, errors and attractor statistics on named dimensions
"""

from rnnbias import metrics
from rnnbias.bank import Bank
from rnnbias.classification import ClassFit, fit_classes
from rnnbias.feedforward import FNN
from rnnbias.fit import Fit, load
from rnnbias.forecasting import SystemFit, fit_system
from rnnbias.networks import RNN
from rnnbias.regression import FunctionFit, fit_function
from rnnbias.solvers import Adam, LevenbergMarquardt, Ridge
from rnnbias.weights import Recipe

__all__ = [
    "FNN",
    "RNN",
    "Adam",
    "Bank",
    "ClassFit",
    "Fit",
    "FunctionFit",
    "LevenbergMarquardt",
    "Recipe",
    "Ridge",
    "SystemFit",
    "fit_classes",
    "fit_function",
    "fit_system",
    "load",
    "metrics",
]
