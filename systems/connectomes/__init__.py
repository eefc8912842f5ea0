"""Connectomes: measured wiring, sparse, with names and labels of the neurons.

    get, available      a connectome by name; what there is

base            Connectome: your own, from arrays, sparse matrices, graphs, tables, files; scaled, signed, cut out
celegans        celegans: the worm's 302 neurons and chemical synapses, which are in the package
flyvis          flyvis: the fly's visual system, from the file of the package flyvis
mushroom_body   mushroom_body: the larva's mushroom body, from the files of the package graspologic
shuffles        degree_preserving, shuffled_identities, scrambled_signs: what a connectome is compared with
edges           how edges are read and checked
spectrum        the spectral radius of a sparse matrix

Everywhere weights[i, j] is the synapse from neuron j onto neuron i, (post, pre). Nothing is downloaded.

>>> get("celegans").scaled("rows", 0.9)
<Connectome 'celegans': 302 neurons, 3638 synapses (3085 positive, 553 negative), density 0.04; labels: class, role, \
transmitter>
"""

from __future__ import annotations

from collections.abc import Callable

from systems import checks
from systems.connectomes import shuffles
from systems.connectomes.base import Connectome
from systems.connectomes.celegans import celegans
from systems.connectomes.flyvis import flyvis
from systems.connectomes.mushroom_body import mushroom_body
from systems.connectomes.shuffles import degree_preserving, scrambled_signs, shuffled_identities

__all__ = [
    "CONNECTOMES",
    "Connectome",
    "available",
    "celegans",
    "degree_preserving",
    "flyvis",
    "get",
    "mushroom_body",
    "scrambled_signs",
    "shuffled_identities",
    "shuffles",
]

#: What reads a connectome, by name.
CONNECTOMES: dict[str, Callable[..., Connectome]] = {
    "celegans": celegans,
    "flyvis": flyvis,
    "mushroom_body": mushroom_body,
}

_ABOUT = {
    "celegans": "The worm's 302 neurons and 3,638 chemical connections, with predicted signs",
    "flyvis": "The fly's visual system, 45,669 neurons of 65 types; needs path=, the JSON file of the package flyvis",
    "mushroom_body": "The larva's mushroom body, 209 or 213 neurons; needs folder=, datasets/drosophila of graspologic",
}


def get(name: str, **settings: object) -> Connectome:
    """Return the connectome of this name.

    Parameters
    ----------
    name : str
        One of `available()`.
    **settings
        Of the function of this name in this package, where its files lie among them.

    Returns
    -------
    Connectome

    Raises
    ------
    ValueError
        For an unknown name or setting, with the nearest.

    >>> bool((get("celegans", signs="none").weights.data > 0).all())
    True
    """
    return checks.call(CONNECTOMES[checks.choice("name", name, CONNECTOMES)], settings)


def available() -> dict[str, str]:
    """Return one line about every connectome, by name.

    >>> available()["celegans"]
    "The worm's 302 neurons and 3,638 chemical connections, with predicted signs"
    """
    return dict(_ABOUT)
