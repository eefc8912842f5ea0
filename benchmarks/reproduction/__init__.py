"""The figures of the paper, one file each; a figure is made of parts that `figures` names.

figures       what a figure is here: settings, claims, and the rule by which they are judged
oscillators   Figure 3: recurrent networks without input
"""

from reproduction.oscillators import OSCILLATORS

__all__ = ["FIGURES"]

FIGURES = {"3": OSCILLATORS}
