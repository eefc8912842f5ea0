"""Recurrent networks whose weights were measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn import functional

from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import Network, Trace
from rnnbias.networks.operators import Dense, Operator
from rnnbias.networks.recipe import Recipe
from rnnbias.networks.synapses import Pattern, Sparse
from systems import checks
from systems.connectomes import Connectome
from systems.labels import Labelled, dataset

__all__ = ["LEAKS", "Circuit", "Sensitivity"]

LEAKS = ("current", "rate")
_GAINS = ("output", "input")
_SHARP = 8.0  # of the bend that keeps gains above zero


class Sensitivity(NamedTuple):
    """One step of a run and its derivatives by what learns: `current` h and `rate` r (trial, unit), and `by_current`
    and `by_rate` (trial, learned, unit), where what learned is in the order of the network's parameters.
    """

    current: Tensor
    rate: Tensor
    by_current: Tensor
    by_rate: Tensor


class Circuit(Network):
    """A recurrent network whose weights are given: a measured connectome, or any graph.

    With leak "current" (Beiran & Litwin-Kumar 2025)

        h_t = h_{t-1} + a * (-h_{t-1} + W r_{t-1} + B x_{t-1}),      r_t = g * phi(h_t + b),      y_t = C r_t,

    and with leak "rate"

        h_t = W r_{t-1} + B x_{t-1},      r_t = r_{t-1} + a * (-r_{t-1} + g * phi(h_t + b)),      y_t = C r_t,

    with currents h, rates r, biases b and gains g (unit), inputs x (input), outputs y (output) and a = dt / tau, the
    time step in time constants. With `gain_at="input"` a rate is phi(g * (h + b)) instead. W (post, pre) is that of the
    connectome, sparse where it is; W, B and C never change unless `learn` names them.

    Learned parts (`learn`, any set): "bias" and "gain": shifts of b and g, one a neuron or one a group, where gains
    stay above zero, g = log(1 + exp(8 (z_0 + z))) / 8 with z_0 such that z = 0 gives the starting gain; "readout": C;
    "initial": the state at the start; "weights": the synapses that there are, and B.

    Parameters
    ----------
    connectome : Connectome
        W and the names of the neurons; `Connectome.of` makes one of an array, a graph or a table of edges.
    inputs, outputs : int or array_like
        B (unit, input) and C (output, unit), or how many inputs and outputs, whose weights are then drawn by `recipe`.
    recipe : Recipe, optional
        Draws B and C; `Recipe.paper()` by default. Its gain plays no part.
    learn : str or set of str
        What learns.
    activation : str
        A key of `ACTIVATIONS`.
    leak : str
        "current" or "rate".
    gain_at : str
        "output" or "input" of the activation.
    decay : float or array_like
        a, for all neurons or each (unit,); above 0, at most 1.
    bias, gain, initial : float or array_like
        b and g before anything is learned, and the state at the start (h, or r with leak "rate"); for all or each.
    groups : sequence of str, optional
        Label of the group of each neuron, such as its cell type, whose neurons share their learned numbers.
    learning : sequence of str, optional
        The neurons whose biases and gains learn; default: all.
    device, dtype
        As in torch; float64 by default.

    Raises ValueError or TypeError, naming the argument, for unknown names, wrong shapes and numbers out of range.

    References
    ----------
    Beiran & Litwin-Kumar 2025, Nature Neuroscience, doi:10.1038/s41593-025-02080-4.

    Examples
    --------
    >>> from systems.connectomes import celegans
    >>> worm = celegans().scaled("rows", 0.95)
    >>> net = Circuit(worm, inputs=2, groups=worm.labels("class"), learn={"bias", "gain"}, decay=0.2)
    >>> net.units, net.learned
    (302, 236)
    >>> net(torch.zeros(5, 10, 2, dtype=torch.float64)).rate.shape
    torch.Size([5, 10, 302])
    """

    parts: ClassVar[tuple[str, ...]] = ("bias", "gain", "readout", "initial", "weights")
    fewest_outputs: ClassVar[int] = 0

    recurrent: Tensor
    columns: Tensor
    starts: Tensor
    input: Tensor
    level: Tensor
    decay: Tensor
    initial: Tensor
    owner: Tensor

    def __init__(
        self,
        connectome: Connectome,
        *,
        inputs: int | ArrayLike = 0,
        outputs: int | ArrayLike = 0,
        recipe: Recipe | None = None,
        learn: str | Iterable[str] = "bias",
        activation: str = "tanh",
        leak: str = "current",
        gain_at: str = "output",
        decay: float | ArrayLike = 1.0,
        bias: float | ArrayLike = 0.0,
        gain: float | ArrayLike = 1.0,
        initial: float | ArrayLike = 0.0,
        groups: Sequence[str] | None = None,
        learning: Iterable[str] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if not isinstance(connectome, Connectome):
            raise TypeError(f"connectome must be a Connectome, see Connectome.of, got {type(connectome).__name__}")
        units = connectome.units
        recipe = recipe or Recipe.paper()
        entering = _given("inputs", inputs, (units, None))
        read = _given("outputs", outputs, (None, units))
        sizes = (
            inputs if entering is None else entering.shape[1],
            outputs if read is None else read.shape[0],
        )
        super().__init__(*sizes, recipe, learn, activation)  # type: ignore[arg-type]
        if entering is None or read is None:
            drawn = recipe.ends(units, inputs=self.inputs, outputs=self.outputs)
            entering, read = (own if own is not None else new for own, new in zip((entering, read), drawn, strict=True))
        self.units = units
        self.connectome = connectome
        self.leak = checks.choice("leak", leak, LEAKS)
        self.gain_at = checks.choice("gain_at", gain_at, _GAINS)
        steps = _each("decay", decay, units)
        if not ((steps > 0) & (steps <= 1)).all():
            raise ValueError(f"decay must be above 0 and at most 1, got {steps.min():g} to {steps.max():g}")
        level = _each("gain", gain, units)
        if not (level > 0).all():
            raise ValueError(f"gain must be above 0, got {level.min():g}")
        self.groups, owner = _owners(connectome, groups, learning)
        graph = rows(connectome)
        self.register(
            {
                "recurrent": ("weights", torch.tensor(graph["recurrent"])),
                "input": ("weights", torch.from_numpy(entering)),
                "readout": ("readout", torch.from_numpy(read)),
                "start": (None, torch.from_numpy(_each("bias", bias, units))),
                "level": (None, torch.from_numpy(level)),
                "decay": (None, torch.from_numpy(steps)),
                "initial": ("initial", torch.from_numpy(_each("initial", initial, units))),
                "bias": ("bias", torch.zeros(len(self.groups))),
                "gain": ("gain", torch.zeros(len(self.groups))),
            },
            device,
            dtype,
        )
        for name, whole in (("columns", graph["columns"]), ("starts", graph["starts"]), ("owner", owner)):
            self.register_buffer(name, torch.tensor(whole, dtype=torch.int64, device=device))

    @property
    def neurons(self) -> tuple[str, ...]:
        """The names of the units."""
        return self.connectome.neurons

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """See `Network.dims`."""
        return {
            "recurrent": ("synapse",), "input": ("unit", "input"), "readout": ("output", "unit"),
            "bias": ("group",), "gain": ("group",), "initial": ("unit",), "columns": ("synapse",),
            "starts": ("row_start",), "start": ("unit",), "level": ("unit",), "decay": ("unit",), "owner": ("unit",),
        }  # fmt: skip

    @property
    def biases(self) -> Tensor:
        """The bias b of every unit (unit,)."""
        return self.start + self._of_units(self.bias)

    @property
    def gains(self) -> Tensor:
        """The gain g of every unit (unit,)."""
        return functional.softplus(_SHARP * self._unbent()) / _SHARP if "gain" in self.learn else self.level

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> Trace:
        """Run over inputs (trial, time, input), x_0 first, from `state` (trial, unit) or the initial one.

        The trace holds h_t as `drive` and r_t as `rate`, from t = 1.
        """
        currents, rates = [], []
        for current, rate in self._run(inputs, state):
            currents.append(current)
            rates.append(rate)
        return Trace(torch.stack(currents, 1), torch.stack(rates, 1))

    def run(self, inputs: xr.DataArray | ArrayLike | int, *, dt: float = 1.0, time_units: str = "1") -> xr.Dataset:
        """Run from the initial state.

        Parameters
        ----------
        inputs : array_like or int
            (time, input) or (trial, time, input), in any order where dimensions have these names; for a circuit without
            inputs, how many steps.
        dt : float
            The time step, which labels the time.
        time_units : str
            Its units.

        Returns
        -------
        xarray.Dataset
            `rate` and `current` (trial, time, unit), and `outputs` (trial, time, output) where the circuit is read.
        """
        if isinstance(inputs, Integral):
            inputs = np.zeros((checks.whole("inputs", inputs, at_least=1), 0))
        if isinstance(inputs, xr.DataArray):
            inputs = inputs.transpose("trial", "time", "input", missing_dims="ignore")
        found = np.asarray(inputs)
        found = checks.array("inputs", found if found.ndim == 3 else found[None], shape=(None, None, self.inputs))
        with torch.no_grad():
            trace = self(torch.from_numpy(found).to(self.start))
            dims = ("trial", "time", "unit")
            made = {
                "rate": Labelled(dims, trace.rate.cpu().numpy(), "1", "rate"),
                "current": Labelled(dims, trace.drive.cpu().numpy(), "1", "current that enters, without the bias"),
            }
            if self.outputs:
                made["outputs"] = Labelled((*dims[:2], "output"), self.read(trace.rate).cpu().numpy(), "1", "output")
        times = Labelled("time", np.arange(1, found.shape[1] + 1) * dt, time_units, "time")
        coords = {"time": times, "unit": Labelled("unit", list(self.neurons), "1", "neuron")}
        return dataset(made, coords, title=f"activity of {self.connectome.name}", config=self.to_dict())

    def read(self, rate: Tensor) -> Tensor:
        """y = C r for rates (..., unit)."""
        return rate @ self.readout.T

    @cached_property
    def pattern(self) -> Pattern:
        """Where the synapses are."""
        return Pattern.of(self.columns, self.starts)

    @property
    def recurrence(self) -> Operator:
        """W by its products, in whichever way they are faster."""
        if self.pattern.dense:
            return Dense(self.pattern.written_out(self.recurrent))
        return Sparse(self.recurrent, self.pattern)

    @torch.no_grad()
    def sensitivities(self, inputs: Tensor) -> Iterator[Sensitivity]:
        """Run over inputs (trial, time, input) and carry the derivatives by biases and gains along.

        Cost: time x trials x learned x 2 x synapses operations (units^2 for small or dense connectomes).
        """
        if {*self.learn} - {"bias", "gain"}:
            raise ValueError(f"learn must be bias, gain or both for sensitivities, got {set(self.learn)}")
        recurrence, state = self.recurrence, self.initial.expand(len(inputs), -1)
        by_state = inputs.new_zeros(len(inputs), self.learned, self.units)
        by_rate = self._by_fired(state, by_state) if self.leak == "current" else by_state
        for current, rate in self._run(inputs):
            through = recurrence.apply(by_rate)
            if self.leak == "current":
                by_state = torch.lerp(by_state, through, self.decay)
                by_rate = self._by_fired(current, by_state)
                yield Sensitivity(current, rate, by_state, by_rate)
            else:
                by_rate = torch.lerp(by_rate, self._by_fired(current, through), self.decay)
                yield Sensitivity(current, rate, through, by_rate)

    def to_dict(self) -> dict[str, Any]:
        """See `Network.to_dict`."""
        return {
            **super().to_dict(),
            "leak": self.leak,
            "gain_at": self.gain_at,
            "groups": list(self.groups),
            "connectome": {
                "name": self.connectome.name,
                "source": self.connectome.source,
                "licence": self.connectome.licence,
                "digest": self.connectome.digest,
                "neurons": list(self.neurons),
                "synapses": self.connectome.synapses,
            },
        }

    def redrawn(self, learn: Iterable[str] | None = None) -> Self:
        """The network with nothing learned; `learn` names other parts to learn."""
        return self.on(self.connectome, learn=self.learn if learn is None else learn)

    def on(self, connectome: Connectome, *, learn: str | Iterable[str] | None = None) -> Self:
        """The same neurons, inputs and readout, with nothing learned, over another connectome of as many neurons."""
        settings = self.to_dict() if learn is None else {**self.to_dict(), "learn": learn}
        own = {name: value.cpu().numpy() for name, value in self.state_dict().items()}
        return self._over(connectome, settings, own, self.start.device)

    @classmethod
    def rebuilt(
        cls, settings: Mapping[str, Any], stored: Mapping[str, np.ndarray], device: torch.device | str = "cpu"
    ) -> Self:
        """See `Network.rebuilt`; `stored` holds the connectome's compressed rows as well."""
        about = settings["connectome"]
        if "columns" not in stored:
            raise ValueError(
                f"it was saved without its connectome, {about['name']!r} ({about['source']}): pass it as connectome"
            )
        compressed = (stored["recurrent"], *(np.asarray(stored[n], np.int64) for n in ("columns", "starts")))
        weights = csr_array(compressed, shape=2 * (len(about["neurons"]),))
        weights.check_format(full_check=True)
        graph = Connectome(weights, about["neurons"], **{key: about[key] for key in ("name", "source", "licence")})
        return cls._over(graph, settings, stored, device)

    @classmethod
    def _over(
        cls,
        connectome: Connectome,
        settings: Mapping[str, Any],
        stored: Mapping[str, np.ndarray],
        device: torch.device | str,
    ) -> Self:
        """A circuit over this connectome, with nothing learned, of the settings and arrays of another."""
        owner = checks.array("owner", stored["owner"], shape=(connectome.units,)).astype(int)
        groups = [str(name) for name in settings["groups"]]
        if owner.min(initial=0) < -1 or owner.max(initial=-1) >= len(groups):
            raise ValueError("owner must name groups that there are")
        return cls(
            connectome,
            inputs=stored["input"],
            outputs=stored["readout"],
            recipe=Recipe(**settings["recipe"]),
            learn=settings["learn"],
            activation=settings["activation"],
            leak=settings["leak"],
            gain_at=settings["gain_at"],
            decay=stored["decay"],
            bias=stored["start"],
            gain=stored["level"],
            initial=stored["initial"],
            groups=[groups[k] if k >= 0 else "" for k in owner],
            learning=[name for name, k in zip(connectome.neurons, owner, strict=True) if k >= 0],
            device=device,
            dtype=getattr(torch, checks.choice("dtype", settings["dtype"], ("float32", "float64"))),
        )

    @classmethod
    def part_shapes(cls, settings: Mapping[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
        """See `Network.part_shapes`."""
        units, groups = int(settings["units"]), len(settings["groups"])
        return {
            "bias": {"bias": (groups,)},
            "gain": {"gain": (groups,)},
            "readout": {"readout": (int(settings["outputs"]), units)},
            "initial": {"initial": (units,)},
            "weights": {
                "recurrent": (int(settings["connectome"]["synapses"]),),
                "input": (units, int(settings["inputs"])),
            },
        }

    def extra_repr(self) -> str:
        """Describe the network in one line."""
        return (
            f"{self.connectome.name!r}, units={self.units}, synapses={self.connectome.synapses}, inputs={self.inputs}, "
            f"outputs={self.outputs}, learn={set(self.learn)}, learned={self.learned}, leak={self.leak!r}, "
            f"activation={self.activation!r}"
        )

    def _run(self, inputs: Tensor, state: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Currents and rates (trial, unit) of every step."""
        recurrence, fire, external = self.recurrence, self._firing(), inputs @ self.input.T
        state = self.initial.expand(len(inputs), -1) if state is None else state
        rate = fire(state) if self.leak == "current" else state
        for t in range(inputs.shape[1]):
            entering = recurrence.apply(rate) + external[:, t]
            if self.leak == "current":
                current = state = torch.lerp(state, entering, self.decay)
                rate = fire(state)
            else:
                current, rate = entering, torch.lerp(rate, fire(entering), self.decay)
            yield current, rate

    def _firing(self) -> Callable[[Tensor], Tensor]:
        """h -> g phi(h + b) for currents (..., unit)."""
        phi, biases, gains = ACTIVATIONS[self.activation].value, self.biases, self.gains
        if self.gain_at == "output":
            return lambda current: self.answer(gains * phi(current + biases))
        return lambda current: self.answer(phi(gains * (current + biases)))

    def _by_fired(self, current: Tensor, by_current: Tensor) -> Tensor:
        """Derivatives (trial, learned, unit) of g phi(h + b) for h (trial, unit) with its own derivatives."""
        phi, gains, drive = ACTIVATIONS[self.activation], self.gains, current + self.biases
        if self.gain_at == "output":
            by_drive, by_gain = gains * phi.slope(drive), phi.value(drive)
        else:
            slope = phi.slope(gains * drive)
            by_drive, by_gain = gains * slope, drive * slope
        found = by_drive[:, None] * by_current
        own = {"bias": by_drive, "gain": by_gain * torch.sigmoid(_SHARP * self._unbent())}
        free = torch.nonzero(self.owner >= 0).flatten()
        for k, part in enumerate(self.learn):
            found[:, self.owner[free] + k * len(self.groups), free] += own[part][:, free]
        return found

    def _unbent(self) -> Tensor:
        """The numbers whose softplus the gains are, (unit,)."""
        start = self.level + torch.log(-torch.expm1(-_SHARP * self.level)) / _SHARP
        return start + self._of_units(self.gain)

    def _of_units(self, numbers: Tensor) -> Tensor:
        """The number of each unit's group, and 0 where it does not learn: (group,) -> (unit,)."""
        return torch.where(self.owner >= 0, numbers[self.owner.clamp(min=0)], 0.0)


def rows(connectome: Connectome) -> dict[str, np.ndarray]:
    """The compressed rows of a connectome's weights, by the names of a circuit's buffers."""
    weights = connectome.weights
    return {"recurrent": weights.data, "columns": weights.indices, "starts": weights.indptr}


def _given(name: str, value: int | ArrayLike, shape: tuple[int | None, ...]) -> np.ndarray | None:
    """Weights that are given, or None where their number is."""
    if isinstance(value, Integral):
        checks.whole(name, value, at_least=0)
        return None
    return checks.array(name, value, shape=shape)


def _each(name: str, value: float | ArrayLike, units: int) -> np.ndarray:
    """One number for every unit."""
    return (
        np.array(np.broadcast_to(checks.array(name, value), (units,)))
        if np.ndim(value) == 0
        else checks.array(name, value, shape=(units,))
    )


def _owners(
    connectome: Connectome, groups: Sequence[str] | None, learning: Iterable[str] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the groups that learn, and which of them each neuron belongs to, or -1."""
    labels = connectome.neurons if groups is None else tuple(str(label) for label in groups)
    if len(labels) != connectome.units:
        raise ValueError(f"groups must have a label for each of {connectome.units} neurons, got {len(labels)}")
    free = np.ones(connectome.units, bool)
    if learning is not None:
        free[:] = False
        free[connectome.index(list(learning))] = True
    names = tuple(dict.fromkeys(label for label, learns in zip(labels, free, strict=True) if learns))
    if not names:
        raise ValueError("learning must name at least one neuron, got none")
    place = {name: k for k, name in enumerate(names)}
    return names, np.array([place[label] if learns else -1 for label, learns in zip(labels, free, strict=True)])
