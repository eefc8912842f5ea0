"""Networks with frozen random weights: trainable parts are parameters, frozen ones are buffers.

recipe            `Recipe`: the law, scales and wiring from which every frozen array is drawn
wiring            `Wiring`, `WIRINGS`: how units share rows of the weights, and how their biases move
activations       `ACTIVATIONS`: phi and its derivative
base              `Network`: what all networks share; `trainable_parts`: what `learn=` may name
recurrent         `RNN`
unrolled          its run through time, with derivatives that touch its weights once
parametric        `ParametricRNN`, whose biases depend on known parameters
feedforward       `FNN`
circuit           `Circuit`: a recurrent network whose weights were measured
operators         `Operator`: weights by their products, `Dense` or structured, `Hadamard` and `LowRank`
synapses          `Sparse`: the operator of a circuit's synapses
memory            how much of it there is
jacobians         `bias_jacobian` and products with it, for an `RNN`
layer_jacobian    `layer_jacobian`, for an `FNN`
parameters        the trainable parameters as one vector
devices           where tensors live
"""

from rnnbias.networks.activations import ACTIVATIONS
from rnnbias.networks.base import NETWORKS, TRAINABLE, Network, Trace, hidden_widths, trainable_parts
from rnnbias.networks.circuit import LEAKS, Circuit
from rnnbias.networks.devices import find_device
from rnnbias.networks.feedforward import FNN
from rnnbias.networks.jacobians import Jacobian, bias_jacobian, jacobian_vector_product, vector_jacobian_product
from rnnbias.networks.layer_jacobian import layer_jacobian
from rnnbias.networks.operators import STRUCTURES, Dense, Hadamard, LowRank, Operator
from rnnbias.networks.parametric import ParametricRNN
from rnnbias.networks.recipe import LAWS, Recipe
from rnnbias.networks.recurrent import RNN
from rnnbias.networks.wiring import WIRINGS, Wiring

__all__ = [
    "ACTIVATIONS",
    "FNN",
    "LAWS",
    "LEAKS",
    "NETWORKS",
    "RNN",
    "STRUCTURES",
    "TRAINABLE",
    "WIRINGS",
    "Circuit",
    "Dense",
    "Hadamard",
    "Jacobian",
    "LowRank",
    "Network",
    "Operator",
    "ParametricRNN",
    "Recipe",
    "Trace",
    "Wiring",
    "bias_jacobian",
    "find_device",
    "hidden_widths",
    "jacobian_vector_product",
    "layer_jacobian",
    "trainable_parts",
    "vector_jacobian_product",
]
