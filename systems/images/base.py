"""Labelled images: folders in MNIST's format, scikit-learn's digits and OpenML, or arrays of your own.

    read(folder)     an MNIST-format folder
    digits()         scikit-learn's 8 x 8 digits (needs scikit-learn)
    fetch(name)      from OpenML (needs scikit-learn and a network)
    get(name)        any of these by name, or the rendered numerals of `systems.images.numerals`

Nothing here is random but the split of a folder without training files, and nothing in a file is executed.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from systems import checks
from systems.images import numerals

__all__ = ["FOLDER", "Images", "available", "digits", "fetch", "get", "read", "read_idx"]

#: The environment variable that names the folder of data sets where no argument does.
FOLDER = "RNNBIAS_DATA"

_PARTS = {"train": "train", "test": "t10k"}
_MAGIC_TYPE = 0x08  # unsigned bytes
_LARGEST = 2**31  # bytes that a file may declare
_CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
#: OpenML's name and version, the names of the classes, and the SHA-256 of all pixels, training images first.
_OPENML = {
    "mnist": ("mnist_784", 1, tuple("0123456789"), "5b92582eb909c82a9bfefcd44acbe9233be3eb5b419a44cf211022ad2bf4bf96"),
    "fashion-mnist": ("Fashion-MNIST", 1, _CLOTHES, "0fbbfcb392782b3b702472ead3688778e1509e8cf40f5c24d9d3303618b193ab"),
}


@dataclass(frozen=True, eq=False)
class Images:
    """Training and test images with their labels.

    Attributes
    ----------
    name : str
        Of the data set.
    train, test : array (image, row, column)
        Brightness: unsigned bytes, or real numbers.
    train_labels, test_labels : array (image,)
        Whole numbers from 0 to len(classes) - 1.
    classes : tuple of str
        Names of the classes; default: "0", "1", ... up to the largest training label.
    note : str
        What a reader of a result should know, such as a split that is not the official one.

    Raises ValueError or TypeError, naming the argument, for no images, NaN, shapes or counts that do not agree and
    labels out of range.

    >>> Images("two", np.zeros((2, 3, 3)), [0, 1], np.ones((1, 3, 3)), [1])
    <Images 'two': 2 training and 1 test images of 3 x 3, 2 classes>
    """

    name: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        for part in _PARTS:
            pictures = _pictures(part, getattr(self, part))
            labels = _labels(f"{part}_labels", getattr(self, f"{part}_labels"))
            if len(pictures) != len(labels):
                raise ValueError(
                    f"{part}_labels must be as many as the images of {part}, got {len(labels)} labels for "
                    f"{len(pictures)} images"
                )
            object.__setattr__(self, part, pictures)
            object.__setattr__(self, f"{part}_labels", labels)
        if self.test.shape[1:] != self.train.shape[1:]:
            raise ValueError(f"test must have images of {self.train.shape[1:]} as train, got {self.test.shape[1:]}")
        classes = tuple(self.classes) or tuple(str(k) for k in range(int(self.train_labels.max()) + 1))
        object.__setattr__(self, "classes", classes)
        for part in _PARTS:
            labels = getattr(self, f"{part}_labels")
            if labels.min() < 0 or labels.max() >= len(classes):
                wrong = labels.min() if labels.min() < 0 else labels.max()
                raise ValueError(f"{part}_labels must be from 0 to {len(classes) - 1}, got {wrong}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of an image."""
        return self.train.shape[1:]

    def first(self, train: int | None = None, test: int | None = None) -> Self:
        """The same with only the first images.

        Parameters
        ----------
        train, test : int, optional
            How many. Default: all.

        Returns
        -------
        Images
        """
        for part, wanted in (("train", train), ("test", test)):
            if wanted is not None:
                checks.whole(part, wanted, at_least=1, at_most=len(getattr(self, part)))
        return replace(
            self, train=self.train[:train], train_labels=self.train_labels[:train],
            test=self.test[:test], test_labels=self.test_labels[:test],
        )  # fmt: skip

    def held_out(self, count: int) -> Self:
        """The last training images as the test images: for choices that test data must not make.

        Parameters
        ----------
        count : int
            How many, fewer than there are.

        Returns
        -------
        Images
        """
        kept = len(self.train) - checks.whole("count", count, at_least=1, at_most=len(self.train) - 1)
        return replace(
            self, train=self.train[:kept], train_labels=self.train_labels[:kept],
            test=self.train[kept:], test_labels=self.train_labels[kept:],
            note=f"{self.note} tested on {count} held-out training images".strip(),
        )  # fmt: skip

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"<Images {self.name!r}: {len(self.train)} training and {len(self.test)} test images "
            f"of {rows} x {columns}, {len(self.classes)} classes>"
        )


def get(name: str, data: str | Path | None = None) -> Images:
    """Find a data set by name.

    A name of a script is rendered (`numerals`), "digits" comes from scikit-learn, and any other is a folder of
    that name in `data`, or `data` itself.

    Parameters
    ----------
    name : str
        One of `available(data)`.
    data : path, optional
        A folder of folders. Default: the one that the environment variable RNNBIAS_DATA names.

    Returns
    -------
    Images

    Raises
    ------
    ValueError
        For an unknown name, with the nearest.
    FileNotFoundError
        Where a folder or a font is missing; also what `read` raises.
    ImportError
        For "digits" without scikit-learn.
    """
    if name in numerals.SCRIPTS:
        return Images(name, *numerals.draw(name), note=f"rendered numerals ({name}), deformed")
    if name == "digits":
        return digits()
    folder = _folder(data)
    if folder is not None:
        if folder.name == name and not (folder / name).is_dir():
            return read(folder)
        if (folder / name).is_dir():
            return read(folder / name)
    try:
        checks.choice("name", name, available(data))
    except ValueError as error:
        where = "the argument data" if folder is None else str(folder)
        online = f", and fetch({name!r}) downloads it" if name in _OPENML else ""
        raise ValueError(f"{error}; a folder of MNIST-format files goes to {where} or to ${FOLDER}{online}") from None
    raise FileNotFoundError(f"data set {name!r} must be a folder in {str(folder)!r}")


def available(data: str | Path | None = None) -> dict[str, str]:
    """Return one line about every data set that `get` takes, by name.

    Scripts, "digits" and the MNIST-format folders in `data`; what only `fetch` brings is not among them.

    Parameters
    ----------
    data : path, optional
        As in `get`.

    Returns
    -------
    dict
        One line by name; it says where a font or a package is needed.

    >>> available()["digits"]
    "scikit-learn's handwritten digits of 8 x 8 pixels; needs scikit-learn"
    """
    folder = _folder(data)
    found = [] if folder is None else sorted(path for path in folder.iterdir() if _has(path, "test"))
    return {
        **numerals.available(),
        "digits": "scikit-learn's handwritten digits of 8 x 8 pixels; needs scikit-learn",
        **{path.name: f"The MNIST-format files in {str(path)!r}" for path in found},
    }


def read(folder: str | Path, *, name: str | None = None, split: float = 0.2) -> Images:
    """Read an MNIST-format folder.

    The folder has `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, each plain or with `.gz`. Where both training files are missing, the last
    test images are the test and the others the training images, and `note` says so.

    Parameters
    ----------
    folder : path
        Where the files are.
    name : str, optional
        Of the data set. Default: the folder's.
    split : float
        The part of the test images that tests where there are no training files.

    Returns
    -------
    Images

    Raises
    ------
    FileNotFoundError
        Where the folder or one of its files is not there.
    ValueError
        For files that are empty, truncated, damaged, of another format, or whose counts and labels do not agree.
    """
    folder = Path(folder)
    split = checks.number("split", split, above=0, at_most=0.9)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be a folder with MNIST-format files, got {str(folder)!r}")
    name = name or folder.name
    classes = _OPENML[name][2] if name in _OPENML else ()
    pairs = {
        part: _read_part(folder, prefix) for part, prefix in _PARTS.items() if part == "test" or _has(folder, part)
    }
    if "train" in pairs:
        return Images(name, *pairs["train"], *pairs["test"], classes=classes)
    pictures, labels = pairs["test"]
    kept = len(pictures) - math.ceil(split * len(pictures))
    note = f"no training files: the official test images split {kept} to {len(pictures) - kept}, not comparable"
    return Images(name, pictures[:kept], labels[:kept], pictures[kept:], labels[kept:], classes=classes, note=note)


def read_idx(path: str | Path, *, ndim: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes, plain or gzip-compressed.

    Format: two zero bytes, the type 0x08, the number of dimensions, each size as a big-endian 32-bit number, the
    bytes (LeCun, Cortes & Burges, The MNIST database of handwritten digits).

    Parameters
    ----------
    path : path
        Compressed if it ends with ".gz".
    ndim : int
        The number of dimensions it must have.

    Returns
    -------
    array of uint8

    Raises
    ------
    ValueError
        Naming the file and what is wrong with it.
    """
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_LARGEST)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{str(path)!r} is truncated or damaged ({error})") from error
    if not content:
        raise ValueError(f"{str(path)!r} is empty")
    head = 4 + 4 * ndim
    if len(content) < head:
        raise ValueError(f"{str(path)!r} is truncated: {len(content)} bytes, the header alone has {head}")
    wanted = bytes((0, 0, _MAGIC_TYPE, ndim))
    if content[:4] != wanted:
        kind = {1: "labels", 3: "images"}.get(ndim, f"{ndim} dimensions")
        raise ValueError(
            f"{str(path)!r} is no IDX file of {kind}: its magic number must be {wanted.hex()}, got {content[:4].hex()}"
        )
    shape = struct.unpack(f">{ndim}I", content[4:head])
    if len(content) - head != math.prod(shape):
        raise ValueError(
            f"{str(path)!r} must hold {math.prod(shape)} bytes for its shape {shape}, got {len(content) - head}: "
            "truncated or damaged"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def digits() -> Images:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels; the last fifth are the test images.

    From Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI repository. Brightness from 0 to 16.
    """
    from_sklearn = _scikit_learn("digits").load_digits()
    pictures, labels = from_sklearn.images, from_sklearn.target
    kept = len(labels) - len(labels) // 5
    return Images("digits", pictures[:kept], labels[:kept], pictures[kept:], labels[kept:])


def fetch(name: str) -> Images:
    """Download "mnist" or "fashion-mnist" from OpenML by scikit-learn's loader, and check every pixel's digest.

    Parameters
    ----------
    name : str
        "mnist" or "fashion-mnist".

    Returns
    -------
    Images

    Raises
    ------
    ImportError
        Without scikit-learn.
    ConnectionError
        Where OpenML does not answer.
    ValueError
        Where what came is not the official data.
    """
    checks.choice("name", name, _OPENML)
    title, version, classes, digest = _OPENML[name]
    loader = _scikit_learn(name).fetch_openml
    try:
        found = loader(title, version=version, as_frame=False, parser="liac-arff")
    except OSError as error:
        raise ConnectionError(f"OpenML did not deliver {title!r} ({error}); give a folder instead") from error
    pixels, labels = np.asarray(found.data).astype(np.uint8), np.asarray(found.target).astype(np.int64)
    if hashlib.sha256(pixels.tobytes()).hexdigest() != digest:
        raise ValueError(f"what OpenML delivered as {title!r} is not the official data: its digest does not match")
    pictures = pixels.reshape(-1, 28, 28)
    return Images(name, pictures[:60000], labels[:60000], pictures[60000:], labels[60000:], classes=classes)


def _scikit_learn(name: str):
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(f"data set {name!r} needs scikit-learn: pip install scikit-learn") from error
    return datasets


def _folder(data: str | Path | None) -> Path | None:
    given = data if data is not None else os.environ.get(FOLDER) or None
    if given is None:
        return None
    if not Path(given).is_dir():
        where = "data" if data is not None else f"the environment variable {FOLDER}"
        raise FileNotFoundError(f"{where} must name a folder that exists, got {str(given)!r}")
    return Path(given)


def _has(folder: Path, part: str) -> bool:
    return any(folder.glob(f"{_PARTS[part]}-*-ubyte*"))


def _read_part(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    pictures, labels = (
        read_idx(_find(folder, f"{prefix}-{kind}-idx{ndim}-ubyte"), ndim=ndim)
        for kind, ndim in (("images", 3), ("labels", 1))
    )
    if len(pictures) != len(labels):
        raise ValueError(
            f"{str(folder)!r} must have as many labels as images in its {prefix} files, got {len(labels)} labels for "
            f"{len(pictures)} images"
        )
    return pictures, labels


def _find(folder: Path, stem: str) -> Path:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{str(folder)!r} must hold {stem} or {stem}.gz")


def _pictures(name: str, value: ArrayLike) -> np.ndarray:
    found = np.asarray(value)
    if found.dtype != np.uint8:
        found = checks.array(name, found)
    if found.ndim != 3 or 0 in found.shape:
        raise ValueError(f"{name} must have shape (image, row, column), none of them 0, got {found.shape}")
    return found


def _labels(name: str, value: ArrayLike | Iterable[int]) -> np.ndarray:
    found = np.asarray(value)
    if found.dtype == bool or not np.issubdtype(found.dtype, np.integer):
        raise TypeError(f"{name} must be whole numbers, got dtype {found.dtype}")
    if found.ndim != 1:
        raise ValueError(f"{name} must have shape (image,), got {found.shape}")
    return found.astype(np.int64)
