"""The figures of the paper, one file each.

figures       what a figure is here: settings, claims, and the rule by which they are judged
sources       the images that the figures are about
widths        Figure 1A: accuracy against learned numbers
tasks         Figure 1B, C: seven tasks on one frozen matrix
masks         Figure 2: biases against masks
oscillators   Figure 3: recurrent networks without input
lorenz        Figure 4: one coordinate of Lorenz-63
reaching      Figure 5: motor control
theorem       width against error, as the proofs have it
permutation   beside the paper: weights that are permuted
permuting     the solver that permutes them
"""

from reproduction.lorenz import LORENZ
from reproduction.masks import MASKS
from reproduction.oscillators import OSCILLATORS
from reproduction.permutation import PERMUTATION
from reproduction.reaching import REACHING
from reproduction.tasks import CLUSTERS, TASKS
from reproduction.theorem import THEOREM
from reproduction.widths import WIDTHS

__all__ = ["FIGURES"]

FIGURES = {
    "1a": WIDTHS, "1b": TASKS, "1c": CLUSTERS, "2": MASKS, "3": OSCILLATORS, "4": LORENZ, "5": REACHING,
    "theorem": THEOREM, "permutation": PERMUTATION,
}  # fmt: skip
