"""Connectomes: what biases and gains over measured wiring explain, how sure one is of it, and how large they may be.

    python benchmarks/connectome.py [--experiments ...] [--seeds K] [--out DIR] [--quick] [--resume] [--workers N]

Students find the biases and gains of teachers over the same wiring from recordings of some neurons. The folder DIR
receives `connectome.md` (the tables), one netCDF file an experiment, figures, and `rows/`, one file for each finished
row: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import experiments
from arguments import module
from circuits import EXPERIMENTS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    return experiments.main("connectome", __doc__, "Connectomes", EXPERIMENTS, argv, seeds=3)


if __name__ == "__main__":
    sys.exit(module(__file__).main())
