from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias.networks import LAWS, WIRINGS, Recipe
from rnnbias.networks.recipe import Frozen, digest

every_kind = pytest.mark.parametrize(("law", "wiring"), [(law, w) for law in LAWS for w in WIRINGS])


def unit(**changes):
    """A recipe whose scales are all 1."""
    return Recipe(**{"gain": 1.0, "input_scale": 1.0, "bias_scale": 1.0, "readout_scale": 1.0, **changes})


def assert_corner(recipe, small, large, inputs=3, outputs=2):
    a = recipe.draw(small, inputs=inputs, outputs=outputs)
    more = recipe.law != "spherical"  # whose rows have one length whatever their number of entries
    b = recipe.draw(large, inputs=inputs + more, outputs=outputs + more)
    rows = small // WIRINGS[recipe.wiring].units_per_row
    fan_in = np.sqrt(small / large)
    np.testing.assert_allclose(a.recurrent * fan_in, b.recurrent[:rows, :small], rtol=1e-14)
    np.testing.assert_allclose(a.readout * fan_in, b.readout[:outputs, :rows], rtol=1e-14)
    np.testing.assert_array_equal(a.input, b.input[:rows, :inputs])
    np.testing.assert_array_equal(a.bias, b.bias[:rows])


@every_kind
def test_500_units_are_the_corner_of_1000(law, wiring):
    assert_corner(Recipe(seed=5, law=law, wiring=wiring), 500, 1000)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    law=st.sampled_from(LAWS),
    wiring=st.sampled_from(list(WIRINGS)),
    half=st.integers(1, 40),
    more=st.integers(0, 40),
)
def test_drawing_is_index_stable(seed, law, wiring, half, more):
    assert_corner(Recipe(seed=seed, law=law, wiring=wiring), 2 * half, 2 * (half + more))


@every_kind
def test_every_law_has_mean_0_and_the_stated_standard_deviation(law, wiring):
    frozen = unit(seed=1, law=law, wiring=wiring).draw(600, inputs=200, outputs=200)
    rows = 600 if wiring == "independent" else 300
    assert [a.shape for a in frozen] == [(rows, 600), (rows, 200), (200, rows), (rows,)]
    for array, sd in zip(frozen, (600**-0.5, 1.0, 600**-0.5, 1.0), strict=True):
        # the columns of the dale law balance only on average over their random signs
        count = 600 if law == "dale" and array is frozen.recurrent else array.size
        assert array.std() == pytest.approx(sd, rel=max(0.01, 3 * count**-0.5))
        assert abs(array.mean()) < 5 * count**-0.5 * sd


@every_kind
def test_the_spectral_radius_is_near_the_gain(law, wiring):
    radii = []
    for seed in range(5):
        recipe = Recipe(seed=seed, law=law, wiring=wiring, gain=0.8)
        rows = recipe.draw(240, inputs=1, outputs=1).recurrent
        whole = np.repeat(rows, WIRINGS[recipe.wiring].units_per_row, axis=0)  # unit x unit
        radii.append(np.abs(np.linalg.eigvals(whole)).max())
    assert np.median(radii) == pytest.approx(0.8, rel=0.3 if law == "dale" else 0.1)


@pytest.mark.parametrize(("name", "index"), [("gain", 0), ("input_scale", 1), ("readout_scale", 2), ("bias_scale", 3)])
def test_a_scale_scales_its_array_and_leaves_the_others(name, index):
    before = unit(seed=2).draw(50, inputs=2, outputs=3)
    after = unit(seed=2, **{name: 2.0}).draw(50, inputs=2, outputs=3)
    for k, (a, b) in enumerate(zip(before, after, strict=True)):
        np.testing.assert_array_equal(b, 2 * a if k == index else a)


def test_arrays_are_independent():
    frozen = unit(seed=4, wiring="independent").draw(400, inputs=400, outputs=400)
    columns = np.stack([frozen.recurrent.ravel(), frozen.input.ravel(), frozen.readout.ravel()])
    assert np.abs(np.corrcoef(columns) - np.eye(3)).max() < 0.01
    rows = np.corrcoef(frozen.recurrent) - np.eye(400)
    assert np.abs(rows).max() < 0.35 and abs(rows.mean()) < 0.002


def test_the_wiring_does_not_change_the_rows():
    pairs = unit(seed=4).draw(20, inputs=2, outputs=1)
    units = unit(seed=4, wiring="independent").draw(20, inputs=2, outputs=1)
    np.testing.assert_array_equal(pairs.recurrent, units.recurrent[:10])
    np.testing.assert_array_equal(pairs.input, units.input[:10])


def test_ternary_rows_are_balanced_and_a_tenth_full():
    w = unit(law="ternary", wiring="independent").draw(1000, inputs=1, outputs=1).recurrent
    levels, counts = np.unique(w, return_counts=True)
    assert len(levels) == 3 and levels[1] == 0 and levels[2] == -levels[0]
    assert counts[[0, 2]].sum() / w.size == pytest.approx(0.1, rel=0.02)
    assert np.abs(np.sign(w).sum(1)).max() <= 1
    assert abs(np.sign(w).sum()) < 5 * np.sqrt(len(w))


def test_uniform_weights_are_bounded():
    frozen = unit(law="uniform").draw(400, inputs=4, outputs=4)
    for array, sd in zip(frozen, (1 / 20, 1, 1 / 20, 1), strict=True):
        assert np.abs(array).max() <= np.sqrt(3) * sd
    assert np.abs(frozen.recurrent).max() > 0.99 * np.sqrt(3) / 20


def test_dale_columns_have_one_sign():
    frozen = unit(seed=3, law="dale").draw(1000, inputs=3, outputs=3)
    sign = np.sign(frozen.recurrent)
    assert (sign == sign[0]).all() and (sign != 0).all()
    assert (sign[0] > 0).mean() == pytest.approx(0.8, abs=0.05)
    strength = np.abs(frozen.recurrent).mean(0)
    assert strength[sign[0] < 0].mean() / strength[sign[0] > 0].mean() == pytest.approx(4, rel=0.05)
    assert (frozen.input < 0).any(0).all() and (frozen.input > 0).any(0).all()


@every_kind
def test_the_same_seed_gives_the_same_bits(law, wiring):
    recipe = Recipe(seed=8, law=law, wiring=wiring)
    draws = [r.draw(30, inputs=2, outputs=2) for r in (recipe, Recipe(**recipe.to_dict()))]
    assert [digest(a) for a in draws[0]] == [digest(a) for a in draws[1]]
    other = replace(recipe, seed=9).draw(30, inputs=2, outputs=2)
    assert all(digest(a) != digest(b) for a, b in zip(draws[0], other, strict=True))


def test_drawing_neither_reads_nor_moves_the_global_generators():
    import torch

    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    Recipe().draw(20, inputs=1, outputs=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_no_inputs_are_allowed():
    assert isinstance(frozen := Recipe().draw(4, inputs=0, outputs=1), Frozen)
    assert frozen.input.shape == (2, 0)


def test_the_digest_is_that_of_the_values():
    x = np.arange(12.0).reshape(3, 4)
    assert len(digest(x)) == 64 and digest(x) == digest(np.asfortranarray(x)) == digest(x.T.copy().T)
    assert digest(x) not in {digest(x.reshape(4, 3)), digest(x.astype(np.float32)), digest(x.astype(int))}
    assert digest(np.array([0.0])) != digest(np.array([-0.0]))


@given(index=st.integers(0, 11), bit=st.integers(0, 63))
def test_the_digest_changes_with_any_bit(index, bit):
    x = np.arange(12.0)
    flipped = x.copy()
    flipped.view(np.uint64)[index] ^= np.uint64(1) << np.uint64(bit)
    assert digest(flipped) != digest(x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "0"}, "seed"),
        ({"law": "normal"}, "law .*gaussian"),
        ({"law": "gausian"}, "did you mean 'gaussian'"),
        ({"wiring": "push"}, "wiring"),
        ({"gain": -0.1}, "gain"),
        ({"gain": float("nan")}, "gain"),
        ({"gain": "0.9"}, "gain"),
        ({"input_scale": -1}, "input_scale"),
        ({"bias_scale": float("inf")}, "bias_scale"),
        ({"readout_scale": None}, "readout_scale"),
    ],
)
def test_wrong_recipes_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Recipe(**changes)


def test_pairs_need_an_even_number_of_units():
    with pytest.raises(ValueError, match="units must be even under push-pull wiring, got 7"):
        Recipe().draw(7, inputs=1, outputs=1)
    assert len(Recipe(wiring="independent").draw(7, inputs=1, outputs=1).bias) == 7
