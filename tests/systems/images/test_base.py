import gzip
import hashlib
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems import images
from systems.images.base import Images


def idx(values, *, kind=0x08):
    """The bytes of an IDX file."""
    values = np.asarray(values, np.uint8)
    return bytes((0, 0, kind, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write(folder, *, train=None, test=None, packed=True):
    """Write an MNIST-format folder of (pictures, labels)."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, part in (("train", train), ("t10k", test)):
        for kind, values in zip(("images-idx3", "labels-idx1"), part or (), strict=False):
            name = f"{prefix}-{kind}-ubyte"
            content = idx(values)
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder


def some(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 4, 3), dtype=np.uint8), rng.permutation(np.arange(count) % 5).astype(np.uint8)


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_comes_back_as_it_was_written(tmp_path, packed):
    train, test = some(20), some(10, 1)
    found = images.read(write(tmp_path / "shapes", train=train, test=test, packed=packed))
    assert found.name == "shapes" and found.shape == (4, 3) and found.classes == ("0", "1", "2", "3", "4")
    np.testing.assert_array_equal(found.train, train[0])
    np.testing.assert_array_equal(found.train_labels, train[1])
    np.testing.assert_array_equal(found.test, test[0])
    np.testing.assert_array_equal(found.test_labels, test[1])
    assert found.note == ""


def test_test_images_are_split_where_there_are_no_training_files_and_the_note_says_so(tmp_path):
    pictures, labels = some(10)
    found = images.read(write(tmp_path / "kana", test=(pictures, labels)))
    np.testing.assert_array_equal(found.train, pictures[:8])
    np.testing.assert_array_equal(found.test_labels, labels[8:])
    assert "split 8 to 2, not comparable" in found.note


@given(values=st.lists(st.integers(0, 255), min_size=1, max_size=24), ndim=st.sampled_from([1, 2, 3]))
def test_idx_files_of_any_shape(tmp_path_factory, values, ndim):
    array = np.array(values, np.uint8).reshape(len(values), *[1] * (ndim - 1))
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(idx(array))
    np.testing.assert_array_equal(images.read_idx(path, ndim=ndim), array)


_LABELS = idx(np.arange(6))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (_LABELS[:5], "is truncated: 5 bytes, the header alone has 8"),
        (_LABELS[:-1], "must hold 6 bytes for its shape .6,., got 5: truncated or damaged"),
        (_LABELS + b"!", "must hold 6 bytes for its shape .6,., got 7"),
        (idx(np.zeros((2, 2, 2))), "is no IDX file of labels: its magic number must be 00000801, got 00000803"),
        (idx(np.arange(6), kind=0x0D), "its magic number must be 00000801, got 00000d01"),
        (b"<html>not found</html>", "its magic number must be 00000801, got 3c68746d"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_files_that_are_not_what_they_should_be_are_refused(tmp_path, content, message, packed):
    path = tmp_path / ("labels.gz" if packed else "labels")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=message):
        images.read_idx(path, ndim=1)


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: _LABELS, lambda c: c[:12] + b"??" + c[14:]])
def test_compressed_files_that_are_damaged_are_refused(tmp_path, damage):
    path = tmp_path / "labels.gz"
    path.write_bytes(damage(gzip.compress(_LABELS)))
    with pytest.raises(ValueError, match=r"labels.gz' is truncated or damaged \("):
        images.read_idx(path, ndim=1)


def test_files_and_folders_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"folder must be a folder with MNIST-format files, got .*nowhere"):
        images.read(tmp_path / "nowhere")
    folder = write(tmp_path / "half", train=some(5)[:1], test=some(5))
    with pytest.raises(
        FileNotFoundError, match=r"half' must hold train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz"
    ):
        images.read(folder)
    with pytest.raises(FileNotFoundError, match="t10k-images-idx3-ubyte"):
        images.read(write(tmp_path / "no test", train=some(5)))
    with pytest.raises(FileNotFoundError, match=r"data must name a folder that exists, got .*nowhere"):
        images.get("mnist", tmp_path / "nowhere")
    monkeypatch.setenv(images.FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="the environment variable RNNBIAS_DATA must name a folder"):
        images.get("mnist")


def test_counts_that_do_not_agree_are_refused(tmp_path):
    pictures, labels = some(6)
    with pytest.raises(ValueError, match="as many labels as images in its t10k files, got 5 labels for 6 images"):
        images.read(write(tmp_path / "x", test=(pictures, labels[:5])))


def test_get_finds_folders_by_name(tmp_path, monkeypatch):
    write(tmp_path / "shapes", train=some(5), test=some(5))
    (tmp_path / "other").mkdir()
    for data in (tmp_path, tmp_path / "shapes"):
        assert images.get("shapes", data).name == "shapes"
    monkeypatch.setenv(images.FOLDER, str(tmp_path))
    assert images.get("shapes").name == "shapes"
    assert "shapes" in images.available() and "other" not in images.available()
    with pytest.raises(ValueError, match=r"name must be one of .*'shapes', got 'shape'; did you mean 'shapes'"):
        images.get("shape")
    with pytest.raises(ValueError, match="got 'mnist'"):
        images.get("mnist")


def test_without_a_folder_the_error_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv(images.FOLDER, raising=False)
    with pytest.raises(
        ValueError,
        match=r"got 'mnist'.*a folder of MNIST-format files goes to .*RNNBIAS_DATA, and fetch.'mnist'. downloads it",
    ):
        images.get("mnist")


def good():
    return {
        "name": "x", "train": np.zeros((4, 2, 2)), "train_labels": [0, 1, 2, 0],
        "test": np.ones((2, 2, 2)), "test_labels": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"train": np.full((4, 2, 2), np.nan)}, ValueError, "train must be finite, got 16 NaN"),
        ({"test": np.array([[[1.0, np.inf], [0, 0]]] * 2)}, ValueError, "test must be finite"),
        ({"train": np.zeros((4, 4))}, ValueError, r"train must have shape \(image, row, column\)"),
        ({"train": np.zeros((0, 2, 2))}, ValueError, r"none of them 0, got \(0, 2, 2\)"),
        ({"train": np.zeros((4, 2, 2), complex)}, TypeError, "train must hold real numbers"),
        ({"train_labels": [0, 1, 2]}, ValueError, "train_labels must be as many as the images of train, got 3"),
        ({"train_labels": [0.0, 1.0, 2.0, 0.0]}, TypeError, "train_labels must be whole numbers, got dtype float64"),
        ({"train_labels": [[0], [1], [2], [0]]}, ValueError, r"train_labels must have shape \(image,\)"),
        ({"test_labels": [1, 3]}, ValueError, "test_labels must be from 0 to 2, got 3"),
        ({"test_labels": [-1, 1]}, ValueError, "test_labels must be from 0 to 2, got -1"),
        ({"train_labels": [0, 1, 2, 4], "classes": ("a", "b", "c")}, ValueError, "must be from 0 to 2, got 4"),
        ({"test": np.ones((2, 2, 3))}, ValueError, r"test must have images of \(2, 2\) as train, got \(2, 3\)"),
    ],
)
def test_data_that_make_no_sense_are_refused(change, error, message):
    Images(**good())
    with pytest.raises(error, match=message):
        Images(**{**good(), **change})


def test_held_out_images_come_from_the_end_of_the_training_images():
    pictures, labels = some(20)
    whole = Images("x", pictures, labels, *some(10, 1))
    part = whole.held_out(5)
    np.testing.assert_array_equal(part.train, pictures[:15])
    np.testing.assert_array_equal(part.test, pictures[15:])
    np.testing.assert_array_equal(part.test_labels, labels[15:])
    assert "5 held-out training images" in part.note
    few = whole.first(3, 2)
    assert len(few.train) == len(few.train_labels) == 3 and len(few.test) == 2
    with pytest.raises(ValueError, match="count must be at most 19, got 20"):
        whole.held_out(20)
    with pytest.raises(ValueError, match="train must be at most 20, got 21"):
        whole.first(21)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    found = images.get("digits")
    every = np.concatenate([found.train, found.test])
    np.testing.assert_array_equal(every.reshape(len(every), -1), load_digits().data)
    np.testing.assert_array_equal(np.concatenate([found.train_labels, found.test_labels]), load_digits().target)
    assert len(found.test) == 359


class OpenML:
    """Stands for sklearn.datasets."""

    def __init__(self, pixels, problem=None):
        self.pixels, self.problem = pixels, problem

    def fetch_openml(self, title, **options):
        if self.problem:
            raise self.problem
        labels = np.array([str(k % 10) for k in range(len(self.pixels))])
        return type("Bunch", (), {"data": self.pixels, "target": labels})()


def test_what_openml_delivers_is_checked(monkeypatch):
    pixels = np.zeros((70000, 784), np.uint8)
    pixels[60000] = np.arange(784) % 256
    monkeypatch.setattr(images.base, "_scikit_learn", lambda name: OpenML(pixels))
    with pytest.raises(ValueError, match="what OpenML delivered as 'mnist_784' is not the official data"):
        images.fetch("mnist")
    right = hashlib.sha256(pixels.tobytes()).hexdigest()
    monkeypatch.setitem(images.base._OPENML, "mnist", ("mnist_784", 1, tuple("0123456789"), right))
    found = images.fetch("mnist")
    assert (len(found.train), len(found.test)) == (60000, 10000) and found.test_labels[3] == 3
    np.testing.assert_array_equal(found.test[0].ravel(), pixels[60000])


def test_openml_out_of_reach(monkeypatch):
    monkeypatch.setattr(images.base, "_scikit_learn", lambda name: OpenML(None, OSError("no route")))
    with pytest.raises(ConnectionError, match=r"did not deliver 'mnist_784' \(no route\); give a folder instead"):
        images.fetch("mnist")
    with pytest.raises(ValueError, match="did you mean 'mnist'"):
        images.fetch("mnits")


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match="data set 'digits' needs scikit-learn: pip install"):
        images.digits()
