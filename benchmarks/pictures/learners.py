"""Who learns: what of a network learns, from which frozen weights, by which solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

from pictures.natural import NaturalGradient
from rnnbias import Adam, ClassFit, Recipe, fit_classes
from systems.images import Images

__all__ = ["LEARNERS", "LEVERS", "Learner"]

_ROOT3 = sqrt(3)  # a uniform law on [-R, R] has the standard deviation R / sqrt(3)


def _uniform(inputs: int, units: int) -> Recipe:
    """All frozen weights U[-0.1, 0.1], starting biases U[-0.01, 0.01]."""
    return Recipe(
        law="uniform", wiring="independent", input_scale=0.1 / _ROOT3, bias_scale=0.01 / _ROOT3,
        readout_scale=0.1 / _ROOT3 * sqrt(units),
    )  # fmt: skip


def _gaussian(inputs: int, units: int) -> Recipe:
    """All frozen weights N(0, 1/inputs), starting biases N(0, 0.01^2)."""
    sd = 1 / sqrt(inputs)
    return Recipe(wiring="independent", input_scale=sd, bias_scale=0.01, readout_scale=sd * sqrt(units))


def _xavier(inputs: int, units: int) -> Recipe:
    """Xavier-uniform weights of gain 1, biases from zero."""
    return Recipe(
        law="uniform", wiring="independent", input_scale=sqrt(2 / (inputs + units)), bias_scale=0.0,
        readout_scale=sqrt(2 / (units + 10)) * sqrt(units),
    )  # fmt: skip


def _twins(inputs: int, units: int) -> Recipe:
    """The default of `fit_classes`: Gaussian twins."""
    return Recipe(wiring="twins", gain=1.0, input_scale=1.0, bias_scale=0.3, readout_scale=5.0)


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A way to learn, for any data and width; `depth` hidden layers share the units."""

    about: str
    learn: tuple[str, ...]
    recipe: Callable[[int, int], Recipe]
    solver: Adam | NaturalGradient
    brightness: str = "unit"
    activation: str = "relu"
    depth: int = 1

    def fit(self, data: Images, units: int, seed: int, progress: bool, order: int = 0) -> ClassFit:
        """Learn with frozen weights of this seed and minibatches in this order."""
        return fit_classes(
            data,
            units=(units // self.depth,) * self.depth,
            learn=self.learn,
            solver=replace(self.solver, seed=order),
            seed=seed,
            recipe=self.recipe(data.shape[0] * data.shape[1], units),
            activation=self.activation,
            brightness=self.brightness,
            progress=progress,
        )


_PAPER = Adam(epochs=20, rate=0.01, batch=512, clip=None, decay="none")
_OURS = Adam(epochs=20, rate=0.1, batch=128, clip=None)

LEARNERS = {
    "bias-uniform": Learner(
        about="biases alone; weights U[-0.1, 0.1], Adam 0.01, batch 512 (the paper's protocol)",
        learn=("bias",), recipe=_uniform, solver=_PAPER,
    ),
    "bias-gaussian": Learner(
        about="the same with all weights N(0, 1/inputs)", learn=("bias",), recipe=_gaussian, solver=_PAPER
    ),
    "bias": Learner(
        about="biases alone; Gaussian twins, Adam 0.1 falling along a cosine, batch 128 (the default of fit_classes)",
        learn=("bias",), recipe=_twins, solver=_OURS, brightness="centred",
    ),
    "readout": Learner(
        about="the readout alone, above the frozen weights of bias-uniform; Adam 0.01, batch 512",
        learn=("readout",), recipe=_uniform, solver=_PAPER,
    ),
    "full": Learner(
        about="all weights and biases from Xavier-uniform; Adam 0.01, batch 512 (the paper's protocol)",
        learn=("bias", "readout", "weights"), recipe=_xavier, solver=_PAPER,
    ),
    "full-low": Learner(
        about="the same by Adam 0.001 falling along a cosine",
        learn=("bias", "readout", "weights"), recipe=_xavier, solver=replace(_PAPER, rate=0.001, decay="cosine"),
    ),
    "mask-annealed": Learner(
        about="masks alone, sigmoid(s number) with s from 1 to 100, weights and biases of bias-uniform",
        learn=("mask",), recipe=_uniform, solver=replace(_PAPER, steepness=(1.0, 100.0)),
    ),
    "mask-hard": Learner(
        about="masks alone, a step function with a sigmoid's slope (straight-through)",
        learn=("mask",), recipe=_uniform, solver=_PAPER,
    ),
}  # fmt: skip


def _lever(
    about: str, *, recipe: dict[str, object] | None = None, solver: dict[str, object] | None = None, **more: object
):
    """The learner "bias" with one thing changed."""
    usual = LEARNERS["bias"]

    def changed(inputs: int, units: int) -> Recipe:
        return replace(usual.recipe(inputs, units), **recipe or {})

    return replace(usual, about=about, recipe=changed, solver=replace(usual.solver, **solver or {}), **more)


#: One change each from the learner "bias".
LEVERS = {
    "usual": _lever("the learner bias"),
    "independent": _lever("independent units instead of twins", recipe={"wiring": "independent"}),
    "independent-calm": _lever(
        "independent units, readout scale 1", recipe={"wiring": "independent", "readout_scale": 1.0}
    ),
    "push-pull": _lever("push-pull pairs: half the learned numbers", recipe={"wiring": "push-pull"}),
    "readout-20": _lever("readout scale 20 instead of 5", recipe={"readout_scale": 20.0}),
    "readout-1": _lever("readout scale 1", recipe={"readout_scale": 1.0}),
    "bias-1": _lever("starting biases of sd 1 instead of 0.3", recipe={"bias_scale": 1.0}),
    "bias-0": _lever("starting biases 0", recipe={"bias_scale": 0.0}),
    "weights-2": _lever("weights twice as large", recipe={"input_scale": 2.0}),
    "uniform": _lever("uniform instead of Gaussian weights", recipe={"law": "uniform"}),
    "batch-512": _lever("minibatches of 512 instead of 128", solver={"batch": 512}),
    "rate-0.03": _lever("rate 0.03 instead of 0.1", solver={"rate": 0.03}),
    "rate-0.3": _lever("rate 0.3", solver={"rate": 0.3}),
    "constant-rate": _lever("the rate stays", solver={"decay": "none"}),
    "unit-brightness": _lever(
        "brightness from 0 to 1 instead of centred, weights of sd 0.1", brightness="unit", recipe={"input_scale": 0.1}
    ),
    "tanh": _lever("tanh instead of ReLU, readout scale 20", activation="tanh", recipe={"readout_scale": 20.0}),
    "deep": _lever("two layers of half the units, weights between them of gain 3", depth=2, recipe={"gain": 3.0}),
    "natural": replace(
        LEARNERS["bias"], about="natural gradient of step 0.3, batch 512, instead of Adam", solver=NaturalGradient()
    ),
}
