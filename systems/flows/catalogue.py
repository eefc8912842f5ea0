"""The chaotic flows of the dysts package, as systems.

dysts (Gilpin 2021, NeurIPS Datasets and Benchmarks) is optional: pip install 'rnnbias[catalogue]'. Its
equations are called as they stand, with torch in the place of numpy. Of its time scales only the dominant
period is taken, for `dt`; its estimates of the Lyapunov exponents disagree with one another (Lorenz: 0.892
and 1.091, where the literature has 0.906), so `lyapunov` is None until `systems.flows.measure` has found it.
"""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch

from systems.flows.base import System, box

__all__ = ["flow", "flows", "unbounded"]


def flow(name: str, **parameters: float) -> System:
    """Return the dysts flow of this name; `systems.get("dysts:NAME")` is the same.

    It is sampled 50 times a dominant period and starts near the initial condition of dysts, 20 periods of
    transient away.

    Parameters
    ----------
    name : str
        One of `flows()`.
    **parameters : float
        Those that change.

    Returns
    -------
    System

    Raises
    ------
    ImportError
        Where dysts is not installed.
    ValueError
        Where dysts has no such flow, or one that cannot be had: the message says why.
    """
    data = _metadata()
    if name not in data:
        near = " or ".join(map(repr, difflib.get_close_matches(str(name), data, n=3)))
        hint = f"did you mean {near}?" if near else "systems.flows.catalogue.flows() lists them"
        raise ValueError(f"name must be that of a dysts flow, got {name!r}; {hint}")
    facts = data[name]
    if why := _obstacle(name, facts):
        raise ValueError(f"name must be that of a flow that can be had from dysts, got {name!r}, which cannot: {why}")
    start, spread = np.atleast_1d(facts["initial_conditions"]), np.atleast_1d(facts["std"])
    plain, order = _plain(name), sorted(facts["parameters"])
    function = FunctionType(plain.__code__, {**plain.__globals__, "np": _TorchAsNumpy()})

    def field(t, x, p):
        return tuple(function(*x.unbind(-1), t, *(getattr(p, key) for key in order)))

    return _Flow(
        name=f"dysts:{name}",
        description=facts["description"],
        states=[f"x{i}" for i in range(len(start))],
        parameters=facts["parameters"],
        field=field,
        dt=facts["period"] / 50,
        transient=20 * facts["period"],
        draw=box(start, 0.01 * spread),
        reference=f"{facts['citation']} Equations from dysts: Gilpin 2021, NeurIPS Datasets and Benchmarks",
        plain=plain,
    ).with_parameters(**parameters)


def flows() -> list[str]:
    """Return the names of the dysts flows that can be had: no delay, plain parameters, no branches."""
    return [name for name, facts in _metadata().items() if not _obstacle(name, facts)]


def unbounded(name: str) -> list[int]:
    """Return the states of a dysts flow that grow without bound: angles, and the phases of what drives it.

    Parameters
    ----------
    name : str
        One of `flows()`.

    Returns
    -------
    list of int
    """
    return list(_metadata()[name]["unbounded_indices"])


def _obstacle(name: str, facts: dict[str, Any]) -> str:
    """Why a flow cannot be had; empty where it can."""
    if facts["delay"]:
        return "it has a delay"
    arrays = [key for key, value in facts["parameters"].items() if not isinstance(value, int | float)]
    if arrays:
        return f"its parameters are arrays ({', '.join(arrays)})"
    if name == "BelousovZhabotinsky":
        return "its equations branch on the sign of x0"
    dysts = _dysts()
    if getattr(dysts.flows, name)._rhs is dysts.base.BaseDyn._rhs:
        return "its equations are a method of the dysts object, not a function of states and parameters"
    return ""


@cache
def _metadata() -> dict[str, dict[str, Any]]:
    dysts = _dysts()
    with open(dysts.base.DATAPATH_CONTINUOUS) as file:
        return json.load(file)


def _dysts() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where numba is missing
            import dysts.base
            import dysts.flows
    except ImportError:
        raise ImportError("the dysts flows need  pip install 'rnnbias[catalogue]'") from None
    return dysts


class _TorchAsNumpy:
    pi = np.pi

    def __getattr__(self, name: str) -> Callable:
        function = getattr(torch, name)
        return lambda *values: function(*(torch.as_tensor(value, dtype=torch.float64) for value in values))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class _Flow(System):
    """A flow of dysts, which is solved with the equations as they stand: on arrays they take a fraction of the time."""

    plain: FunctionType

    def _rate(self, t: float, x: np.ndarray) -> np.ndarray:
        parts = self.plain(*x.T, t, *(self.parameters[key] for key in sorted(self.parameters)))
        found = np.empty_like(x)
        for k, part in enumerate(parts):
            found[:, k] = part
        return found


def _plain(name: str) -> FunctionType:
    """The right-hand side of a flow, whether or not numba has compiled it."""
    rhs = getattr(_dysts().flows, name)._rhs
    return getattr(rhs, "py_func", rhs)
