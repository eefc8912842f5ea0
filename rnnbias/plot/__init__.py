"""Figures from labelled results: one function a figure, the words on the axes from the data's own attributes.

approximation   `error_against_count`, `width_against_error`
forecasting     `traces`, `attractors`, `valid_time`
reaching        `hand_paths`, `speed_profiles`, `loss_terms`, `adaptation`

Each draws on the axes given, or on new ones, and returns them; nothing global changes. Colours are those of
Okabe and Ito (2008), which colour-blind readers tell apart.
"""

from rnnbias.plot.approximation import error_against_count, width_against_error
from rnnbias.plot.forecasting import attractors, traces, valid_time
from rnnbias.plot.reaching import adaptation, hand_paths, loss_terms, speed_profiles

__all__ = [
    "adaptation",
    "attractors",
    "error_against_count",
    "hand_paths",
    "loss_terms",
    "speed_profiles",
    "traces",
    "valid_time",
    "width_against_error",
]
