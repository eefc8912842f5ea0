"""`fit_activity`: biases and gains of a circuit that explain recordings; `ActivityFit`: what every neuron does."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.datasets.activity import Trials, read_trials
from rnnbias.fit import FORM, Fit
from rnnbias.networks import Circuit, trainable_parts
from rnnbias.objectives import Activity, Observed
from rnnbias.problems.base import Objectives, Problem, optimise
from rnnbias.solvers import LevenbergMarquardt, Solver, find_solver
from rnnbias.storage import checkpoint, netcdf
from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["QUANTITIES", "ActivityFit", "ActivityProblem", "fit_activity"]

#: A recording that tests a circuit, and its inputs where it had any.
Tested = xr.Dataset | xr.DataArray | tuple[xr.Dataset | xr.DataArray, xr.DataArray | ArrayLike]

QUANTITIES = ("rate", "current")
_GRAPH = ("recurrent", "columns", "starts")
_FALL = 0.3  # factor between the noise that is reckoned with in one stage and in the next
_FLOOR = 1e-7  # of the noise, in units of what is to be explained
_SILENT = 1e-12  # noise of a recording that is explained before anything is learned
_BETTER = 0.99  # factor by which the loss must fall to count, and what is left over from stage to stage
_WORTH = 0.1  # by which minus twice the logarithm of the posterior must fall to count in the last stage
_ITERATIONS = 60


def fit_activity(
    network: Circuit,
    recording: xr.Dataset | xr.DataArray,
    inputs: xr.DataArray | ArrayLike | None = None,
    *,
    learn: str | Iterable[str] | None = None,
    quantity: str = "rate",
    smoothing: float = 1.0,
    noise: float | None = None,
    prior: float | Mapping[str, float] = 1.0,
    solver: Solver | str | None = None,
    seed: int = 0,
    patience: int | None = None,
    goal: float | None = None,
    progress: bool = True,
) -> ActivityFit:
    """Learn the biases, and gains where they learn, by which a circuit of given weights does what was recorded.

    Of some neurons the activity is known, over trials with known inputs; the fit predicts that of every neuron. The
    estimate is the maximum a posteriori: least of

        sum ((seen - recorded) / noise)^2 + sum (shift / prior)^2.

    Parameters
    ----------
    network : Circuit
        The weights, and biases and gains before learning, which are the mean of the prior; it is left as it was.
    recording : xr.Dataset or xr.DataArray
        Activity with dimensions time and unit, perhaps trial, and a coordinate `unit` that names the neurons; NaN where
        nothing was recorded. Sample t is what was seen after input t. A Dataset holds it as `activity`, or outputs
        (..., time, output) to be learned as `outputs`, or both, and may hold `inputs` (..., time, input).
    inputs : array_like, optional
        (time, input) or (trial, time, input), where the recording does not hold them.
    learn : str or set of str, optional
        What learns; default: as in `network`.
    quantity : str
        What was recorded: "rate", r, or "current", h.
    smoothing : float
        Of a slow indicator such as calcium, c_t = c_{t-1} + smoothing (o_t - c_{t-1}); 1: none. It is the time step
        over the indicator's time constant.
    noise : float, optional
        Standard deviation of the recording's noise, in its units; default: estimated.
    prior : float or mapping of str to float
        Standard deviations of the shifts, of all or of {"bias": ..., "gain": ...}; `math.inf` for none.
    solver : Solver or str, optional
        Default: `LevenbergMarquardt(iterations=60)` for biases and gains, which lowers the noise that is reckoned with
        in stages, from all that is to be explained down to that of the data; otherwise `Adam`, which learns in one.
    seed : int
        Of the solver's draws.
    patience, goal, progress
        See `solve`.

    Returns
    -------
    ActivityFit

    Raises
    ------
    ValueError, TypeError
        Naming the argument: neurons that are not in the network, inputs of another length, and so on.

    Notes
    -----
    Question and model: Beiran & Litwin-Kumar 2025, Nature Neuroscience, doi:10.1038/s41593-025-02080-4.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnbias import Circuit
    >>> from systems.connectomes import celegans
    >>> worm = celegans().scaled("rows", 0.95)
    >>> kind = worm.labels("class")
    >>> rng = np.random.default_rng(0)
    >>> truth = Circuit(worm, inputs=3, decay=0.3, groups=kind)
    >>> _ = truth.bias.data.copy_(torch.from_numpy(0.3 * rng.standard_normal(118)))
    >>> drive = rng.standard_normal((4, 40, 3))
    >>> seen = truth.run(drive).rate.isel(unit=slice(0, None, 6))
    >>> fit = fit_activity(Circuit(worm, inputs=3, decay=0.3, groups=kind), seen, drive, prior=0.3, progress=False)
    >>> bool(fit.score(truth.run(drive).rate, drive).correlation.median() > 0.99)
    True
    """
    if not isinstance(network, Circuit):
        raise TypeError(f"network must be a Circuit, got {type(network).__name__}")
    parts = network.learn if learn is None else trainable_parts(learn, Circuit.parts)
    data = read_trials(recording, inputs, network)
    problem = ActivityProblem(network, data, quantity=quantity, smoothing=smoothing, noise=noise, prior=prior)
    if solver is None:
        solver = LevenbergMarquardt(iterations=_ITERATIONS) if {*parts} <= {"bias", "gain"} else "adam"
    solver = find_solver(solver, parts)
    return optimise(
        problem, problem.network(learn=parts), solver, seed=checks.seed("seed", seed), patience=patience, goal=goal,
        progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class ActivityProblem(Problem):
    """Explaining recorded activity; arguments as in `fit_activity`."""

    circuit: Circuit
    data: Trials
    quantity: str = "rate"
    smoothing: float = 1.0
    noise: float | None = None
    prior: float | Mapping[str, float] = 1.0

    def __post_init__(self) -> None:
        checks.choice("quantity", self.quantity, QUANTITIES)
        checks.number("smoothing", self.smoothing, above=0, at_most=1)
        if self.noise is not None:
            checks.number("noise", self.noise, above=0)
        for part, width in self._widths.items():
            checks.choice("prior", part, ("bias", "gain"))
            if width != math.inf:
                checks.number("prior", width, above=0)

    @property
    def _widths(self) -> dict[str, float]:
        return dict(self.prior) if isinstance(self.prior, Mapping) else dict.fromkeys(("bias", "gain"), self.prior)

    @property
    def finite_prior(self) -> dict[str, float]:
        """Standard deviations of the parts that have a prior."""
        return {part: float(width) for part, width in self._widths.items() if width != math.inf}

    @cached_property
    def observed(self) -> Observed:
        """What was seen."""
        units = torch.from_numpy(self.circuit.connectome.index(self.data.names)).to(self.circuit.start.device)
        return Observed(units, self.quantity, self.smoothing, self.data.outputs is not None)

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`."""
        return 2

    def network(self, units: Any = None, **drawing: Any) -> Circuit:
        """See `Problem.network`; that of the circuit, with nothing learned."""
        return self.circuit.redrawn(drawing["learn"])

    def activity(self, network: Circuit) -> Activity:
        """What was recorded, with the precision and on the device of `network`."""
        parts = [self.data.activity] if self.data.outputs is None else [self.data.activity, self.data.outputs]
        targets, like = np.concatenate(parts, -1), network.start
        noise = torch.full((targets.shape[-1],), 1.0 if self.noise is None else self.noise).to(like)
        return Activity(
            torch.from_numpy(self.data.inputs).to(like), torch.from_numpy(targets).to(like), self.observed, noise,
            self.finite_prior,
        )  # fmt: skip

    def objectives(self, network: Circuit, seed: int) -> Objectives:
        """See `Problem.objectives`; nothing is held out: the posterior judges."""
        return self._judged(self.activity(network))

    def stages(self, network: Circuit, solver: Solver, seed: int) -> Iterator[Objectives]:
        """See `Problem.stages`."""
        train = self.activity(network)
        if solver.descends:
            yield self._judged(train)
            return
        level = left = _size(train, network)
        least, done = self.noise or max(_FLOOR * level, _SILENT), False
        while not done:
            level, before = max(min(_FALL * level, left), least), left
            done = level <= least
            yield self._judged(train.quieter(torch.full_like(train.noise, level)), last=done)
            left = _size(train, network)
            if self.noise is None and level < left and _BETTER * before < left:  # what is left over is noise
                yield self._judged(train.quieter(torch.full_like(train.noise, left)), last=True)
                done = True

    def _judged(self, train: Activity, *, last: bool = False) -> Objectives:
        level, count = float(train.noise.mean()), int((~train.targets.isnan()).sum())
        return Objectives(
            train,
            train,
            lambda network: {"noise": level, "misfit": _size(train, network)},
            {
                "noise": ("1", "noise that is reckoned with"),
                "misfit": ("1", "root-mean-square difference between what was seen and what was recorded"),
            },
            judge=train,
            better=max(_BETTER, 1 - _WORTH / count) if last else _BETTER,
        )

    def fit(self, **fields: Any) -> ActivityFit:
        """See `Problem.fit`."""
        fields["settings"]["noise"] = fields["history"].noise.values[-1] if self.noise is None else self.noise
        return ActivityFit(
            recorded=self.data.names, quantity=self.quantity, smoothing=self.smoothing, prior=self.finite_prior,
            dt=self.data.dt, time_units=self.data.time_units, **fields,
        )  # fmt: skip


def _size(train: Activity, network: Circuit) -> float:
    """Root-mean-square misfit."""
    with torch.no_grad():
        return float(train.misfit(network).square().mean().sqrt())


@dataclass(frozen=True, kw_only=True)
class ActivityFit(Fit):
    """A circuit that explains recordings.

    Attributes
    ----------
    network, solver, history, settings
        As in `Fit`; `settings["noise"]` is that of the recording, given or estimated.
    recorded : tuple of str
        The neurons whose activity was given.
    quantity, smoothing, prior
        As in `fit_activity`.
    dt : float
        Sampling step, in `time_units`.
    """

    network: Circuit
    recorded: tuple[str, ...]
    quantity: str
    smoothing: float
    prior: dict[str, float]
    dt: float
    time_units: str

    kind: ClassVar[str] = "activity"

    @property
    def name(self) -> str:
        """The name of the connectome."""
        return self.network.connectome.name

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        names = ("quantity", "smoothing", "prior", "dt", "time_units")
        return {"recorded": list(self.recorded), **{name: getattr(self, name) for name in names}}

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`; all that a circuit is made of, the connectome included."""
        network, state = self.network, self.network.state_dict()
        kept = {name: value.cpu().numpy() for name, value in state.items() if name not in ("bias", "gain")}
        if "recurrent" in dict(network.named_parameters()):
            kept["recurrent"] = network.connectome.weights.data
        return {
            **{f"frozen_{n}": Labelled(network.dims[n], value, "1", f"frozen {n}") for n, value in kept.items()},
            "unit": Labelled("unit", list(network.neurons), "1", "neuron"),
            "group": Labelled("group", list(network.groups), "1", "group of neurons that share their numbers"),
        }

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        network = fields["network"]
        network.connectome.index(about["recorded"])
        prior = {checks.choice("prior", part, ("bias", "gain")): float(w) for part, w in about["prior"].items()}
        return cls(
            recorded=tuple(about["recorded"]),
            quantity=checks.choice("quantity", about["quantity"], QUANTITIES),
            smoothing=checks.number("smoothing", about["smoothing"], above=0, at_most=1),
            prior=prior,
            dt=checks.number("dt", about["dt"], above=0),
            time_units=str(about["time_units"]),
            **fields,
        )

    def save(self, path: str | Path, *, connectome: bool = True) -> Path:
        """Write the fit to a netCDF file, with the connectome or, to save space, its name and digest alone.

        `rnnbias.load(path)` reads it back; without the connectome `rnnbias.load(path, connectome=...)` does.
        """
        stored = self.to_dataset()
        if not connectome:
            stored = checkpoint.stamped(stored.drop_vars([f"frozen_{n}" for n in _GRAPH]), self.network, FORM)
        return netcdf.write_netcdf(stored, path)

    def activity(self, inputs: xr.DataArray | ArrayLike | int) -> xr.Dataset:
        """What every neuron does under inputs; see `Circuit.run`."""
        return self.network.run(inputs, dt=self.dt, time_units=self.time_units)

    def before(self) -> Self:
        """The fit as it was before anything was learned."""
        return replace(self, network=self.network.redrawn())

    def objective(
        self, recording: xr.Dataset | xr.DataArray, inputs: xr.DataArray | ArrayLike | None = None
    ) -> Activity:
        """What a recording says: the residuals that `fit_activity` brings down, with the noise that it ended with."""
        network = self.network
        data = read_trials(recording, inputs, network)
        noise = max(float(self.settings["noise"]), 1e-300)
        problem = ActivityProblem(network, data, self.quantity, self.smoothing, noise, self.prior)
        return problem.activity(network)

    def score(self, test: xr.Dataset | xr.DataArray, inputs: xr.DataArray | ArrayLike | None = None) -> xr.Dataset:
        """Compare what every neuron does with activity that was not learned from: other neurons, or other inputs.

        Returns a Dataset over `unit`, for the neurons of `test`: `error`, the mean square of what is predicted minus
        what was seen; `untaught_error`, that of the circuit before learning; `variance` of what was seen, around its
        mean; `correlation`; and `recorded`, whether the neuron was learned from. The count of learned numbers is
        `attrs["learned"]`.
        """
        network = self.network
        data = read_trials(test, inputs, network)
        units = torch.from_numpy(network.connectome.index(data.names)).to(network.start.device)
        observed = Observed(units, self.quantity, self.smoothing)
        entering = torch.from_numpy(data.inputs).to(network.start)

        def seen(network: Circuit) -> np.ndarray:
            with torch.no_grad():
                trace = network(entering)
                return observed.follow(trace.drive, trace.rate, network.readout).cpu().numpy()

        made, before = seen(network), seen(network.redrawn())
        flat = made.reshape(-1, len(data.names)), data.activity.reshape(-1, len(data.names))
        correlation = [_correlation(a, b) for a, b in zip(*(part.T for part in flat), strict=True)]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice")
            centred = data.activity - np.nanmean(data.activity, (0, 1))
        recorded = np.isin(data.names, self.recorded)
        return dataset(
            {
                "error": _mean_square("unit", made - data.activity, "mean-square error"),
                "untaught_error": _mean_square("unit", before - data.activity, "mean-square error before learning"),
                "variance": _mean_square("unit", centred, "variance of what was seen"),
                "correlation": Labelled("unit", correlation, "1", "correlation with what was seen"),
                "recorded": Labelled("unit", recorded, "1", "whether the neuron was learned from"),
            },
            {"unit": Labelled("unit", list(data.names), "1", "neuron")},
            title=f"score of {self!r}",
            config=self.configuration(),
        ).assign_attrs(learned=network.learned)

    def skill(self, test: Tested) -> float:
        """R² of what the neurons of `test` do, all together; 0 where the circuit is no better than their means.

        `test` is a recording, or a recording and its inputs, as in `score`.
        """
        score = self.score(*(test if isinstance(test, tuple) else (test,)))
        return max(0.0, 1 - float(score.error.sum() / score.variance.sum()))

    def stimuli(self, test: Tested) -> Tensor:
        """What the circuit is given while it is tested as in `skill`, (trial, time, input)."""
        recording, inputs = test if isinstance(test, tuple) else (test, None)
        return torch.from_numpy(read_trials(recording, inputs, self.network).inputs).to(self.network.start)


def _mean_square(dims: str, error: np.ndarray, long_name: str) -> Labelled:
    """The mean square over trials and time, where there is anything."""
    with np.errstate(invalid="ignore"):
        return Labelled(dims, np.nansum(error**2, (0, 1)) / (~np.isnan(error)).sum((0, 1)), "1", long_name)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two series, where both are numbers; NaN where one of them does not vary."""
    both = ~np.isnan(other)
    one, other = one[both] - one[both].mean(), other[both] - other[both].mean()
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / size) if size > 0 else math.nan
