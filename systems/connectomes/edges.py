"""Where wiring comes from: arrays, sparse matrices, labelled arrays, graphs, tables and files, all read into edges.

    read        any of them
    matrix      the edges as a sparse matrix (post, pre), once they are what was asked for

Nothing here makes an array of all pairs of neurons, unless it was given one.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from systems import checks, labels

__all__ = ["DUPLICATES", "ORIENTATIONS", "SELF_LOOPS", "Edges", "matrix", "names", "positions", "read"]

#: How a matrix may lie: which neurons its rows and its columns are.
ORIENTATIONS = ("post, pre", "pre, post")
#: What becomes of an edge that is there more than once.
DUPLICATES = ("refuse", "sum")
#: What becomes of a neuron's synapse onto itself.
SELF_LOOPS = ("keep", "refuse")

_ROLES = ("pre", "post", "weight")
_MISSING = ["", "NA", "NaN", "nan"]


class Edges(NamedTuple):
    """Synapses of the given weight from neuron `pre` onto neuron `post`, by position in `neurons`; and what else the
    source tells `about` them, by the names of the fields of `Connectome`."""

    post: np.ndarray
    pre: np.ndarray
    weight: np.ndarray
    neurons: tuple[str, ...]
    about: Mapping[str, Any]


def read(data: Any, *, neurons: Iterable[Any] | None, orientation: str, columns: tuple[str, str, str] | None) -> Edges:
    """Read wiring from whatever holds it.

    Parameters
    ----------
    data, neurons, orientation, columns
        As in `Connectome.of`.

    Returns
    -------
    Edges

    >>> found = read([[0, 0], [2, 0]], neurons=["a", "b"], orientation="post, pre", columns=None)
    >>> found.neurons[found.pre[0]], found.neurons[found.post[0]], float(found.weight[0])
    ('a', 'b', 2.0)
    """
    checks.choice("orientation", orientation, ORIENTATIONS)
    known = None if neurons is None else names("neurons", neurons)
    tabular = isinstance(data, str | os.PathLike | pd.DataFrame)
    networkx = sys.modules.get("networkx")
    graph = networkx is not None and isinstance(data, networkx.Graph)
    if columns is not None and not tabular:
        raise ValueError(f"columns must be left out where data is no table, got {columns!r}")
    if orientation != ORIENTATIONS[0] and (tabular or graph or isinstance(data, xr.Dataset | xr.DataArray)):
        raise ValueError(f"orientation must be left out where data says which end is which, got {orientation!r}")
    if isinstance(data, pd.DataFrame):
        return _from_table(data, known, columns)
    if tabular:
        return _from_file(Path(data), known, columns)
    if graph:
        return _from_graph(data, known)
    if isinstance(data, xr.Dataset):
        return _from_dataset(data, known)
    if isinstance(data, xr.DataArray):
        return _from_labelled(data, known)
    return _from_matrix(data, known, orientation)


def matrix(edges: Edges, *, duplicates: str, self_loops: str) -> sparse.csr_array:
    """Return the edges as a sparse matrix (post, pre), without the edges of weight 0.

    Parameters
    ----------
    edges : Edges
        As `read` returns.
    duplicates, self_loops : str
        As in `Connectome.of`.

    Returns
    -------
    scipy.sparse.csr_array
    """
    post, pre, weight, neurons, _ = edges
    checks.choice("duplicates", duplicates, DUPLICATES)
    checks.choice("self_loops", self_loops, SELF_LOOPS)
    if self_loops == "refuse" and (loops := post == pre).any():
        first = neurons[post[loops.argmax()]]
        raise ValueError(f"data must hold no self-loops, got {int(loops.sum())}, first of {first!r}")
    result = sparse.csr_array((weight, (post, pre)), shape=(len(neurons), len(neurons)))
    if duplicates == "refuse" and result.nnz < len(weight):
        keys = post.astype(np.int64) * len(neurons) + pre
        found, count = np.unique(keys, return_counts=True)
        to, of = divmod(int(found[count.argmax()]), len(neurons))
        raise ValueError(
            f'data must hold each edge once (or give duplicates="sum"), got {int((count > 1).sum())} that are there '
            f"more often, such as {neurons[of]!r} -> {neurons[to]!r}"
        )
    result.eliminate_zeros()
    return result


def names(argument: str, value: Iterable[Any]) -> tuple[str, ...]:
    """Return names of neurons: not empty, each once. Whole numbers become words.

    Parameters
    ----------
    argument : str
        What the error calls it.
    value : iterable of str or int
        What is checked.

    Returns
    -------
    tuple of str

    >>> names("neurons", ["AVAL", 720575940])
    ('AVAL', '720575940')
    """
    if isinstance(value, str):
        raise TypeError(f"{argument} must be a sequence of names, got {value!r}")
    found = tuple(_name(argument, each) for each in value)
    if not found or not all(found):
        raise ValueError(f"{argument} must be names that are not empty, at least one, got {'' if found else ()!r}")
    if len(set(found)) < len(found):
        once: set[str] = set()
        twice = next(each for each in found if each in once or once.add(each))  # type: ignore[func-returns-value]
        raise ValueError(f"{argument} must be names that differ, got {twice!r} twice")
    return found


def positions(argument: str, wanted: Sequence[Any], places: Mapping[str, int]) -> np.ndarray:
    """Return where the neurons of these names are.

    Parameters
    ----------
    argument : str
        What the error calls them.
    wanted : sequence of str
        Names.
    places : mapping of str to int
        The place of every neuron that there is.

    Returns
    -------
    array of int

    >>> positions("names", ["AVAR", "AVEL"], {"AVAL": 0, "AVAR": 1})
    Traceback (most recent call last):
    ValueError: names must be among the 2 neurons, got 'AVEL'; did you mean 'AVAL'?
    """
    for name in wanted:
        if not isinstance(name, str) or name not in places:
            near = difflib.get_close_matches(str(name), places, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{argument} must be among the {len(places)} neurons, got {name!r}{hint}")
    return np.array([places[name] for name in wanted], dtype=np.intp)


def _from_matrix(data: Any, known: tuple[str, ...] | None, orientation: str) -> Edges:
    table = data if sparse.issparse(data) else checks.array("data", data, ndim=2)
    if len(table.shape) != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"data must be square, (post, pre), got shape {table.shape}")
    known = known or tuple(map(str, range(table.shape[0])))
    if len(known) != table.shape[0]:
        raise ValueError(f"neurons must be {table.shape[0]} names, one for each row of data, got {len(known)}")
    found = sparse.coo_array(table)
    post, pre = (found.row, found.col) if orientation == ORIENTATIONS[0] else (found.col, found.row)
    return Edges(post, pre, checks.array("data", found.data, ndim=1), known, {})


def _from_labelled(data: xr.DataArray, known: tuple[str, ...] | None) -> Edges:
    if set(data.dims) != {"post", "pre"}:
        raise ValueError(f"data must have the dimensions post and pre, got {data.dims}")
    data = data.transpose("post", "pre")
    given = [end for end in data.dims if end in data.coords]
    if not given:
        return _from_matrix(data.values, known, ORIENTATIONS[0])
    if len(given) == 1:
        raise ValueError(f"data must have coordinates along both post and pre, or along neither, got only {given[0]}")
    post, pre = (names(end, data[end].values.tolist()) for end in ("post", "pre"))
    if odd := sorted(set(post) ^ set(pre)):
        raise ValueError(f"data must have the same neurons along post and pre, got {odd[0]!r} along only one of them")
    found = sparse.coo_array(checks.array("data", data.values, ndim=2))
    known = known or post
    places = {name: place for place, name in enumerate(known)}
    return Edges(
        positions("post", post, places)[found.row], positions("pre", pre, places)[found.col], found.data, known,
        {"name": str(data.name)} if data.name else {},
    )  # fmt: skip


def _from_dataset(data: xr.Dataset, known: tuple[str, ...] | None) -> Edges:
    if missing := {*_ROLES, "unit"} - {*data.variables}:
        raise ValueError(f"data must be a Dataset as Connectome.to_dataset makes it, got one without {min(missing)}")
    if known is not None:
        raise ValueError("neurons must be left out where data is a Dataset, which names them")
    known = names("unit", data.unit.values.tolist())
    for end in ("pre", "post"):
        place = data[end].values
        if not np.issubdtype(place.dtype, np.integer) or ((place < 0) | (place >= len(known))).any():
            raise ValueError(f"{end} must be whole numbers from 0 to {len(known) - 1}, got {place}")
    about = {
        "annotations": {
            str(name): tuple(values.values.tolist())
            for name, values in data.coords.items()
            if values.dims == ("unit",) and name != "unit"
        },
        "name": labels.config(data).get("connectome", "") if "config" in data.attrs else "",
        "source": data.attrs.get("references", ""),
        "licence": data.attrs.get("licence", ""),
    }
    weight = checks.array("weight", data.weight.values, ndim=1)
    return Edges(data.post.values, data.pre.values, weight, known, about)


def _from_graph(data: Any, known: tuple[str, ...] | None) -> Edges:
    if not data.is_directed():
        raise TypeError(f"data must be a directed graph, got {type(data).__name__}")
    nodes = names("data", map(str, data.nodes))
    known = known or nodes
    edges = list(data.edges(data="weight"))
    for pre, post, weight in edges:
        if weight is None:
            raise ValueError(f"data must have a weight on every edge, got none on {pre!s} -> {post!s}")
    places = {name: place for place, name in enumerate(known)}
    place = dict(zip(data.nodes, positions("data", nodes, places), strict=True))
    post, pre = (np.array([place[edge[end]] for edge in edges], dtype=np.intp) for end in (1, 0))
    weight = checks.array("weight", np.array([edge[2] for edge in edges] or np.empty(0)), ndim=1)
    return Edges(post, pre, weight, known, {"name": str(data.name)} if data.name else {})


def _from_file(path: Path, known: tuple[str, ...] | None, columns: tuple[str, str, str] | None) -> Edges:
    if not path.is_file():
        raise FileNotFoundError(f"data must be a file that exists, got {str(path)!r}")
    try:
        head = pd.read_csv(path, nrows=0)
        pre, post, weight = _columns(list(head), columns)
        table = pd.read_csv(
            path, usecols=[pre, post, weight], dtype={pre: "category", post: "category"}, keep_default_na=False,
            na_values={weight: _MISSING}, float_precision="round_trip",
        )  # fmt: skip
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"data must be an edge list with a header, got {str(path)!r}: {error}") from error
    return _from_table(table, known, (pre, post, weight))._replace(about={"name": path.stem})


def _from_table(table: pd.DataFrame, known: tuple[str, ...] | None, columns: tuple[str, str, str] | None) -> Edges:
    table = table.rename(columns=str)
    pre, post, weight = _columns(list(table), columns)
    of, senders = _factors(table[pre])
    onto, receivers = _factors(table[post])
    known = known or names("data", sorted({*senders, *receivers}))
    places = {name: place for place, name in enumerate(known)}
    return Edges(
        positions(post, receivers, places)[onto], positions(pre, senders, places)[of],
        checks.array(weight, table[weight] if len(table) else np.empty(0), ndim=1), known, {},
    )  # fmt: skip


def _factors(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The names in a column, and which of them each row has."""
    codes, found = pd.factorize(column)
    if (codes < 0).any():
        raise ValueError(f"{column.name} must name a neuron in every row, got none in row {int((codes < 0).argmax())}")
    return codes, [_name(str(column.name), each) for each in found.tolist()]


def _columns(found: list[str], columns: tuple[str, str, str] | None) -> tuple[str, str, str]:
    if columns is None:
        columns = ("pre", "post", "count" if "count" in found and "weight" not in found else "weight")
    if isinstance(columns, str) or len(columns) != len(_ROLES) or len(set(columns)) < len(_ROLES):
        raise ValueError(f"columns must name three columns that differ, {', '.join(_ROLES)}, got {columns!r}")
    for role, column in zip(_ROLES, columns, strict=True):
        checks.choice(f"column of {role}", column, found)
    return columns


def _name(argument: str, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{argument} must hold names or whole numbers, got {value!r}")
    return str(int(value))
