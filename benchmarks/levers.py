"""What each choice behind the defaults is worth: one lever moved at a time, on Lorenz-63, and where the time goes.

    python benchmarks/levers.py [--units N] [--seeds K] [--windows W] [--out DIR]

Every line of the table changes one thing in `fit_system("lorenz63", units=N)` and says what the forecasts become. The
last table times the parts of one Levenberg-Marquardt iteration and compares the Jacobian's matrix products with the
machine's own rate. DIR receives `levers.md`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

import systems
from rnnbias import RNN, Adam, LevenbergMarquardt, Recipe, fit_system
from rnnbias.framing import Frame, segments
from rnnbias.jacobian import bias_jacobian
from systems import checks

_SAMPLES, _TRAIN, _TEST = 5000, 0, 1


def levers(units: int) -> dict[str, dict[str, object]]:
    """Name each lever and the arguments of `fit_system` that move it."""
    recipes = {
        "readout scale 10": {"readout_scale": 10.0},
        "readout scale 1e3": {"readout_scale": 1e3},
        "readout scale 1e5": {"readout_scale": 1e5},
        "readout scale 1e9": {"readout_scale": 1e9},
        "input scale 0.03": {"input_scale": 0.03},
        "input scale 0.3": {"input_scale": 0.3},
        "input scale 1": {"input_scale": 1.0},
        "bias spread 0.3": {"bias_scale": 0.3},
        "bias spread 3": {"bias_scale": 3.0},
        "recurrent gain 0": {"gain": 0.0},
        "recurrent gain 0.5": {"gain": 0.5},
        "recurrent gain 0.9": {"gain": 0.9},
        "uniform weights": {"law": "uniform"},
        "sparse ternary weights": {"law": "ternary"},
        "excitatory and inhibitory columns": {"law": "dale"},
    }
    plain = {"units": units // 2, "recipe": Adam.recipe}
    return {
        "the defaults": {"recipe": Recipe()},
        **{name: {"recipe": Recipe(**change)} for name, change in recipes.items()},
        "leak (alpha -0.5, beta 0.5)": {"alpha": -0.5, "beta": 0.5},
        "ReLU": {"activation": "relu"},
        "jitter 1e-5": {"jitter": 1e-5},
        "output is the state": {"output": "state", "recipe": Recipe()},
        "predicting 5 samples ahead": {"horizon": 5, "recipe": Recipe()},
        "adjoint kept to 1e-2": {"solver": LevenbergMarquardt(tolerance=1e-2), "recipe": Recipe()},
        "adjoint kept to 1e-12": {"solver": LevenbergMarquardt(tolerance=1e-12), "recipe": Recipe()},
        "independent units": plain,
        "independent units, no geodesic acceleration": {**plain, "solver": LevenbergMarquardt(geodesic=False)},
        "independent units, adjoint kept to 1e-2": {**plain, "solver": LevenbergMarquardt(tolerance=1e-2)},
        "independent units, 100 iterations": {**plain, "solver": LevenbergMarquardt(iterations=100)},
        "independent units, 300 steps of Adam": {**plain, "solver": Adam(iterations=300)},
    }


def measure(units: int, seeds: int, windows: int) -> list[tuple[object, ...]]:
    """Fit and score every lever on the same data; one row a lever."""
    system = systems.get("lorenz63")
    train = system.simulate(duration=_SAMPLES * system.dt, seed=_TRAIN)
    test = system.simulate(
        trials=windows, duration=(100 + round(20 / system.lyapunov / system.dt)) * system.dt, seed=_TEST
    )
    rows = []
    moves = levers(units)
    for name, arguments in (bar := tqdm(moves.items())):
        bar.set_description(name)
        times, errors, valid, iterations = [], [], [], []
        for seed in range(seeds):
            begun = time.perf_counter()
            fit = fit_system(train, **{"units": units, "seed": seed, "progress": False, **arguments})
            times.append(time.perf_counter() - begun)
            errors.append(float(np.nanmin(fit.history.held_out_loss)) ** 0.5)
            iterations.append(int(fit.history.iteration[-1]))
            valid.append(float(fit.score(test, windows=windows, threshold=[0.4]).valid_time.median()))
        rows.append(
            (name, fit.network.learned, np.median(valid), min(valid), max(valid), np.median(errors),
             np.median(iterations), np.median(times))
        )  # fmt: skip
    return rows


def clock(work: Callable[[], object], repeats: int = 3) -> float:
    """Median seconds of `work`, after one run to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


@torch.no_grad()
def profile(units: int, gain: float) -> list[tuple[str, float, str]]:
    """Seconds of each part of one iteration, and the rate of the Jacobian beside that of a bare product."""
    system = systems.get("lorenz63")
    values = system.simulate(duration=_SAMPLES * system.dt, seed=_TRAIN).trajectory.values
    frame = Frame.of(values, "increment", 1)
    network = RNN(units, 3, 3, recipe=Recipe(gain=gain, readout_scale=1.0))
    network.bias.copy_(0.1 * torch.randn(network.bias.shape, generator=torch.Generator().manual_seed(0)))
    batch = segments(frame.standardise(values, network.start), frame, washout=50, length=100)
    trace = network(batch.inputs)
    jacobian = bias_jacobian(network, trace, 50, 1e-8)
    matrix, rows = jacobian.matrix.flatten(0, 2), units // 2
    left, right = torch.randn(len(matrix) // 3, rows, dtype=torch.float64), network.recurrent
    work = 2 * len(matrix) * rows * units * jacobian.depth
    bare = 2 * left.shape[0] * rows * units / clock(lambda: left @ right) / 1e9
    taken = clock(lambda: bias_jacobian(network, trace, 50, 1e-8))
    products = work / bare / 1e9
    triangle = torch.linalg.qr(matrix, mode="r").R
    return [
        ("forward pass", clock(lambda: network(batch.inputs)), ""),
        (
            "Jacobian",
            taken,
            f"depth {jacobian.depth}; {work / taken / 1e9:.0f} of {bare:.0f} GFLOP/s, so its products alone take "
            f"{products:.2f} s at the machine's rate; the rest is elementwise work on arrays larger than the cache",
        ),
        ("QR factorisation", clock(lambda: torch.linalg.qr(matrix, mode="r")), f"{tuple(matrix.shape)}"),
        ("singular values", clock(lambda: torch.linalg.svd(triangle)), ""),
    ]


def main() -> None:
    """Read the command line, measure, write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--windows", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("results/levers"))
    chosen = parser.parse_args()
    try:
        for name in ("units", "seeds", "windows"):
            checks.whole(f"--{name}", getattr(chosen, name), at_least=1)
        Recipe().rows(chosen.units, "--units")
        chosen.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    lines = [
        "# Levers",
        "",
        f"`python benchmarks/levers.py --units {chosen.units} --seeds {chosen.seeds} --windows {chosen.windows}` on "
        f"{os.cpu_count()} cores, torch {torch.__version__}. Lorenz-63, dt 0.02, {_SAMPLES:,} noise-free samples, "
        f"{chosen.windows} windows; valid time at threshold 0.4 in Lyapunov times, median and range over seeds; "
        "one-step error in units of the increment's standard deviation.",
        "",
        "| lever | learned | valid time | range | one-step error | iterations | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, learned, middle, low, high, error, iterations, seconds in measure(
        chosen.units, chosen.seeds, chosen.windows
    ):
        lines.append(
            f"| {name} | {learned} | {middle:.2f} | {low:.2f} to {high:.2f} | {error:.1e} | {iterations:.0f} | "
            f"{seconds:.1f} |"
        )
    for gain in (0.1, 0.9):
        lines += ["", f"One iteration at 1,206 units, gain {gain}:", "", "| part | seconds | |", "| --- | ---: | --- |"]
        lines += [f"| {part} | {seconds:.2f} | {note} |" for part, seconds, note in profile(1206, gain)]
    text = "\n".join(lines) + "\n"
    (chosen.out / "levers.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
