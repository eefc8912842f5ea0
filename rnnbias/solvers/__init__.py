"""Solvers: how the learned numbers of a network are found.

=====================  ==============================  ===========================================
`LevenbergMarquardt`   biases                          second order; seconds; the default for biases
`Adam`                 anything                        first order; the paper's solver
`Ridge`                readout                         linear least squares by SVD
=====================  ==============================  ===========================================
"""

from rnnbias.solvers.adam import Adam
from rnnbias.solvers.base import Batch, Monitor, Solver
from rnnbias.solvers.levenberg_marquardt import LevenbergMarquardt
from rnnbias.solvers.ridge import Ridge

__all__ = ["Adam", "Batch", "LevenbergMarquardt", "Monitor", "Ridge", "Solver"]
