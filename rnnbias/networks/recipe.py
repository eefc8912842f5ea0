"""Recipes for frozen random weights: a few numbers from which every frozen array is rebuilt to the bit."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from rnnbias.networks.operators import STRUCTURES
from rnnbias.networks.wiring import WIRINGS, Wiring
from systems import checks

__all__ = ["LAWS", "Frozen", "FrozenLayers", "Recipe", "Weights", "digest"]

LAWS = ("gaussian", "uniform", "spherical", "ternary", "dale")
_SCALES = ("gain", "input_scale", "bias_scale", "readout_scale")
_DENSITY = 0.1  # fraction of non-zero entries under the ternary law
_EXCITATORY = 0.8  # fraction of excitatory columns under the dale law
_FEW = 64  # inputs below which weights from them are drawn entry by entry whatever the structure
_SEED = 55  # numbers that take as much memory as the seed of a row
_ADDED = {"structure": "dense", "rank": 32}  # settings that older files do not have, with what they mean there

#: One array (row, column), or the arrays of one of `STRUCTURES` by name.
Weights = np.ndarray | dict[str, np.ndarray]


class Frozen(NamedTuple):
    """The frozen arrays of one network: `recurrent` W (row, unit), `input` B (row, input), `readout` C
    (output, row) and `bias` (row,), where the biases start.

    A row stands for one unit or, under push-pull and twins wiring, for a pair of them.
    """

    recurrent: Weights
    input: Weights
    readout: np.ndarray
    bias: np.ndarray


class FrozenLayers(NamedTuple):
    """The frozen arrays of one feedforward network: `weights` (row, input or unit) and `biases` (row,) of every
    hidden layer, and `readout` C (output, row) of the last.
    """

    weights: tuple[Weights, ...]
    biases: tuple[np.ndarray, ...]
    readout: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """How the frozen arrays W, B, C and the starting biases b are drawn.

    Every law has mean 0 and is scaled by its standard deviation, so laws can be exchanged:

    - `W`: sd `gain / sqrt(units)`, so that its spectral radius is typically close to `gain`;
    - `B`: sd `input_scale` (inputs are standardised);
    - `C`: sd `readout_scale / sqrt(units)` (outputs are standardised);
    - `b`: sd `bias_scale`.

    Laws: "gaussian"; "uniform" on [-R, R] with R = sqrt(3) sd; "spherical", rows of B and columns of C of equal
    length and random direction, so that no unit is bent more than the others (W and b stay Gaussian); "ternary", a
    tenth of the entries +-s with signs that alternate along a row, so that each row is balanced; "dale", Gaussian
    magnitudes with four excitatory columns of W to one inhibitory, balanced in the mean (B and C stay Gaussian).

    Wirings: "independent" draws every unit by itself. "push-pull" makes units 2k and 2k + 1 a pair with the
    same rows of W and B, the same starting bias and opposite columns of C; one learned number moves the two
    biases apart, b_2k = b + z_k and b_2k+1 = b - z_k. The network starts at output zero, and while z is small its
    output is linear in the learned numbers, however large the readout: a large readout keeps z small, and that is
    what lets a second-order solver reach in a few steps what independent units do not reach at all. "twins" are the
    same pairs, but each unit learns a bias of its own: twice the numbers, and still output zero at the start.

    Structures of W: "dense", all entries, of the law; or memory and products that grow with units, not with their
    square, for which no law holds but in B, C and b:

    - "hadamard": three rounds of random signs and a Hadamard transform (Dong et al. 2020, see `Hadamard`), the leading
      corner of an orthogonal matrix whose side is the next power of two, scaled to the same sd and spectral radius. B
      and a first layer from 64 inputs or more are made in the same way, in blocks;
    - "low-rank": `rank` Gaussian directions and a uniform diagonal (see `LowRank`), each of spectral radius gain /
      sqrt(2), which is `gain` for both together; the entries beside the diagonal have sd gain / sqrt(2 units).

    A feedforward network has B as the weights of its first layer, and in every later one a W of its own whose sd is
    `gain / sqrt(units of the layer before)`.

    Drawing is index-stable: before the division by sqrt(units), the arrays of a network are the leading
    corners of those of any larger one with the same seed (under "spherical", of one with as many inputs and outputs);
    so are the arrays of a structured W, and a "hadamard" W itself of those with the same power of two.
    W, B, C and b come from independent child seeds.

    Raises ValueError or TypeError, naming the argument, for an unknown law, wiring or structure, for numbers that are
    negative, NaN or no numbers, and for the "dale" law where W has no columns to draw.

    >>> small, large = (Recipe(seed=3, law="uniform").draw(n, inputs=2, outputs=1) for n in (50, 100))
    >>> bool(np.array_equal(small.input, large.input[:25]))
    True
    """

    seed: int = 0
    law: str = "gaussian"
    wiring: str = "push-pull"
    gain: float = 0.1
    input_scale: float = 0.1
    bias_scale: float = 1.0
    readout_scale: float = 1e7
    structure: str = "dense"
    rank: int = 32

    def __post_init__(self) -> None:
        checks.seed("seed", self.seed)
        checks.choice("law", self.law, LAWS)
        checks.choice("wiring", self.wiring, WIRINGS)
        for name in _SCALES:
            checks.number(name, getattr(self, name), at_least=0)
        checks.choice("structure", self.structure, ("dense", *STRUCTURES))
        checks.whole("rank", self.rank, at_least=1)
        if self.law == "dale" and self.structure != "dense":
            raise ValueError(f"law must not be 'dale' with structure {self.structure!r}: its columns have no signs")

    @classmethod
    def lazy(cls, **changes: Any) -> Self:
        """The limit in which biases hardly move: pairs of weakly driven units under a readout of 1e7.

        The output is linear in the biases' shifts, which stay below 1e-4: what is learned is a linear regression on the
        slopes of the untaught units. Noise-free data are forecast long, but biases must be held to eleven digits, and
        single precision or noisy data end the skill. `analysis.robustness` measures that.
        """
        return cls(**{"wiring": "push-pull", "gain": 0.1, "input_scale": 0.1, "readout_scale": 1e7, **changes})

    @classmethod
    def shaping(cls, **changes: Any) -> Self:
        """Independent units without recurrent weights under a readout of 10 / sqrt(units), all bent alike.

        Biases must move about as far as they were drawn to shape the dynamics, and single precision loses nothing.
        """
        scales = {"gain": 0.0, "input_scale": 0.3, "readout_scale": 10.0}
        return cls(**{"law": "spherical", "wiring": "independent", **scales, **changes})

    @classmethod
    def paper(cls, **changes: Any) -> Self:
        """Independent units as in Williams et al. (ICLR 2025), with scales by which Adam learns to forecast."""
        return cls(**{"wiring": "independent", "gain": 0.9, "input_scale": 0.3, "readout_scale": 5.0, **changes})

    def draw(self, units: int, *, inputs: int, outputs: int) -> Frozen:
        """Draw the frozen arrays of a recurrent network of `units` units."""
        recurrent, first, last, bias, signs = np.random.SeedSequence(self.seed).spawn(5)
        rows = self._wired.rows(units)
        return Frozen(
            self._between(recurrent, signs, rows, units),
            self._entering(first, rows, inputs),
            self._readout(last, units, outputs),
            self._bias(bias, rows),
        )

    def ends(self, units: int, *, inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw B (row, input) and C (output, row) alone, entry by entry, for a network whose W is given."""
        _, first, last = np.random.SeedSequence(self.seed).spawn(3)
        entering = self._entries(first, self._wide, self._wired.rows(units), inputs) * self.input_scale
        return entering, self._readout(last, units, outputs)

    def draw_layers(self, units: Sequence[int], *, inputs: int, outputs: int) -> FrozenLayers:
        """Draw the frozen arrays of a feedforward network with `units` units in each hidden layer, inputs first.

        The first layer and the readout come from the seeds of B, b and C, each later layer from seeds of its own: more
        layers or wider ones leave the others as they were.
        """
        _, first, last, bias, _, *later = np.random.SeedSequence(self.seed).spawn(4 + len(units))
        rows = [self._wired.rows(n) for n in units]
        weights = [self._entering(first, rows[0], inputs)]
        biases = [self._bias(bias, rows[0])]
        for seed, below, here in zip(later, units[:-1], rows[1:], strict=True):
            own, signs, shift = seed.spawn(3)
            weights.append(self._between(own, signs, here, below))
            biases.append(self._bias(shift, here))
        return FrozenLayers(tuple(weights), tuple(biases), self._readout(last, units[-1], outputs))

    def numbers(self, units: Sequence[int], *, inputs: int, outputs: int, recurrent: bool) -> int:
        """How many numbers drawing holds for layers of so many `units`, or for one that is `recurrent`."""
        rows = [self._wired.rows(n) for n in units]
        between = zip(rows, units, strict=True) if recurrent else zip(rows[1:], units[:-1], strict=True)
        shapes = [
            *self._shapes(self._kind(inputs), rows[0], inputs).values(),
            *itertools.chain(*(self._shapes(self.structure, *shape).values() for shape in between)),
        ]
        seeds = _SEED * max(rows) if self.structure == "dense" else 0
        return sum(map(math.prod, shapes)) + outputs * rows[-1] + sum(rows) + seeds

    @property
    def _wired(self) -> Wiring:
        return WIRINGS[self.wiring]

    @property
    def _wide(self) -> str:
        """The law of B and C."""
        return "gaussian" if self.law == "dale" else self.law

    def _kind(self, inputs: int) -> str:
        """The structure of weights from so many inputs."""
        return "hadamard" if self.structure == "hadamard" and inputs >= _FEW else "dense"

    def _shapes(self, kind: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
        """The arrays that make weights (row, column) of one kind, by name."""
        if kind == "hadamard":
            side = 1 << (columns - 1).bit_length()
            return {"diagonals": (3, -(-rows // side), side)}
        if kind == "low-rank":
            return {"left": (rows, self.rank), "right": (columns, self.rank), "diagonal": (min(rows, columns),)}
        return {"": (rows, columns)}

    def _between(self, seed: np.random.SeedSequence, signs: np.random.SeedSequence, rows: int, units: int) -> Weights:
        """Weights from units to rows."""
        scale = self.gain / np.sqrt(units)
        if self.structure == "hadamard":
            return self._signs(seed, rows, units, scale)
        if self.structure == "low-rank":
            return self._factors(seed, rows, units)
        weights = _rows(seed, "gaussian" if self.law == "spherical" else self.law, rows, units)
        if self.law == "dale":
            weights = _sign_columns(weights, signs)
        weights *= scale
        return weights

    def _entering(self, seed: np.random.SeedSequence, rows: int, inputs: int) -> Weights:
        """Weights from inputs to rows."""
        if self._kind(inputs) == "hadamard":
            return self._signs(seed, rows, inputs, self.input_scale)
        return self._entries(seed, self._wide, rows, inputs) * self.input_scale

    def _signs(self, seed: np.random.SeedSequence, rows: int, columns: int, scale: float) -> dict[str, np.ndarray]:
        """The diagonals of a `Hadamard` whose entries have this standard deviation, which the last ones carry."""
        shape = self._shapes("hadamard", rows, columns)["diagonals"]
        signs = np.stack(
            [np.where(_generator(child).random(math.prod(shape[1:])) < 0.5, -1.0, 1.0) for child in seed.spawn(3)]
        )
        signs[-1] *= scale / shape[-1]
        return {"diagonals": signs.reshape(shape)}

    def _factors(self, seed: np.random.SeedSequence, rows: int, units: int) -> dict[str, np.ndarray]:
        """The arrays of a `LowRank`."""
        first, second, third = seed.spawn(3)
        return {
            "left": _columns(first, "gaussian", rows, self.rank) * (self.gain / np.sqrt(2 * self.rank * units)),
            "right": _columns(second, "gaussian", units, self.rank),
            "diagonal": _columns(third, "uniform", min(rows, units), 1)[:, 0] * (self.gain / np.sqrt(6)),
        }

    def _entries(self, seed: np.random.SeedSequence, law: str, rows: int, columns: int) -> np.ndarray:
        """Numbers of unit variance, drawn in rows or, where rows may be a million, in columns."""
        return (_rows if self.structure == "dense" else _columns)(seed, law, rows, columns)

    def _readout(self, seed: np.random.SeedSequence, units: int, outputs: int) -> np.ndarray:
        drawn = self._entries(seed, self._wide, self._wired.rows(units), outputs)
        return np.ascontiguousarray(drawn.T) * (self.readout_scale / np.sqrt(units))

    def _bias(self, seed: np.random.SeedSequence, rows: int) -> np.ndarray:
        law = "uniform" if self.law == "uniform" else "gaussian"
        return self._entries(seed, law, rows, 1)[:, 0] * self.bias_scale

    def to_dict(self) -> dict[str, object]:
        """Return the recipe as plain numbers and strings; `Recipe(**d)` rebuilds it."""
        plain = {"seed": int(self.seed), "rank": int(self.rank)}
        found = {**asdict(self), **plain, **{name: float(getattr(self, name)) for name in _SCALES}}
        return {name: value for name, value in found.items() if (name, value) not in _ADDED.items()}


def _rows(seed: np.random.SeedSequence, law: str, rows: int, columns: int) -> np.ndarray:
    """Draw (rows, columns) of unit variance, each row from a seed of its own: the corner is index-stable."""
    out = np.empty((rows, columns))
    for row, child in zip(out, seed.spawn(rows), strict=True):
        rng = _generator(child)
        if law == "uniform":
            row[:] = rng.uniform(-np.sqrt(3), np.sqrt(3), columns)
        elif law == "ternary":
            sign = 1.0 if rng.random() < 0.5 else -1.0
            on = rng.random(columns) < _DENSITY
            row[:] = on * sign * (-1.0) ** np.cumsum(on) / np.sqrt(_DENSITY)
        else:
            row[:] = rng.standard_normal(columns)
            if law == "spherical":
                row *= np.sqrt(columns) / np.linalg.norm(row)
    return out


def _columns(seed: np.random.SeedSequence, law: str, rows: int, columns: int) -> np.ndarray:
    """Draw the same, each column from a seed of its own."""
    of_rows, *seeds = seed.spawn(columns + 1)
    out = np.empty((rows, columns))
    for k, child in enumerate(seeds):
        rng = _generator(child)
        if law == "uniform":
            out[:, k] = rng.uniform(-np.sqrt(3), np.sqrt(3), rows)
        else:
            out[:, k] = rng.random(rows) if law == "ternary" else rng.standard_normal(rows)
    if law == "ternary":
        on, sign = out < _DENSITY, np.where(_generator(of_rows).random((rows, 1)) < 0.5, 1.0, -1.0)
        return on * sign * (-1.0) ** np.cumsum(on, 1) / np.sqrt(_DENSITY)
    if law == "spherical" and columns:
        out *= np.sqrt(columns) / np.linalg.norm(out, axis=1, keepdims=True)
    return out


def _generator(seed: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _sign_columns(normal: np.ndarray, seed: np.random.SeedSequence) -> np.ndarray:
    """Give each column one sign; inhibitory columns are stronger so that the two kinds balance."""
    excitatory = _generator(seed).random(normal.shape[1]) < _EXCITATORY
    ratio = _EXCITATORY / (1 - _EXCITATORY)
    mean_square = _EXCITATORY + (1 - _EXCITATORY) * ratio**2
    return np.abs(normal) * np.where(excitatory, 1.0, -ratio) / np.sqrt(mean_square)


def digest(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape, type and bytes."""
    array = np.ascontiguousarray(array)
    header = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(header + array.tobytes()).hexdigest()
