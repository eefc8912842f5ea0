"""Solvers: how the trainable parameters of a network are found.

=====================  =============================  ===========================================
`LevenbergMarquardt`   biases, gains, starting rates  second order; seconds; the default for biases
`GaussNewton`          biases, gains, starting rates  second order, in short steps; for free runs
`Adam`                 anything                       first order; the paper's solver
`Ridge`                readout                        linear least squares by SVD
=====================  =============================  ===========================================

A solver of your own is a subclass of `Solver`. It may build on `LinearModel`, a model e + J s of the residuals that
gives damped steps, as `DenseModel` (J factored), `GramModel` (J^T J known) or `MatrixFreeModel`
(J v and J^T w only), and on `Monitor`, the record
of learning.
"""

from rnnbias.solvers.adam import Adam
from rnnbias.solvers.base import Solver
from rnnbias.solvers.gauss_newton import GaussNewton
from rnnbias.solvers.levenberg_marquardt import LevenbergMarquardt
from rnnbias.solvers.linear_models import DenseModel, GramModel, LinearModel, MatrixFreeModel
from rnnbias.solvers.monitor import Monitor
from rnnbias.solvers.ridge import Ridge
from systems import checks

__all__ = [
    "SOLVERS",
    "Adam",
    "DenseModel",
    "GaussNewton",
    "GramModel",
    "LevenbergMarquardt",
    "LinearModel",
    "MatrixFreeModel",
    "Monitor",
    "Ridge",
    "Solver",
    "find_solver",
]

#: Solvers by the names that `solver=` takes.
SOLVERS: dict[str, type[Solver]] = {
    "levenberg-marquardt": LevenbergMarquardt,
    "gauss-newton": GaussNewton,
    "adam": Adam,
    "ridge": Ridge,
}


def find_solver(solver: Solver | str | None, learn: tuple[str, ...]) -> Solver:
    """Return the solver meant: one given, one named, or the default for the parts that learn.

    Raises TypeError or ValueError, naming the argument, for anything else and where the solver cannot learn them.

    >>> find_solver("adam", ("bias",)).rate, find_solver(None, ("readout",))
    (0.003, Ridge(ridge=None))
    """
    if solver is None:
        usual: dict[tuple[str, ...], Solver] = {("bias",): LevenbergMarquardt(), ("readout",): Ridge()}
        solver = usual.get(learn, Adam())
    elif isinstance(solver, str):
        solver = SOLVERS[checks.choice("solver", solver, SOLVERS)]()
    elif not isinstance(solver, Solver):
        raise TypeError(f"solver must be a Solver such as LevenbergMarquardt(), or a name, got {solver!r}")
    solver.check(learn)
    return solver
