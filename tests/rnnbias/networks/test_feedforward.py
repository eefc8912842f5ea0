import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias import FNN, RNN, Recipe
from rnnbias.networks import LAWS, NETWORKS, WIRINGS

ACTIVATE = {
    "tanh": np.tanh,
    "relu": lambda u: np.maximum(u, 0),
    "softplus": lambda u: np.logaddexp(u, 0),
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
}
PARTS = ("bias", "gain", "mask", "readout", "weights")
both_wirings = pytest.mark.parametrize("wiring", WIRINGS)


def network(wiring="push-pull", units=(8, 6, 4), inputs=3, outputs=2, **changes):
    recipe = Recipe(seed=1, wiring=wiring, gain=0.9, input_scale=1.0, readout_scale=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return FNN(units, inputs, outputs, **{"recipe": recipe, **changes})


def shaken(net, seed=0):
    """Move every learned number, so that no term of the equation is idle."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.5 * torch.randn(p.shape, generator=rng, dtype=torch.float64).to(p)
    return net


def points(samples=5, size=3, seed=0):
    return torch.randn(samples, size, generator=torch.Generator().manual_seed(seed)).double()


def by_hand(net, x):
    """The equation of the class, layer by layer, in numpy."""
    fan = 1 if net.recipe.wiring == "independent" else 2
    a = {name: value.detach().double().numpy() for name, value in net.state_dict().items()}
    sign = np.resize([1.0, -1.0] if fan == 2 else [1.0], net.units)
    moved = sign * np.repeat(a["bias"], 2) if net.recipe.wiring == "push-pull" else a["bias"]
    bias = np.repeat(a["start"], fan) + moved
    rate, first, rates = x.numpy(), 0, []
    for k, width in enumerate(net.widths):
        mine = slice(first, first + width)
        w = np.repeat(a[f"weight_{k + 1}"], fan, 0)
        rate = (a["mask"][mine] >= 0) * ACTIVATE[net.activation](a["gain"][mine] * (rate @ w.T + bias[mine]))
        rates.append(rate)
        first += width
    return np.concatenate(rates, 1), rate @ (np.repeat(a["readout"], fan, 1) * sign[-net.widths[-1] :]).T


@both_wirings
@pytest.mark.parametrize("units", [8, (8, 6, 4)])
@pytest.mark.parametrize("learn", ["bias", PARTS, {"gain", "mask"}])
@pytest.mark.parametrize("activation", ACTIVATE)
def test_the_equation(wiring, units, learn, activation):
    net = shaken(network(wiring, units, learn=learn, activation=activation))
    x = points()
    with torch.no_grad():
        rates, outputs = by_hand(net, x)
        np.testing.assert_allclose(net.trace(x).rate, rates, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(net(x), outputs, rtol=1e-12, atol=1e-14)


@both_wirings
def test_one_layer_is_one_step_of_a_recurrent_network_at_rest(wiring):
    recipe = Recipe(seed=4, wiring=wiring, readout_scale=1.0)
    flat, recurrent = FNN(10, 3, 2, recipe=recipe), RNN(10, 3, 2, recipe=recipe, activation="relu")
    x = points()
    with torch.no_grad():
        trace = recurrent(x[:, None])
        torch.testing.assert_close(flat.trace(x).rate, trace.rate[:, 0], rtol=1e-14, atol=0)
        torch.testing.assert_close(flat(x), recurrent.read(trace.rate)[:, 0], rtol=1e-14, atol=1e-16)


@both_wirings
@pytest.mark.parametrize("part", [part for part in PARTS if part != "mask"])
def test_gradients_by_finite_differences(wiring, part):
    net = shaken(network(wiring, learn=part, activation="softplus"))
    x = points()
    weight = torch.randn(5, 2, generator=torch.Generator().manual_seed(2)).double()
    found = torch.autograd.grad((weight * net(x)).sum(), list(net.parameters()))
    rng = torch.Generator().manual_seed(3)
    for parameter, gradient in zip(net.parameters(), found, strict=True):
        direction = torch.randn(parameter.shape, generator=rng).double()
        ends = []
        with torch.no_grad():
            for h in (1e-5, -2e-5):
                parameter += h * direction
                ends.append(float((weight * net(x)).sum()))
            parameter += 1e-5 * direction
        assert float((gradient * direction).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-7)


@both_wirings
def test_a_mask_of_all_ones_is_no_mask(wiring):
    x = points()
    with torch.no_grad():
        assert torch.equal(network(wiring, learn={"bias", "mask"})(x), network(wiring)(x))


def test_a_steep_mask_is_a_step_and_a_flat_one_a_half():
    net = shaken(network("independent", units=6, learn="mask"))
    x = points()
    with torch.no_grad():
        net.mask.sub_(1.0)
        assert 0 < (net.mask >= 0).sum() < 6
        hard, everything = net(x), network("independent", units=6)(x)
        net.steepness = 1e6
        torch.testing.assert_close(net(x), hard)
        net.steepness = 1e-12
        torch.testing.assert_close(net(x), everything / 2)
    net.steepness = 3.0
    assert torch.autograd.gradcheck(lambda m: torch.func.functional_call(net, {"mask": m}, (x,)), net.mask)


def test_a_mask_learns_through_the_slope_of_a_sigmoid():
    net = network("independent", units=5, learn="mask")
    x = points()
    (gradient,) = torch.autograd.grad(net.trace(x).rate.sum(), net.mask)
    soft = torch.sigmoid(torch.ones(())).double() * torch.sigmoid(-torch.ones(())).double()
    torch.testing.assert_close(gradient, network("independent", units=5).trace(x).rate.detach().sum(0) * soft)


@pytest.mark.parametrize("law", LAWS)
@both_wirings
def test_small_networks_are_corners_of_large_ones(law, wiring):
    recipe = Recipe(seed=5, law=law, wiring=wiring, gain=0.7)
    more = (2, 1) if law == "spherical" else (3, 2)  # its rows have one length whatever their number of entries
    small, large = (recipe.draw_layers(u, inputs=i, outputs=o) for u, i, o in [((4, 6), 2, 1), ((8, 12, 10), *more)])
    scale = np.sqrt([4, 8])
    fan = WIRINGS[recipe.wiring].units_per_row
    np.testing.assert_array_equal(small.weights[0], large.weights[0][: 4 // fan, :2])
    np.testing.assert_allclose(small.weights[1] * scale[0], large.weights[1][: 6 // fan, :4] * scale[1], rtol=1e-14)
    for few, many in zip(small.biases, large.biases, strict=False):
        np.testing.assert_array_equal(few, many[: len(few)])
    np.testing.assert_allclose(
        small.readout * np.sqrt(6), large.readout[:1, : 6 // fan] * np.sqrt(10), rtol=1e-14
    )  # the last layer's readout has seeds of its own, whichever layer that is
    assert len({w.tobytes() for w in large.weights[1:]}) == 2


def test_layers_are_drawn_independently():
    drawn = Recipe(seed=2, wiring="independent", gain=1.0).draw_layers((300, 300, 300), inputs=300, outputs=1)
    flat = [w.ravel() for w in drawn.weights]
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.02
    assert np.abs(np.corrcoef(drawn.biases) - np.eye(3)).max() < 0.25
    assert [round(float(w.std() * s), 1) for w, s in zip(drawn.weights, [10, 300**0.5, 300**0.5], strict=True)] == [
        1
    ] * 3


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(1, 4), st.integers(1, 3), st.sampled_from(PARTS)
)
def test_learned_numbers_are_counted_and_the_rest_is_frozen(units, inputs, outputs, part):
    net = network("independent", units, inputs, outputs, learn=part)
    total, below = sum(units), [inputs, *units[:-1]]
    weights = sum(a * b for a, b in zip(units, below, strict=True))
    assert net.learned == {"weights": weights, "readout": outputs * units[-1]}.get(part, total)
    before = net.digests()
    loss = net(points(size=inputs)).square().mean()
    loss.backward()
    torch.optim.Adam(net.parameters()).step()
    assert net.digests() == before == network("independent", units, inputs, outputs, learn=part).digests()
    assert set(before) | {n for n, _ in net.named_parameters()} == set(net.state_dict())


def test_pairs_count_once():
    assert network("push-pull").learned == 9
    assert network("push-pull", learn="gain").learned == 18
    assert network("push-pull", learn="readout").learned == 2 * 2


def test_layers_say_where_their_units_are():
    net = network("push-pull")
    assert [(layer.rows, layer.biases_at, layer.units_at) for layer in net.layers] == [
        (4, slice(0, 4), slice(0, 8)), (3, slice(4, 7), slice(8, 14)), (2, slice(7, 9), slice(14, 18)),
    ]  # fmt: skip
    assert net.layers[1].weight.shape == (3, 8)


def test_single_precision():
    net = network(dtype=torch.float32)
    assert net(points().float()).dtype == torch.float32
    torch.testing.assert_close(net(points().float()).double(), network()(points()), rtol=1e-5, atol=1e-6)


def test_only_relu_falls_silent_and_the_others_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = FNN(4, 1, 1)
    with torch.no_grad():
        net.start.fill_(-1e3)
        assert (net.trace(points(size=1)).rate == 0).all()
    for name in ("tanh", "softplus", "sigmoid"):
        with pytest.warns(UserWarning, match="no bias silences a unit"):
            FNN(4, 1, 1, activation=name)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"units": 7}, "units must be even"),
        ({"units": ()}, "at least one hidden layer"),
        ({"units": (4, 0)}, "units must be at least 1, got 0"),
        ({"units": 10**9}, "units must be at most"),
        ({"units": 4.0}, "units must be a whole number"),
        ({"units": "4"}, "units must be a whole number"),
        ({"inputs": 0}, "inputs must be at least 1"),
        ({"outputs": 0}, "outputs must be at least 1"),
        ({"learn": "initial"}, "learn must be one of 'bias', 'gain', 'mask', 'readout', 'weights'"),
        ({"learn": ()}, "learn must name at least one"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
    ],
)
def test_impossible_networks_are_refused(change, error):
    with pytest.raises((ValueError, TypeError), match=error):
        FNN(**{"units": 4, "inputs": 2, "outputs": 1, **change})


@both_wirings
@pytest.mark.parametrize("learn", ["bias", PARTS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_plain_settings_rebuild_the_network_and_foretell_what_learns(wiring, learn, dtype):
    net = network(wiring, learn=learn, dtype=dtype, activation="tanh")
    settings = json.loads(json.dumps(net.to_dict()))
    assert settings.pop("network") == "FNN" and NETWORKS["FNN"] is FNN
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FNN.from_dict(settings).digests() == net.digests()
    assert FNN.shapes(settings) == {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert all(len(net.dims[name]) == p.ndim for name, p in net.named_parameters())
