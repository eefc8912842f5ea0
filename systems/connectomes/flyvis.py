"""The fly's visual system as flyvis has it: cell types on a hexagonal lattice of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.spatial import ConvexHull

from systems import checks
from systems.connectomes.base import Connectome

__all__ = ["flyvis"]

_ROUNDING = 1e-9


def flyvis(path: str | Path, *, extent: int = 15, fill: float = 1.0) -> Connectome:
    """Read a connectome of flyvis and lay it out over the columns of the eye.

    The file, such as fib25-fib19_v2.2.json in the package flyvis, tells for pairs of cell types how many synapses a
    cell makes onto the cell du and dv columns away, and of which sign. As in flyvis, every cell of a type has the same
    synapses, wherever there is a cell to receive them: 45,669 neurons and 1,513,231 connections for that file and the
    defaults. A weight is sign times number of synapses. Neurons are labelled by type, by role (input, output or
    intermediate) and by their column's oblique coordinates u and v; the cell of type T4a in the middle is "T4a 0 0".

    Parameters
    ----------
    path : path
        The JSON file.
    extent : int
        Columns from the middle to the rim; 0 is the middle column alone.
    fill : float
        The number of synapses in gaps: columns within the convex hull of those that a cell connects to, for which
        nothing was found. 0 leaves the gaps; flyvis has 1. As there, the hull's edge of least dv counts as outside.

    Returns
    -------
    Connectome

    Raises
    ------
    FileNotFoundError
        Where the path leads to no file.
    ValueError
        Where the file is of another form.

    References
    ----------
    Lappalainen et al. 2024, Nature 634, 1132; github.com/TuragaLab/flyvis (MIT).

    >>> import tempfile
    >>> cells = [{"name": name, "pattern": ["stride", [1, 1]]} for name in ("R1", "L1")]
    >>> edges = [{"src": "R1", "tar": "L1", "alpha": -1, "offsets": [[[1, 0], 40]]}]
    >>> wiring = {"nodes": cells, "edges": edges, "input_units": ["R1"], "output_units": ["L1"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "eye.json"
    ...     _ = path.write_text(json.dumps(wiring))
    ...     eye = flyvis(path, extent=1)
    >>> eye.units, eye.synapses
    (14, 4)
    """
    extent = checks.whole("extent", extent, at_least=0)
    fill = checks.number("fill", fill, at_least=0)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file that exists, got {str(path)!r}")
    try:
        wiring = json.loads(path.read_text(encoding="utf-8"))
        roles = {kind: role for role in ("input", "output") for kind in wiring[f"{role}_units"]}
        columns = {node["name"]: _columns(extent, *node["pattern"]) for node in wiring["nodes"]}
        kernels = [_kernel(edge, columns, fill) for edge in wiring["edges"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path must lead to a connectome as flyvis has it, got {str(path)!r}: {error!r}") from error
    cells = [(kind, u, v) for kind, places in columns.items() for u, v in places.tolist()]
    return Connectome(
        _spread(columns, kernels, extent),
        tuple(f"{kind} {u} {v}" for kind, u, v in cells),
        {
            "type": tuple(kind for kind, _, _ in cells),
            "role": tuple(roles.get(kind, "intermediate") for kind, _, _ in cells),
            "u": tuple(str(u) for _, u, _ in cells),
            "v": tuple(str(v) for _, _, v in cells),
        },
        name="flyvis",
        source=f"{path.name} of flyvis: Lappalainen et al. 2024, Nature 634, 1132",
        licence="MIT",
    )


class _Kernel(NamedTuple):
    """The signed synapses that each cell of type `pre` makes onto cells of type `post` so many columns away."""

    pre: str
    post: str
    offsets: np.ndarray
    weights: np.ndarray


def _columns(extent: int, pattern: str, stride: Sequence[int] | int | None) -> np.ndarray:
    """The columns (column, 2) that have a cell of a type, by oblique coordinates."""
    if pattern == "single":
        return np.zeros((1, 2), dtype=np.int64)
    checks.choice("pattern", pattern, ("stride", "tile", "single"))
    each = np.broadcast_to(np.asarray(stride, dtype=np.int64), 2)
    u, v = np.mgrid[-extent : extent + 1, -extent : extent + 1].reshape(2, -1)
    kept = (abs(u + v) <= extent) & (u % each[0] == 0) & (v % each[1] == 0)
    return np.stack([u[kept], v[kept]], 1)


def _kernel(edge: Mapping[str, Any], columns: Mapping[str, np.ndarray], fill: float) -> _Kernel:
    pre, post = (checks.choice(end, edge[end], columns) for end in ("src", "tar"))
    if edge["alpha"] not in (-1, 1):
        raise ValueError(f"alpha must be -1 or 1, got {edge['alpha']!r}")
    offsets = np.array([offset for offset, _ in edge["offsets"]]).reshape(-1, 2)
    if not np.issubdtype(offsets.dtype, np.integer):
        raise ValueError(f"offsets of {pre} -> {post} must be whole numbers, got {offsets.tolist()}")
    gaps = _gaps(offsets) if fill else offsets[:0]
    counts = [*(count for _, count in edge["offsets"]), *([fill] * len(gaps))]
    return _Kernel(pre, post, np.concatenate([offsets, gaps]), edge["alpha"] * checks.array("offsets", counts))


def _gaps(offsets: np.ndarray) -> np.ndarray:
    """The columns within the convex hull of the offsets that are not among them."""
    if np.linalg.matrix_rank(offsets - offsets[0]) < 2:
        return offsets[:0]
    (first_u, first_v), (last_u, last_v) = offsets.min(0), offsets.max(0)
    grid = np.mgrid[first_u : last_u + 1, first_v + 1 : last_v + 1].reshape(2, -1).T
    sides = ConvexHull(offsets).equations
    within = (grid @ sides[:, :2].T + sides[:, 2] <= _ROUNDING).all(1)
    known = (grid[:, None] == offsets).all(2).any(1)
    return grid[within & ~known]


def _spread(columns: Mapping[str, np.ndarray], kernels: Sequence[_Kernel], extent: int) -> sparse.csr_array:
    """Lay every kernel at every cell of its presynaptic type."""
    reach = extent + max((int(abs(kernel.offsets).max()) for kernel in kernels), default=0)
    starts = dict(zip(columns, np.cumsum([0, *map(len, columns.values())]), strict=False))
    units = sum(map(len, columns.values()))
    cells = {}
    for kind, places in columns.items():
        cells[kind] = np.full((2 * reach + 1, 2 * reach + 1), -1)
        cells[kind][tuple(places.T + reach)] = starts[kind] + np.arange(len(places))
    edges = []
    for kernel in kernels:
        places = columns[kernel.pre]
        onto = cells[kernel.post][tuple(np.moveaxis(places + kernel.offsets[:, None] + reach, -1, 0))]
        of = np.broadcast_to(starts[kernel.pre] + np.arange(len(places)), onto.shape)
        weight = np.broadcast_to(kernel.weights[:, None], onto.shape)
        edges.append(np.stack([part[onto >= 0] for part in (weight, onto, of)]))
    weight, post, pre = np.concatenate(edges, 1) if edges else np.empty((3, 0))
    return sparse.csr_array((weight, (post.astype(np.intp), pre.astype(np.intp))), shape=(units, units))
