"""Figures from labelled results: one function a figure, the words on the axes from the data's own attributes.

forecasting     `traces`, `attractors`, `valid_time`
dynamics        `eigenvalue_cloud`, `exponents`, `convergence`, `fixed_points`, `return_map`, `power_spectrum`, and
                `time_in` for times in Lyapunov times or periods
oscillation     `free_runs`, `gain_sweep`
learning        `learning_curve`, `bias_histogram`, `interpolation`

Each draws on the axes given, or on new ones, and returns them; nothing global changes. Colours are those of
Okabe and Ito (2008), which colour-blind readers tell apart.
"""

from rnnbias.plot.dynamics import (
    convergence,
    eigenvalue_cloud,
    exponents,
    fixed_points,
    power_spectrum,
    return_map,
    time_in,
)
from rnnbias.plot.forecasting import attractors, traces, valid_time
from rnnbias.plot.learning import bias_histogram, interpolation, learning_curve
from rnnbias.plot.oscillation import free_runs, gain_sweep

__all__ = [
    "attractors",
    "bias_histogram",
    "convergence",
    "eigenvalue_cloud",
    "exponents",
    "fixed_points",
    "free_runs",
    "gain_sweep",
    "interpolation",
    "learning_curve",
    "power_spectrum",
    "return_map",
    "time_in",
    "traces",
    "valid_time",
]
