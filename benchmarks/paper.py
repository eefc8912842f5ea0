"""The paper by its own protocol: every figure run again, judged by a stated rule, and our own way beside it.

    python benchmarks/paper.py [--figure ...] [--seeds K] [--data DIR] [--out DIR] [--quick] [--resume]
                               [--workers N]

Williams et al., Expressivity of Neural Networks with Random Weights and Learned Biases (ICLR 2025, arXiv:2407.00957).
The folder of --out receives `paper.md` (settings, results and verdicts), one netCDF file and picture a figure, and
`rows/`, one file for each finished row: a killed run keeps them, --resume goes on from there, and figures that are not
named are reported from the rows that are there. DIR of --data holds MNIST-format folders; without it, images are
scikit-learn's digits and rendered numerals.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from arguments import Parser, machine, module
from experiments import Plan, conduct, rows_of
from reproduction import FIGURES
from reproduction.figures import RULE, section, summary
from systems import checks
from systems.labels import source

_TAGS = (
    "Tags: [paper], stated by the paper or quoted from it; [second-hand], from reviews or summaries of it; [inferred], "
    "our reading; [guess], ours, for want of any source. The paper's code is not known, and almost no accuracy or loss "
    "of it can be had: claims are about signs and orders, not about its numbers."
)


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Plan]:
    """Read and check the arguments; a wrong one ends the program with one line and code 2."""
    parser = Parser("paper", __doc__, rows=True)
    names = list(FIGURES)
    parser.add_some("--figure", names, "*")
    parser.add_argument("--seeds", type=int, default=3, metavar="K", help="seeds of the weights (%(default)s)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of MNIST-format folders ($RNNBIAS_DATA)")
    args = parser.parse_args(argv)
    try:
        args.figure = [checks.choice("--figure", name, names) for name in dict.fromkeys(args.figure)]
        seeds = checks.whole("--seeds", args.seeds, at_least=1)
        plan = Plan(seeds, args.quick, args.out.resolve() / "rows" / "fits", args.data and args.data.resolve())
        args.runs = rows_of(FIGURES, plan, args.out, afresh=() if args.resume else args.figure)
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.error(error)
    args.command = parser.command(argv, args.data, args.out)
    return args, plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args, plan = parse(argv)
    code, found = conduct(args, FIGURES, plan, names=args.figure, title="the paper by its own protocol")
    lines = ["# The paper by its own protocol", "", f"    {args.command}", "", f"{machine()}, {source()}.", ""]
    lines += [_TAGS, "", RULE, ""]
    lines += [*summary(FIGURES, found, args.runs), ""]
    for name, data in found.items():
        lines += section(name, FIGURES[name], data)
    text = "\n".join(lines)
    (args.out / "paper.md").write_text(text)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(module(__file__).main())
