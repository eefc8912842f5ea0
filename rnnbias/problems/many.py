"""`fit_many`: learn many systems together over one recipe of frozen weights; `SystemBank`: all of them in one file."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import xarray as xr
from torch import nn
from tqdm.auto import tqdm

from rnnbias.networks import RNN, Recipe
from rnnbias.objectives import ParametricSteps, SingleSteps
from rnnbias.problems.forecasting import Forecasting
from rnnbias.problems.free_runs import STAYS
from rnnbias.problems.system_fit import SystemFit
from rnnbias.solvers import LevenbergMarquardt, Monitor, Solver
from rnnbias.storage import checkpoint, netcdf
from systems import System, checks
from systems.labels import Labelled, dataset

__all__ = ["SystemBank", "fit_many"]

_FORM = "rnnbias system bank 2"
_FRAME = ("mean", "scale", "step_mean", "step_scale", "state")


def fit_many(
    systems: Mapping[str, Any] | Iterable[str | System],
    *,
    units: int = 600,
    solver: LevenbergMarquardt | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    samples: int = 5000,
    dt: float | None = None,
    washout: int = 50,
    closed_loop: Iterable[int] | None = None,
    holdout: float = 0.1,
    patience: int = 10,
    batch: int = 4,
    progress: bool = True,
) -> SystemBank:
    """Learn many systems over the same frozen weights, together: what `fit_system` learns of each, in one bank.

    Single steps of `batch` systems are learned at once, each with a damping, a stopping and a record of its own
    (`LevenbergMarquardt.solve_together` on `objectives.SingleSteps`); a processor takes as long for it as for one after
    the other (`benchmarks/bank.py` measures it). How long forecasts hold is measured at the end alone. Systems whose
    data are noisy then go on in closed loop, one by one, as in `fit_system`. Results are those of
    `fit_system(..., hidden=False, lattice=False)` with the same seed, but for rounding.

    One seed draws the weights of all. Systems with as many states have the same matrix, at one of three scales; one
    with more states has more columns.

    Parameters
    ----------
    systems : mapping, or sequence of str or System
        What to learn: names from `systems.available()`, systems, or anything that `fit_system` takes by a name of
        yours, such as recordings. The networks see all states.
    units : int
        Network size; as many biases learn for each system.
    solver : LevenbergMarquardt, optional
        Default: `LevenbergMarquardt(iterations=200)`.
    recipe : Recipe, optional
        Without recurrent weights or push-pull wiring; default: `Recipe.shaping()` at the scales that suit each
        system, as in `fit_system`.
    seed, samples, dt, washout, closed_loop, holdout, patience
        As in `fit_system`.
    batch : int
        Systems that are learned at once. They take 8 x units x samples bytes each, twice.
    progress : bool
        Whether to show a bar. Ctrl-C ends learning and keeps what there is of systems that have begun.

    Returns
    -------
    SystemBank

    Warns
    -----
    UserWarning
        Where long free runs escape, freeze or drift; `SystemBank.lost` says which.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule.
    RuntimeError
        If frozen weights changed.

    Examples
    --------
    >>> bank = fit_many(["lorenz63", "rossler"], units=40, samples=1000, progress=False)
    >>> bank["rossler"].network.learned, list(bank)
    (40, ['lorenz63', 'rossler'])
    """
    solver = LevenbergMarquardt(iterations=200) if solver is None else solver
    if not isinstance(solver, LevenbergMarquardt):
        raise TypeError(f"solver must be a LevenbergMarquardt for systems learned together, got {solver!r}")
    units = checks.whole("units", units, at_least=1)
    batch, patience = checks.whole("batch", batch, at_least=1), checks.whole("patience", patience, at_least=1)
    problems = {
        name: Forecasting(
            source,
            samples=samples,
            dt=dt,
            seed=seed,
            washout=washout,
            closed_loop=closed_loop,
            holdout=holdout,
            lattice=False,
        )
        for name, source in _named(systems).items()
    }
    seed = checks.seed("seed", seed)
    alike: dict[tuple[tuple[int, ...], Recipe], list[str]] = {}
    with tqdm(problems.items(), disable=not progress, desc="choosing scales", unit="system", leave=False) as bar:
        for name, problem in bar:
            drawn = replace(recipe or problem.suited(units, seed) or Recipe.shaping(), seed=seed)
            alike.setdefault((problem.recording.values.shape, drawn), []).append(name)
    fits: dict[str, SystemFit] = {}
    networks: dict[tuple[int, Recipe], RNN] = {}
    with tqdm(total=len(problems), disable=not progress, desc="learning", unit="system", leave=False) as bar:
        for (_, drawn), names in alike.items():
            first = problems[names[0]]
            kind = len(first.recording.states), drawn
            if kind not in networks:
                networks[kind] = first.network(units, recipe=drawn, learn=("bias",))
            if not SingleSteps.serves(networks[kind]):
                raise ValueError(
                    "recipe must be without recurrent weights and push-pull wiring, such as Recipe.shaping(), "
                    f"got {drawn}"
                )
            for k in range(0, len(names), batch):
                some = {name: problems[name] for name in names[k : k + batch]}
                fits |= _together(some, networks[kind], solver, seed, patience)
                bar.update(len(some))
    bank = SystemBank({name: fits[name] for name in problems})
    if lost := bank.lost:
        told = "; ".join(f"that of {name} {fate}" for name, fate in lost.items())
        warnings.warn(f"long free runs do not stay with what was learned: {told}", stacklevel=2)
    return bank


class SystemBank(Mapping[str, SystemFit]):
    """Fits of many systems by name, whose networks share their frozen weights: a system is switched in no time.

    Systems of as many states and the same scales have networks with the same frozen arrays. `save` and `load` keep all
    fits in one file, of a few kilobytes a system: biases, frames, histories and digests, never the matrices.

    Parameters
    ----------
    fits : mapping
        Fits of one solver, whose networks are drawn by one recipe but for its scales.

    Raises ValueError where they are not, or there are none.

    >>> from rnnbias import fit_system
    >>> bank = SystemBank({"a": fit_system("lorenz63", units=30, samples=500, progress=False)})
    >>> import systems
    >>> test = systems.get("lorenz63").simulate(duration=1.0, seed=7)
    >>> bank["a"].forecast(test, steps=3).forecast.sizes["time"]
    3
    """

    def __init__(self, fits: Mapping[str, SystemFit]) -> None:
        if not fits:
            raise ValueError("fits must hold at least one fit, got none")
        for name, fit in fits.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"a name must be a word, got {name!r}")
            if not isinstance(fit, SystemFit) or fit.network.learn != ("bias",) or fit.frame.delays != (1, 1):
                raise ValueError(
                    f"fits must be of systems whose biases learned and whose past is not seen, got {fit!r}"
                )
        if len({(str(fit.solver), fit.network.units) for fit in fits.values()}) > 1:
            raise ValueError("fits must have one solver and one count of units")
        self._fits = dict(fits)
        #: One network of every count of states and of all scales, by what tells it from others.
        self.networks: dict[str, RNN] = {}
        draws = {name: replace(fit.network.recipe, input_scale=1.0, readout_scale=1.0) for name, fit in fits.items()}
        for name, fit in fits.items():
            one, first = fit.network, self.networks.setdefault(_kind(fit.network), fit.network)
            alike = draws[name] == next(iter(draws.values())) and one.to_dict() == first.to_dict()
            if not alike or one.digests() != first.digests():
                raise ValueError(f"fits must share their frozen arrays, but those of {name!r} are others")

    def __getitem__(self, name: str) -> SystemFit:
        if name not in self._fits:
            raise KeyError(f"name must be one of {', '.join(map(repr, self))}, got {name!r}")
        return self._fits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    def __repr__(self) -> str:
        lost = f"; {len(self.lost)} long free runs do not stay with what was learned" if self.lost else ""
        return f"<SystemBank of {len(self)} systems: {next(iter(self.values())).network.units} units{lost}>"

    @property
    def lost(self) -> dict[str, str]:
        """What becomes of long free runs, by the names of systems with which they do not stay."""
        fates = {name: str(fit.settings.get("free_run", STAYS)) for name, fit in self.items()}
        return {name: fate for name, fate in fates.items() if fate != STAYS}

    def to_dataset(self) -> xr.Dataset:
        """All fits as one Dataset.

        `learned_bias` (task, row) and the histories (task, iteration), which end in NaN; frames and names of the
        states of all systems lie one behind the other along `component`, `states` (task) of each.
        """
        fits = list(self.values())
        arrays = [fit.arrays() for fit in fits]
        frames = {
            name: Labelled("component", np.concatenate([np.asarray(each[name].values) for each in arrays]), "1", about)
            for name, about in ((name, arrays[0][name].long_name) for name in _FRAME)
        }
        records = xr.concat([fit.history for fit in fits], "task", join="outer", combine_attrs="override")
        history = {
            f"history_{name}": Labelled(("task", "iteration"), record.values, record.units, record.long_name)
            for name, record in records.transpose("task", "iteration").data_vars.items()
        }
        biases = np.stack([fit.network.bias.detach().cpu().numpy() for fit in fits])
        states = [len(fit.recording.states) for fit in fits]
        ds = dataset(
            {
                "learned_bias": Labelled(("task", *fits[0].network.bias_dims), biases, "1", "learned bias"),
                "states": Labelled("task", states, "1", "number of states"),
                **frames,
                **history,
            },
            {
                "task": Labelled("task", list(self), "1", "task"),
                "iteration": Labelled("iteration", records.iteration.values, "1", "iteration"),
            },
            title=f"fits of {len(fits)} systems over the same frozen weights",
            config={
                "seed": fits[0].network.recipe.seed,
                "networks": {kind: network.to_dict() for kind, network in self.networks.items()},
                "solver": fits[0].configuration()["solver"],
                "tasks": [
                    {"network": _kind(fit.network), "about": fit.about(), "settings": fit.settings} for fit in fits
                ],
            },
            references="Williams et al., ICLR 2025 (arXiv:2407.00957)",
        )
        digests = {
            "frozen": {kind: network.digests() for kind, network in self.networks.items()},
            "stored": netcdf.digests(ds),
        }
        return ds.assign_attrs(format=_FORM, digests=json.dumps(digests))

    def save(self, path: str | Path) -> Path:
        """Write all fits to one netCDF file, which appears whole or not at all; `SystemBank.load(path)` reads it."""
        return netcdf.write_netcdf(self.to_dataset(), path)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> SystemBank:
        """Read a bank that `save` wrote: draw its frozen arrays again and check every digest.

        Nothing in the file is executed. Raises FileNotFoundError where there is no file, and ValueError where the file
        is truncated, altered or no such bank.
        """

        def rebuild(ds: xr.Dataset, config: dict, frozen: dict) -> SystemBank:
            names = [str(name) for name in ds["task"].values]
            if len(set(names)) < len(names) or not all(names) or len(config["tasks"]) != len(names):
                raise ValueError(f"task must name every fit in its own way, got {names}")
            solver = dict(config["solver"])
            make = Solver.known[checks.choice("solver", solver.pop("name"), Solver.known)](**solver)
            networks: dict[str, Any] = {}
            fits, ends = {}, ds["states"].values.cumsum()
            if ends[-1] != ds.sizes["component"]:
                raise ValueError(f"component must have {ends[-1]} entries, got {ds.sizes['component']}")
            for k, (name, end, task) in enumerate(zip(names, ends, config["tasks"], strict=True)):
                one, kind, states = ds.isel(task=k), str(task["network"]), int(ds["states"].values[k])
                if kind not in networks:
                    networks[kind] = checkpoint.draw(config["networks"][kind], one, frozen[kind], device)
                network = _sibling(networks[kind])
                network.bias.data.copy_(checkpoint.numbers(one, {"bias": tuple(network.bias.shape)})["bias"])
                part = one.isel(component=slice(end - states, end))
                history = one[[n for n in one.data_vars if str(n).startswith("history_")]]
                history = history.rename({n: str(n).removeprefix("history_") for n in history.data_vars})
                history = history.drop_vars("task").dropna("iteration", subset=["loss"]).dropna("iteration", how="all")
                history = history[[n for n in history.data_vars if history[n].notnull().any()]]
                fits[name] = SystemFit.revive(
                    task["about"], part, network=network, solver=make, settings=dict(task["settings"]), history=history
                )
            return cls(fits)

        return checkpoint.read(path, _FORM, rebuild)


def _kind(network: RNN) -> str:
    """What tells apart the frozen arrays of one draw."""
    scales = network.recipe.input_scale, network.recipe.readout_scale
    return f"{network.outputs} states, scales {scales[0]:g} and {scales[1]:g}"


def _named(systems: Any) -> dict[str, Any]:
    """What is to be learned, by name."""
    if isinstance(systems, Mapping):
        found = dict(systems)
    elif isinstance(systems, str) or not isinstance(systems, Iterable):
        raise TypeError(f"systems must be several, such as ['lorenz63', 'rossler'], got {systems!r}")
    else:
        each = list(systems)
        found = {getattr(system, "name", system): system for system in each}
        if len(found) < len(each):
            raise ValueError(f"systems must have distinct names, got {each}: give them names in a mapping")
    if not found or not all(isinstance(name, str) and name for name in found):
        raise ValueError(f"systems must be one or more with names, got {list(found)}")
    return found


def _together(
    problems: Mapping[str, Forecasting], network: RNN, solver: LevenbergMarquardt, seed: int, patience: int
) -> dict[str, SystemFit]:
    """Learn problems of one shape: the first stage of all together, what follows of each by itself."""
    frozen = network.digests()
    networks = [_sibling(network) for _ in problems]
    stages = [problem.stages(one, solver, seed) for problem, one in zip(problems.values(), networks, strict=True)]
    firsts = [next(each) for each in stages]
    monitors = [
        Monitor(one, first.held_out, patience, progress=False) for one, first in zip(networks, firsts, strict=True)
    ]
    solver.solve_together(
        networks, SingleSteps.together([cast(ParametricSteps, first.train).steps for first in firsts]), monitors
    )
    fits = {}
    for (name, problem), one, monitor, first, later in zip(
        problems.items(), networks, monitors, firsts, stages, strict=True
    ):
        monitor.records[-1] |= first.measure(one)
        for stage in later:
            monitor.enter(stage.held_out, stage.judge, stage.measure, stage.better, stage.patience)
            solver.solve(one, stage.train, monitor)
        settings = {
            **problem.settings(first.train), "patience": patience, "goal": 0.0, "interrupted": int(monitor.interrupted),
        }  # fmt: skip
        history = monitor.history(first.units)
        fits[name] = problem.fit(network=one, solver=solver, history=history, settings=settings)
    if network.digests() != frozen:
        raise RuntimeError("frozen weights have changed during learning; please report this")
    return fits


def _sibling(network: RNN) -> RNN:
    """A network with the same frozen arrays, not copies of them, and learned numbers of its own."""
    other = copy.copy(network)
    other._parameters = {name: nn.Parameter(p.detach().clone()) for name, p in network.named_parameters()}
    return other
