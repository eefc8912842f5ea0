"""Figures from labelled results: one function a figure, the words on the axes from the data's own attributes.

forecasting     `traces`, `attractors`, `valid_time`
reaching        `hand_paths`, `speed_profiles`, `loss_terms`, `adaptation`

Each draws on the axes given, or on new ones, and returns them; nothing global changes. Colours are those of
Okabe and Ito (2008), which colour-blind readers tell apart.
"""

from rnnbias.plot.forecasting import attractors, traces, valid_time
from rnnbias.plot.reaching import adaptation, hand_paths, loss_terms, speed_profiles

__all__ = ["adaptation", "attractors", "hand_paths", "loss_terms", "speed_profiles", "traces", "valid_time"]
