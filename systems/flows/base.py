"""System: a dynamical system as data, with its units, time scales and reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import ClassVar, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks, labels
from systems.flows.lattice import Lattice
from systems.integrate import dop853, rk4, scipy_method

__all__ = ["Parameters", "System", "box"]

#: Parameter values by attribute: `p.sigma`.
Parameters = SimpleNamespace
#: (t, x, p) -> dx/dt, as a tensor like x or as a tuple of its components.
VectorField = Callable[..., Tensor | tuple[Tensor | float, ...]]
#: Draws one start of shape (state,).
Draw = Callable[[np.random.Generator, Parameters], ArrayLike]

_MOST_NUMBERS = 2**28  # a simulation of 2 GiB
_COARSE = ("RK4", "RK23", "RK45", "Radau", "BDF", "LSODA")


def box(centre: ArrayLike, spread: ArrayLike = 1.0) -> Draw:
    """Return a rule that draws starts uniformly within `spread` of `centre`, state by state.

    Parameters
    ----------
    centre : array_like (state,)
        The middle.
    spread : float or array_like (state,)
        Half the width.

    Returns
    -------
    callable
        A `draw` of a `System`.

    >>> box([0, 25], [1, 10])(np.random.default_rng(0), Parameters()).round(2).tolist()
    [0.27, 20.4]
    """
    middle, reach = np.asarray(centre), np.asarray(spread)

    def draw(rng: np.random.Generator, p: Parameters) -> np.ndarray:
        return middle + reach * rng.uniform(-1, 1, len(middle))

    return draw


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class System:
    """A dynamical system dx/dt = field(t, x, p).

    A system of your own needs its states and its field; it goes wherever a built-in one goes.

    >>> pendulum = System(
    ...     name="pendulum",
    ...     states=("angle", "speed"),
    ...     parameters={"gravity": 9.81, "length": 1.0},
    ...     field=lambda t, x, p: (x[..., 1], -p.gravity / p.length * torch.sin(x[..., 0])),
    ...     units={"time": "s", "angle": "rad", "speed": "rad s-1", "gravity": "m s-2", "length": "m"},
    ...     dt=0.05,
    ... )
    >>> pendulum.simulate(trials=3, duration=10).trajectory.sizes
    Frozen({'trial': 3, 'time': 200, 'state': 2})
    >>> pendulum.with_parameters(lenght=2.0)
    Traceback (most recent call last):
    ValueError: parameter of pendulum must be one of 'gravity', 'length', got 'lenght'; did you mean 'length'?

    Attributes
    ----------
    name : str
        A short identifier.
    states : sequence of str
        The names of the states.
    field : callable
        The vector field in torch, (t, x, p) -> dx/dt. The last dimension of x is the state; leading dimensions are
        batches. Returns a tensor like x, or a tuple of components, as above. `p` holds the parameters as attributes.
    parameters : mapping
        Values by name.
    description : str
        One line.
    units : mapping
        Units of "time", of states and of parameters, by name; "1" (dimensionless) where absent.
    dt : float
        The default sampling interval.
    lyapunov : float or None
        The largest Lyapunov exponent, per unit of time, at these parameters; None if not known.
    period : float or None
        The period of the limit cycle or orbit at these parameters; None if there is none known.
    period_formula : callable, optional
        The period as a function of the parameters, where there is a closed form.
    transient : float
        The time integrated and discarded before the first sample of a drawn start.
    draw : callable, optional
        Draws one start from a generator and the parameters; see `box`. Default: within 1 of zero.
    lattice : Lattice or None
        Where the states are the sites of a lattice and one law holds at each: the neighbours on which the change of a
        site over `dt` depends.
    reference : str
        Where the system and its exponent or period come from.
    """

    name: str
    states: Sequence[str]
    field: VectorField
    parameters: Mapping[str, float] = dataclasses.field(default_factory=dict)
    description: str = ""
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dt: float = 0.01
    lyapunov: float | None = None
    period: float | None = None
    period_formula: Callable[[Parameters], float] | None = None
    transient: float = 0.0
    draw: Draw | None = None
    lattice: Lattice | None = None
    reference: str = ""

    #: The accurate solver of this kind of system, and all that `solve` takes.
    solver: ClassVar[str] = "DOP853"
    methods: ClassVar[tuple[str, ...]] = ("DOP853", *_COARSE)

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("states", tuple(self.states))
        names = [*self.states, *self.parameters]
        if not self.states or len(set(names)) < len(names) or "time" in names:
            raise ValueError(f"states and parameters must have distinct names other than 'time', got {names}")
        put("parameters", {k: checks.number(k, v) for k, v in self.parameters.items()})
        for key in self.units:
            checks.choice("key of units", key, ["time", *names])
        put("units", {key: self.units.get(key, "1") for key in ["time", *names]})
        put("dt", checks.number("dt", self.dt, above=0))
        put("transient", checks.number("transient", self.transient, at_least=0))
        if self.period_formula is not None:
            with suppress(ZeroDivisionError):  # a motion that stands still has no period
                put("period", self.period_formula(self.p))
        if self.period is not None:
            put("period", checks.number("period", self.period, above=0))
        if self.lyapunov is not None:
            put("lyapunov", checks.number("lyapunov", self.lyapunov))
        if self.lattice is not None:
            self.lattice.check(self.size)
        with torch.no_grad():
            self._try_field(torch.as_tensor(self.starts(2, seed=0)))

    def __repr__(self) -> str:
        return f"System({', '.join([repr(self.name), *(f'{k}={v:g}' for k, v in self.parameters.items())])})"

    def __call__(self, t: Tensor | float, x: Tensor) -> Tensor:
        """Return dx/dt, batched over the leading dimensions of x; the form that torchdiffeq takes."""
        return self._evaluate(t, x)

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.states)

    @cached_property
    def p(self) -> Parameters:
        """The parameters as attributes."""
        return Parameters(**self.parameters)

    def with_parameters(self, **parameters: float) -> Self:
        """Return this system with other parameter values.

        The stored `lyapunov` and `period` hold for the old values only, so both become None unless
        nothing changed or `period_formula` gives the new period; `systems.flows.measure` finds them anew.

        Parameters
        ----------
        **parameters : float
            Those that change.

        Returns
        -------
        System
            This one where nothing changes.

        Raises
        ------
        ValueError
            For an unknown name, with the nearest.
        """
        for key in parameters:
            checks.choice(f"parameter of {self.name}", key, self.parameters)
        changed = {**self.parameters, **{k: checks.number(k, v) for k, v in parameters.items()}}
        if changed == self.parameters:
            return self
        return replace(self, parameters=changed, lyapunov=None, period=None)

    def starts(self, trials: int, seed: int) -> np.ndarray:
        """Draw starts.

        Parameters
        ----------
        trials : int
            How many.
        seed : int
            Row k depends on the seed and on k alone.

        Returns
        -------
        array (trial, state)
        """
        draw = self.draw or box(np.zeros(self.size))
        rows = [draw(_generator(seed, k, 0), self.p) for k in range(trials)]
        return checks.array("what draw returns", np.stack(rows), shape=(trials, self.size))

    def simulate(
        self,
        trials: int | None = None,
        duration: float | None = None,
        *,
        dt: float | None = None,
        seed: int = 0,
        noise: float = 0.0,
        observed: Sequence[str] | None = None,
        start: ArrayLike | None = None,
    ) -> xr.Dataset:
        """Sample trajectories of the system.

        Parameters
        ----------
        trials : int, optional
            The number of trajectories. Default: one, or the rows of `start`.
        duration : float, optional
            The length of each, in the system's time unit: round(duration / dt) samples at 0, dt, 2 dt, ...
            Default: 1,000 samples.
        dt : float, optional
            The sampling interval. Default: the system's.
        seed : int
            Trial k depends on the seed and on k alone, never on the number of trials.
        noise : float
            The standard deviation of Gaussian observation noise, in units of each state's standard deviation over all
            clean samples. The seed gives the same clean trajectory at any noise.
        observed : sequence of str, optional
            The states to return, in this order. Default: all.
        start : array_like (trial, state), optional
            Initial states; they are the first samples, and no transient is discarded. Default: drawn.

        Returns
        -------
        xr.Dataset
            `trajectory` (trial, time, state) in float64, and the time scales `dt`, `lyapunov` and `period`, where
            known, among its attributes.
        """
        if start is not None:
            start = checks.array("start", start, shape=(None, self.size))
            if trials not in (None, len(start)):
                raise ValueError(f"trials must equal the rows of start, {len(start)}, got {trials!r}")
            trials = len(start)
        trials = checks.whole("trials", 1 if trials is None else trials, at_least=1)
        dt = self.dt if dt is None else checks.number("dt", dt, above=0)
        duration = 1000 * dt if duration is None else checks.number("duration", duration, at_least=dt)
        seed = checks.seed("seed", seed)
        noise = checks.number("noise", noise, at_least=0)
        observed = list(self.states) if observed is None else [*_names("observed", observed, self.states)]
        lead = 0 if start is not None else int(np.ceil(self.transient / dt))
        if trials * (lead + duration / dt) * self.size > _MOST_NUMBERS:
            raise ValueError(
                f"duration / dt x trials x states must be at most 2**28 numbers, got "
                f"duration {duration:g}, dt {dt:g}, {trials} trials, {self.size} states"
            )
        samples = round(duration / dt)

        begin = self.starts(trials, seed) if start is None else start
        x = self.solve(begin, np.arange(-lead, samples) * dt)[:, lead:]
        x = x[..., [self.states.index(name) for name in observed]]
        if noise:
            hiss = [_generator(seed, k, 1).standard_normal(x.shape[1:]) for k in range(trials)]
            x = x + noise * x.std(axis=(0, 1)) * np.stack(hiss)

        unit = self.units["time"]
        units = [self.units[name] for name in observed]
        ds = labels.dataset(
            {
                "trajectory": labels.Labelled(
                    ("trial", "time", "state"), x, units[0] if len(set(units)) == 1 else "see state_units",
                    f"trajectory of {self.name}",
                ),
            },
            {
                "trial": labels.Labelled("trial", np.arange(trials), "1", "trial"),
                "time": labels.Labelled("time", np.arange(samples) * dt, unit, "time"),
                "state": labels.Labelled("state", observed, "1", "name of the state"),
                "state_units": labels.Labelled("state", units, "1", "units of the state"),
            },
            title=self.description or self.name,
            references=self.reference,
            config={
                "system": self.name,
                "parameters": self.parameters,
                "trials": trials,
                "duration": duration,
                "dt": dt,
                "seed": seed,
                "noise": noise,
                "observed": observed,
                "start": "drawn" if start is None else start.tolist(),
                "transient": lead * dt,
                "solver": self.solver,
                "rtol": 1e-12,
                "atol": 1e-12,
            },
        )  # fmt: skip
        scales = {"dt": dt, "lyapunov": self.lyapunov, "period": self.period}
        return ds.assign_attrs({key: value for key, value in scales.items() if value is not None})

    def solve(
        self,
        start: ArrayLike,
        times: ArrayLike,
        *,
        method: str | None = None,
        rtol: float = 1e-12,
        atol: float = 1e-12,
    ) -> np.ndarray:
        """Integrate from `start`.

        On Lorenz-63 "DOP853" at the default tolerances and at a tenth of them differ by 2e-6 after 12 time units.
        Restarted on the windows of a forecast, a coarse one (RK45 at rtol=1e-3, atol=1e-6, say) shows how far a
        solver's own error lets one see.

        Parameters
        ----------
        start : array_like (trial, state)
            At times[0].
        times : array_like (time,)
            Increasing.
        method : str, optional
            One of `methods`. Default: the accurate one of the system, `solver`. "RK4" takes one step a sample interval;
            the other methods are scipy's, trial by trial.
        rtol, atol : float
            Relative and absolute tolerance of a step.

        Returns
        -------
        array (trial, time, state)
            In float64.

        Raises
        ------
        FloatingPointError
            Where the solution diverges or the solver gives up.
        """
        start = checks.array("start", start, shape=(None, self.size))
        times = checks.array("times", times, ndim=1)
        if len(times) < 1 or (np.diff(times) <= 0).any():
            raise ValueError(f"times must be one or more increasing numbers, got {times}")
        method = checks.choice("method", method or self.solver, self.methods)
        rtol, atol = checks.number("rtol", rtol, above=0), checks.number("atol", atol, above=0)
        try:
            with torch.inference_mode(), np.errstate(all="ignore"):
                out = self._solve(method, start, times, rtol, atol)
        except FloatingPointError as error:
            raise FloatingPointError(f"{self.name}: {error}") from None
        if not np.isfinite(out).all():
            raise FloatingPointError(f"{self.name}: the solution by {method} became infinite")
        return out

    def integrate(self, start: Tensor, times: Tensor, **options: object) -> Tensor:
        """Integrate differentiably from `start`.

        Parameters
        ----------
        start : torch.Tensor (..., state)
            At times[0].
        times : torch.Tensor (time,)
            Increasing.
        **options
            To `torchdiffeq.odeint`; the default is its fifth-order method at 1e-9.

        Returns
        -------
        torch.Tensor (..., time, state)
        """
        from torchdiffeq import odeint

        options = {"method": "dopri5", "rtol": 1e-9, "atol": 1e-9, **options}
        return odeint(self, start, times, **options).movedim(0, -2)

    def _evaluate(self, t: Tensor | float, x: Tensor, *more: Tensor) -> Tensor:
        rate = self.field(torch.as_tensor(t, dtype=x.dtype), x, *more, self.p)
        if not isinstance(rate, tuple):
            return rate
        parts = [
            part
            if isinstance(part, Tensor) and part.ndim == x.ndim - 1
            else torch.as_tensor(part, dtype=x.dtype).expand(x.shape[:-1])
            for part in rate
        ]
        return torch.stack(parts, dim=-1)

    def _try_field(self, x: Tensor) -> None:
        self._check_rate(self(0.0, x), x)

    def _check_rate(self, rate: Tensor, x: Tensor) -> None:
        if rate.shape != x.shape or not rate.isfinite().all():
            raise ValueError(f"field must return finite rates of shape {tuple(x.shape)}, got {rate}")

    def _solve(self, method: str, start: np.ndarray, times: np.ndarray, rtol: float, atol: float) -> np.ndarray:
        if method == "DOP853":
            return dop853(self._rate, start, times, rtol=rtol, atol=atol, label=self.name)
        if method == "RK4":
            return rk4(self._rate, start, times)
        return scipy_method(method, self._rate, start, times, rtol=rtol, atol=atol)

    def _rate(self, t: float, x: np.ndarray) -> np.ndarray:
        """dx/dt on arrays."""
        return self(t, torch.from_numpy(x)).numpy()


def _generator(seed: int, trial: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial, purpose)))


def _names(argument: str, chosen: Sequence[str], options: Sequence[str]) -> list[str]:
    if isinstance(chosen, str) or not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"{argument} must be a list of distinct names, got {chosen!r}")
    return [checks.choice(argument, name, options) for name in chosen]
