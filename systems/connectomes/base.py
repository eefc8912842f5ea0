"""`Connectome`: measured wiring, sparse, with the neurons' names and labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy import sparse

from systems import checks
from systems.connectomes import edges, spectrum
from systems.labels import Labelled, dataset

__all__ = ["Connectome"]

_LARGEST_DENSE = 5000  # neurons
_RESERVED = ("unit", "synapse", "pre", "post", "weight")


@dataclass(frozen=True, eq=False, repr=False)
class Connectome:
    """Neurons and the synapses between them. `Connectome.of` reads it from whatever holds it.

    Attributes
    ----------
    weights : scipy.sparse.csr_array (post, pre)
        weights[i, j] is the synapse from neuron j onto neuron i: float64, read-only, sorted, without zeros; synapses
        that are given twice are added up.
    neurons : tuple of str
        Their names: not empty, each once.
    annotations : mapping of str to tuple of str
        Labels of the neurons, one each in their order, by what is labelled, such as "class" or "transmitter"; "" where
        a neuron has none.
    name : str
        A short identifier.
    source : str
        Where it comes from.
    licence : str
        Its terms.

    Raises ValueError or TypeError, naming the argument, for weights that are not square or not finite, names that are
    empty, repeated or not as many as the weights' rows, and labels that are not as many as the names.

    >>> chain = Connectome.of([[0, 0], [-2, 0]], neurons=["sensory", "motor"], name="chain")
    >>> chain
    <Connectome 'chain': 2 neurons, 1 synapses (0 positive, 1 negative), density 0.25>
    >>> (chain.weights @ [1.0, 0.0]).tolist()  # the sensory neuron drives the motor neuron
    [0.0, -2.0]
    """

    weights: sparse.csr_array
    neurons: tuple[str, ...]
    annotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = ""
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if not sparse.issparse(self.weights):
            raise TypeError(
                f"weights must be a sparse matrix (Connectome.of reads others), got {type(self.weights).__name__}"
            )
        neurons = edges.names("neurons", self.neurons)
        if self.weights.shape != (len(neurons), len(neurons)):
            raise ValueError(
                f"weights must have shape {(len(neurons), len(neurons))} for as many neurons, got {self.weights.shape}"
            )
        weights = sparse.csr_array(self.weights, copy=True)
        weights.data = checks.array("weights", weights.data, ndim=1)
        weights.sum_duplicates()
        weights.eliminate_zeros()
        for part in (weights.data, weights.indices, weights.indptr):
            part.flags.writeable = False
        for attribute in ("name", "source", "licence"):
            if not isinstance(value := getattr(self, attribute), str):
                raise TypeError(f"{attribute} must be a string, got {value!r}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "neurons", neurons)
        object.__setattr__(
            self, "annotations", {by: _labels(by, each, len(neurons)) for by, each in self.annotations.items()}
        )

    @classmethod
    def of(
        cls,
        data: Any,
        /,
        *,
        neurons: Iterable[str] | None = None,
        annotations: Mapping[str, Sequence[str]] | None = None,
        orientation: str = "post, pre",
        columns: tuple[str, str, str] | None = None,
        duplicates: str = "refuse",
        self_loops: str = "keep",
        name: str = "",
        source: str = "",
        licence: str = "",
    ) -> Self:
        """Read a connectome from whatever holds it. Weights of 0 are no synapses.

        Parameters
        ----------
        data : array, sparse matrix, xr.DataArray, xr.Dataset, networkx graph, pandas.DataFrame or path
            - an array or any scipy.sparse matrix, which lies as `orientation` says;
            - a DataArray with the dimensions post and pre, in either order; coordinates name the neurons;
            - a directed networkx graph whose edges have a `weight`;
            - a table of edges, or the path of one as CSV with a header; see `columns`;
            - a Dataset as `to_dataset` makes it.
        neurons : sequence of str, optional
            All names in the order wanted, neurons without synapses included. Default: the coordinates along post, the
            nodes of a graph, the names in a table, sorted; else "0", "1", ...
        annotations : mapping of str to sequence of str, optional
            Labels in the order of `neurons`, which must then be given.
        orientation : str
            "post, pre", where row i holds the synapses onto neuron i, or "pre, post", where it holds those from it.
            Only for arrays and sparse matrices; the others say which end is which.
        columns : (str, str, str), optional
            Of a table: the names of its columns for pre, post and weight. Default: "pre", "post" and "weight", or
            "count" where there is no "weight".
        duplicates : str
            "refuse" an edge that is there more than once, or "sum" its weights.
        self_loops : str
            "keep" or "refuse" a neuron's synapse onto itself.
        name, source, licence : str
            As in `Connectome`. Default: what `data` says, such as the name of the file.

        Returns
        -------
        Connectome

        Raises
        ------
        FileNotFoundError
            Where the path leads to no file.
        TypeError, ValueError
            Naming the argument or the column: for neurons that are not among `neurons`, with the nearest name; edges
            that are there twice; weights that are NaN or infinite; a matrix that is not square; names that are not as
            many as its rows; coordinates that differ between post and pre.

        >>> import pandas
        >>> table = pandas.DataFrame({"from": ["a", "b"], "to": ["b", "c"], "count": [3, 1]})
        >>> Connectome.of(table, columns=("from", "to", "count")).dense().tolist()
        [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
        """
        if annotations is not None and neurons is None:
            raise ValueError("annotations must come with neurons, whose order they are in, got no neurons")
        found = edges.read(data, neurons=neurons, orientation=orientation, columns=columns)
        weights = edges.matrix(found, duplicates=duplicates, self_loops=self_loops)
        given = {"annotations": annotations, "name": name, "source": source, "licence": licence}
        return cls(weights, found.neurons, **{**found.about, **{key: value for key, value in given.items() if value}})

    @property
    def units(self) -> int:
        """How many neurons."""
        return len(self.neurons)

    @property
    def synapses(self) -> int:
        """How many pairs of neurons are connected."""
        return self.weights.nnz

    @property
    def density(self) -> float:
        """Which part of all pairs that is, each neuron with itself included."""
        return self.synapses / self.units**2

    @cached_property
    def digest(self) -> str:
        """SHA-256 of weights, their columns and row starts, and the names."""
        sha = hashlib.sha256()
        for part, kind in ((self.weights.data, "<f8"), (self.weights.indices, "<i8"), (self.weights.indptr, "<i8")):
            sha.update(part.astype(kind))
        sha.update(json.dumps(self.neurons).encode())
        return sha.hexdigest()

    def __repr__(self) -> str:
        positive = int((self.weights.data > 0).sum())
        known = f"; labels: {', '.join(self.annotations)}" if self.annotations else ""
        return (
            f"<Connectome {self.name!r}: {self.units} neurons, {self.synapses} synapses ({positive} positive, "
            f"{self.synapses - positive} negative), density {self.density:.2g}{known}>"
        )

    def index(self, names: str | Sequence[str]) -> np.ndarray:
        """Where neurons are.

        Parameters
        ----------
        names : str or sequence of str
            Of one neuron or several.

        Returns
        -------
        array of int
            One position a name.

        Raises
        ------
        ValueError
            For an unknown name, with the nearest.

        >>> Connectome.of([[0, 1], [1, 0]], neurons=["AVAL", "AVAR"]).index("AVAR").tolist()
        [1]
        """
        return edges.positions("names", [names] if isinstance(names, str) else list(names), self._places)

    def labels(self, by: str) -> tuple[str, ...]:
        """The label of every neuron.

        Parameters
        ----------
        by : str
            One of `annotations`.

        Returns
        -------
        tuple of str

        >>> pair = Connectome.of([[0, 1], [1, 0]], neurons=["AVAL", "AVAR"], annotations={"class": ["AVA", "AVA"]})
        >>> pair.labels("class")
        ('AVA', 'AVA')
        """
        return self.annotations[checks.choice("by", by, self.annotations)]

    def dense(self) -> np.ndarray:
        """The weights as an array (post, pre); refused above 5,000 neurons, with the memory it would take.

        Returns
        -------
        array

        Raises
        ------
        ValueError
            Above 5,000 neurons.
        """
        if self.units > _LARGEST_DENSE:
            raise ValueError(
                f"dense must be asked of at most {_LARGEST_DENSE} neurons, got {self.units}, which would take "
                f"{8 * self.units**2 / 2**30:.1f} GiB; weights is sparse"
            )
        return self.weights.toarray()

    def scaled(self, how: str, to: float) -> Self:
        """The same wiring with other units of weight; no sign changes.

        Parameters
        ----------
        how : str
            - "radius": all weights times one factor, so that the largest absolute eigenvalue becomes `to`;
            - "rows": the absolute weights onto each neuron sum to `to`, where there are any;
            - "factor": all weights times `to`.
        to : float
            Above 0.

        Returns
        -------
        Connectome

        Raises
        ------
        ValueError
            For "radius" where that is 0, because the wiring has no loops.

        >>> loop = Connectome.of([[0, 8], [2, 0]])
        >>> loop.scaled("radius", 1.0).dense().tolist()
        [[0.0, 2.0], [0.5, 0.0]]
        >>> loop.scaled("rows", 1.0).dense().tolist()
        [[0.0, 1.0], [1.0, 0.0]]
        """
        checks.choice("how", how, ("radius", "rows", "factor"))
        factor: float | np.ndarray = checks.number("to", to, above=0)
        if how == "radius":
            radius = spectrum.radius(self.weights)
            if radius == 0:
                raise ValueError(f"how must be 'rows' or 'factor' where the spectral radius is 0, got {how!r}")
            factor /= radius
        elif how == "rows":
            arriving = abs(self.weights).sum(1)
            factor = np.repeat(factor / np.where(arriving > 0, arriving, 1.0), np.diff(self.weights.indptr))
        return self._with(self.weights.data * factor)

    def signed(self, signs: Mapping[str, float] | Sequence[float], *, by: str | None = None) -> Self:
        """The same wiring with the signs of its presynaptic neurons, as Dale's principle has it.

        Parameters
        ----------
        signs : mapping of str to float, or sequence of float
            1: all synapses of the neuron become positive; -1: negative; 0, or a neuron that is not named: they keep the
            signs that they have. A mapping is by the names of neurons, or by their labels if `by` is given; a sequence
            has one sign a neuron.
        by : str, optional
            One of `annotations`.

        Returns
        -------
        Connectome

        >>> pair = Connectome.of([[0, 3], [4, 0]], neurons=["a", "b"], annotations={"transmitter": ["ACh", "GABA"]})
        >>> pair.signed({"GABA": -1}, by="transmitter").dense().tolist()
        [[0.0, -3.0], [4.0, 0.0]]
        """
        sign = self._signs(signs, by)[self.weights.indices]
        return self._with(np.where(sign == 0, self.weights.data, sign * abs(self.weights.data)))

    def only(self, names: Sequence[str]) -> Self:
        """Some of the neurons and the synapses between them.

        Parameters
        ----------
        names : sequence of str
            In the order wanted, each once.

        Returns
        -------
        Connectome

        >>> three = Connectome.of([[0, 1, 2], [3, 0, 4], [5, 6, 0]], neurons=["a", "b", "c"])
        >>> three.only(["c", "a"]).dense().tolist()
        [[0.0, 5.0], [2.0, 0.0]]
        """
        kept = self.index(edges.names("names", names))
        return replace(
            self,
            weights=self.weights[kept][:, kept],
            neurons=tuple(self.neurons[place] for place in kept),
            annotations={by: tuple(each[place] for place in kept) for by, each in self.annotations.items()},
        )

    def to_table(self) -> pd.DataFrame:
        """The synapses as a table with columns pre, post and weight, which `Connectome.of` reads.

        Returns
        -------
        pandas.DataFrame

        >>> table = Connectome.of([[0, 0], [2, 0]], neurons=["a", "b"]).to_table()
        >>> table.to_csv(index=False).splitlines()
        ['pre,post,weight', 'a,b,2.0']
        """
        post, pre = self._ends()
        of, onto = (pd.Categorical.from_codes(end, categories=list(self.neurons)) for end in (pre, post))
        return pd.DataFrame({"pre": of, "post": onto, "weight": self.weights.data})

    def to_dataset(self) -> xr.Dataset:
        """Everything as a Dataset, which netCDF files hold and `Connectome.of` reads.

        Returns
        -------
        xr.Dataset
            `pre`, `post` (positions along `unit`) and `weight`, each (synapse); names and labels along `unit`.

        >>> wiring = Connectome.of([[0, 0], [2, 0]], neurons=["a", "b"], name="chain").to_dataset()
        >>> wiring.weight.sizes, wiring.unit.values.tolist()
        (Frozen({'synapse': 1}), ['a', 'b'])
        >>> Connectome.of(wiring).name
        'chain'
        """
        post, pre = self._ends()
        about = {by: Labelled("unit", list(each), "1", by) for by, each in self.annotations.items()}
        return dataset(
            {
                "pre": Labelled("synapse", pre, "1", "position of the presynaptic neuron"),
                "post": Labelled("synapse", post, "1", "position of the postsynaptic neuron"),
                "weight": Labelled("synapse", self.weights.data, "1", "weight"),
            },
            {"unit": Labelled("unit", list(self.neurons), "1", "neuron"), **about},
            title=f"wiring of {self.name or 'a connectome'}",
            config={"connectome": self.name},
            references=self.source,
        ).assign_attrs(licence=self.licence)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.neurons)}

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The positions of the neurons after and before each synapse."""
        post = np.repeat(np.arange(self.units, dtype=self.weights.indices.dtype), np.diff(self.weights.indptr))
        return post, self.weights.indices

    def _with(self, data: np.ndarray) -> Self:
        """The same wiring with other weights."""
        weights = sparse.csr_array((data, self.weights.indices, self.weights.indptr), shape=self.weights.shape)
        return replace(self, weights=weights)

    def _signs(self, signs: Mapping[str, float] | Sequence[float], by: str | None) -> np.ndarray:
        """The sign of every neuron, 0 where it is not given."""
        if by is not None and not isinstance(signs, Mapping):
            raise TypeError(f"signs must be a mapping where by is given, got {type(signs).__name__}")
        values: ArrayLike = list(signs.values()) if isinstance(signs, Mapping) else signs
        given = checks.array("signs", values, ndim=1)
        if len(wrong := np.setdiff1d(given, (-1, 0, 1))):
            raise ValueError(f"signs must be -1, 0 or 1, got {wrong[0]}")
        if not isinstance(signs, Mapping):
            return checks.array("signs", given, shape=(self.units,))
        result = np.zeros(self.units)
        if by is None:
            result[self.index(list(signs))] = given
            return result
        labels = np.array(self.labels(by))
        for label, sign in zip(signs, given, strict=True):
            result[labels == checks.choice(f"label of {by} in signs", label, sorted(set(labels.tolist())))] = sign
        return result


def _labels(by: str, given: Sequence[str], units: int) -> tuple[str, ...]:
    if not isinstance(by, str) or by in _RESERVED:
        raise ValueError(f"annotations must have names other than {', '.join(_RESERVED)}, got {by!r}")
    found = tuple(given)
    if len(found) != units:
        raise ValueError(f"annotations of {by!r} must be {units} labels, one a neuron, got {len(found)}")
    for label in found:
        if not isinstance(label, str):
            raise TypeError(f"annotations of {by!r} must be strings, got {label!r}")
    return found
