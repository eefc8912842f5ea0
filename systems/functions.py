"""Static targets: functions of a point in a box, smooth, kinked, rough and discontinuous, in one to ten dimensions.

    get, available      a function by name; what there is
    Function            make your own

>>> franke = get("franke")
>>> franke.inputs, franke.sample(100, seed=1).y.sizes
(('x', 'y'), Frozen({'trial': 100, 'output': 1}))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from systems import checks
from systems.labels import Labelled, dataset

__all__ = ["KINDS", "Function", "available", "get"]

#: From the easiest to the hardest to approximate.
KINDS = ("analytic", "kinked", "rough", "discontinuous")
_MOST_NUMBERS = 2**27


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Function:
    """A function of a point in a box, y = value(x).

    >>> saddle = Function(name="saddle", box=[(-1, 1), (-1, 1)], value=lambda x: x[:, 0] * x[:, 1])
    >>> saddle([[0.5, 0.5]])
    array([[0.25]])

    Attributes
    ----------
    name : str
        A short identifier.
    box : sequence of (low, high)
        The interval of every input; closed, finite and not empty.
    value : callable
        x (sample, input), a float64 array, to y (sample,) or (sample, output).
    inputs, outputs : sequence of str
        Names; default: x0, x1, ... and y, or y0, y1, ...
    units : mapping
        Units of inputs and outputs, by name; "1" (dimensionless) where absent.
    kind : str
        One of `KINDS`, or "" where it is not known.
    description : str
        One line.
    parameters : mapping
        The numbers behind `value`, for the record.
    reference : str
        Where it comes from.

    Raises ValueError or TypeError, naming the argument, for a box that is empty or not finite and for a `value` that
    does not return one row a sample.
    """

    name: str
    box: Sequence[tuple[float, float]]
    value: Callable[[np.ndarray], ArrayLike]
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    description: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    reference: str = ""

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        sides = checks.array("box", self.box, shape=(None, 2))
        if not len(sides) or (sides[:, 0] >= sides[:, 1]).any():
            raise ValueError(f"box must hold one or more (low, high) with low < high, got {sides.tolist()}")
        put("box", tuple((float(low), float(high)) for low, high in sides))
        if self.kind:
            checks.choice("kind", self.kind, KINDS)
        put("inputs", tuple(self.inputs) or tuple(f"x{i}" for i in range(len(sides))))
        if len(self.inputs) != len(sides):
            raise ValueError(f"inputs must name the {len(sides)} sides of the box, got {self.inputs}")
        found = _column(self.value(sides.mean(1)[None].repeat(2, 0)), 2, "value of the centre of the box")
        default = ("y",) if found.shape[1] == 1 else tuple(f"y{i}" for i in range(found.shape[1]))
        put("outputs", tuple(self.outputs) or default)
        if len(self.outputs) != found.shape[1]:
            raise ValueError(f"outputs must name the {found.shape[1]} columns of the value, got {self.outputs}")
        names = [*self.inputs, *self.outputs]
        for key in self.units:
            checks.choice("key of units", key, names)
        put("units", {key: self.units.get(key, "1") for key in names})

    def __repr__(self) -> str:
        return f"Function({', '.join([repr(self.name), *(f'{k}={v:g}' for k, v in self.parameters.items())])})"

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """The values (sample, output) at points x (sample, input); refuses NaN and wrong shapes."""
        x = checks.array("x", x, shape=(None, len(self.box)))
        return _column(self.value(x), len(x), "value")

    @property
    def low(self) -> np.ndarray:
        """The lower ends of the box (input,)."""
        return np.array(self.box)[:, 0]

    @property
    def high(self) -> np.ndarray:
        """The upper ends of the box (input,)."""
        return np.array(self.box)[:, 1]

    def sample(self, samples: int, *, seed: int = 0, noise: float = 0.0) -> xr.Dataset:
        """Draw points of the box and the values there.

        The points are a scrambled Sobol sequence (Owen 1998), which leaves no gaps.

        Parameters
        ----------
        samples : int
            How many.
        seed : int
            Of the scrambling and the noise.
        noise : float
            Gaussian noise on y, in standard deviations of each output over the sample.

        Returns
        -------
        xr.Dataset
            `x` (trial, input) and `y` (trial, output).
        """
        from scipy.stats import qmc

        samples = checks.whole("samples", samples, at_least=1)
        checks.whole("samples x inputs", samples * len(self.box), at_most=_MOST_NUMBERS)
        seed = checks.seed("seed", seed)
        noise = checks.number("noise", noise, at_least=0)
        points, errors = np.random.SeedSequence(seed).spawn(2)
        sobol = qmc.Sobol(len(self.box), seed=np.random.default_rng(points))
        unit = sobol.random(1 << (samples - 1).bit_length())[:samples]
        x = qmc.scale(unit, self.low, self.high)
        y = self(x)
        if noise:
            y = y + noise * y.std(0) * np.random.default_rng(errors).standard_normal(y.shape)
        return self.label(x, y, {"seed": seed, "noise": noise})

    def grid(self, points: int) -> xr.Dataset:
        """The values on a regular grid, the last input running fastest.

        Parameters
        ----------
        points : int
            On a side.

        Returns
        -------
        xr.Dataset
            As `sample` returns.
        """
        points = checks.whole("points", points, at_least=2)
        checks.whole("points ** inputs", points ** len(self.box), at_most=_MOST_NUMBERS)
        sides = [np.linspace(low, high, points) for low, high in self.box]
        x = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, len(self.box))
        return self.label(x, self(x), {"seed": 0, "points": points})

    def label(self, x: np.ndarray, y: np.ndarray, about: Mapping[str, object]) -> xr.Dataset:
        """Points and values as a Dataset.

        Parameters
        ----------
        x : array (sample, input)
            Points.
        y : array (sample, output)
            Values.
        about : mapping
            Joins the configuration.

        Returns
        -------
        xr.Dataset
        """
        return dataset(
            {
                "x": Labelled(("trial", "input"), x, "1", "point"),
                "y": Labelled(("trial", "output"), y, "1", "value"),
            },
            {
                "trial": Labelled("trial", np.arange(len(x)), "1", "sample"),
                "input": Labelled("input", list(self.inputs), "1", "input"),
                "output": Labelled("output", list(self.outputs), "1", "output"),
                "input_units": Labelled("input", [self.units[n] for n in self.inputs], "1", "units of each input"),
                "output_units": Labelled("output", [self.units[n] for n in self.outputs], "1", "units of each output"),
            },
            title=f"samples of {self.name}",
            config={"function": self.name, "parameters": dict(self.parameters), **about},
            references=self.reference,
        )


def get(name: str, **parameters: float) -> Function:
    """Return the function of this name, with the given parameters changed.

    Parameters
    ----------
    name : str
        One of `available()`.
    **parameters : float
        Those that change.

    Returns
    -------
    Function

    Raises
    ------
    ValueError
        For an unknown name or parameter, with the nearest.

    >>> get("frank")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: name must be one of 'runge', ... did you mean 'franke'?
    """
    return checks.call(_BUILT_IN[checks.choice("name", name, _BUILT_IN)], parameters)


def available() -> dict[str, str]:
    """Return one line about every built-in function, by name.

    >>> available()["step"]
    'A step: 0 below the middle and 1 above'
    """
    return {name: make().description for name, make in _BUILT_IN.items()}


def runge(sharpness: float = 25.0) -> Function:
    """Runge's function, 1 / (1 + sharpness x^2) on [-1, 1].

    Parameters
    ----------
    sharpness : float
        Greater than 0.

    Returns
    -------
    Function
    """
    sharpness = checks.number("sharpness", sharpness, above=0)
    return Function(
        name="runge",
        box=[(-1, 1)],
        inputs=("x",),
        value=lambda x: 1 / (1 + sharpness * x[:, 0] ** 2),
        kind="analytic",
        description="Runge's bell, which equally spaced polynomials miss",
        parameters={"sharpness": sharpness},
        reference="Runge 1901, Zeitschrift fuer Mathematik und Physik 46, 224-243",
    )


def franke() -> Function:
    """Franke's surface on the unit square: two peaks, a slope and a dip."""

    def value(x):
        u, v = 9 * x.T
        return (
            0.75 * np.exp(-((u - 2) ** 2 + (v - 2) ** 2) / 4)
            + 0.75 * np.exp(-((u + 1) ** 2) / 49 - (v + 1) / 10)
            + 0.5 * np.exp(-((u - 7) ** 2 + (v - 3) ** 2) / 4)
            - 0.2 * np.exp(-((u - 4) ** 2) - (v - 7) ** 2)
        )

    return Function(
        name="franke",
        box=[(0, 1)] * 2,
        inputs=("x", "y"),
        outputs=("z",),
        value=value,
        kind="analytic",
        description="Franke's surface: two peaks, a slope and a dip in the plane",
        reference="Franke 1979, Naval Postgraduate School Technical Report NPS-53-79-003",
    )


def gaussian(width: float = 0.2, dimension: int = 2) -> Function:
    """A Gaussian bump exp(-|x|^2 / (2 width^2)) on [-1, 1]^dimension.

    Parameters
    ----------
    width : float
        Greater than 0.
    dimension : int
        From 1 to 100.

    Returns
    -------
    Function
    """
    width = checks.number("width", width, above=0)
    dimension = checks.whole("dimension", dimension, at_least=1, at_most=100)
    return Function(
        name="gaussian",
        box=[(-1, 1)] * dimension,
        value=lambda x: np.exp(-(x**2).sum(1) / (2 * width**2)),
        kind="analytic",
        description="A Gaussian bump, in as many dimensions as wanted",
        parameters={"width": width, "dimension": dimension},
    )


def arm(upper: float = 0.33, fore: float = 0.42) -> Function:
    """The hand (m) of a planar arm, from shoulder and elbow angle (rad).

    Parameters
    ----------
    upper, fore : float
        Lengths of the links (m).

    Returns
    -------
    Function
    """
    upper = checks.number("upper", upper, above=0)
    fore = checks.number("fore", fore, above=0)

    def value(x):
        shoulder, hand = x[:, 0], x.sum(1)
        return np.stack(
            [upper * np.cos(shoulder) + fore * np.cos(hand), upper * np.sin(shoulder) + fore * np.sin(hand)], 1
        )

    return Function(
        name="arm",
        box=[(-0.5, 2.5), (0, 2.7)],
        inputs=("shoulder", "elbow"),
        outputs=("hand_x", "hand_y"),
        units={"shoulder": "rad", "elbow": "rad", "hand_x": "m", "hand_y": "m"},
        value=value,
        kind="analytic",
        description="The hand of a planar two-link arm, from its joint angles",
        parameters={"upper": upper, "fore": fore},
    )


def friedman() -> Function:
    """Friedman's function of ten inputs in [0, 1], of which the last five do nothing.

    10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4
    """
    return Function(
        name="friedman",
        box=[(0, 1)] * 10,
        value=lambda x: (
            10 * np.sin(math.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
        ),
        kind="analytic",
        description="Friedman's function of five inputs among ten",
        reference="Friedman 1991, Annals of Statistics 19, 1-67",
    )


def oscillatory(frequency: float = 6.0, dimension: int = 3) -> Function:
    """Genz's oscillatory function, cos(frequency (x0 + ... ) / sqrt(dimension)) on [0, 1]^dimension.

    Parameters
    ----------
    frequency : float
        Along the diagonal (rad).
    dimension : int
        From 1 to 100.

    Returns
    -------
    Function
    """
    frequency = checks.number("frequency", frequency)
    dimension = checks.whole("dimension", dimension, at_least=1, at_most=100)
    return Function(
        name="oscillatory",
        box=[(0, 1)] * dimension,
        value=lambda x: np.cos(frequency * x.sum(1) / math.sqrt(dimension)),
        kind="analytic",
        description="Genz's plane wave, in as many dimensions as wanted",
        parameters={"frequency": frequency, "dimension": dimension},
        reference="Genz 1984, in Tools, Methods and Languages for Scientific and Engineering Computation, 81-94",
    )


def cone(dimension: int = 2) -> Function:
    """The distance from the centre, |x| on [-1, 1]^dimension: Lipschitz, with a kink at 0.

    Parameters
    ----------
    dimension : int
        From 1 to 100.

    Returns
    -------
    Function
    """
    dimension = checks.whole("dimension", dimension, at_least=1, at_most=100)
    return Function(
        name="cone",
        box=[(-1, 1)] * dimension,
        value=lambda x: np.linalg.norm(x, axis=1),
        kind="kinked",
        description="The distance from the centre: a cone with a sharp tip",
        parameters={"dimension": dimension},
    )


def weierstrass(exponent: float = 0.5, ratio: float = 2.0, terms: int = 12) -> Function:
    """The first `terms` of Weierstrass's sum of ratio^(-k exponent) cos(pi ratio^k x), k = 0, 1, ..., on [-1, 1].

    With all its terms it is continuous and has no derivative anywhere where exponent <= 1 (Hardy 1916).

    Parameters
    ----------
    exponent : float
        Greater than 0, at most 1.
    ratio : float
        Of one frequency to the last, greater than 1.
    terms : int
        From 1 to 50.

    Returns
    -------
    Function
    """
    exponent = checks.number("exponent", exponent, above=0, at_most=1)
    ratio = checks.number("ratio", ratio, above=1)
    terms = checks.whole("terms", terms, at_least=1, at_most=50)
    k = np.arange(terms)
    return Function(
        name="weierstrass",
        box=[(-1, 1)],
        inputs=("x",),
        value=lambda x: np.cos(math.pi * x * ratio**k) @ ratio ** (-exponent * k),
        kind="rough",
        description="Weierstrass's function, cut off: continuous and rough at every scale",
        parameters={"exponent": exponent, "ratio": ratio, "terms": terms},
        reference="Hardy 1916, Transactions of the American Mathematical Society 17, 301-325",
    )


def step() -> Function:
    """0 below the middle of [0, 1] and 1 from there on."""
    return Function(
        name="step",
        box=[(0, 1)],
        inputs=("x",),
        value=lambda x: (x[:, 0] >= 0.5).astype(float),
        kind="discontinuous",
        description="A step: 0 below the middle and 1 above",
    )


def checkerboard(fields: int = 4) -> Function:
    """-1 and 1 on the fields of a board of `fields` x `fields` on the unit square.

    Parameters
    ----------
    fields : int
        On a side, from 2 to 1,000.

    Returns
    -------
    Function
    """
    fields = checks.whole("fields", fields, at_least=2, at_most=1000)
    return Function(
        name="checkerboard",
        box=[(0, 1)] * 2,
        inputs=("x", "y"),
        outputs=("z",),
        value=lambda x: 1.0 - 2.0 * (np.minimum(np.floor(x * fields), fields - 1).sum(1) % 2),
        kind="discontinuous",
        description="A checkerboard of -1 and 1",
        parameters={"fields": fields},
    )


_BUILT_IN = {
    make.__name__: make
    for make in (
        runge, franke, gaussian, arm, friedman, oscillatory, cone, weierstrass, step, checkerboard,
    )
}  # fmt: skip


def _column(values: ArrayLike, samples: int, what: str) -> np.ndarray:
    values = checks.array(what, values)
    if values.ndim not in (1, 2) or len(values) != samples:
        raise ValueError(f"{what} must have shape ({samples},) or ({samples}, outputs), got {values.shape}")
    return values.reshape(samples, -1)
