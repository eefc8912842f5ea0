"""`fit_system`: learn a dynamical system with frozen weights; `SystemFit`: forecast with what was learned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

import systems
from rnnbias import metrics
from rnnbias.datasets.recordings import SHORTEST, Recording, hides_states, read, record
from rnnbias.fit import Fit
from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import RNN, learn_set
from rnnbias.networks.devices import find
from rnnbias.networks.recipe import Recipe
from rnnbias.problems.frame import OUTPUTS, Frame, closed_loop, open_loop
from rnnbias.problems.lesson import Lesson
from rnnbias.solvers import LevenbergMarquardt, Solver, choose
from systems import System, checks
from systems.labels import Labelled, dataset

__all__ = ["SystemFit", "fit_system"]

_HIDDEN = {"gain": 0.9, "input_scale": 0.3}  # recipe where states may be hidden: the network must remember
_HIDDEN_LEAK = (-0.7, 0.3)  # alpha and beta that go with it
_ROUNDS = 5  # jitters tried for one memory
_STEP_LOSS = 0.01  # standard deviations that jitter may cost at one step


def fit_system(
    system: str | System | xr.Dataset | xr.DataArray | ArrayLike,
    *,
    units: int = 600,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    samples: int = 5000,
    dt: float | None = None,
    observed: str | Iterable[str] | None = None,
    hidden: bool | None = None,
    horizon: int = 1,
    output: str = "increment",
    activation: str = "tanh",
    alpha: float | None = None,
    beta: float | None = None,
    washout: int = 50,
    jitter: float | None = None,
    holdout: float = 0.1,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> SystemFit:
    """Learn to forecast `system` with a recurrent network whose random weights are frozen.

        r_t = -alpha r_{t-1} + beta phi(W r_{t-1} + B x_{t-1} + b),      y_t = C r_t

    x are the standardised states; y predicts them `horizon` samples ahead. Only the parts in `learn` change.

    Parameters
    ----------
    system : str, System, xarray object or array
        What to learn: a name from `systems.available()`, a `System`, or a recording: an xarray object with a
        `time` dimension, or an array (time,), (time, state) or (trial, time, state) together with `dt`.
    units : int
        Network size. Under push-pull wiring (the default with biases) half as many numbers learn.
    learn : str or set of str
        Any of "bias", "gain", "mask", "readout", "initial", "weights".
    solver : Solver or str, optional
        A solver, or "levenberg-marquardt", "adam" or "ridge". Default: `LevenbergMarquardt` for biases, `Ridge` for
        the readout, `Adam` for anything else.
    seed : int
        Of the weights (it replaces the recipe's), the simulated data and the solver's noise.
    recipe : Recipe, optional
        Scales, law and wiring of the frozen weights; default: the solver's own (`solver.recipe`).
    samples : int
        Length of the simulated training data; unused with a recording. A system with a period and no Lyapunov
        exponent is simulated in 20 trials from drawn starts, any other in one trial on its attractor.
    dt : float, optional
        Sampling step; default: the system's, or that of the recording's time coordinate.
    observed : str or list of str, optional
        The states that the network sees and predicts; default: all.
    hidden : bool, optional
        Whether the system has states beside those seen; see Notes. Default: known for a system, and for a
        recording both are tried.
    horizon : int
        How many samples ahead the network predicts.
    output : str
        "increment" (the change over the horizon) or "state".
    activation : str
        As in `RNN`.
    alpha, beta : float, optional
        The leak of `RNN`; default 0 and 1, or see Notes.
    washout : int
        Samples of true input before the outputs that count; shortened for short recordings.
    jitter : float, optional
        Noise on the training inputs, in standard deviations, while the targets stay clean: the network learns
        to come back to the data, which steadies its free runs. Default 0, or see Notes.
    holdout : float
        Fraction of the data held out for early stopping: whole trials where there are ten or more, otherwise
        the end of each.
    device : str or torch.device
        "cpu" or "cuda".
    progress : bool
        Whether to show a progress bar with loss and valid time. Ctrl-C ends learning and keeps the best.

    Returns
    -------
    SystemFit

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its value and the rule, before any learning starts.

    Warns
    -----
    UserWarning
        Where more numbers learn than the training data have values.

    Notes
    -----
    With biases, Levenberg-Marquardt and none of `recipe`, `alpha`, `beta` and `jitter` given, these are chosen by
    free runs through the held-out data. The first fit has the solver's recipe and no jitter; where all its free runs
    stay valid it is the result. Otherwise the jitter rises, from the network's own one-step error tenfold at a time,
    until the free runs have got no better twice, and among those that predict one step as well as the best but for a
    hundredth of a standard deviation the one with the best free runs is taken. Where states are hidden this is done
    with gain 0.9, input scale 0.3, alpha -0.7 and beta 0.3 instead, so that the network remembers, and where they may
    be, with both. `Fit.settings["tried"]` lists what was tried.

    Model: Williams et al., "Expressivity of Neural Networks with Random Weights and Learned Biases", ICLR 2025.
    The same call with the same seed gives the same bits on the same machine.

    Examples
    --------
    >>> fit = fit_system("lorenz63", units=100, samples=1000, progress=False)
    >>> fit.network.learned
    50
    >>> import systems
    >>> test = systems.get("lorenz63").simulate(duration=4.0, seed=7)
    >>> fit.forecast(test.isel(time=slice(0, 100)), steps=50).sizes["time"]
    50
    """
    parts = learn_set(learn)
    solver = choose(solver, parts)
    seed = checks.seed("seed", seed)
    if not isinstance(recipe, Recipe | None):
        raise TypeError(f"recipe must be a Recipe such as Recipe(law='uniform'), got {recipe!r}")
    checks.choice("output", output, OUTPUTS)
    checks.choice("activation", activation, ACTIVATIONS)
    horizon = checks.whole("horizon", horizon, at_least=1)
    washout = checks.whole("washout", washout, at_least=0)
    holdout = checks.number("holdout", holdout, above=0, at_most=0.5)
    samples = checks.whole("samples", samples, at_least=SHORTEST, at_most=10**7)
    if hidden not in (None, True, False):
        raise TypeError(f"hidden must be True, False or None, got {hidden!r}")
    device = find(device)
    given = _Setting(
        replace(recipe or solver.recipe, seed=seed),
        0.0 if alpha is None else checks.number("alpha", alpha, at_least=-1, at_most=1),
        1.0 if beta is None else checks.number("beta", beta, above=0),
        0.0 if jitter is None else checks.number("jitter", jitter, at_least=0),
    )
    checks.whole("units", units, at_least=1, at_most=10**5)
    RNN(given.recipe.units_per_row, 1, 1, recipe=given.recipe, learn=parts)
    given.recipe.rows(units)

    if isinstance(system, str):
        system = systems.get(system)
    if known := isinstance(system, System):
        data = record(system, samples=samples, dt=dt, seed=seed, observed=observed)
    else:
        data = read(system, dt, observed)
    lesson = Lesson.of(data, output=output, horizon=horizon, washout=washout, holdout=holdout, device=device)
    states = len(data.states)

    def attempt(setting: _Setting, tried: list[dict[str, float]]) -> SystemFit:
        network = RNN(
            units, states, states, recipe=setting.recipe, learn=parts, activation=activation,
            alpha=setting.alpha, beta=setting.beta, device=device,
        )  # fmt: skip
        if network.learned > lesson.fitting.numel():
            warnings.warn(
                f"{network.learned} numbers learn from {lesson.fitting.numel()} values: a forecast from so few is not "
                "to be trusted, take fewer units or a longer recording",
                stacklevel=3,
            )
        monitor = lesson.learn(network, solver, jitter=setting.jitter, seed=seed, progress=progress)
        settings = {
            "samples": int(np.prod(data.values.shape[:2])),
            "washout": washout,
            "jitter": setting.jitter,
            "holdout": holdout,
            "interrupted": int(monitor.interrupted),
            "tried": tried,
        }
        empty = data._replace(values=data.values[:0])
        return SystemFit(
            network=network, solver=solver, history=lesson.history(monitor, data.unit_name), settings=settings,
            frame=lesson.frame, recording=empty,
        )  # fmt: skip

    automatic = all(x is None for x in (recipe, alpha, beta, jitter)) and isinstance(solver, LevenbergMarquardt)
    if not automatic:
        return attempt(given, [])
    remembering = _Setting(replace(given.recipe, **_HIDDEN), *_HIDDEN_LEAK, 0.0)
    if hidden is None and known:
        hidden = hides_states(system, states)
    return _search(lesson, attempt, {None: [given, remembering], True: [remembering], False: [given]}[hidden])


class _Setting(NamedTuple):
    """What the search varies."""

    recipe: Recipe
    alpha: float
    beta: float
    jitter: float


def _search(
    lesson: Lesson, attempt: Callable[[_Setting, list[dict[str, float]]], SystemFit], starts: list[_Setting]
) -> SystemFit:
    """Return the fit with the best free runs through the held-out data.

    From each start the jitter rises, from none to the size of the network's own error at one step and then
    tenfold, until the free runs have got no better twice. The first fit whose free runs all stay valid is taken
    at once. Otherwise those are left out that predict one step worse than the best at that by more than a
    hundredth of a standard deviation: on noisy data a free run that falls silent would be the best.
    """
    found, tried = [], []
    for setting in starts:
        here, misses = np.inf, 0
        for _ in range(_ROUNDS):
            fit = attempt(setting, tried)
            (error, valid), step = lesson.free_runs.judge(fit.network), lesson.step_error(fit.network)
            errors = {"free_run_error": error, "step_error": step}
            tried.append({**setting._asdict(), "recipe": setting.recipe.to_dict(), **errors})
            found.append((error, step, fit))
            if valid or fit.settings["interrupted"]:
                break
            here, misses = (error, 0) if error < here else (here, misses + 1)
            if misses == 2:
                break
            setting = setting._replace(jitter=10 * setting.jitter or step)
        if valid or fit.settings["interrupted"]:
            break
    steady = min(step for _, step, _ in found) + _STEP_LOSS
    best = min((each for each in found if valid or each[1] <= steady), key=lambda each: each[0])[2]
    best.settings["interrupted"] = fit.settings["interrupted"]
    return best


@dataclass(frozen=True, kw_only=True, repr=False)
class SystemFit(Fit):
    """A network that learned a system or a recording, with the frame it sees data in.

    Attributes
    ----------
    network, solver, history, settings
        As in `Fit`; the history also has the valid time of held-out free runs.
    frame : Frame
        Training statistics and the meaning of the output.
    recording : Recording
        The description of what was learned (states, units, step), without its samples.
    """

    network: RNN
    frame: Frame
    recording: Recording

    kind: ClassVar[str] = "system"

    @property
    def name(self) -> str:
        """The name of the system or recording."""
        return self.recording.name

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        recording = {key: value for key, value in self.recording._asdict().items() if key != "values"}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in recording.items()}
        return {"output": self.frame.output, "horizon": self.frame.horizon, "recording": plain}

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`."""
        found = {
            name: Labelled("state", getattr(self.frame, name), "1", text)
            for name, text in (
                ("mean", "training mean"),
                ("scale", "training standard deviation"),
                ("step_mean", "mean of the normalised step"),
                ("step_scale", "standard deviation of the normalised step"),
            )
        }
        return {**found, "state": Labelled("state", list(self.recording.states), "1", "state")}

    @classmethod
    def revive(cls, about: dict[str, object], arrays: xr.Dataset, **fields: object) -> Self:
        """See `Fit.revive`."""
        kept, states = about["recording"], fields["network"].inputs
        if not states == fields["network"].outputs == len(kept["states"]) == len(kept["state_units"]):
            raise ValueError("the numbers of states disagree")
        names = ("mean", "scale", "step_mean", "step_scale")
        statistics = [checks.array(name, arrays[name].values, shape=(states,)) for name in names]
        if min(statistics[1].min(), statistics[3].min()) <= 0:
            raise ValueError("scale and step_scale must be positive")
        frame = Frame(
            *statistics,
            checks.choice("output", about["output"], OUTPUTS),
            checks.whole("horizon", about["horizon"], at_least=1),
        )
        recording = Recording(
            values=np.empty((0, 0, states)),
            dt=checks.number("dt", kept["dt"], above=0),
            states=tuple(kept["states"]),
            state_units=tuple(kept["state_units"]),
            time_units=str(kept["time_units"]),
            unit=checks.number("unit", kept["unit"], above=0),
            unit_name=str(kept["unit_name"]),
            name=str(kept["name"]),
        )
        return cls(frame=frame, recording=recording, **fields)

    def drive(self, inputs: xr.Dataset | xr.DataArray | ArrayLike) -> xr.Dataset:
        """Predict `horizon` samples ahead of every sample of `inputs`, the true inputs being given throughout.

        Returns a Dataset with `prediction` (trial, time, state), where `time` is the time predicted for.
        Early predictions suffer from the start at rest; the first `washout` of them did not count in learning.
        """
        data = self._read(inputs)
        standard = self.frame.standardise(data.values, self.network.start)
        ahead = self.frame.restore(open_loop(self.network, self.frame, standard))
        times = (np.arange(ahead.shape[1]) + self.frame.horizon) * data.dt
        return self._labelled("prediction", ahead, times, "one-step prediction from true inputs")

    def forecast(self, context: xr.Dataset | xr.DataArray | ArrayLike, steps: int) -> xr.Dataset:
        """Run on alone for `steps` samples after `context`: the network's predictions become its inputs.

        `context` is data of the learned kind, (time, state) or (trial, time, state), of at least `horizon`
        samples; longer ones (`washout` and more) let the memory of the network settle. Returns a Dataset with
        `forecast` (trial, time, state); `time` is 0 at the last sample of the context.
        """
        steps = checks.whole("steps", steps, at_least=1, at_most=10**8)
        data = self._read(context)
        if data.values.shape[1] < self.frame.horizon:
            raise ValueError(f"context must have at least {self.frame.horizon} samples, got {data.values.shape[1]}")
        standard = self.frame.standardise(data.values, self.network.start)
        ahead = self.frame.restore(closed_loop(self.network, self.frame, standard, steps))
        return self._labelled("forecast", ahead, np.arange(1, steps + 1) * data.dt, "free-running forecast")

    def free_map(self, context: xr.Dataset | xr.DataArray | ArrayLike) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """The map that `forecast` iterates, for dynamical analysis, and its state after `context`.

        Its state is (rates, standardised inputs), (trial, unit + state); the map is differentiable and
        batched, as `metrics.largest_exponent` wants it. Only for `horizon` 1.
        """
        if self.frame.horizon != 1:
            raise ValueError(f"free_map needs a fit with horizon=1, got horizon={self.frame.horizon}")
        network, frame = self.network, self.frame

        def step(state: Tensor) -> Tensor:
            rate, now = state[:, : network.units], state[:, network.units :]
            then = frame.predict(now, network.read(rate))
            return torch.cat([network.advance(rate, network.external(then))[1], then], 1)

        standard = frame.standardise(self._read(context).values, network.start)
        with torch.no_grad():
            rate = network(standard).rate[:, -1]
        return step, torch.cat([rate, standard[:, -1]], 1)

    def score(
        self,
        test: xr.Dataset | xr.DataArray | ArrayLike,
        *,
        windows: int = 100,
        context: int = 100,
        steps: int | None = None,
        threshold: Iterable[float] = (0.3, 0.4, 0.5),
    ) -> xr.Dataset:
        """Score closed-loop forecasts on `windows` windows of data that the network has not seen.

        Each window has `context` true samples and `steps` forecast ones (default: 20 Lyapunov times or
        periods, as far as the data allow). Returns the Dataset of `metrics.valid_time` over `trial` (the windows) with
        `nrmse` at one Lyapunov time, period or time unit, `divergence_rate` and `constant_rate`, and the
        count of learned numbers in `attrs["learned"]`.
        """
        data = self._read(test)
        windows = checks.whole("windows", windows, at_least=1)
        context = checks.whole("context", context, at_least=self.frame.horizon)
        longest = data.values.shape[1] - context - 1
        if steps is None:
            steps = max(4, min(max(20, round(20 * self.recording.unit / data.dt)), longest))
        steps = checks.whole("steps", steps, at_least=4)
        if steps > longest:
            raise ValueError(
                f"test must have at least context + steps + 1 = {context + steps + 1} samples, got "
                f"{data.values.shape[1]}"
            )
        per_trial = -(-windows // len(data.values))
        firsts = np.linspace(0, data.values.shape[1] - context - steps, per_trial).astype(int)
        cut = np.concatenate([data.values[:, f : f + context + steps] for f in firsts])[:windows]
        forecast = self.forecast(self._wrap(cut[:, :context]), steps).forecast
        truth = forecast.copy(data=cut[:, context:])
        scale = xr.DataArray(self.frame.scale, {"state": list(self.recording.states)}, "state")
        mean = scale.copy(data=self.frame.mean)
        found = metrics.valid_time(
            forecast, truth, scale, self.recording.unit, tuple(threshold), units=self.recording.unit_name
        )
        horizon = min(max(self.recording.unit, data.dt), steps * data.dt)
        found["nrmse"] = metrics.nrmse(forecast, truth, scale, horizon)
        found["divergence_rate"] = metrics.divergence_rate(forecast, mean, scale)
        found["constant_rate"] = metrics.constant_rate(forecast, scale)
        return found.assign_attrs(title=f"score of {self!r}", learned=self.network.learned)

    def _wrap(self, values: np.ndarray) -> xr.DataArray:
        times = np.arange(values.shape[1]) * self.recording.dt
        coords = {
            "time": ("time", times, {"units": self.recording.time_units}),
            "state": list(self.recording.states),
        }
        return xr.DataArray(values, coords, ("trial", "time", "state"))

    def _read(self, source: xr.Dataset | xr.DataArray | ArrayLike) -> Recording:
        """Read data of the kind that was learned; any length, but the same states and step."""
        plain = not isinstance(source, xr.Dataset | xr.DataArray)
        timed = not plain and "time" in source.coords and source.sizes.get("time", 0) > 1
        dt = None if timed else self.recording.dt
        data = read(source, dt, shortest=1)
        if not plain and len(data.states) > len(self.recording.states):
            data = read(source, dt, self.recording.states, shortest=1)
        if plain and len(data.states) == len(self.recording.states):
            data = data._replace(states=self.recording.states)
        if data.states != self.recording.states:
            raise ValueError(f"the data must have the states {self.recording.states}, got {data.states}")
        if abs(data.dt - self.recording.dt) > 1e-3 * self.recording.dt:
            raise ValueError(f"the data must have the step {self.recording.dt:.6g} learned from, got {data.dt:.6g}")
        return data

    def _labelled(self, name: str, values: np.ndarray, times: np.ndarray, title: str) -> xr.Dataset:
        about = self.recording
        ds = dataset(
            {name: Labelled(("trial", "time", "state"), values, about.state_units[0], title)},
            {
                "trial": Labelled("trial", np.arange(len(values)), "1", "trial"),
                "time": Labelled("time", times, about.time_units, "time after the start of the inputs"),
                "state": Labelled("state", list(about.states), "1", "state"),
                "state_units": Labelled("state", list(about.state_units), "1", "units of each state"),
            },
            title=f"{title} of {about.name}",
            config=self.configuration(),
        )
        return ds
