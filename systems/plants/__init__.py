"""Plants: simulated limbs, batched and differentiable, in metres, kilograms, seconds and newtons; and their loads.

    get, available      a plant by name; what there is
    from_dict           a plant from its description

point       PointMass: a point mass in the plane, driven by forces
arm         TwoLinkArm: a planar arm, driven by joint torques; with several published sets of parameters
base        Plant: what every plant is; Hand: where it is, how fast, and what drives it
loads       CurlField, VisuomotorRotation and others: what the world does to a reach

Every plant is driven by two commands through first-order actuators and has a hand in the plane, whose position is
counted from the plant's `home`. Tensors are (..., state): leading dimensions are batches.

>>> list(available())
['point', 'point-viscous', 'point-reference', 'arm', 'arm-todorov', 'arm-motornet', 'arm-26']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from systems import checks
from systems.plants import loads
from systems.plants.arm import TwoLinkArm
from systems.plants.base import External, Hand, Plant
from systems.plants.loads import (
    LOADS,
    ConstantField,
    CurlField,
    DivergentField,
    ForceChannel,
    Load,
    VisuomotorGain,
    VisuomotorRotation,
)
from systems.plants.point import PointMass

__all__ = [
    "LOADS",
    "PLANTS",
    "ConstantField",
    "CurlField",
    "DivergentField",
    "External",
    "ForceChannel",
    "Hand",
    "Load",
    "Plant",
    "PointMass",
    "TwoLinkArm",
    "VisuomotorGain",
    "VisuomotorRotation",
    "available",
    "from_dict",
    "get",
    "loads",
]

_NO_FRICTION = ((0.0, 0.0), (0.0, 0.0))

#: Plants by name; the parameter sets other than the defaults are those of published code.
PLANTS: dict[str, Plant] = {
    "point": PointMass(),
    "point-viscous": PointMass(damping=10.0),
    "point-reference": PointMass(update="reference"),
    "arm": TwoLinkArm(),
    "arm-todorov": TwoLinkArm(masses=(1.4, 1.1), friction=((0.5, 0.1), (0.1, 0.5))),
    "arm-motornet": TwoLinkArm(
        masses=(1.864572, 1.534315), lengths=(0.309, 0.26), centres=(0.180496, 0.181479),
        inertias=(0.013193, 0.020062), friction=_NO_FRICTION, about="centre",
    ),
    "arm-26": TwoLinkArm(
        masses=(1.82, 1.43), lengths=(0.309, 0.333), centres=(0.135, 0.165), inertias=(0.051, 0.057),
        friction=_NO_FRICTION, about="centre", limits=((0.0, 135.0), (0.0, 155.0)),
    ),
}  # fmt: skip

_ABOUT = {
    "point-viscous": "The point mass in a medium of 10 N s/m, which calms a hand that a controller let go",
    "point-reference": "The point mass, stepped as in apayeur/pytorch-bmi-model",
    "arm-todorov": "The arm with the parameters of Todorov's published code",
    "arm-motornet": "The arm with the parameters of MotorNet's TwoDofArm",
    "arm-26": "The arm with the parameters of MotorNet's Arm26 (Nijhof and Kouwenhoven 2000)",
}


def get(plant: str | Plant, **parameters: object) -> Plant:
    """Return the plant of this name, or the plant itself, with the given parameters changed.

    Parameters
    ----------
    plant : str or Plant
        One of `available()`, or the plant itself.
    **parameters
        Those that change.

    Returns
    -------
    Plant

    Raises
    ------
    ValueError
        For an unknown name or parameter, with the nearest.

    >>> get("point", mass=2.0).mass
    2.0
    >>> get("arn")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: plant must be one of 'point', 'point-viscous', ... got 'arn'; did you mean 'arm'?
    """
    if not isinstance(plant, Plant):
        plant = PLANTS[checks.choice("plant", plant, PLANTS)]
    settings = {field.name: getattr(plant, field.name) for field in fields(plant)}
    return checks.call(type(plant), {**settings, **parameters}) if parameters else plant


def available() -> dict[str, str]:
    """Return one line about every plant, by name.

    >>> available()["point"]
    'A point mass in the plane with first-order actuators'
    """
    return {name: _ABOUT.get(name, plant.description) for name, plant in PLANTS.items()}


def from_dict(settings: Mapping[str, object]) -> Plant:
    """Rebuild a plant that `Plant.to_dict` described.

    Parameters
    ----------
    settings : mapping
        As `Plant.to_dict` returns.

    Returns
    -------
    Plant

    >>> from_dict(get("arm-26").to_dict()) == get("arm-26")
    True
    """
    settings = dict(settings)
    kinds: dict[str, type[Plant]] = {kind.__name__: kind for kind in (PointMass, TwoLinkArm)}
    return checks.call(kinds[checks.choice("plant", settings.pop("plant"), kinds)], settings)
