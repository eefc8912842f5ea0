"""`fit_classes`: learn to classify images with frozen weights; `ClassFit`: classify with what was learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from rnnbias.datasets import Standardiser
from rnnbias.fit import Fit
from rnnbias.networks import FNN, Recipe
from rnnbias.objectives import CrossEntropy, FirstLayer, OneHot
from rnnbias.problems.base import Objectives, Problem, solve
from rnnbias.solvers import Adam, Solver
from systems import checks, images
from systems.images import Images
from systems.labels import Labelled, dataset

__all__ = ["ClassFit", "Classification", "brightness_scale", "fit_classes", "network_inputs"]

#: The recipes where none is given: where the hidden layers alone learn, and where the readout or the weights do.
_TWINS = Recipe(wiring="twins", gain=1.0, input_scale=1.0, bias_scale=0.3, readout_scale=5.0)
_SINGLE = replace(_TWINS, wiring="independent", readout_scale=1.0)
_OUTSIDE = {"readout", "weights"}
_BLOCK = 1000  # images standardised at once


def fit_classes(
    data: Images | str,
    *,
    units: int | Sequence[int] = 2000,
    learn: str | Iterable[str] = "bias",
    solver: Solver | str | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    activation: str | None = None,
    brightness: str = "centred",
    holdout: float = 1 / 6,
    memory: float = 4e9,
    patience: int | None = None,
    goal: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> ClassFit:
    """Learn to classify images with a feedforward network whose random weights are frozen.

        y = C r,      r = m phi(g (W x + b)),      p(class | x) = softmax(y)

    for one hidden layer; see `FNN` for more. Only the parts in `learn` change.

    Parameters
    ----------
    data : Images or str
        What to learn, or the name of it for `systems.images.base.get`. Its test images are not looked at.
    units : int or sequence of int
        Units of each hidden layer.
    solver : Solver or str, optional
        Default: 20 epochs of `Adam` on the cross-entropy, in minibatches of 128. `Ridge` (readout) and
        `LevenbergMarquardt` (biases of small networks) bring the outputs to one-hot targets in least squares.
    seed : int
        Of the weights; it replaces the recipe's.
    recipe : Recipe, optional
        Scales, law and wiring of the frozen weights. Default: Gaussian; twins where neither readout nor weights learn.
    brightness : str
        "centred": each pixel minus its mean over the training images, divided so that |x|^2 is 1 in the mean (then W x
        has the recipe's `input_scale` as standard deviation); "unit": from 0 to 1.
    holdout : float
        Fraction of the training images held out, from the end: the epoch that does best on them is kept.
    memory : float
        Bytes for W x of all images, which never changes and is kept where the first layer's weights are frozen: in full
        precision, else in half precision, else computed at every batch. `ClassFit.settings["drives"]` says which.
    learn, activation, patience, goal, device, progress
        See `solve`. Default: "relu"; all epochs are run, and the best is kept.

    Returns
    -------
    ClassFit

    Notes
    -----
    Numbers are float32 under solvers that descend, such as `Adam`, and float64 otherwise.

    Examples
    --------
    >>> from systems import images
    >>> digits = images.get("digits")
    >>> fit = fit_classes(digits, units=500, progress=False)
    >>> fit.network.learned, bool(fit.score(digits).accuracy > 0.8)
    (500, True)
    """
    return solve(
        Classification(data, brightness=brightness, holdout=holdout, memory=memory), units=units, learn=learn,
        solver=solver, seed=seed, recipe=recipe, activation=activation, patience=patience, goal=goal, device=device,
        progress=progress,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Classification(Problem):
    """Telling images apart; arguments as in `fit_classes`."""

    trainable = FNN.parts
    activation = "relu"

    source: Images | str
    brightness: str = "centred"
    holdout: float = 1 / 6
    memory: float = 4e9

    def __post_init__(self) -> None:
        checks.choice("brightness", self.brightness, ("centred", "unit"))
        checks.number("holdout", self.holdout, above=0, at_most=0.5)
        checks.number("memory", self.memory, at_least=0)

    @cached_property
    def split(self) -> Images:
        """The training images, of which the held-out ones stand as test images."""
        data = images.get(self.source) if isinstance(self.source, str) else self.source
        if not isinstance(data, Images):
            raise TypeError(f"data must be Images or the name of some, got {data!r}")
        held = max(1, round(self.holdout * len(data.train)))
        if held >= len(data.train):
            raise ValueError(f"data must have at least 2 training images, got {len(data.train)}")
        return data.held_out(held)

    def solver(self, learn: tuple[str, ...], units: Any, seed: int) -> Solver:
        """See `Problem.solver`."""
        return Adam(epochs=20, rate=0.003 if _OUTSIDE & set(learn) else 0.1, batch=128, clip=None)

    def recipe(self, solver: Solver, learn: tuple[str, ...], activation: str) -> Recipe:
        """See `Problem.recipe`."""
        return _SINGLE if _OUTSIDE & set(learn) else _TWINS

    def dtype(self, solver: Solver) -> torch.dtype:
        """See `Problem.dtype`."""
        return torch.float32 if solver.descends else torch.float64

    def patience(self, learn: tuple[str, ...], activation: str) -> int:
        """See `Problem.patience`: the epochs are run to the end, and the best is kept."""
        return 10**6

    def network(self, units: Any, **drawing: Any) -> FNN:
        """See `Problem.network`."""
        return FNN(units, int(np.prod(self.split.shape)), len(self.split.classes), **drawing)

    def objectives(self, network: FNN, seed: int) -> Objectives:
        """See `Problem.objectives`; the accuracy on held-out images is recorded too.

        Networks of single precision learn by the cross-entropy, others by least squares.
        """
        split = self.split
        kind = CrossEntropy if network.start.dtype == torch.float32 else OneHot

        def objective(pictures: np.ndarray, labels: np.ndarray) -> OneHot:
            inputs = network_inputs(pictures, self._scaled, network.start)
            share = self.memory * len(pictures) / (len(split.train) + len(split.test))
            frozen = "weights" not in network.learn
            first = FirstLayer(inputs, network.layers[0].weight, share) if frozen else None
            return kind(inputs, torch.from_numpy(labels).to(inputs.device), first)

        train, held_out = objective(split.train, split.train_labels), objective(split.test, split.test_labels)
        return Objectives(
            train,
            held_out,
            lambda network: {"accuracy": held_out.accuracy(network)},
            {"accuracy": ("1", "fraction of the held-out images classified correctly")},
        )

    def settings(self, train: Any) -> dict[str, object]:
        """See `Problem.settings`."""
        return {
            "brightness": self.brightness,
            "holdout": self.holdout,
            "images": len(train),
            "drives": train.first.storage if train.first else "not kept: the weights learn",
        }

    def fit(self, **fields: Any) -> ClassFit:
        """See `Problem.fit`."""
        split = self.split
        return ClassFit(scale=self._scaled, classes=split.classes, shape=split.shape, title=split.name, **fields)

    @cached_property
    def _scaled(self) -> Standardiser:
        return brightness_scale(self.split.train, self.brightness)


def brightness_scale(pictures: np.ndarray, how: str) -> Standardiser:
    """Measure on training images (image, row, column) how brightness becomes an input; see `fit_classes`."""
    flat = pictures.reshape(len(pictures), -1)
    if checks.choice("brightness", how, ("centred", "unit")) == "unit":
        full = 255.0 if flat.dtype == np.uint8 else float(np.abs(flat).max()) or 1.0
        return Standardiser(np.zeros(flat.shape[1]), np.array(full))
    mean = flat.mean(0, dtype=np.float64)
    size = float(np.sqrt(sum(((some - mean) ** 2).sum() for some in np.array_split(flat, -(-len(flat) // _BLOCK)))))
    return Standardiser(mean, np.array(size / np.sqrt(len(flat)) or 1.0))


def network_inputs(pictures: np.ndarray, scale: Standardiser, like: Tensor) -> Tensor:
    """Images (image, row, column) as inputs (image, input) with the type and device of `like`, some at a time."""
    flat = pictures.reshape(len(pictures), -1)
    out = torch.empty(flat.shape, dtype=like.dtype, device=like.device)
    for k in range(0, len(flat), _BLOCK):
        out[k : k + _BLOCK] = scale.transform(flat[k : k + _BLOCK], like)
    return out


@dataclass(frozen=True, kw_only=True)
class ClassFit(Fit):
    """A network that classifies images; see `Fit` for what all fits have.

    Attributes
    ----------
    scale : Standardiser
        How brightness becomes an input.
    classes : tuple of str
        Names of the classes.
    shape : (int, int)
        Rows and columns of an image.
    title : str
        The name of the data.
    """

    scale: Standardiser
    classes: tuple[str, ...]
    shape: tuple[int, int]
    title: str

    kind: ClassVar[str] = "classes"

    @property
    def name(self) -> str:
        """The name of the data."""
        return self.title

    def predict(self, pictures: ArrayLike) -> xr.Dataset:
        """Classify images (image, row, column): `label` (image), and `probability` (image, class) by the softmax.

        Raises ValueError for images of another shape than those learned from, and for NaN.
        """
        probability = np.concatenate([torch.softmax(y, 1).cpu().numpy() for y in self._outputs(pictures)])
        return dataset(
            {
                "label": Labelled("image", probability.argmax(1), "1", "class number"),
                "probability": Labelled(("image", "class"), probability, "1", "probability of the class"),
            },
            {"class": Labelled("class", list(self.classes), "1", "class")},
            title=f"classes by {self!r}",
            config=self.configuration(),
        )

    def score(self, data: Images) -> xr.Dataset:
        """Classify the test images of `data`.

        Returns a Dataset with `accuracy`, `loss` (mean cross-entropy) and `confusion` (class, predicted), in images;
        and the count of learned numbers in `attrs["learned"]`.

        Raises TypeError or ValueError for what is not such images with these classes.
        """
        if not isinstance(data, Images):
            raise TypeError(f"data must be Images, got {type(data).__name__}")
        if data.classes != self.classes:
            raise ValueError(f"data must have the classes {self.classes}, got {data.classes}")
        labels = torch.from_numpy(data.test_labels)
        outputs = torch.cat(list(self._outputs(data.test))).cpu().double()
        found = outputs.argmax(1)
        confusion = np.zeros((len(self.classes),) * 2, int)
        np.add.at(confusion, (labels.numpy(), found.numpy()), 1)
        names = list(self.classes)
        return dataset(
            {
                "accuracy": Labelled((), float((found == labels).double().mean()), "1", "fraction correct"),
                "loss": Labelled((), float(torch.nn.functional.cross_entropy(outputs, labels)), "1", "cross-entropy"),
                "confusion": Labelled(
                    ("class", "predicted"), confusion, "1", "images by class and what they are taken for"
                ),
            },
            {"class": Labelled("class", names, "1", "class"), "predicted": Labelled("predicted", names, "1", "class")},
            title=f"score of {self!r} on {data.name}",
            config=self.configuration(),
        ).assign_attrs(learned=self.network.learned)

    def skill(self, data: Images) -> float:
        """Accuracy on the test images of `data`, scaled so that naming the commonest class alone earns 0, or less."""
        confusion = self.score(data).confusion.values
        chance = confusion.sum(1).max() / confusion.sum()
        return float((confusion.trace() / confusion.sum() - chance) / (1 - chance))

    def stimuli(self, data: Images) -> Tensor:
        """What the network is given of the test images of `data`, (image, input)."""
        return network_inputs(data.test, self.scale, self.network.start)

    def rates(self, pictures: ArrayLike) -> Iterator[np.ndarray]:
        """Rates (image, unit) of all units for images (image, row, column), some images at a time."""
        for rate in self._given(pictures).rates(self.network):
            yield rate.cpu().numpy()

    def about(self) -> dict[str, object]:
        """See `Fit.about`."""
        return {
            "name": self.title,
            "classes": list(self.classes),
            "shape": list(self.shape),
            "size": float(self.scale.scale),
        }

    def arrays(self) -> dict[str, Labelled]:
        """See `Fit.arrays`."""
        return {"brightness": Labelled("input", self.scale.mean, "1", "mean brightness of each pixel")}

    @classmethod
    def revive(cls, about: dict[str, Any], arrays: xr.Dataset, **fields: Any) -> Self:
        """See `Fit.revive`."""
        network = fields["network"]
        shape = tuple(checks.whole("shape", n, at_least=1) for n in about["shape"])
        classes = tuple(str(name) for name in about["classes"])
        if len(shape) != 2 or np.prod(shape) != network.inputs or len(classes) != network.outputs:
            raise ValueError(f"the network has {network.inputs} inputs and {network.outputs} outputs: shape or classes")
        mean = checks.array("brightness", arrays["brightness"].values, shape=(network.inputs,))
        scale = Standardiser(mean, np.array(checks.number("size", about["size"], above=0)))
        return cls(scale=scale, classes=classes, shape=shape, title=str(about["name"]), **fields)

    @torch.no_grad()
    def _outputs(self, pictures: ArrayLike) -> Iterator[Tensor]:
        given = self._given(pictures)
        for some in given.indices.split(500):
            yield given.logits(self.network, some)

    def _given(self, pictures: ArrayLike) -> OneHot:
        """Images as the network takes them, of no known class."""
        found = np.asarray(pictures)
        if found.dtype != np.uint8:
            found = checks.array("pictures", found)
        if found.ndim != 3 or found.shape[1:] != self.shape or not len(found):
            raise ValueError(f"pictures must have shape (image, {self.shape[0]}, {self.shape[1]}), got {found.shape}")
        inputs = network_inputs(found, self.scale, self.network.start)
        return OneHot(inputs, torch.zeros(len(inputs), dtype=torch.long, device=inputs.device))
