r"""How good is a forecast, and how true is a free run? Scores on named dimensions.

==============================  =============================================================  ==============
function                        question                                                       result
==============================  =============================================================  ==============
:func:`error`                   how far off is each moment, in standard deviations?            time, ...
:func:`valid_time`              for how many Lyapunov times (or periods) is the forecast good? threshold, ...
:func:`nrmse`                   how far off is the forecast up to a horizon?                   [horizon], ...
:func:`state_space_divergence`  does a free run visit the same places? (D_stsp, histogram)     ...
:func:`mixture_divergence`      the same, for more than five states (D_stsp, Gaussian mixture) ...
:func:`sliced_wasserstein`      the same for any number of states, without bins or widths      ...
:func:`spectral_distance`       does a free run have the same rhythms? (D_H)                   ...
:func:`largest_exponent`        how chaotic is the learned map?                                start
:func:`divergence_rate`         which fraction of the trials escapes?                          ...
:func:`constant_rate`           which fraction of the trials goes silent?                      ...
:func:`period`                  how long is a cycle?                                           state, ...
:func:`amplitude`               how large is a cycle?                                          state, ...
:func:`cycle_error`             how far off are the period and the amplitude?                  state, ...
==============================  =============================================================  ==============

Arguments are :class:`xarray.DataArray` with the dimensions `time` and `state` (or the names given by
`time=` and `state=`) in any order; all other dimensions (seed, system, trial, ...) pass through, and an
array that lacks one of those that the first argument has is used for all of its entries. `scale` is the
standard deviation of the **training** data for each state, and it serves forecast and truth alike. A
forecast may hold NaN or infinity: that is a failure and it is scored as one, never dropped. Anything else
that is not finite is refused, as are labels that do not agree.

Reaches, as `ReachFit.reach` returns them, are measured by :mod:`rnnbias.metrics.reaching`.

Report D_stsp and D_H together: a shuffled truth has D_stsp = 0 and a half-amplitude copy has D_H = 0.
"""

from rnnbias.metrics import reaching
from rnnbias.metrics.attractors import mixture_divergence, sliced_wasserstein, state_space_divergence
from rnnbias.metrics.cycles import amplitude, cycle_error, period
from rnnbias.metrics.exponents import largest_exponent
from rnnbias.metrics.failures import constant_rate, divergence_rate
from rnnbias.metrics.forecasts import error, nrmse, valid_time
from rnnbias.metrics.spectra import spectral_distance

__all__ = [
    "amplitude",
    "constant_rate",
    "cycle_error",
    "divergence_rate",
    "error",
    "largest_exponent",
    "mixture_divergence",
    "nrmse",
    "period",
    "reaching",
    "sliced_wasserstein",
    "spectral_distance",
    "state_space_divergence",
    "valid_time",
]
