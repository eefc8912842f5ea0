"""Cognitive tasks as trials: what a network is shown, what it should answer, and when the answer counts.

    flip_flop           remember the sign of the last pulse on each of several channels
    interval_timing     wait as long after the second cue as it came after the first
    delayed_match       say whether two stimuli with a delay between them were the same

Time counts in steps. References: Sussillo & Barak 2013, Neural Comput. 25, 626 (flip-flop); Wang et al. 2018, Nat.
Neurosci. 21, 102 and Sohn et al. 2019, Neuron 103, 934 (interval timing); Miller, Erickson & Desimone 1996, J.
Neurosci. 16, 5154 (delayed match to sample).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["TASKS", "CognitiveTask", "DelayedMatch", "FlipFlop", "IntervalTiming", "available", "get"]


@dataclass(frozen=True)
class CognitiveTask(ABC):
    """A task whose trials can be drawn: a frozen dataclass of settings."""

    name: ClassVar[str]
    description: ClassVar[str]

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the input channels."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """The length of a trial."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw one trial.

        Parameters
        ----------
        rng : numpy.random.Generator
            All of its chance.

        Returns
        -------
        (array, array, array)
            Inputs (time, input), targets and mask (time, output); the mask is 1 where answers count.
        """

    def trials(self, count: int, *, seed: int = 0) -> xr.Dataset:
        """Draw trials.

        Parameters
        ----------
        count : int
            How many.
        seed : int
            Trial k depends on the seed and on k alone.

        Returns
        -------
        xr.Dataset
            `inputs` (trial, time, input), `targets` and `mask` (trial, time, output).

        >>> get("flip_flop", bits=2).trials(5).targets.sizes
        Frozen({'trial': 5, 'time': 200, 'output': 2})
        """
        count = checks.whole("count", count, at_least=1)
        seed = checks.seed("seed", seed)
        drawn = [self.draw(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))) for k in range(count)]
        return self.label(*(np.stack(each) for each in zip(*drawn, strict=True)), seed=seed)

    def label(self, inputs: np.ndarray, targets: np.ndarray, mask: np.ndarray, **more: object) -> xr.Dataset:
        """Trials of one's own as a Dataset.

        Parameters
        ----------
        inputs : array (trial, time, input)
            What is shown.
        targets, mask : array (trial, time, output)
            The right answers, and 1 where they count.
        **more
            Joins the configuration.

        Returns
        -------
        xr.Dataset
            As `trials` returns.
        """
        answer = ("trial", "time", "output")
        return dataset(
            {
                "inputs": Labelled(("trial", "time", "input"), inputs, "1", "input"),
                "targets": Labelled(answer, targets, "1", "right answer"),
                "mask": Labelled(answer, mask, "1", "1 where the answer counts, else 0"),
            },
            {
                "trial": Labelled("trial", np.arange(len(inputs)), "1", "trial"),
                "time": Labelled("time", np.arange(inputs.shape[1]), "1", "time in steps"),
                "input": Labelled("input", list(self.inputs), "1", "input channel"),
                "output": Labelled("output", list(self.outputs), "1", "output"),
            },
            title=self.description,
            config={"task": self.name, **asdict(self), **more},
        )


@dataclass(frozen=True)
class FlipFlop(CognitiveTask):
    """Several bits: each output is the sign of the last pulse on its channel.

    A trial begins with a pulse on every channel at once, which sets the bits; pulses on single channels follow, each
    after a gap drawn from `shortest` to `longest`, evenly on a logarithmic scale. A bit counts except during its own
    pulse and for `grace` steps after it.

    Parameters
    ----------
    bits : int
        Channels and outputs.
    length : int
        Steps of a trial.
    pulse, grace : int
        Length of a pulse, and steps after it in which the answer may still be wrong.
    shortest, longest : int
        Steps from the end of one pulse to the start of the next.
    """

    bits: int = 3
    length: int = 200
    pulse: int = 5
    grace: int = 5
    shortest: int = 10
    longest: int = 200
    name: ClassVar[str] = "flip_flop"
    description: ClassVar[str] = "Flip-flop: remember the sign of the last pulse on each channel"

    def __post_init__(self) -> None:
        checks.whole("bits", self.bits, at_least=1, at_most=16)
        for key in ("pulse", "shortest"):
            checks.whole(key, getattr(self, key), at_least=1)
        checks.whole("grace", self.grace, at_least=0)
        checks.whole("longest", self.longest, at_least=self.shortest)
        checks.whole("length", self.length, at_least=2 * self.pulse + self.grace)

    @property
    def inputs(self) -> tuple[str, ...]:
        """One channel a bit."""
        return tuple(f"pulse {k}" for k in range(self.bits))

    @property
    def outputs(self) -> tuple[str, ...]:
        """One output a bit."""
        return tuple(f"bit {k}" for k in range(self.bits))

    @property
    def steps(self) -> int:
        """The length of a trial."""
        return self.length

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `CognitiveTask.draw`."""
        signs = rng.choice([-1.0, 1.0], self.bits)
        inputs, targets, mask = self._set(signs, self.length)
        time = self.pulse + self._gap(rng)
        while time + self.pulse <= self.length:
            bit, sign = int(rng.integers(self.bits)), rng.choice([-1.0, 1.0])
            inputs[time : time + self.pulse, bit] = sign
            targets[time:, bit] = sign
            mask[time : time + self.pulse + self.grace, bit] = 0
            time += self.pulse + self._gap(rng)
        return inputs, targets, mask

    def memories(self, hold: int) -> xr.Dataset:
        """One trial for each of the 2^bits memories, set and then held without input.

        Parameters
        ----------
        hold : int
            Steps.

        Returns
        -------
        xr.Dataset
            As `trials` returns.

        >>> get("flip_flop", bits=2).memories(50).targets[:, -1].values.tolist()
        [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
        """
        hold = checks.whole("hold", hold, at_least=1)
        count = np.arange(2**self.bits)[:, None] >> np.arange(self.bits)[::-1]
        parts = [self._set(signs, self.pulse + self.grace + hold) for signs in 2.0 * (count & 1) - 1]
        return self.label(*(np.stack(each) for each in zip(*parts, strict=True)), hold=hold)

    def _gap(self, rng: np.random.Generator) -> int:
        return round(self.shortest * (self.longest / self.shortest) ** rng.random())

    def _set(self, signs: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inputs, mask = np.zeros((steps, self.bits)), np.ones((steps, self.bits))
        inputs[: self.pulse], mask[: self.pulse + self.grace] = signs, 0
        return inputs, np.tile(signs, (steps, 1)), mask


@dataclass(frozen=True)
class IntervalTiming(CognitiveTask):
    """Ready, set, go: the output climbs from 0 at the second cue to 1 as long after it as it came after the first.

    The interval is drawn evenly from `shortest` to `longest`. The answer counts from the start to the goal.

    Parameters
    ----------
    shortest, longest : int
        Steps from cue to cue.
    pulse : int
        Length of a cue.
    wait : int
        Most steps before the first cue.
    """

    shortest: int = 20
    longest: int = 40
    pulse: int = 5
    wait: int = 10
    name: ClassVar[str] = "interval_timing"
    description: ClassVar[str] = "Interval timing: wait as long after the second cue as it came after the first"

    def __post_init__(self) -> None:
        checks.whole("pulse", self.pulse, at_least=1)
        checks.whole("shortest", self.shortest, at_least=self.pulse)
        checks.whole("longest", self.longest, at_least=self.shortest)
        checks.whole("wait", self.wait, at_least=0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """A channel for each cue."""
        return ("ready", "set")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The climb."""
        return ("climb",)

    @property
    def steps(self) -> int:
        """The length of a trial."""
        return self.wait + 2 * self.longest + 1

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `CognitiveTask.draw`."""
        interval = int(rng.integers(self.shortest, self.longest + 1))
        ready = int(rng.integers(self.wait + 1))
        second, goal = ready + interval, ready + 2 * interval
        inputs, targets, mask = np.zeros((self.steps, 2)), np.zeros((self.steps, 1)), np.zeros((self.steps, 1))
        inputs[ready : ready + self.pulse, 0] = 1
        inputs[second : second + self.pulse, 1] = 1
        targets[second : goal + 1, 0] = np.arange(interval + 1) / interval
        targets[goal + 1 :] = 1
        mask[: goal + 1] = 1
        return inputs, targets, mask


@dataclass(frozen=True)
class DelayedMatch(CognitiveTask):
    """Delayed match to sample: 1 if the test stimulus is the sample again, else -1.

    Half of the trials match; stimuli, and the delay from `shortest` to `longest`, are drawn evenly. The answer counts
    for `answer` steps that begin `grace` steps after the test stimulus.

    Parameters
    ----------
    stimuli : int
        How many there are, each with a channel of its own.
    pulse : int
        Length of a stimulus.
    shortest, longest : int
        Steps from the end of the sample to the start of the test.
    grace, answer : int
        See above.
    """

    stimuli: int = 2
    pulse: int = 10
    shortest: int = 20
    longest: int = 60
    grace: int = 5
    answer: int = 15
    name: ClassVar[str] = "delayed_match"
    description: ClassVar[str] = "Delayed match to sample: were the two stimuli the same?"

    def __post_init__(self) -> None:
        checks.whole("stimuli", self.stimuli, at_least=2)
        for key in ("pulse", "shortest", "answer"):
            checks.whole(key, getattr(self, key), at_least=1)
        checks.whole("longest", self.longest, at_least=self.shortest)
        checks.whole("grace", self.grace, at_least=0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """One channel a stimulus."""
        return tuple(f"stimulus {k}" for k in range(self.stimuli))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The answer."""
        return ("match",)

    @property
    def steps(self) -> int:
        """The length of a trial."""
        return 2 * self.pulse + self.longest + self.grace + self.answer

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `CognitiveTask.draw`."""
        sample = int(rng.integers(self.stimuli))
        apart = 0 if rng.random() < 0.5 else int(rng.integers(1, self.stimuli))
        test = (sample + apart) % self.stimuli
        second = self.pulse + int(rng.integers(self.shortest, self.longest + 1))
        first = second + self.pulse + self.grace
        inputs, targets, mask = (np.zeros((self.steps, size)) for size in (self.stimuli, 1, 1))
        inputs[: self.pulse, sample] = 1
        inputs[second : second + self.pulse, test] = 1
        targets[second:] = 1.0 if sample == test else -1.0
        mask[first : first + self.answer] = 1
        return inputs, targets, mask


#: Tasks by name.
TASKS: dict[str, type[CognitiveTask]] = {task.name: task for task in (FlipFlop, IntervalTiming, DelayedMatch)}


def get(name: str, **settings: int) -> CognitiveTask:
    """Return the task of this name, with the given settings.

    Parameters
    ----------
    name : str
        One of `available()`.
    **settings : int
        Of the task; others keep their defaults.

    Returns
    -------
    CognitiveTask

    Raises
    ------
    ValueError
        For an unknown name or setting, with the nearest.

    >>> get("flip_flop", bits=2).outputs
    ('bit 0', 'bit 1')
    """
    return checks.call(TASKS[checks.choice("name", name, TASKS)], settings)


def available() -> dict[str, str]:
    """Return one line about every task, by name."""
    return {name: task.description for name, task in TASKS.items()}
