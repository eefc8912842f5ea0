"""What a connectome is compared with: the same one with something of it scrambled.

degree_preserving       which neurons are connected, but not how many inputs and outputs each has
shuffled_identities     which neuron has which place in the wiring
scrambled_signs         which synapses excite and which inhibit
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from systems import checks
from systems.connectomes.base import Connectome

__all__ = ["degree_preserving", "scrambled_signs", "shuffled_identities"]

_MOVES = 5  # of each synapse, on average
_ROUNDS = 150  # in each, every synapse is asked once to swap


def degree_preserving(connectome: Connectome, seed: int) -> Connectome:
    """Rewire by swaps of two synapses' targets: a onto b and c onto d become a onto d and c onto b.

    Every neuron keeps its numbers of inputs and of outputs, and the weights of its outputs, hence their signs.
    Self-loops stay as they are, and neither new ones nor second synapses between two neurons come about. In every round
    all synapses are paired at random and swap where they can; a pair whose old or new synapses are those of another
    pair stays, so that every step can be undone as readily as done and no wiring within reach is favoured. The rounds
    are twice as many as it takes to move a synapse 5 times on average, and at most 300, where the wiring is dense.
    Maslov & Sneppen 2002, Science 296, 910.

    Parameters
    ----------
    connectome : Connectome
        The original.
    seed : int
        Of the pairing.

    Returns
    -------
    Connectome

    >>> from systems.connectomes import celegans
    >>> worm = celegans()
    >>> other = degree_preserving(worm, seed=0)
    >>> bool((other.weights.count_nonzero(1) == worm.weights.count_nonzero(1)).all())
    True
    """
    rng = np.random.default_rng(checks.seed("seed", seed))
    edges = connectome.weights.tocoo()
    free = np.flatnonzero(edges.row != edges.col)
    pre, post = edges.col[free].astype(np.int64), edges.row[free].astype(np.int64)
    rounds = moves = 0
    while rounds < _ROUNDS and moves < _MOVES * len(free):
        moves += _swap(pre, post, connectome.units, rng)
        rounds += 1
    # As many again whatever they do: wirings that swap readily would be the likelier to end at a count of swaps.
    for _ in range(rounds):
        _swap(pre, post, connectome.units, rng)
    row = edges.row.copy()
    row[free] = post
    weights = sparse.csr_array((edges.data, (row, edges.col)), shape=edges.shape)
    return replace(connectome, weights=weights, name=f"{connectome.name} (degrees kept, seed {seed})".strip())


def shuffled_identities(connectome: Connectome, seed: int) -> Connectome:
    """Move the neurons at random to other places in the same wiring: names and labels stay, synapses change owners.

    Parameters
    ----------
    connectome : Connectome
        The original.
    seed : int
        Of the permutation.

    Returns
    -------
    Connectome

    >>> chain = Connectome.of([[0, 0, 0], [1, 0, 0], [0, 2, 0]], neurons=["a", "b", "c"])
    >>> shuffled_identities(chain, seed=3).to_table().to_csv(index=False).splitlines()
    ['pre,post,weight', 'b,a,2.0', 'c,b,1.0']
    """
    place = np.random.default_rng(checks.seed("seed", seed)).permutation(connectome.units)
    return replace(
        connectome,
        weights=connectome.weights[place][:, place],
        name=f"{connectome.name} (identities shuffled, seed {seed})".strip(),
    )


def scrambled_signs(connectome: Connectome, seed: int) -> Connectome:
    """Permute the signs among the synapses; each keeps its magnitude.

    Parameters
    ----------
    connectome : Connectome
        The original.
    seed : int
        Of the permutation.

    Returns
    -------
    Connectome

    >>> loop = Connectome.of([[0, 1, 0], [0, 0, 2], [-3, 0, 0]])
    >>> scrambled_signs(loop, seed=0).weights.data.tolist()
    [-1.0, 2.0, 3.0]
    """
    rng = np.random.default_rng(checks.seed("seed", seed))
    weights = connectome.weights.copy()
    weights.data = abs(weights.data) * rng.permutation(np.sign(weights.data))
    return replace(connectome, weights=weights, name=f"{connectome.name} (signs scrambled, seed {seed})".strip())


def _swap(pre: np.ndarray, post: np.ndarray, units: int, rng: np.random.Generator) -> int:
    """Let random pairs of synapses swap targets, in place, whose four keys occur nowhere else; say how many moved."""
    pairs = rng.permutation(len(pre))[: len(pre) // 2 * 2].reshape(2, -1)
    of, onto = pre[pairs], post[pairs[::-1]]
    once = _occur_once(np.concatenate([units * post + pre, (units * onto + of).ravel()]))
    old, new = once[pairs], once[len(pre) :].reshape(pairs.shape)
    swapped = pairs[:, (old & new & (of != onto)).all(0)]
    post[swapped] = post[swapped[::-1]]
    return swapped.size


def _occur_once(keys: np.ndarray) -> np.ndarray:
    """Which keys no other equals."""
    order = np.argsort(keys)
    differs = np.diff(keys[order]) != 0
    once = np.empty(len(keys), dtype=bool)
    once[order] = np.append(True, differs)[: len(keys)] & np.append(differs, True)[: len(keys)]
    return once
