"""Banks of biases: a system at parameters it was not learned at, nine vector fields, and a hundred chaotic flows.

    python benchmarks/bank.py [--experiments family fields flows] [--out DIR] [--quick] [--resume] [--workers N]

The flows are those of dysts (pip install 'rnnbias[catalogue]'). The folder DIR receives `bank.md` (the tables), one
netCDF file and one figure an experiment, `flows-bank.nc`, the bank of all flows, and `rows/`, one file for each
finished row and for each simulated flow: a killed run keeps them, and --resume goes on from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import experiments
from arguments import module
from banks import EXPERIMENTS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    return experiments.main("bank", __doc__, "Banks of biases", EXPERIMENTS, argv)


if __name__ == "__main__":
    sys.exit(module(__file__).main())
