"""The images that the paper's figures are about, or what stands in for them."""

from __future__ import annotations

from experiments import Plan
from pictures.experiments import Protocol, default_tasks, load
from systems import images
from systems.images import Images

__all__ = ["digits", "fashion", "protocol", "seven", "take"]


def protocol(plan: Plan) -> Protocol:
    """How many images, units and epochs."""
    return Protocol.quick() if plan.quick else Protocol()


def take(name: str, plan: Plan) -> Images:
    """A data set by name."""
    return load(name, plan.data, protocol(plan))


def fashion(plan: Plan) -> Images:
    """Fashion-MNIST, or scikit-learn's digits."""
    return _first(("fashion-mnist", "digits"), plan)


def digits(plan: Plan) -> Images:
    """MNIST, or scikit-learn's digits."""
    return _first(("mnist", "digits"), plan)


def seven(plan: Plan) -> list[str]:
    """The names of seven tasks: those of the paper that are there, and other scripts."""
    return default_tasks(list(images.available(plan.data)))


def _first(names: tuple[str, ...], plan: Plan) -> Images:
    available = images.available(plan.data)
    return take(next(name for name in names if name in available), plan)
