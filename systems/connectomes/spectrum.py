"""The spectral radius of a sparse matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigs

__all__ = ["radius"]

_DENSE = 1000  # neurons on loops up to which all eigenvalues are found
_BASIS = 128  # vectors of the Arnoldi iteration


def radius(weights: sparse.csr_array) -> float:
    """Return the largest absolute eigenvalue.

    Only loops have eigenvalues other than 0: edges between strongly connected components are left out, so that a matrix
    without loops has a radius of exactly 0. Where more than 1,000 neurons are on loops, an Arnoldi iteration finds the
    largest eigenvalue alone; where thousands of them lie on one rim, as in a random matrix, it may be short by 1e-4.

    Parameters
    ----------
    weights : scipy.sparse.csr_array
        Square.

    Returns
    -------
    float

    >>> radius(sparse.csr_array([[0.0, 2.0], [0.5, 0.0]]))
    1.0
    >>> radius(sparse.csr_array([[0.0, 2.0], [0.0, 0.0]]))
    0.0
    """
    _, component = connected_components(weights, connection="strong")
    edges = weights.tocoo()
    kept = (component[edges.row] == component[edges.col]) & (edges.data != 0)
    if not kept.any():
        return 0.0
    on_loops, place = np.unique(edges.row[kept], return_inverse=True)
    row, column = place, np.searchsorted(on_loops, edges.col[kept])
    loops = sparse.csr_array((edges.data[kept], (row, column)), shape=(len(on_loops), len(on_loops)))
    if len(on_loops) <= _DENSE:
        return float(np.abs(np.linalg.eigvals(loops.toarray())).max())
    start = np.random.default_rng(0).standard_normal(len(on_loops))
    largest = eigs(loops, k=1, ncv=_BASIS, v0=start, tol=1e-9, return_eigenvectors=False)
    return float(np.abs(largest).max())
