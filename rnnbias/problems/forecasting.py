"""`fit_system`: learn a dynamical system with frozen weights."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor
from tqdm.auto import tqdm

import systems
from rnnbias.datasets import Recording, recordings, stirred
from rnnbias.networks import RNN, Recipe, find_device, parameters, trainable_parts
from rnnbias.objectives import Objective, ParametricSteps, Sequences, Shooting, SingleSteps
from rnnbias.problems.base import Objectives, Problem, solve
from rnnbias.problems.frame import (
    OUTPUTS,
    Frame,
    denoised,
    segments,
    shooting,
    single_steps,
    starts,
)
from rnnbias.problems.free_runs import STAYS, VALID, FreeRuns, correlation_time, long_run, warn
from rnnbias.problems.scales import SCALES, SCALES_OF_DELAYS, UNITS, preferred, tried
from rnnbias.problems.system_fit import SystemFit
from rnnbias.solvers import LevenbergMarquardt, Solver, find_solver
from systems import Lattice, System, checks

__all__ = ["Forecasting", "fit_system"]

Trials = TypeVar("Trials", bound=Objective)

_UNITS, _VALUES = 600, 8  # of a network where no size is asked for, and values for each of them, at least
_LENGTH = 100  # outputs that count in one training segment
_WINDOWS = 8  # held-out free runs
_LOST = 1.1  # times the loss of shorter runs, at which longer ones have spoiled them
_HELD = 40  # samples of a held-out run while learning in closed loop
_DELAYS = 8  # samples of the past that a network sees where a system hides states
_SPACINGS = 4  # of delays, that are tried: from one sample to half a correlation time
_GAIN = 0.9  # of networks that remember
#: Free runs that are learned from where none are named, those of networks that remember, and the noise (in standard
#: deviations) under which data count as clean, so that single steps say everything.
_LENGTHS, _LENGTHS_REMEMBERING, _CLEAN = (5, 10, 20, 40, 80, 160), (5, 10, 20, 40), 1e-4
_WORSE = 1.5  # times the error of held-out free runs after single steps, at which learning in closed loop is given up
_ITERATIONS, _PATIENCE, _PATIENCE_RUNS = 400, 10, 4  # of second-order learning of biases, and of free runs
#: Factors by which so many iterations must lower the loss, and those of the last stage.
_BETTER, _BETTER_LAST = 0.99, 0.999
#: Noise (in standard deviations) on what single steps lead from: on sites of a lattice, and on delays, falling.
_STIRRED_SITES, _STIRRED_DELAYS = (0.003, 0.0), (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
#: Of lattices: scales of the frozen weights, and entries of a Jacobian, to which single steps and runs are thinned.
_SHARED, _ENTRIES = {"input_scale": 0.05, "readout_scale": 200.0}, 4e7
#: Samples from which the start of a forecast on a noisy lattice may be estimated.
_FILTERS = (5, 10, 20, 40)
#: Units of the networks that tell what is hidden and how it is seen, and the ratio of errors that tells the former.
_PROBES, _HIDDEN = 200, 0.7


def fit_system(
    system: str | System | xr.Dataset | xr.DataArray | ArrayLike,
    *,
    units: int | None = None,
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
    delays: tuple[int, int] | None = None,
    lattice: Lattice | bool | None = None,
    washout: int = 50,
    closed_loop: Iterable[int] | None = None,
    noise: float | None = None,
    prior: float = 1.0,
    holdout: float = 0.1,
    patience: int | None = None,
    goal: float | None = None,
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
    units : int, optional
        Network size; as many biases learn, but under push-pull wiring half as many. Default: 600, or an eighth of the
        numbers in the training data where those are fewer than 4,800.
    solver : Solver or str, optional
        A solver, or "levenberg-marquardt", "adam" or "ridge". Default: `LevenbergMarquardt(iterations=400)` for biases,
        `Ridge` for the readout, `Adam` for anything else.
    seed : int
        Of the weights (it replaces the recipe's), the simulated data and the solver's noise.
    recipe : Recipe, optional
        Scales, law and wiring of the frozen weights; default: for biases that learn by `LevenbergMarquardt`
        `Recipe.shaping()` at the scales that suit the data (see `problems.Forecasting`), otherwise the solver's own
        (`solver.recipe`).
    samples : int
        Length of the simulated training data; unused with a recording. A system with a period and no Lyapunov
        exponent is simulated in 20 trials from drawn starts, any other in one trial on its attractor.
    dt : float, optional
        Sampling step; default: the system's, or that of the recording's time coordinate.
    observed : str or list of str, optional
        The states that the network sees and predicts; default: all.
    hidden : bool, optional
        Whether the system has states beside those seen. Default: known for a system, and told by two small networks
        for a recording; see `problems.Forecasting`.
    horizon : int
        How many samples ahead the network predicts.
    output : str
        "increment" (the change over the horizon) or "state".
    alpha, beta : float, optional
        The leak of `RNN`; default 0 and 1, or see `problems.Forecasting`.
    delays : (int, int), optional
        How many samples of the past the network sees, the present one among them, and how many steps each is from the
        next, as in (8, 2): only for networks that do not remember. Default: (1, 1), or 8 of them where states are
        hidden; see `problems.Forecasting`.
    lattice : Lattice or bool, optional
        Where the states are sites of a lattice with one law: the neighbours of a site that the network sees, as in
        `Lattice(4, 2, boundary="periodic")`. The same network, with the same biases, then predicts every site. False:
        it sees and predicts all states at once. Default: what the system says of itself (`System.lattice`).
    washout : int
        Samples of true input before the outputs that count; shortened for short recordings.
    closed_loop : sequence of int, optional
        Lengths, in samples, of free runs through the data that are learned from after single steps, one stage each;
        () for single steps alone. Default: (5, 10, 20, 40, 80, 160) where biases learn by `LevenbergMarquardt` from
        data that are not clean; see `problems.Forecasting`.
    noise : float, optional
        Of the observations, in standard deviations of each state, for learning in closed loop; default: estimated.
    prior : float
        Standard deviation that the shifts of the biases are expected to have, for learning in closed loop.
    holdout : float
        Fraction of the data held out for early stopping: whole trials where there are ten or more, otherwise
        the end of each.
    learn, activation, patience, goal, device, progress
        See `solve`; the progress bar shows the loss and the valid time.

    Returns
    -------
    SystemFit

    Warns
    -----
    UserWarning
        Where more numbers learn than the training data have values, and where a long free run escapes, freezes or
        drifts; `Fit.settings["free_run"]` and the representation say that too.

    Examples
    --------
    >>> fit = fit_system("lorenz63", units=50, samples=1000, progress=False)
    >>> fit.network.learned
    50
    >>> import systems
    >>> test = systems.get("lorenz63").simulate(duration=4.0, seed=7)
    >>> fit.forecast(test.isel(time=slice(0, 100)), steps=50).sizes["time"]
    50
    """
    if units is not None:
        checks.whole("units", units, at_least=1)
    if hidden not in (None, True, False):
        raise TypeError(f"hidden must be True, False or None, got {hidden!r}")
    problem = Forecasting(
        system, samples=samples, dt=dt, observed=observed, seed=seed, horizon=horizon, output=output, washout=washout,
        holdout=holdout, closed_loop=closed_loop, noise=noise, prior=prior,
        alpha=0.0 if alpha is None else alpha, beta=1.0 if beta is None else beta,
        delays=(1, 1) if delays is None else delays, lattice=lattice,
    )  # fmt: skip
    units = problem.units if units is None else units
    parts = trainable_parts(learn)
    solver = find_solver(problem.solver(parts, units, seed) if solver is None else solver, parts)
    if (
        recipe is None
        and alpha is None
        and beta is None
        and delays is None
        and _second_order(solver, parts)
        and problem.hides_states(hidden)
    ):
        if activation == "tanh" and problem.sites is None:
            problem, recipe = problem.embedded(units, seed, device, progress)
        else:
            problem = problem.delayed()
    if recipe is None and activation == "tanh" and _second_order(solver, parts):
        recipe = problem.suited(units, seed, device)
    fit = solve(
        problem, units=units, learn=learn, solver=solver, seed=seed, recipe=recipe, activation=activation,
        patience=patience, goal=goal, device=device, progress=progress,
    )  # fmt: skip
    warn(fit.settings)
    return fit


@dataclass(frozen=True)
class Forecasting(Problem):
    """Forecasting a system or a recording from true inputs, and then in closed loop; arguments as in `fit_system`.

    Biases that learn by `LevenbergMarquardt` start under `Recipe.shaping`: independent units and a readout of ordinary
    size, so that they must move about as far as they were drawn. Where `recipe` is not given, `fit_system` tries four
    scales for a few seconds (`scales.tried`): 0.3 and 10 of inputs and readout serve most systems, 0.2 and 30 many of
    four states, 0.3 and 30 or 0.5 and 30 those that turn more sharply. They learn single steps first, whose errors tell
    the noise of the data. Data with less than 1e-4 standard deviations of it count as clean; from others the network
    goes on to learn in closed loop, from free runs of `closed_loop` samples whose starts are estimated too
    (`objectives.Shooting`). Each stage begins where the one before ended, which also tells the noise anew; one that
    spoils the shorter runs is undone. Together with the `prior` on the shifts this makes a maximum a posteriori
    estimate.

    Where states are hidden, and neither `recipe`, `alpha`, `beta` nor `delays` is given, the network sees the past: 8
    delays (Takens). Small networks try, for some seconds, how far apart: from one sample to half the time in which the
    slowest autocorrelation falls to 1/e, each at four scales, from units that hardly bend (a few rhythms) to steep ones
    (chaos, heartbeats). Those with the lowest product of errors are taken: of held-out free runs over two such times,
    and that one step ahead, squared, for it is known better. (An electrocardiogram, 300 biases: 0.041 standard
    deviations one step ahead, valid for 0.099 s; linear autoregression of 50 samples 0.054 and 0.044 s; 600 biases of a
    network with a memory of its own, by gain and leak, 0.087 after half an hour.)

    Data fill a thin part of the space of delays, and errors that lead out of it would grow. Single steps therefore lead
    from delays with a noise to what truly followed. It falls from 0.01 standard deviations, threefold a time, as long
    as held-out free runs gain and it is more than the data's own; noisier data are learned as they are. (Lorenz-63 by
    one coordinate without noise, 603 biases, two seeds: 6.1 and 6.3 Lyapunov times, and free runs that stay; without
    that noise 4.2 and 2.9, and an escape. With 3e-5 all along 6.1 and 5.9, with 1e-4 5.0, with 1e-5 an escape.) Delays
    and scales are then tried again at the first level, where free runs tell more and the other error counts by its
    root: without noise the shortest delays may seem best, and are not (2.6 on a seed where those chosen at that level
    reach 6.2).

    Whether a recording hides states is told by the readouts of 200 untaught units: if those that see delays predict
    held-out steps with less than 0.7 times the error of the others. (Lorenz-63 with up to 10 % noise: 0.91 to 0.97 with
    all states seen, 0.1 to 0.7 with one; a sine in noise: 0.4.)

    Free runs teach what follows a law of its own. Where the first of them make held-out free runs worse by half, single
    steps are learned once more and remain (an electrocardiogram: the next beat is not in the samples before it); and
    where a long free run does not stay at the end, the longest runs after which it did have the last word.

    On a lattice every site is to the network a trial of its own, in the mean and scale of all sites together, and free
    runs go through all sites at once. A law in many neighbours takes smoother units that are read more loudly: input
    scale 0.05 and readout scale 200 (Lorenz-96 of 40 sites without noise, 400 biases: 4.5 Lyapunov times; with 0.1 and
    100 3.3). Neighbours in a smooth field move together, and no data show what happens where they do not: errors that
    part them would grow. Single steps therefore lead from states with a noise of 0.003 standard deviations to what
    truly followed (Kuramoto-Sivashinsky equation, 32 sites, 200 biases: 1.8 Lyapunov times, without that noise 0.2),
    and from there to steps without it where the data are as clean and held-out free runs gain (400 biases: 3.5 Lyapunov
    times, with the noise to the end 2.8; Lorenz-96, 400 biases: 5.5, with it 4.5). Biases learn from single steps and
    runs drawn evenly by the seed, as many as make 4e7 entries of a Jacobian; noise and starts are told by all runs.
    Noisy data need free runs (Lorenz-96, 400 biases, 5 % noise: 1.6 Lyapunov times by single steps, 3.1 in closed
    loop). Errors of a field grow at every site, so that a forecast begins at what is behind 5, 10, 20 or 40 samples, as
    held-out free runs bear. The neighbourhood matters most: one that lacks a site on which the change over a sample
    depends leaves an error that no number of biases removes (Lorenz-96 at a step of 0.02 with two neighbours on either
    side: 2.2 at most, whatever learns, a polynomial of degree 4 included).

    Single steps are learned for 400 iterations, or until ten lower the loss by less than a hundredth, for data without
    noise leave a long valley to go down. (Lorenz-63, 603 biases: where ten that gain less than a tenth end it, after
    about 200, forecasts are half a Lyapunov time shorter, and the fit takes half as long.)

    What else was tried on Lorenz-63, 603 biases: Gaussian rows instead of rows of equal length, 0.3 Lyapunov times
    shorter at 5 % noise and 3 to 5 shorter without noise; noise on the inputs of single steps (at 5 % noise 1.0, in
    closed loop 3.4); stages judged by held-out runs, which end too early. With 303 biases at 5 % noise, where closed
    loop reaches 3.8: generalised teacher forcing (mix 0.1) and the weak form 2.8, a Jacobian penalty 0.9
    (`benchmarks/rivals.py`).
    """

    source: Any
    samples: int = 5000
    dt: float | None = None
    observed: str | Iterable[str] | None = None
    seed: int = 0
    horizon: int = 1
    output: str = "increment"
    washout: int = 50
    holdout: float = 0.1
    alpha: float = 0.0
    beta: float = 1.0
    delays: tuple[int, int] = (1, 1)
    lattice: Lattice | bool | None = None
    closed_loop: Iterable[int] | None = None
    noise: float | None = None
    prior: float = 1.0

    def __post_init__(self) -> None:
        if self.lattice not in (None, False) and not isinstance(self.lattice, Lattice):
            raise TypeError(f"lattice must be a Lattice such as Lattice(1, 1), False or None, got {self.lattice!r}")
        if not isinstance(self.closed_loop, Iterable | None):
            raise TypeError(f"closed_loop must be lengths of runs such as (5, 10, 20), got {self.closed_loop!r}")
        if self.closed_loop is not None:
            lengths = tuple(checks.whole("closed_loop", length, at_least=2) for length in self.closed_loop)
            object.__setattr__(self, "closed_loop", lengths)
        if self.noise is not None:
            checks.number("noise", self.noise, above=0)
        checks.number("prior", self.prior, above=0)
        if self.closed_loop and self.horizon != 1:
            raise ValueError(f"horizon must be 1 for learning in closed loop, got {self.horizon}")
        checks.whole("samples", self.samples, at_least=recordings.SHORTEST, at_most=10**7)
        checks.seed("seed", self.seed)
        checks.whole("horizon", self.horizon, at_least=1)
        checks.choice("output", self.output, OUTPUTS)
        checks.whole("washout", self.washout, at_least=0)
        checks.number("holdout", self.holdout, above=0, at_most=0.5)
        checks.number("alpha", self.alpha, at_least=-1, at_most=1)
        checks.number("beta", self.beta, above=0)
        if not (isinstance(self.delays, tuple) and len(self.delays) == 2):
            raise TypeError(f"delays must be a count and a spacing such as (8, 2), got {self.delays!r}")
        for each in self.delays:
            checks.whole("delays", each, at_least=1)

    @cached_property
    def system(self) -> System | None:
        """The system, where it is known."""
        found = systems.get(self.source) if isinstance(self.source, str) else self.source
        return found if isinstance(found, System) else None

    @cached_property
    def recording(self) -> Recording:
        """What is learned from, simulated or read."""
        if self.system is None:
            return recordings.read(self.source, self.dt, self.observed)
        return recordings.record(self.system, samples=self.samples, dt=self.dt, seed=self.seed, observed=self.observed)

    @property
    def units(self) -> int:
        """The size of a network where none is asked for: what the data can teach."""
        return 2 * int(np.clip(self._split[0].size // (2 * _VALUES), 1, _UNITS // 2))

    @cached_property
    def sites(self) -> Lattice | None:
        """The lattice whose sites share one network: as given, or as a system says that is seen whole."""
        if isinstance(self.lattice, Lattice):
            self.lattice.check(len(self.recording.states))
            return self.lattice
        if self.system is None or self.lattice is False or self.observed is not None:
            return None
        return self.system.lattice

    @cached_property
    def frame(self) -> Frame:
        """The statistics of the part that is fitted."""
        return Frame.of(self._split[0], self.output, self.horizon, self.recording.states, self.delays, self.sites)

    def suited(self, units: Any, seed: int, device: str | torch.device = "cpu") -> Recipe | None:
        """The recipe whose scales suit the data; None on lattices and where networks remember."""
        if self.sites is not None or self.alpha:
            return None
        trials = [self._trial(min(units, UNITS), recipe, seed, device) for recipe in SCALES]
        return SCALES[preferred([held_out.loss(network) for network, held_out in trials])]

    def embedded(
        self, units: Any, seed: int, device: str | torch.device = "cpu", progress: bool = False
    ) -> tuple[Self, Recipe]:
        """The same problem seen through delays, and the recipe: spacing and scales that suit the data."""
        correlated = correlation_time(self._split[0])
        spacings = np.unique(np.geomspace(1, max(1, correlated / 2), _SPACINGS).round().astype(int))
        several = [self.varied(delays=(_DELAYS, int(spacing))) for spacing in spacings]
        pairs = [*itertools.product(several, SCALES_OF_DELAYS)]
        for noise, power in ((0.0, 2.0), (_STIRRED_DELAYS[0], 0.5)):
            steps, errors = [], []
            for problem, recipe in tqdm(pairs, desc="choosing delays", disable=not progress, leave=False):
                network, _ = problem._trial(min(units, _PROBES), recipe, seed, device, noise)
                ahead = problem.free_runs(network).error(network)[:, : 2 * correlated]
                steps.append(problem.step_error(network))
                errors.append(steps[-1] ** power * float(ahead.square().mean().sqrt()))
            if min(steps) > _STIRRED_DELAYS[0]:  # data as noisy are learned as they are
                break
        return pairs[int(np.argmin(errors))]

    def _trial(
        self, units: int, recipe: Recipe, seed: int, device: str | torch.device, noise: float = 0.0
    ) -> tuple[RNN, ParametricSteps]:
        """See `scales.tried`; steps lead from trials with so much noise."""
        network = self.network(
            units, recipe=replace(recipe, seed=seed), learn=("bias",), activation="tanh", device=find_device(device)
        )
        fitting, held_out = (self._cut(network, part, noise) for part in self._standard(network))
        return network, tried(network, fitting, held_out, seed)

    def hides_states(self, hidden: bool | None = None) -> bool:
        """Whether there are states beside those seen: as said, as is known of a system, or as it seems."""
        if hidden is not None:
            return hidden
        if self.system is not None:
            return recordings.hides_states(self.system, len(self.recording.states))
        return _seems_to_hide_states(self)

    def varied(self, **changes: Any) -> Self:
        """The same problem with other settings, and the same data."""
        other = replace(self, **changes)
        other.__dict__.update({name: getattr(self, name) for name in ("system", "recording")})
        return other

    def delayed(self) -> Self:
        """The same problem with delays over one correlation time of the data."""
        return self.varied(delays=(_DELAYS, max(1, round(correlation_time(self._split[0]) / (_DELAYS - 1)))))

    def network(self, units: Any, **drawing: Any) -> RNN:
        """See `Problem.network`."""
        if self.closed_loop and drawing["learn"] != ("bias",):
            raise ValueError(f"closed_loop needs biases alone that learn, got learn={set(drawing['learn'])}")
        states, seen = (1, self.sites.width) if self.sites else [len(self.recording.states)] * 2
        found = RNN(units, seen * self.delays[0], states, alpha=self.alpha, beta=self.beta, **drawing)
        if found.remembers and self.delays[0] > 1:
            raise ValueError(f"delays need a network that does not remember, got {self.delays} for {found!r}")
        if found.remembers and self.sites and self.closed_loop:
            raise ValueError(f"closed_loop on a lattice needs a network that does not remember, got {found!r}")
        return found

    def objectives(self, network: RNN, seed: int) -> Objectives:
        """See `Problem.objectives`; the valid time of free runs through the held-out data is recorded too."""
        fitting, held_out = self._standard(network)
        if network.learned > fitting.numel():
            warnings.warn(
                f"{network.learned} numbers learn from {fitting.numel()} values: a forecast from so few is not to be "
                "trusted, take fewer units or a longer recording",
                stacklevel=6,
            )
        runs, noise = self.free_runs(network), _STIRRED_SITES[0] if self._shared(network) else 0.0
        text = f"median valid time on held-out data (threshold {VALID})"
        return Objectives(
            self._cut(network, fitting, noise),
            self._cut(network, held_out, noise),
            lambda network: {"valid_time": runs.valid_time(network)},
            {
                "valid_time": (self.recording.unit_name, text),
                "noise": ("1", "noise that is reckoned with, in standard deviations"),
            },
        )

    def solver(self, learn: tuple[str, ...], units: Any, seed: int) -> Solver | str | None:
        """See `Problem.solver`; biases that shape the dynamics have a curved way to go."""
        return LevenbergMarquardt(iterations=_ITERATIONS) if learn == ("bias",) else None

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`."""
        return _PATIENCE if learn == ("bias",) else super().patience(learn, activation)

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """See `Problem.recipe`."""
        if not (self.closed_loop or _second_order(solver, learn)):
            return solver.recipe
        if self.sites is not None:
            return Recipe.shaping(**_SHARED)
        return Recipe.shaping(gain=_GAIN) if self.alpha else Recipe.shaping()

    def stages(self, network: RNN, solver: Solver, seed: int) -> Iterator[Objectives]:
        """See `Problem.stages`: single steps, and then free runs of every length in `closed_loop`."""
        first = self.objectives(network, seed)
        if _second_order(solver, network.learn) and SingleSteps.serves(network):
            cuts = (cast(Sequences, part) for part in (first.train, first.held_out))
            steps, tests = (ParametricSteps.of(network, cut) for cut in cuts)
            first = first._replace(train=steps, held_out=tests, better=_BETTER)
        fitting, held_out = self._standard(network)
        single = yield from self._single_steps(network, first, fitting, held_out)
        noise = self._noise(network, first if self.sites is None else single)
        noise = noise if self.noise is None else torch.full_like(noise, self.noise)
        path, washout = fitting, self._affordable(fitting.shape[1])
        lengths: Sequence[int] = tuple(self.closed_loop or ())
        alone = self.sites is not None and network.remembers
        if self.closed_loop is None and _second_order(solver, network.learn) and self.horizon == 1 and not alone:
            usual = _LENGTHS_REMEMBERING if network.remembers else _LENGTHS
            lengths = [length for length in usual if length < fitting.shape[1] / 2] if noise.max() > _CLEAN else ()
        judge: Shooting | None = None
        lowest = math.inf
        if not lengths:
            return
        free, learned = self.free_runs(network), parameters.read(network)
        bearable = _WORSE * free.typical_error(network)
        last = learned if self._stays(network) else None
        for length in lengths:
            runs = shooting(network, self.frame, fitting, path, length, noise, self.prior, washout)
            train = self._thinned(network, runs, runs.observed[0].numel())
            test = shooting(network, self.frame, held_out, held_out, min(length, _HELD), noise, math.inf, washout // 2)
            before = parameters.read(network)
            measure, better = _beside(first.measure, noise), _BETTER_LAST if length == lengths[-1] else _BETTER
            yield first._replace(
                train=train, held_out=test, measure=measure, judge=train, better=better, patience=_PATIENCE_RUNS
            )
            loss = runs.loss(network)
            path = denoised(runs, network, fitting)
            if judge is not None and judge.restarted(starts(judge, path)).loss(network) > _LOST * lowest:
                parameters.write(network, before)  # long runs were lost on the way: the shorter ones knew better
                break
            if free.typical_error(network) > bearable:
                parameters.write(network, learned)  # what is behind the data has no law of its own that could be run
                yield single._replace(patience=_PATIENCE_RUNS)
                return
            judge, lowest = runs, loss
            noise = runs.spread(network) if self.noise is None else noise
            last = parameters.read(network) if self._stays(network) else last
        if last is not None:
            parameters.write(network, last)

    def _single_steps(
        self, network: RNN, plain: Objectives, fitting: Tensor, held_out: Tensor
    ) -> Generator[Objectives, None, Objectives]:
        """Single steps: `plain`, or from delays and sites with less and less noise, as long as that is more than the
        data's own and held-out free runs gain; returns those that were learned.
        """
        if (self.delays[0] == 1 and self.sites is None) or not isinstance(plain.train, ParametricSteps):
            yield plain
            return plain
        sizes = _STIRRED_DELAYS if self.sites is None else _STIRRED_SITES
        free, best, stays, single, drawn = self.free_runs(network), math.inf, False, plain, parameters.read(network)
        for size in sizes:
            steps = plain
            if self.sites is None or size != _STIRRED_SITES[0]:  # by which sites are seen in `plain` already
                train, test = (ParametricSteps.of(network, self._cut(network, x, size)) for x in (fitting, held_out))
                steps = plain._replace(train=train, held_out=test)
            before = parameters.read(network)
            yield steps
            error, stayed = free.typical_error(network), self._stays(network)
            if error > best or (stays and not stayed):
                parameters.write(network, before)
                break
            best, stays, single = error, stayed, steps
            if self._noise(network, plain).max() <= size:
                continue
            if size == _STIRRED_DELAYS[0]:  # data as noisy are learned as they are
                parameters.write(network, drawn)
                yield plain
                return plain
            break
        return single

    @torch.no_grad()
    def _noise(self, network: RNN, single: Objectives) -> Tensor:
        """The noise of the data that errors of single steps tell, in standard deviations, (state,)."""
        error = single.train.residual(network).flatten(0, -2).square().mean(0).sqrt()
        return error * error.new_tensor(self.frame.steps.scale) / math.sqrt(2)

    def _stays(self, network: RNN) -> bool:
        """Whether a long free run stays with what was learned."""
        return self._fate(network) == STAYS

    def _fate(self, network: RNN) -> str:
        """What becomes of a long free run."""
        return self.free_runs(network).fate(network, long_run(self._split[0]))

    def settings(self, train: Any) -> dict[str, object]:
        """See `Problem.settings`."""
        return {
            "samples": int(np.prod(self.recording.values.shape[:2])),
            "washout": self.washout,
            "holdout": self.holdout,
        }

    def fit(self, **fields: Any) -> SystemFit:
        """See `Problem.fit`; a long free run says whether the network stays with what it learned."""
        described = self.recording._replace(values=self.recording.values[:0])
        network = fields["network"]
        history: xr.Dataset = fields["history"]
        fields["settings"]["noise"] = float(np.nan_to_num(history.noise.values[-1])) if "noise" in history else 0.0
        fields["settings"]["free_run"] = self._fate(network)
        fit = SystemFit(frame=self.frame, recording=described, **fields)
        if self.sites is not None and fit.settings["noise"]:
            runs = self.free_runs(network)
            errors = [runs._replace(context=fit.filtered(runs.context, n)).typical_error(network) for n in _FILTERS]
            fit.settings["filter"] = _FILTERS[int(np.argmin(errors))]
        return fit

    def free_runs(self, network: RNN) -> FreeRuns:
        """Windows of the held-out data to run freely through."""
        held_out = self._standard(network)[1]
        context = max(self._affordable(held_out.shape[1]), self.horizon)
        steps = max(1, (held_out.shape[1] - context) // 2)
        firsts = np.unique(np.linspace(0, held_out.shape[1] - context - steps, _WINDOWS).astype(int))
        windows = torch.cat([held_out[:, f : f + context + steps] for f in firsts])[:_WINDOWS]
        unit = self.recording.dt / self.recording.unit
        return FreeRuns(self.frame, windows[:, :context], windows[:, context:], unit)

    @torch.no_grad()
    def step_error(self, network: RNN) -> float:
        """Root-mean-square error of predictions from held-out inputs, in standard deviations of the states."""
        error = self._cut(network, self._standard(network)[1]).residual(network)
        scale = error.new_tensor(self.frame.steps.scale)
        return float((error * scale).square().mean().sqrt().nan_to_num(torch.inf))

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and held-out data; held-out ends of trials keep their washout before them."""
        values, horizon = self.recording.values, self.horizon
        trials, samples, _ = values.shape
        whole = trials >= 10
        last = samples if whole else samples - max(round(self.holdout * samples), horizon + 8)
        if last < horizon + 16:
            raise ValueError(f"the recording must be longer than {samples} samples for horizon {horizon}: too short")
        if whole:
            first = trials - max(1, round(self.holdout * trials))
            return values[:first], values[first:]
        return values[:, :last], values[:, max(0, last - max(self.washout, self._reach)) :]

    def _standard(self, network: RNN) -> tuple[Tensor, Tensor]:
        """Training and held-out data, standardised."""
        fitting, held_out = (self.frame.states.transform(part, network.start) for part in self._split)
        return fitting, held_out

    def _cut(self, network: RNN, standard: Tensor, noise: float = 0.0) -> Sequences:
        """Segments of trials, seen with as much noise; on a lattice some single steps of its sites."""
        seen = stirred(standard, noise, self.seed)
        if self._shared(network):
            cut = single_steps(standard, self.frame, seen)
        else:
            washout = self._affordable(standard.shape[1])
            cut = segments(standard, self.frame, washout=washout, length=_LENGTH, seen=seen)
        return self._thinned(network, cut, cut.targets[0].numel())

    def _shared(self, network: RNN) -> bool:
        """Whether a network serves single sites of a lattice."""
        return self.sites is not None and not network.remembers

    def _thinned(self, network: RNN, trials: Trials, residuals: int) -> Trials:
        """Of the trials of a lattice, with so many residuals each, as many as a Jacobian has entries for."""
        most = max(1, int(_ENTRIES / (network.learned * residuals)))
        if self.sites is None or len(trials) <= most:
            return trials
        drawn = np.random.default_rng(self.seed).permutation(len(trials))[:most]
        return trials.subset(torch.from_numpy(np.sort(drawn)).to(network.start.device))

    def _affordable(self, samples: int) -> int:
        """The washout that a trial of this length can spare: at most a third of it, but what delays need."""
        return max(min(self.washout, max(0, (samples - self.horizon) // 3)), self._reach)

    @property
    def _reach(self) -> int:
        """See `Frame.reach`."""
        return (self.delays[0] - 1) * self.delays[1]


def _beside(measure: Callable[[Any], dict[str, float]], noise: Tensor) -> Callable[[Any], dict[str, float]]:
    """What `measure` measures, and the noise of a stage."""
    level = float(noise.mean())
    return lambda network: {**measure(network), "noise": level}


def _second_order(solver: Solver, learn: tuple[str, ...]) -> bool:
    return isinstance(solver, LevenbergMarquardt) and learn == ("bias",)


def _seems_to_hide_states(problem: Forecasting) -> bool:
    """Whether a readout of untaught units that see delays predicts held-out steps much better than one without."""
    errors, steps = [], problem.varied(closed_loop=())
    for start in (steps, steps.delayed()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit = solve(
                start, units=_PROBES, learn="readout", seed=problem.seed, recipe=Recipe.shaping(), progress=False
            )
        errors.append(start.step_error(fit.network))
    return errors[1] < _HIDDEN * errors[0]
