"""Figures from labelled results: one function a figure, the words on the axes from the data's own attributes.

forecasting     `traces`, `attractors`, `valid_time`
classification  `accuracy_against`
organisation    `task_clusters`, `bias_correlations`, `unit_agreement`

Each draws on the axes given, or on new ones, and returns them; nothing global changes. Colours are those of
Okabe and Ito (2008), which colour-blind readers tell apart.
"""

from rnnbias.plot.classification import accuracy_against
from rnnbias.plot.forecasting import attractors, traces, valid_time
from rnnbias.plot.organisation import bias_correlations, task_clusters, unit_agreement

__all__ = [
    "accuracy_against",
    "attractors",
    "bias_correlations",
    "task_clusters",
    "traces",
    "unit_agreement",
    "valid_time",
]
