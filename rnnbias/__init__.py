"""Networks whose random weights are frozen and whose biases learn.

fit_system      learn a system or a recording; returns a `SystemFit`
fit_function    learn a static function or samples of one; returns a `FunctionFit`
compare         what biases, gains, masks, the readout and everything learn at a matched count of learned numbers
fit_reach       learn to reach with a limb; returns a `ReachFit`
load            read a saved `Fit`
Recipe          the law, scales and wiring of the frozen weights
RNN, FNN        the networks as torch modules
LevenbergMarquardt, Adam, Ridge    the solvers
metrics         how good forecasts, free runs and reaches are, on named dimensions
fit_autonomous  learn to oscillate without input; returns an `AutonomousFit`
fit_task        learn a cognitive task from trials; returns a `TaskFit`
LevenbergMarquardt, GaussNewton, Adam, Ridge    the solvers
metrics         valid time, errors and attractor statistics on named dimensions
"""

from rnnbias import (
    metrics,
)
from rnnbias.autonomous import (
    AutonomousFit,
    fit_autonomous,
)
from rnnbias.comparison import (
    compare,
)
from rnnbias.feedforward import (
    FNN,
)
from rnnbias.fit import (
    Fit,
    load,
)
from rnnbias.forecasting import (
    SystemFit,
    fit_system,
)
from rnnbias.networks import (
    RNN,
)
from rnnbias.reaching import (
    ReachFit,
    fit_reach,
)
from rnnbias.regression import (
    FunctionFit,
    fit_function,
)
from rnnbias.solvers import (
    Adam,
    GaussNewton,
    LevenbergMarquardt,
    Ridge,
)
from rnnbias.tasks import (
    TaskFit,
    fit_task,
)
from rnnbias.weights import (
    Recipe,
)

__all__ = [
    "FNN",
    "RNN",
    "Adam",
    "AutonomousFit",
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
    "fit_function",
    "fit_reach",
    "fit_system",
    "fit_task",
    "load",
    "metrics",
]
