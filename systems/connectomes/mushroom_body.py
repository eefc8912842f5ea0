"""The mushroom body of the fly's larva, from the text matrices that the package graspologic brings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from systems import checks
from systems.connectomes.base import Connectome

__all__ = ["CLASSES", "mushroom_body"]

#: The letters of the files.
CLASSES = {"K": "Kenyon cell", "P": "projection neuron", "O": "output neuron", "I": "input neuron"}


def mushroom_body(folder: str | Path, side: str = "left") -> Connectome:
    """Read the mushroom body of one side, 209 neurons on the left and 213 on the right.

    A weight is the number of synapses; all are positive, because the files have no signs. Neurons are labelled by class
    and named by the class's letter and their number in it, such as "K1".

    Parameters
    ----------
    folder : path
        The folder `datasets/drosophila` of an installed graspologic, with `left_adjacency.csv`, a matrix of counts
        between spaces whose rows are presynaptic, `left_cell_labels.csv`, one letter a line, and both for "right".
    side : str
        "left" or "right".

    Returns
    -------
    Connectome

    Raises
    ------
    FileNotFoundError
        Where one of the files is not there.
    ValueError
        Where they are of another form or do not agree.

    References
    ----------
    Eichler et al. 2017, Nature 548, 175; graspologic (MIT).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = (Path(place) / "left_adjacency.csv").write_text("0 0\\n7 0\\n")
    ...     _ = (Path(place) / "left_cell_labels.csv").write_text("K\\nP\\n")
    ...     mushroom_body(place).to_table().to_csv(index=False).splitlines()
    ['pre,post,weight', 'P1,K1,7.0']
    """
    checks.choice("side", side, ("left", "right"))
    counts = _table(folder, f"{side}_adjacency.csv", np.float64)
    letters = _table(folder, f"{side}_cell_labels.csv", str).ravel().tolist()
    number: Counter[str] = Counter()
    names = []
    for letter in letters:
        number[checks.choice("cell label", letter, CLASSES)] += 1
        names.append(f"{letter}{number[letter]}")
    return Connectome.of(
        counts,
        neurons=names,
        annotations={"class": [CLASSES[letter] for letter in letters]},
        orientation="pre, post",
        name=f"mushroom body, {side}",
        source="Eichler et al. 2017, Nature 548, 175, as packaged in graspologic",
        licence="MIT",
    )


def _table(folder: str | Path, name: str, kind: type) -> np.ndarray:
    path = Path(folder) / name
    if not path.is_file():
        raise FileNotFoundError(f"folder must hold {name}, got {str(folder)!r}")
    try:
        return np.loadtxt(path, dtype=kind, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} must be a table between spaces: {error}") from error
