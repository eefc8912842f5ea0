"""Scale: what a step costs from a thousand to a million units, and a million biases that learn.

    python benchmarks/scale.py [--experiments ...] [--out DIR] [--quick] [--resume]

Structured weights (signs and Hadamard transforms, low rank plus a diagonal) beside dense ones as far as those fit, on
one core. The folder DIR receives `scale.md` (the tables), one netCDF file an experiment, figures, and `rows/`, one file
for each finished row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import experiments
from arguments import module
from scaling import EXPERIMENTS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    return experiments.main("scale", __doc__, "Scale", EXPERIMENTS, argv)


if __name__ == "__main__":
    sys.exit(module(__file__).main())
