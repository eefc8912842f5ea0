"""Figures from labelled results: one function a figure, the words on the axes from the data's own attributes.

approximation   `error_against_count`, `width_against_error`
forecasting     `traces`, `attractors`, `valid_time`, `skill_against_noise`,
                `skill_by_system`, `space_time`
reaching        `hand_paths`, `speed_profiles`, `adaptation`
dynamics        `eigenvalue_cloud`, `exponents`, `convergence`, `fixed_points`, `return_map`, `power_spectrum`, and
                `time_in` for times in Lyapunov times or periods
learning        `learning_curve`, `bias_histogram`, `interpolation`
oscillation     `free_runs`, `gain_sweep`
tasks           `answers`
circuits        `activity_bands`, `neurons`, `stiff_and_sloppy`, `recording_order`
classification  `accuracy_against`
organisation    `task_clusters`, `bias_correlations`, `unit_agreement`

Each draws on the axes given, or on new ones, and returns them; nothing global changes. Colours are those of
Okabe and Ito (2008), which colour-blind readers tell apart.
"""

from rnnbias.plot.approximation import error_against_count, width_against_error
from rnnbias.plot.circuits import activity_bands, neurons, recording_order, stiff_and_sloppy
from rnnbias.plot.classification import accuracy_against
from rnnbias.plot.dynamics import (
    convergence,
    eigenvalue_cloud,
    exponents,
    fixed_points,
    power_spectrum,
    return_map,
    time_in,
)
from rnnbias.plot.forecasting import (
    attractors,
    skill_against_noise,
    skill_by_system,
    space_time,
    traces,
    valid_time,
)
from rnnbias.plot.learning import bias_histogram, interpolation, learning_curve
from rnnbias.plot.organisation import bias_correlations, task_clusters, unit_agreement
from rnnbias.plot.oscillation import free_runs, gain_sweep
from rnnbias.plot.reaching import adaptation, hand_paths, speed_profiles
from rnnbias.plot.tasks import answers

__all__ = [
    "accuracy_against",
    "activity_bands",
    "adaptation",
    "answers",
    "attractors",
    "bias_correlations",
    "bias_histogram",
    "convergence",
    "eigenvalue_cloud",
    "error_against_count",
    "exponents",
    "fixed_points",
    "free_runs",
    "gain_sweep",
    "hand_paths",
    "interpolation",
    "learning_curve",
    "neurons",
    "power_spectrum",
    "recording_order",
    "return_map",
    "skill_against_noise",
    "skill_by_system",
    "space_time",
    "speed_profiles",
    "stiff_and_sloppy",
    "task_clusters",
    "time_in",
    "traces",
    "unit_agreement",
    "valid_time",
    "width_against_error",
]
