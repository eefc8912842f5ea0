"""The worm Caenorhabditis elegans: its 302 neurons and their chemical synapses, which lie beside this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from systems import checks
from systems.connectomes.base import Connectome

__all__ = ["SIGNS", "celegans"]

#: Where the signs of the synapses come from.
SIGNS = ("predicted", "transmitter", "none")

_FOLDER = Path(__file__).with_suffix("")
_LABELS = ("class", "role", "transmitter")


def celegans(*, signs: str = "predicted") -> Connectome:
    """Return the chemical synapses of the adult hermaphrodite, 3,638 connections of 302 neurons.

    A weight is the edge weight of WormWiring's reconstruction, which counts synapses and their size, times a sign. The
    signs are predictions, nobody has measured them. Gap junctions are not among the data. Neurons are labelled by class
    (118 of them), role and transmitter; CANL, CANR, M5, PLML and PLMR have no chemical synapse. `README.md` beside the
    data says more.

    Parameters
    ----------
    signs : str
        - "predicted": of each connection, from the genes for transmitters and receptors, where that is clear (1,752 of
          them); elsewhere as "transmitter";
        - "transmitter": -1 for what GABA neurons send, 1 for all other;
        - "none": all positive.

    Returns
    -------
    Connectome

    References
    ----------
    Fenyves et al. 2020, PLoS Comput. Biol. 16, e1007974, S3 file (CC BY 4.0).

    >>> worm = celegans()
    >>> worm.units, worm.synapses, len(set(worm.labels("class")))
    (302, 3638, 118)
    """
    checks.choice("signs", signs, SIGNS)
    neurons = pd.read_csv(_FOLDER / "neurons.csv", keep_default_na=False)
    table = pd.read_csv(_FOLDER / "connectome.csv")
    weight = table["count"].astype(np.float64)
    if signs != "none":
        gaba = neurons.neuron[neurons.transmitter == "GABA"]
        by_transmitter = pd.Series(np.where(table.pre.isin(gaba), -1.0, 1.0))
        weight *= by_transmitter if signs == "transmitter" else table.sign.fillna(by_transmitter)
    return Connectome.of(
        pd.DataFrame({"pre": table.pre, "post": table.post, "weight": weight}),
        neurons=neurons.neuron,
        annotations={by: tuple(neurons[by]) for by in _LABELS},
        name="celegans",
        source="Fenyves et al. 2020, PLoS Comput. Biol. 16, e1007974, S3 file",
        licence="CC BY 4.0",
    )
