"""Reaching: tasks for a hand, and the sessions in which a controller and a plant meet them.

centre-out      from the centre to targets on a circle                          `CentreOut`
random          from anywhere to anywhere in a square                           `RandomReach`
Session         a task on a plant: runs a controller and returns the movement

A controller is any function (inputs, memory) -> (command, memory); its memory is None before the first step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from systems import checks
from systems.plants import Plant
from systems.plants.loads import Load

__all__ = ["SEES", "TASKS", "CentreOut", "Movement", "RandomReach", "Reaching", "Session"]

#: What a controller may see, by name, and how many numbers that is.
SEES = {"target": 2, "hand": 4, "both": 6}
#: (inputs (trial, input), memory) -> (command (trial, 2), memory).
Controller = Callable[[Tensor, object], tuple[Tensor, object]]

_PEAK = 1.875  # peak speed of a minimum-jerk movement, in mean speeds
_ROUNDING = 1e-6  # of a step: a time that misses a whole number of steps by more is refused


@dataclass(frozen=True, kw_only=True)
class Reaching(ABC):
    """Reaches of a hand, in metres, seconds and newtons; positions are counted from the home of the plant.

    Parameters
    ----------
    distance : float
        The length of a reach (m); inputs are in units of it.
    duration : float
        From the go cue to the end (s).
    wait : float
        From the start to the go cue (s); where it is above 0, the controller sees the cue as one more input.
    hold : float
        How long before the end the hand should be on the target (s); 0: at the last sample.
    sees : str
        What the controller sees: "target", the target alone; "hand", the hand from the target, and its velocity;
        "both", the target, the hand and its velocity. Positions are seen and in units of `distance`; velocities are
        felt, and in units of the peak speed of a minimum-jerk reach.
    vision_delay, proprioception_delay : float
        Age of the positions and of the velocities (s), a whole number of steps of the plant.
    vision_noise, proprioception_noise, motor_noise : float
        Standard deviation of Gaussian noise on every position seen (m), velocity felt (m/s) and command (the plant's
        unit); every trial, time, component and channel has its own draw.
    repeats : int
        Trials for each pair of start and target, which differ in their noise.
    seed : int
        Of the noise and of drawn targets.
    load : Load
        See `systems.plants.loads`.
    """

    distance: float = 0.07
    duration: float = 1.0
    wait: float = 0.0
    hold: float = 0.0
    sees: str = "target"
    vision_delay: float = 0.0
    proprioception_delay: float = 0.0
    vision_noise: float = 0.0
    proprioception_noise: float = 0.0
    motor_noise: float = 0.0
    repeats: int = 1
    seed: int = 0
    load: Load = field(default_factory=Load)

    description: ClassVar[str]

    def __post_init__(self) -> None:
        for name in ("distance", "duration"):
            checks.number(name, getattr(self, name), above=0)
        for name in (
            "wait", "vision_delay", "proprioception_delay", "vision_noise", "proprioception_noise", "motor_noise",
        ):  # fmt: skip
            checks.number(name, getattr(self, name), at_least=0)
        checks.number("hold", self.hold, at_least=0, at_most=self.duration)
        checks.choice("sees", self.sees, SEES)
        checks.whole("repeats", self.repeats, at_least=1, at_most=10**6)
        checks.seed("seed", self.seed)
        if not isinstance(self.load, Load):
            raise TypeError(f"load must be a Load such as CurlField(15.0), got {self.load!r}")

    @property
    def inputs(self) -> int:
        """How many numbers the controller sees."""
        return SEES[self.sees] + (self.wait > 0)

    @abstractmethod
    def reaches(self) -> tuple[np.ndarray, np.ndarray]:
        """Starts and targets, each (trial, 2), of the task itself."""

    @abstractmethod
    def unseen(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Starts and targets that differ from those of `reaches`; always the same ones.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        (array, array)
            Each (count, 2), in m from home.
        """

    def to_dict(self) -> dict[str, object]:
        """Name and parameters, as plain numbers and strings; `from_dict` rebuilds it."""
        name = next(name for name, kind in TASKS.items() if kind is type(self))
        return {"task": name, **asdict(self), "load": self.load.to_dict()}

    @staticmethod
    def from_dict(settings: Mapping[str, Any]) -> Reaching:
        """Rebuild a task that `to_dict` described.

        Parameters
        ----------
        settings : mapping
            As `to_dict` returns.

        Returns
        -------
        Reaching

        >>> task = CentreOut(targets=3, sees="both", vision_delay=0.07)
        >>> Reaching.from_dict(task.to_dict()) == task
        True
        """
        settings = {**settings, "load": Load.from_dict(settings["load"])}
        return checks.call(TASKS[checks.choice("task", settings.pop("task"), TASKS)], settings)


@dataclass(frozen=True, kw_only=True)
class CentreOut(Reaching):
    """Reaches from home to `targets` points, evenly spaced on a circle of radius `distance`, the first along x.

    >>> CentreOut(targets=4).reaches()[1].round(3).tolist()
    [[0.07, 0.0], [0.0, 0.07], [-0.07, 0.0], [-0.0, -0.07]]
    """

    targets: int = 8

    description: ClassVar[str] = "Reaches from the centre to targets on a circle"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole("targets", self.targets, at_least=1, at_most=10**5)

    def reaches(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Reaching.reaches`."""
        return self._circle(np.arange(self.targets) / self.targets)

    def unseen(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Evenly spaced targets that together stand as far from those of `reaches` as they can.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        (array, array)
            Each (count, 2), in m from home.

        >>> import numpy as np
        >>> seen, new = (np.degrees(np.arctan2(xy[:, 1], xy[:, 0])).round(3) for xy in (
        ...     CentreOut(targets=4).reaches()[1], CentreOut(targets=4).unseen(4)[1]))
        >>> new.tolist()
        [45.0, 135.0, -135.0, -45.0]
        """
        count = checks.whole("count", count, at_least=1)
        return self._circle(np.arange(count) / count + 0.5 / np.lcm(count, self.targets))

    def _circle(self, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        angle = 2 * np.pi * turn
        target = self.distance * np.stack([np.cos(angle), np.sin(angle)], 1)
        return np.zeros_like(target), target


@dataclass(frozen=True, kw_only=True)
class RandomReach(Reaching):
    """Reaches between points drawn uniformly in a square of half-width `distance` about home.

    The controller must see the hand: `sees` is "hand" or "both".

    >>> start, target = RandomReach(trials=5, sees="both").reaches()
    >>> bool((abs(target) <= 0.07).all()), start.shape
    (True, (5, 2))
    """

    sees: str = "both"
    trials: int = 64

    description: ClassVar[str] = "Reaches between points drawn in a square"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole("trials", self.trials, at_least=1, at_most=10**6)
        checks.choice("sees of a RandomReach, whose starts differ,", self.sees, ("hand", "both"))

    def reaches(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Reaching.reaches`."""
        return self._draw(0, self.trials)

    def unseen(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Starts and targets from another stream of the same seed.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        (array, array)
            Each (count, 2), in m from home.
        """
        return self._draw(1, checks.whole("count", count, at_least=1))

    def _draw(self, stream: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, stream])
        points = self.distance * rng.uniform(-1, 1, (count, 2, 2))
        return points[:, 0], points[:, 1]


class Movement(NamedTuple):
    """What happened at times dt, 2 dt, ...: hand and `seen` hand (trial, time, 2), the command that led there, the
    inputs it was made from (trial, time, input), the plant's states (trial, time, state) and the controller's memory,
    one entry a time."""

    position: Tensor
    velocity: Tensor
    force: Tensor
    seen: Tensor
    command: Tensor
    inputs: Tensor
    state: Tensor
    memory: list


class Session:
    """A task on a plant, its noise drawn: everything that a controller meets.

    Parameters
    ----------
    task : Reaching
        The task.
    plant : Plant
        The plant.
    reaches : (array, array), optional
        Starts and targets, each (trial, 2), from home (m); default: those of the task.
    seed : int, optional
        Of the noise; default: the task's.
    like : torch.Tensor, optional
        Gives device and type; default float64 on the CPU.

    Raises ValueError or TypeError for times that are no whole number of steps and points out of the plant's reach.

    >>> from systems import plants
    >>> session = Session(CentreOut(targets=4), plants.get("point"))
    >>> movement = session.run(lambda inputs, memory: (0.05 * inputs, None))
    >>> movement.position.shape, session.target.shape
    (torch.Size([4, 100, 2]), torch.Size([4, 2]))
    """

    def __init__(
        self,
        task: Reaching,
        plant: Plant,
        reaches: tuple[ArrayLike, ArrayLike] | None = None,
        *,
        seed: int | None = None,
        like: Tensor | None = None,
    ) -> None:
        self.task, self.plant = task, plant
        self.go = self._steps("wait")
        self.steps = self.go + self._steps("duration")
        self.end = slice(self.steps - max(1, self._steps("hold")), self.steps)
        self._vision, self._proprioception = self._steps("vision_delay"), self._steps("proprioception_delay")
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        start, target = task.reaches() if reaches is None else reaches
        start, target = plant.check_reach("start", start), plant.check_reach("target", target)
        if start.shape != target.shape:
            raise ValueError(f"start and target must have the same shape, got {start.shape} and {target.shape}")
        if (still := (start == target).all(1)).any():
            raise ValueError(f"target must differ from start, got both at {target[still.argmax()].tolist()}")
        self.start, self.target = (
            torch.as_tensor(x, dtype=like.dtype, device=like.device).repeat_interleave(task.repeats, 0)
            for x in (start, target)
        )
        seed = task.seed if seed is None else checks.seed("seed", seed)
        spread = {"vision": task.vision_noise, "proprioception": task.proprioception_noise, "motor": task.motor_noise}
        streams = np.random.SeedSequence([seed, 2]).spawn(len(spread))
        self._noise = {name: self._draw(stream, spread[name]) for name, stream in zip(spread, streams, strict=True)}

    def __len__(self) -> int:
        return len(self.start)

    @property
    def time(self) -> np.ndarray:
        """The times of the samples of a movement (s), the go cue at 0."""
        return (np.arange(1, self.steps + 1) - self.go) * self.plant.dt

    def subset(self, trials: Tensor) -> Session:
        """The session with these trials only.

        Parameters
        ----------
        trials : torch.Tensor
            Their numbers, or a mask.

        Returns
        -------
        Session
        """
        other = object.__new__(Session)
        other.__dict__.update(self.__dict__)
        other.start, other.target = self.start[trials], self.target[trials]
        other._noise = {name: noise if noise is None else noise[trials] for name, noise in self._noise.items()}
        return other

    def run(self, controller: Controller) -> Movement:
        """Let `controller` reach; differentiable wherever it is.

        Parameters
        ----------
        controller : callable
            (inputs (trial, input), memory) -> (command (trial, 2), memory); its memory is None at first.

        Returns
        -------
        Movement
        """
        load, watched = self.task.load, self.task.sees != "target"

        def outside(position: Tensor, velocity: Tensor) -> Tensor:
            return load.force(position, velocity, self.start, self.target)

        external = () if load.forceless else (outside,)
        state, memory = self.plant.rest(self.start), None
        views, felt = [self.start], [torch.zeros_like(self.start)]
        states, memories, commands, inputs = [], [], [], []
        for t in range(self.steps):
            inputs.append(self._inputs(t, views, felt))
            command, memory = controller(inputs[-1], memory)
            state = self.plant.step(state, self._noisy("motor", t, command), *external)
            if watched:
                hand = self.plant.hand(state)
                views.append(load.view(hand.position, self.start))
                felt.append(hand.velocity)
            states.append(state)
            memories.append(memory)
            commands.append(command)
        state = torch.stack(states, 1)
        hand = self.plant.hand(state)
        seen = load.view(hand.position, self.start[:, None])
        return Movement(*hand, seen, torch.stack(commands, 1), torch.stack(inputs, 1), state, memories)

    def _inputs(self, t: int, views: list[Tensor], felt: list[Tensor]) -> Tensor:
        """What the controller sees before step t, of all that there was to see and to feel."""
        length, speed = self.task.distance, _PEAK * self.task.distance / self.task.duration
        given = [] if self.task.sees == "hand" else [self.target / length]
        if self.task.sees != "target":
            view = self._noisy("vision", t, views[max(0, t - self._vision)])
            feel = self._noisy("proprioception", t, felt[max(0, t - self._proprioception)])
            from_ = self.target if self.task.sees == "hand" else 0.0
            given += [(view - from_) / length, feel / speed]
        cue = [self.start.new_full((len(self), 1), float(t >= self.go))] if self.go else []
        return torch.cat([*given, *cue], 1)

    def _noisy(self, channel: str, t: int, value: Tensor) -> Tensor:
        noise = self._noise[channel]
        return value if noise is None else value + noise[:, t]

    def _draw(self, stream: np.random.SeedSequence, spread: float) -> Tensor | None:
        if not spread:
            return None
        draws = np.random.default_rng(stream).standard_normal((len(self), self.steps, 2))
        return spread * torch.as_tensor(draws, dtype=self.start.dtype, device=self.start.device)

    def _steps(self, name: str) -> int:
        """The steps in the time that the task calls `name`."""
        value, dt = getattr(self.task, name), self.plant.dt
        steps = round(value / dt)
        if abs(value / dt - steps) > _ROUNDING:
            raise ValueError(f"{name} must be a whole number of time steps of {dt:g} s, got {value:g} s")
        return steps


#: Tasks by name.
TASKS: dict[str, type[Reaching]] = {"centre-out": CentreOut, "random": RandomReach}
