"""`fit_many`: learn many systems over one recipe of frozen weights; `SystemBank`: all of them in one file."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from tqdm.auto import tqdm

from rnnbias.evaluation.engine import check_client, outcomes
from rnnbias.networks import RNN, Recipe
from rnnbias.problems.base import solve
from rnnbias.problems.forecasting import Forecasting
from rnnbias.problems.free_runs import STAYS
from rnnbias.problems.system_fit import SystemFit
from rnnbias.solvers import LevenbergMarquardt, Solver, find_solver
from rnnbias.storage import checkpoint, netcdf
from systems import System, checks
from systems.labels import Labelled, dataset

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["SystemBank", "fit_many"]

_FORM = "rnnbias system bank 2"
_FRAME = ("mean", "scale", "step_mean", "step_scale", "state")


def fit_many(
    systems: Mapping[str, Any] | Iterable[str | System],
    client: Client | None = None,
    *,
    units: int = 600,
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    samples: int = 5000,
    dt: float | None = None,
    washout: int = 50,
    closed_loop: Iterable[int] | None = None,
    holdout: float = 0.1,
    patience: int = 10,
    progress: bool = True,
) -> SystemBank:
    """Learn many systems over the same frozen weights: what `fit_system` learns of each, in one bank.

    They are learned here one after the other, or on the workers of a Dask cluster, with the same bits: each has one
    thread of torch and BLAS. Learning batches of them in one process saves nothing: they share weights, but the slopes
    of the units, and so J^T J, are of each by itself.

    One seed draws the weights of all. Systems with as many states have the same matrix, at one of four scales; one
    with more states has more columns.

    Parameters
    ----------
    systems : mapping, or sequence of str or System
        What to learn: names from `systems.available()`, systems, or anything that `fit_system` takes by a name of
        yours, such as recordings. The networks see all states.
    client : distributed.Client, optional
        A client of a Dask cluster; see `sweep`.
    units : int
        Network size; as many biases learn for each system.
    solver : Solver or str, optional
        Default: `LevenbergMarquardt(iterations=200)`.
    recipe : Recipe, optional
        Default: as in `fit_system`; `Recipe.shaping()` at the scales that suit each system.
    seed, samples, dt, washout, closed_loop, holdout, patience
        As in `fit_system`.
    progress : bool
        Whether to show a bar. Ctrl-C ends learning and keeps the systems that have been learned.

    Returns
    -------
    SystemBank

    Warns
    -----
    UserWarning
        Where long free runs escape, freeze or drift; `SystemBank.lost` says which. Where Ctrl-C came, for the systems
        that are missing.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule, before any learning starts.
    RuntimeError
        If frozen weights changed.

    Examples
    --------
    >>> bank = fit_many(["lorenz63", "rossler"], units=40, samples=500, closed_loop=(), progress=False)
    >>> bank["rossler"].network.learned, list(bank)
    (40, ['lorenz63', 'rossler'])
    """
    solver = find_solver(LevenbergMarquardt(iterations=200) if solver is None else solver, ("bias",))
    units, patience = checks.whole("units", units, at_least=1), checks.whole("patience", patience, at_least=1)
    if not isinstance(recipe, Recipe | None):
        raise TypeError(f"recipe must be a Recipe such as Recipe.shaping(), got {recipe!r}")
    seed = checks.seed("seed", seed)
    check_client(client)
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
    for problem in tqdm(problems.values(), disable=not progress, desc="reading", unit="system", leave=False):
        problem.frame  # noqa: B018, for its errors
    learned = partial(_learned, problems, units=units, solver=solver, seed=seed, recipe=recipe, patience=patience)
    fits: dict[str, SystemFit] = {}
    with tqdm(total=len(problems), disable=not progress, desc="learning", unit="system", leave=False) as bar:
        try:
            for name, found in outcomes(learned, problems, client):
                if isinstance(found, Exception):
                    found.add_note(f"while {name!r} was learned")
                    raise found
                fits[name] = found
                bar.update()
        except KeyboardInterrupt:
            if not fits:
                raise
            missing = ", ".join(name for name in problems if name not in fits)
            warnings.warn(f"learning was interrupted before these were learned: {missing}", stacklevel=2)
    bank = SystemBank(_sharing({name: fits[name] for name in problems if name in fits}))
    if lost := bank.lost:
        told = "; ".join(f"that of {name} {fate}" for name, fate in lost.items())
        warnings.warn(f"long free runs do not stay with what was learned: {told}", stacklevel=2)
    return bank


def _learned(
    problems: Mapping[str, Forecasting],
    name: str,
    *,
    units: int,
    solver: Solver,
    seed: int,
    recipe: Recipe | None,
    patience: int,
) -> SystemFit:
    """What `fit_system` learns of one of the problems."""
    problem = problems[name]
    if recipe is None and isinstance(solver, LevenbergMarquardt):
        recipe = problem.suited(units, seed)
    return solve(problem, units=units, solver=solver, seed=seed, recipe=recipe, patience=patience, progress=False)


def _sharing(fits: Mapping[str, SystemFit]) -> dict[str, SystemFit]:
    """The same fits, over one copy of their frozen arrays."""
    first: dict[str, RNN] = {}
    return {
        name: replace(fit, network=_sibling(first.setdefault(_kind(fit.network), fit.network), fit.network.bias))
        for name, fit in fits.items()
    }


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
    >>> bank = SystemBank({"a": fit_system("lorenz63", units=30, samples=500, closed_loop=(), progress=False)})
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
                shapes = {"bias": tuple(networks[kind].bias.shape)}
                network = _sibling(networks[kind], checkpoint.numbers(one, shapes)["bias"])
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


def _sibling(network: RNN, bias: Tensor) -> RNN:
    """A network over the same frozen arrays, not copies of them, that learned this bias."""
    other = copy.copy(network)
    other._parameters = {"bias": nn.Parameter(network.bias.detach().clone().copy_(bias.detach()))}
    return other
