"""Numerals of many scripts, rendered from installed fonts and deformed: image data sets that need no download.

One exemplar glyph a class becomes as many images as wanted by affine and elastic deformation, the way Afro-MNIST was
made (Wu, Yang & Prabhu 2020, arXiv:2009.13509); elastic deformation is that of Simard, Steinkraus & Platt 2003.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from systems import checks

__all__ = ["SCRIPTS", "available", "covered", "draw", "exemplars"]

#: The first of ten consecutive code points.
SCRIPTS = {
    "latin": 0x0030,
    "arabic-indic": 0x0660,
    "extended-arabic-indic": 0x06F0,
    "nko": 0x07C0,
    "lao": 0x0ED0,
    "double-struck": 0x1D7D8,
    "roman": 0x2160,
    "circled": 0x2460,
    "devanagari": 0x0966,
    "ethiopic": 0x1369,
    "osmanya": 0x104A0,
    "vai": 0xA620,
}
#: Scripts that matplotlib's own fonts lack.
_RARE = ("devanagari", "ethiopic", "osmanya", "vai")
_SIDE, _BOX = 28, 20  # pixels of an image, and of the box that the glyph fills, as in MNIST
_FINE = 4  # exemplars are rendered this much finer
_TURN, _SHEAR, _STRETCH, _SHIFT = 15.0, 0.25, 0.2, 2.0  # degrees, 1, 1, pixels: bounds of the affine map
_BEND, _SMOOTH = 36.0, 5.0  # pixels: size and smoothing of the elastic field
_BLOCK = 1000  # images deformed at once


def available() -> dict[str, str]:
    """Return one line about every script, by name.

    >>> available()["vai"]
    'Rendered numerals (vai), deformed; needs an installed font that has them, such as Noto'
    """
    return {
        name: f"Rendered numerals ({name}), deformed"
        + ("; needs an installed font that has them, such as Noto" if name in _RARE else "")
        for name in SCRIPTS
    }


def covered() -> list[str]:
    """The scripts that some installed font covers."""
    return [name for name in SCRIPTS if _font(SCRIPTS[name]) is not None]


def exemplars(script: str) -> np.ndarray:
    """The ten glyphs of a script, each in a box of 20 x 20 pixels.

    Parameters
    ----------
    script : str
        A key of `SCRIPTS`.

    Returns
    -------
    array of uint8 (class, row, column)
        10 x 28 x 28.

    Raises
    ------
    ValueError
        For an unknown script.
    FileNotFoundError
        Where no installed font covers it.

    >>> exemplars("nko").shape
    (10, 28, 28)
    """
    fine = _glyphs(checks.choice("script", script, SCRIPTS))
    whole = fine.reshape(10, _SIDE, _FINE, _SIDE, _FINE).mean((2, 4))
    return np.round(255 * whole).astype(np.uint8)


def draw(
    script: str, *, train: int = 60000, test: int = 10000, seed: int = 0, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw a data set of deformed numerals.

    Each image is its class's exemplar under an affine map (turn up to 15 degrees, shear up to 0.25, stretch up to 20 %,
    shift up to 2 pixels, all uniform) and a displacement field of uniform noise smoothed over 5 pixels; `strength`
    multiplies both. Labels run through the classes in turn, so every class is as frequent as any other.

    Parameters
    ----------
    script : str
        A key of `SCRIPTS`.
    train, test : int
        How many images of 28 x 28 unsigned bytes.
    seed : int
        Training and test images come from independent child seeds.
    strength : float
        0: the exemplars themselves.

    Returns
    -------
    (array, array, array, array)
        Training images (image, row, column) and labels (image,), then those to test.

    >>> images, labels, *_ = draw("lao", train=20, test=10)
    >>> images.shape, labels[:3].tolist()
    ((20, 28, 28), [0, 1, 2])
    """
    from scipy import ndimage

    glyphs = ndimage.gaussian_filter(_glyphs(checks.choice("script", script, SCRIPTS)), (0, _FINE / 2, _FINE / 2))
    train, test = (checks.whole(name, n, at_least=1, at_most=10**6) for name, n in (("train", train), ("test", test)))
    strength = checks.number("strength", strength, at_least=0, at_most=5)

    def part(count: int, stream: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(stream)
        labels = np.arange(count) % 10
        blocks = [_deform(glyphs, labels[k : k + _BLOCK], rng, strength) for k in range(0, count, _BLOCK)]
        return np.concatenate(blocks), labels

    first, second = np.random.SeedSequence([checks.seed("seed", seed), SCRIPTS[script]]).spawn(2)
    return *part(train, first), *part(test, second)


def _deform(glyphs: np.ndarray, labels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Sample the glyph of each label at 28 x 28 pixels through a map of its own."""
    from scipy import ndimage

    count = len(labels)
    bounds = strength * np.array([[_TURN], [_SHEAR], [_STRETCH], [_STRETCH]])
    turn, shear, *stretch = bounds * rng.uniform(-1, 1, (4, count))
    shift = strength * rng.uniform(-_SHIFT, _SHIFT, (count, 2, 1, 1))
    field = rng.uniform(-1, 1, (count, 2, _SIDE, _SIDE))
    field = strength * _BEND * ndimage.gaussian_filter(field, (0, 0, _SMOOTH, _SMOOTH), mode="constant")
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    skew = np.stack([np.stack([1 + stretch[0], shear], -1), np.stack([0 * shear, 1 + stretch[1]], -1)], -2)
    middle = (_SIDE - 1) / 2
    grid = np.stack(np.meshgrid(*[np.arange(_SIDE) - middle] * 2, indexing="ij"))
    places = np.einsum("nij,jrc->nirc", rotation @ skew, grid) + shift + field + middle
    places = _FINE * places + (_FINE - 1) / 2
    which = np.broadcast_to(labels[:, None, None], (count, _SIDE, _SIDE))
    found = ndimage.map_coordinates(glyphs, [which, places[:, 0], places[:, 1]], order=1, mode="constant")
    return np.round(255 * found.clip(0, 1)).astype(np.uint8)


@cache
def _glyphs(script: str) -> np.ndarray:
    """The exemplars at four times the resolution, brightness 0 to 1."""
    from matplotlib.ft2font import FT2Font
    from scipy import ndimage

    first = SCRIPTS[script]
    path = _font(first)
    if path is None:
        raise FileNotFoundError(
            f"script {script!r} needs an installed font that covers U+{first:04X} to U+{first + 9:04X}"
        )
    font = FT2Font(path)
    font.set_size(8 * _FINE * _BOX, 72)
    out = np.zeros((10, _FINE * _SIDE, _FINE * _SIDE))
    for image, code in zip(out, range(first, first + 10), strict=True):
        font.set_text(chr(code))
        font.draw_glyphs_to_bitmap(antialiased=True)
        ink = np.asarray(font.get_image(), np.float64) / 255
        rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
        ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        small = ndimage.zoom(ink, _FINE * _BOX / max(ink.shape), order=1, grid_mode=True, mode="grid-constant")
        high, wide = small.shape
        top, left = (len(image) - high) // 2, (len(image) - wide) // 2
        image[top : top + high, left : left + wide] = small
    return out


@cache
def _font(first: int) -> str | None:
    """The path of a font that has ten characters from `first`: matplotlib's own first."""
    from matplotlib import font_manager, get_data_path
    from matplotlib.ft2font import FT2Font

    own = sorted((Path(get_data_path()) / "fonts" / "ttf").glob("DejaVuSans.ttf"))
    for path in [*map(str, own), *sorted(font_manager.findSystemFonts())]:
        try:
            has = FT2Font(path).get_charmap()
        except (RuntimeError, OSError):
            continue
        if all(code in has for code in range(first, first + 10)):
            return path
    return None
