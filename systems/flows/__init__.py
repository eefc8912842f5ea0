"""Dynamical systems as data: vector field, parameters, units, time scales, reference. `systems.get` finds them by name.

base            System: make your own; box: a rule for its starts
lattice         Lattice: which neighbours matter, where one law holds at every site
chaos           lorenz63, rossler, lorenz96, thomas, halvorsen, chen, aizawa, duffing
pendulum        double_pendulum
delay           mackey_glass; DelaySystem: a system with one delay
spatial         kuramoto_sivashinsky; RingSystem: a field on a ring
oscillators     cosine, stuart_landau, van_der_pol, fitzhugh_nagumo, brusselator
curves          lissajous, figure_eight; outline: a closed curve through points of your own
catalogue       flow, flows: those of the dysts package
measure         lyapunov, period: time scales measured, for parameters of your own
"""

from systems.flows import catalogue, chaos, curves, delay, measure, oscillators, pendulum, spatial
from systems.flows.base import System, box
from systems.flows.delay import DelaySystem
from systems.flows.lattice import Lattice

__all__ = [
    "DelaySystem",
    "Lattice",
    "System",
    "box",
    "catalogue",
    "chaos",
    "curves",
    "delay",
    "measure",
    "oscillators",
    "pendulum",
    "spatial",
]
