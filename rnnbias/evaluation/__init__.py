"""Evaluation: what a forecast must beat, how its quality is told, and sweeps that can be interrupted.

forecasters    `Forecaster`: what `SystemFit` and every baseline can do
baselines      forecasters without a network: `Persistence`, `LinearAutoregression`, `NVAR`, `Polynomial`
forecasts      closed-loop forecasts beside the truth: `score_forecasts` and its parts
tuning         `tuned`: a forecaster chosen by free runs through held-out training data
engine         one function called for many keys, here or on the workers of a Dask cluster; `local_client`
runs           `Runs`: cells in files, resumed by key; `gather`: cells as one Dataset
sweep          `sweep`: a function at every point of a grid
"""

from rnnbias.evaluation.baselines import NVAR, LinearAutoregression, Persistence, Polynomial
from rnnbias.evaluation.engine import local_client
from rnnbias.evaluation.forecasters import Forecaster
from rnnbias.evaluation.forecasts import forecast_windows, score_attractor, score_forecasts, score_windows
from rnnbias.evaluation.runs import Runs, gather
from rnnbias.evaluation.sweep import sweep
from rnnbias.evaluation.tuning import tuned

__all__ = [
    "NVAR",
    "Forecaster",
    "LinearAutoregression",
    "Persistence",
    "Polynomial",
    "Runs",
    "forecast_windows",
    "gather",
    "local_client",
    "score_attractor",
    "score_forecasts",
    "score_windows",
    "sweep",
    "tuned",
]
