"""Dynamical systems as data: vector field, parameters, units, time scales, reference.

base         System: make your own; box: a rule for its starts
chaos        lorenz63, rossler, lorenz96, thomas, halvorsen, chen, aizawa, duffing
pendulum     double_pendulum
delay        mackey_glass; DelaySystem
spatial      kuramoto_sivashinsky; RingSystem
oscillators  cosine, stuart_landau, van_der_pol, fitzhugh_nagumo, brusselator
curves       lissajous, figure_eight, and outline for curves of your own
catalogue    the flows of the dysts package
measure      lyapunov, period: time scales measured, for parameters of your own
"""

from systems.flows import catalogue, chaos, curves, delay, measure, oscillators, pendulum, spatial
from systems.flows.base import System, box
from systems.flows.delay import DelaySystem

__all__ = [
    "DelaySystem",
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
