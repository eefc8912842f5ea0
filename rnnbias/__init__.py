"""Networks whose random weights are frozen and whose biases learn.

fit_system      learn a system or a recording, and forecast it
fit_family      learn a system at several values of its parameters, and have it at others
fit_many        learn many systems over the same frozen weights: a `SystemBank`
fit_autonomous  learn to oscillate without input
fit_task        learn a cognitive task from its trials
fit_reach       learn to reach with a limb, and adapt to loads
fit_function    learn a static function
fit_classes     learn to tell images apart
fit_activity    learn what a circuit of measured weights does from recordings of some neurons
compare         what biases, gains, masks, readouts and everything reach at one count of learned numbers
sweep           any of these at every point of a grid of seeds and settings, here or on a Dask cluster
connectome_controls  what measured wiring is worth, beside shuffles of it and other learners
load            read a saved `Fit`, whatever its kind
Bank            many named sets of biases over one frozen network
Problem, solve  a problem of your own, and the one procedure that learns any

Rooms, each above those that it builds on:

networks        frozen networks as torch modules, their recipes, wirings and Jacobians
datasets        what is read from the user: recordings, function samples, images; one standardiser
objectives      what a solver can learn from
solvers         how trainable parameters are found
storage         sealed files: fits, checkpoints, banks
fit             `Fit`: a learned network, and `load`
metrics         how good forecasts, free runs and reaches are, on named dimensions
evaluation      baselines, scores of forecasts, sweeps and their stores
problems        what can be learned, and how
analysis        what learned networks do: spectra, fixed points, dimensions, biases, clusters
plot            figures from labelled results
theory          the biases that the proof constructs
"""

from importlib.metadata import PackageNotFoundError, version

from rnnbias import metrics
from rnnbias.evaluation import sweep
from rnnbias.fit import Fit, load
from rnnbias.networks import FNN, RNN, Circuit, Recipe
from rnnbias.problems import (
    ActivityFit,
    AutonomousFit,
    ClassFit,
    FamilyFit,
    FunctionFit,
    Problem,
    ReachFit,
    SystemBank,
    SystemFit,
    TaskFit,
    compare,
    connectome_controls,
    fit_activity,
    fit_autonomous,
    fit_classes,
    fit_family,
    fit_function,
    fit_many,
    fit_reach,
    fit_system,
    fit_task,
    solve,
)
from rnnbias.solvers import Adam, GaussNewton, LevenbergMarquardt, Ridge
from rnnbias.storage import Bank

try:
    __version__ = version("rnnbias")
except PackageNotFoundError:  # imported from a folder that was never installed
    __version__ = "unknown"

__all__ = [
    "FNN",
    "RNN",
    "ActivityFit",
    "Adam",
    "AutonomousFit",
    "Bank",
    "Circuit",
    "ClassFit",
    "FamilyFit",
    "Fit",
    "FunctionFit",
    "GaussNewton",
    "LevenbergMarquardt",
    "Problem",
    "ReachFit",
    "Recipe",
    "Ridge",
    "SystemBank",
    "SystemFit",
    "TaskFit",
    "__version__",
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
    "load",
    "metrics",
    "solve",
    "sweep",
]
