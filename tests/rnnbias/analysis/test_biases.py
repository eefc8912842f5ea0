import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias import RNN, Recipe
from rnnbias.analysis import bias_distance, bias_histogram, interpolate, unit_activity
from rnnbias.networks import parameters
from rnnbias.storage import Bank


def array(values, *dims, **coords):
    return xr.DataArray(values, coords, dims)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 50))
def test_densities_have_integral_one(seed, bins):
    ds = bias_histogram(array(np.random.default_rng(seed).normal(size=(3, 40)), "task", "unit"), bins=bins)
    width = (ds.bias[1] - ds.bias[0]).item() if bins > 1 else None
    if width:
        np.testing.assert_allclose(ds.density.sum("bias") * width, 1)
    assert ds.density.dims == ("task", "bias")


def test_distance_and_cosine_are_numpy_s():
    x = np.random.default_rng(0).normal(size=(3, 7))
    ds = bias_distance(array(x, "task", "unit", task=["a", "b", "c"]))
    assert ds.distance.sel(task="a", other_task="c").item() == pytest.approx(np.linalg.norm(x[0] - x[2]))
    assert ds.cosine.sel(task="b", other_task="c").item() == pytest.approx(
        x[1] @ x[2] / np.linalg.norm(x[1]) / np.linalg.norm(x[2])
    )


def test_units_are_counted_as_off_always_on_and_switching():
    rate = np.zeros((2, 5, 4))
    rate[:, :, 1] = 1.0
    rate[0, 2, 2] = 0.5
    rate[:, :, 3] = -1.0
    ds = unit_activity(array(rate, "trial", "time", "unit"))
    assert ds.on.values.tolist() == [0, 1, 0.1, 0]
    assert (ds.off.item(), ds.always_on.item(), ds.switching.item()) == (0.5, 0.25, 0.25)
    assert unit_activity(array(rate, "trial", "time", "unit"), threshold=-2).always_on == 1
    assert unit_activity(array(rate[None], "task", "trial", "time", "unit")).on.dims == ("task", "unit")


# Interpolation ------------------------------------------------------------------------------------------------


def total(network):
    return network.bias.sum().item()


def test_the_line_between_two_sets_is_followed_and_the_network_stays():
    net = RNN(8, 1, 1)
    before = net.bias.detach().clone()
    ds = interpolate(net, np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0]), total, points=5)
    np.testing.assert_allclose(ds.value, [0, 2.5, 5, 7.5, 10])
    assert ds.sharpness.item() == pytest.approx(0.25) and np.isnan(ds.crossing.where(ds.value[0] != 0)).all()
    assert torch.equal(net.bias, before)


def test_jumps_and_crossings_are_located():
    net = RNN(4, 1, 1)

    def evaluate(network):
        s = network.bias[0].item()
        return {"jump": float(s > 0.42), "exponent": s - 0.3, "flat": 1.0}

    ds = interpolate(net, np.zeros(2), np.ones(2), evaluate, points=11)
    assert ds["quantity"].values.tolist() == ["jump", "exponent", "flat"]
    jump, exponent, flat = (ds.sel(quantity=name) for name in ("jump", "exponent", "flat"))
    assert jump.change.item() == pytest.approx(0.45) and jump.sharpness.item() == 1
    assert exponent.crossing.item() == pytest.approx(0.3) and exponent.sharpness.item() == pytest.approx(0.1)
    assert np.isnan([flat.change.item(), flat.crossing.item(), flat.sharpness.item()]).all()


def test_networks_bank_entries_and_vectors_are_the_same_sets():
    net, other = RNN(6, 1, 1), RNN(6, 1, 1)
    torch.nn.init.ones_(other.bias)
    bank = Bank(other)
    sources = [other, bank["start"], parameters.read(other), xr.DataArray(np.ones(3), dims="row"), [1.0, 1.0, 1.0]]
    found = [interpolate(net, net, source, total, points=2).value.values.tolist() for source in sources]
    assert found == [[0.0, 3.0]] * 5


def test_failed_evaluations_stay_in_their_place():
    def evaluate(network):
        s = network.bias[0].item()
        return np.nan if 0.4 < s < 0.6 else s

    ds = interpolate(RNN(4, 1, 1), np.zeros(2), np.ones(2), evaluate, points=11)
    assert np.isnan(ds.value[5]) and np.isfinite(ds.value[[4, 6]]).all() and np.isfinite(ds.sharpness).all()


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"second": np.ones(4)}, ValueError, r"second must have shape \(3\)"),
        ({"first": [np.nan, 0, 0]}, ValueError, "first must be finite"),
        ({"first": [1j, 0, 0]}, TypeError, "first must hold real numbers"),
        ({"second": RNN(6, 1, 1, recipe=Recipe(seed=9))}, ValueError, "second must have the frozen arrays"),
        ({"second": {"gain": torch.ones(6)}}, ValueError, r"second must have the numbers \['bias'\]"),
        ({"points": 1}, ValueError, "points must be at least 2"),
        ({"evaluate": lambda n: 1j}, TypeError, "evaluate must return a number"),
        ({"evaluate": lambda n: [1.0, 2.0]}, TypeError, "evaluate must return a number"),
        ({"evaluate": lambda n: {f"a{n.bias.sum().item():.0f}": 1.0}}, ValueError, "the same names"),
    ],
)
def test_interpolate_refuses(change, kind, words):
    with pytest.raises(kind, match=words):
        interpolate(**{"network": RNN(6, 1, 1), "first": np.zeros(3), "second": np.ones(3), "evaluate": total} | change)


@pytest.mark.parametrize(
    ("function", "data", "words"),
    [
        (bias_histogram, array(np.zeros(3), "unit"), "bias must differ between units"),
        (bias_histogram, array(np.eye(2), "task", "neuron"), "bias must have the dimension 'unit'"),
        (bias_histogram, array([np.inf, 0], "unit"), "bias must be finite"),
        (bias_distance, array(np.zeros((2, 3)), "task", "unit"), "bias must not be zero"),
        (bias_distance, array(np.zeros(3), "unit"), "bias must have the dimension 'task'"),
        (bias_distance, array(np.ones((1, 2, 3)), "seed", "task", "unit"), "bias must have dimensions"),
        (unit_activity, array(np.zeros(3), "unit"), "rate must have the dimension 'trial' or 'time'"),
    ],
)
def test_wrong_arrays_are_refused(function, data, words):
    with pytest.raises(ValueError, match=words):
        function(data)
