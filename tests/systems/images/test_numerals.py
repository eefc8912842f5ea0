import numpy as np
import pytest
from matplotlib import font_manager

from systems import images
from systems.images import numerals


def test_scripts_need_an_installed_font_where_their_line_says_so(monkeypatch):
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    numerals._font.cache_clear()
    try:
        needy = {name for name, line in numerals.available().items() if "needs" in line}
        assert needy == set(numerals.SCRIPTS) - set(numerals.covered())
        assert numerals._font(0x1369) is None
    finally:
        numerals._font.cache_clear()


@pytest.mark.parametrize("script", ["latin", "nko", "circled"])
def test_exemplars_fill_a_centred_box_of_20_pixels(script):
    glyphs = numerals.exemplars(script)
    assert glyphs.shape == (10, 28, 28) and glyphs.dtype == np.uint8
    for glyph in glyphs:
        rows, columns = (np.flatnonzero((glyph > 8).any(axis)) for axis in (1, 0))
        high, wide = (np.ptp(found) + 1 for found in (rows, columns))
        assert 19 <= max(high, wide) <= 21
        for found in (rows, columns):
            assert abs((found[0] + found[-1]) / 2 - 13.5) <= 1
    flat = glyphs.reshape(10, -1).astype(float)
    assert np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(2))[~np.eye(10, dtype=bool)].min() > 10  # all differ


def test_no_deformation_gives_the_exemplars():
    def away(strength):
        pictures, labels, *_ = numerals.draw("latin", train=40, test=1, strength=strength)
        return np.abs(pictures.astype(float) - numerals.exemplars("latin")[labels]).mean()

    assert away(0.0) < 6 < away(0.5) < away(1.0)  # they are smoothed a little before sampling


def test_draws_are_balanced_seeded_and_independent():
    first, labels, test, test_labels = numerals.draw("lao", train=30, test=20, seed=5)
    again = numerals.draw("lao", train=30, test=20, seed=5)
    np.testing.assert_array_equal(first, again[0])
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 3))
    np.testing.assert_array_equal(np.bincount(test_labels), np.full(10, 2))
    assert (first[:20] != test).any((1, 2)).all()
    assert (first != numerals.draw("lao", train=30, test=20, seed=6)[0]).any()
    longer, *_ = numerals.draw("lao", train=30, test=5, seed=5)
    np.testing.assert_array_equal(first, longer)  # the test images have a seed of their own


def test_a_script_is_a_data_set():
    small = images.get("nko").first(10, 10)
    assert small.shape == (28, 28) and len(small.classes) == 10 and "rendered" in small.note


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"script": "klingon"}, ValueError, "script must be one of 'latin', .*got 'klingon'"),
        ({"train": 0}, ValueError, "train must be at least 1, got 0"),
        ({"test": 2.0}, TypeError, "test must be a whole number"),
        ({"strength": -1}, ValueError, "strength must be at least 0"),
        ({"strength": float("nan")}, ValueError, "strength must be finite"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_wrong_arguments(change, error, message):
    given = {"script": "latin", "train": 1, "test": 1, **change}
    with pytest.raises(error, match=message):
        numerals.draw(given.pop("script"), **given)


def test_a_script_without_a_font(monkeypatch):
    monkeypatch.setattr(numerals, "_font", lambda first: None)
    numerals._glyphs.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"'vai' needs an installed font that covers U\+A620 to U\+A629"):
        numerals.exemplars("vai")
