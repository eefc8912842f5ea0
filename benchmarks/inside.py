"""Inside a network that learned Lorenz-63: is what it learned the system, or only its forecasts?

    python benchmarks/inside.py [--units N] [--samples N] [--seed S] [--out DIR] [--quick]

Fits the biases of one frozen network and sets its closed loop beside the true flow: Lyapunov spectrum and Kaplan-Yorke
dimension, fixed points (Lorenz's are known in closed form) with their eigenvalues, return map of the maxima of z, power
spectra, distances of the attractors with their floors, eigenvalues before and after learning, biases, what lies between
the biases that the network started from and those it learned, and how much noise they bear. DIR receives `inside.md`
(the tables), a netCDF file and a figure for each analysis, and `fit.nc`, the fit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from tqdm.auto import tqdm

from arguments import Parser, save
from inner.analyses import ANALYSES, Lorenz, Size
from inner.report import draw, report
from rnnbias.storage import write_netcdf
from systems import checks


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write and print; returns the exit code."""
    parser = Parser("inside", __doc__)
    parser.add_argument("--units", type=int, metavar="N", help=f"units of the network ({Size.units})")
    parser.add_argument("--samples", type=int, metavar="N", help=f"training samples ({Size.samples})")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the weights and the data (0)")
    args = parser.parse_args(argv)
    size = Size.quick() if args.quick else Size()
    try:
        size = replace(size, units=args.units or size.units, samples=args.samples or size.samples)
        checks.whole("--units", size.units, at_least=2)
        checks.whole("--samples", size.samples, at_least=200)
        checks.seed("--seed", args.seed)
        args.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, TypeError, OSError) as error:
        parser.error(error)
    lorenz = Lorenz(size, args.seed)
    lorenz.fit.save(args.out / "fit.nc")
    found = {}
    for name, make in (bar := tqdm(ANALYSES.items(), desc="inside", unit="analysis")):
        bar.set_postfix_str(name)
        found[name] = make(lorenz)
        write_netcdf(found[name], args.out / f"{name}.nc")
    for name, axes in draw(lorenz, found):
        save(axes, args.out / f"{name}.png", dpi=130)
    text = report(lorenz, found, parser.command(argv))
    (args.out / "inside.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
