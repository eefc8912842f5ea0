"""What is to be imitated, controlled, approximated or told apart. Nothing here knows of networks.

    get, available      a dynamical system by name; one line about everything that there is
    System, box         make your own; a rule for its starts
    Lattice             which neighbours matter, where one law holds at every site

flows       Dynamical systems as data: vector field, parameters, units, time scales, reference. Chaos, oscillators, the
            double pendulum, delays, fields on a ring, closed curves, and the flows of the dysts package
plants      Limbs that reach, batched and differentiable, in metres, seconds and newtons: a point mass, a two-link arm;
            loads: what the world does to the hand and to the sight of it
tasks       What is asked over time. reaching: CentreOut, RandomReach and the Session in which a controller meets a
            plant; losses: named terms that add and scale; cognitive: flip-flop, interval timing, delayed match
images      Labelled images: MNIST-format folders, scikit-learn's digits, OpenML, rendered numerals of many scripts
connectomes Measured wiring, sparse, by name and label; read, scaled, signed, shuffled. The worm is included
functions   Static targets: functions of a point in a box, from analytic to discontinuous

`plants`, `plants.loads`, `tasks`, `images`, `connectomes` and `functions` each have a `get` and an `available` of their
own. Beside them, `integrate` and `maps` follow flows and maps, `labels` makes Datasets and `checks` refuses wrong
arguments.

>>> import systems
>>> data = systems.get("lorenz63", rho=35.0).simulate(trials=2, duration=1.0, seed=3)
>>> data.trajectory.dims, data.attrs["dt"]
(('trial', 'time', 'state'), 0.02)
"""

from __future__ import annotations

from collections.abc import Callable

from systems import checks, connectomes, flows, functions, images, plants, tasks
from systems.flows import Lattice, System, box, catalogue, chaos, curves, delay, oscillators, pendulum, spatial

__all__ = [
    "Lattice", "System", "available", "box", "connectomes", "flows", "functions", "get", "images", "plants", "tasks",
]  # fmt: skip

_BUILT_IN: dict[str, Callable[..., System]] = {
    make.__name__: make
    for make in (
        chaos.lorenz63, chaos.rossler, chaos.lorenz96, chaos.thomas, chaos.halvorsen, chaos.chen,
        chaos.aizawa, chaos.duffing, pendulum.double_pendulum, delay.mackey_glass,
        spatial.kuramoto_sivashinsky, oscillators.cosine, oscillators.stuart_landau,
        oscillators.van_der_pol, oscillators.fitzhugh_nagumo, oscillators.brusselator,
        curves.lissajous, curves.figure_eight,
    )
}  # fmt: skip


def get(name: str, **parameters: float) -> System:
    """Return the system of this name, with the given parameters changed.

    Parameters
    ----------
    name : str
        A name from `available()`, or "dysts:NAME" for a flow of the dysts package.
    **parameters : float
        Those that change. A stored Lyapunov exponent or period then no longer holds and is None; see
        `System.with_parameters`.

    Returns
    -------
    System

    Raises
    ------
    ValueError
        For an unknown name or parameter, with the nearest; for the name of a file, with how to open it.

    >>> get("lorentz63")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: name must be one of 'lorenz63', ... did you mean 'lorenz63'?
    """
    if isinstance(name, str) and name.startswith("dysts:"):
        return catalogue.flow(name.removeprefix("dysts:"), **parameters)
    checks.no_file("system", name)
    return _BUILT_IN[checks.choice("name", name, _BUILT_IN)](**parameters)


def available(kind: str = "system") -> dict[str, str]:
    """Return one line about everything built in that is of this kind, by name.

    Parameters
    ----------
    kind : str
        What is wanted, and what gets it by name:

        - "system": `get`, which also takes "dysts:NAME" for a NAME in `systems.flows.catalogue.flows()`;
        - "plant": `plants.get`;
        - "load": `plants.loads.get`;
        - "task": `tasks.get`, reaching and cognitive;
        - "function": `functions.get`;
        - "connectome": `connectomes.get`;
        - "image": `images.get`.

    Returns
    -------
    dict
        One line by name.

    >>> available()["cosine"]
    'A cosine and its sine: the harmonic oscillator'
    >>> list(available("task"))
    ['centre-out', 'random', 'flip_flop', 'interval_timing', 'delayed_match']
    """
    kinds: dict[str, Callable[[], dict[str, str]]] = {
        "system": lambda: {name: make().description for name, make in _BUILT_IN.items()},
        "plant": plants.available,
        "load": plants.loads.available,
        "task": tasks.available,
        "function": functions.available,
        "connectome": connectomes.available,
        "image": images.available,
    }
    return kinds[checks.choice("kind", kind, kinds)]()
