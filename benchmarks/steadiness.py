"""How steady forecasts of learned biases are: the columns of the ladder and of the noise benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rnnbias import SystemFit, analysis

__all__ = ["ABOUT", "COLUMNS", "FORMS", "WINDOWS", "raw", "steadiness"]

WINDOWS = 25
_NOISES = np.array([1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])
COLUMNS = {
    "moved": ("1", "shift of the biases over the spread of those drawn"),
    "float32": ("Lyapunov times", "valid time with biases of single precision"),
    "bias_noise": ("1", "smallest noise tried on the biases that halves the valid time"),
    "rate_noise": ("1", "smallest noise tried on the rates that halves the valid time"),
}
FORMS = {"moved": "{:.2g}", "float32": "{:.2f}", "bias_noise": "{:.0e}", "rate_noise": "{:.0e}"}
ABOUT = (
    "*Moved*: root-mean-square shift of the biases over the spread of those drawn. *Float32*: the valid time on "
    f"{WINDOWS} windows, from the very last true sample, with biases of single precision. *Bias noise*, *rate noise*: "
    f"the smallest tried ({', '.join(f'{noise:g}' for noise in _NOISES)}) that halves it; none where empty."
)


def raw(fit: SystemFit) -> SystemFit:
    """The fit with forecasts that begin at the very last sample of their context, whatever it learned from."""
    return replace(fit, settings={**fit.settings, "noise": 0.0})


def steadiness(fit: SystemFit, skill: Callable[[SystemFit], float]) -> dict[str, float]:
    """The columns, of a skill that is larger where a fit forecasts better."""
    found = analysis.robustness(
        fit.network, lambda network: skill(replace(raw(fit), network=network)), noises=_NOISES, draws=1, progress=False
    )
    columns = {"moved": "moved_relative", "float32": "skill_float32"}
    return {name: float(found[columns.get(name, name)]) for name in COLUMNS}
