"""Target dynamical systems, each as data: vector field, parameters, units, time scales, reference.

    get, available      a system by name; what there is
    System, box         make your own; a rule for its starts
    chaos               lorenz63, rossler, lorenz96, thomas, halvorsen, chen, aizawa, duffing
    pendulum            double_pendulum
    delay               mackey_glass; DelaySystem
    spatial             kuramoto_sivashinsky; RingSystem
    oscillators         cosine, stuart_landau, van_der_pol, fitzhugh_nagumo, brusselator
    curves              lissajous, figure_eight, and outline for curves of your own
    catalogue           the flows of the dysts package
    functions           static targets in a room of their own: functions.get, functions.available
    measure             lyapunov, period: time scales measured, for parameters of your own

>>> import systems
>>> data = systems.get("lorenz63", rho=35.0).simulate(trials=2, duration=1.0, seed=3)
>>> data.trajectory.dims, data.attrs["dt"]
(('trial', 'time', 'state'), 0.02)
"""

from __future__ import annotations

from systems import catalogue, chaos, checks, curves, delay, functions, measure, oscillators, pendulum, spatial
from systems.base import System, box

__all__ = ["System", "available", "box", "functions", "get", "measure"]

_BUILT_IN = {
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

    "dysts:NAME" is a flow of the dysts package. Where parameters change, a stored Lyapunov exponent or
    period no longer holds and is None; see `System.with_parameters`.

    >>> get("lorentz63")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: name must be one of 'lorenz63', ... did you mean 'lorenz63'?
    """
    if isinstance(name, str) and name.startswith("dysts:"):
        return catalogue.flow(name.removeprefix("dysts:"), **parameters)
    return _BUILT_IN[checks.choice("name", name, _BUILT_IN)](**parameters)


def available() -> dict[str, str]:
    """Return one line about every built-in system, by name.

    >>> available()["cosine"]
    'A cosine and its sine: the harmonic oscillator'
    """
    return {name: make().description for name, make in _BUILT_IN.items()}
