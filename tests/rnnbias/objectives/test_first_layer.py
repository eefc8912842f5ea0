import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from rnnbias import FNN, Recipe
from rnnbias.networks import ACTIVATIONS, WIRINGS, Dense
from rnnbias.objectives import FirstLayer
from rnnbias.objectives.first_layer import BLOCK, cross_entropy_gradients

PARTS = ("bias", "gain", "mask", "readout")


def shaken(wiring, learn, activation="relu", seed=0, units=12):
    """A network whose learned numbers are all away from where they start."""
    recipe = Recipe(seed=seed, wiring=wiring, input_scale=1.0, readout_scale=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        net = FNN(units, 5, 3, recipe=recipe, learn=learn, activation=activation)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += torch.randn(p.shape, generator=rng, dtype=p.dtype)
    return net


def examples(count=BLOCK + 30, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, generator=rng, dtype=torch.float64), torch.randint(0, 3, (count,), generator=rng)


@settings(deadline=None)
@given(
    wiring=st.sampled_from(list(WIRINGS)),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    learn=st.sets(st.sampled_from(PARTS), min_size=1),
    steepness=st.sampled_from([None, 0.5, 7.0]),
    seed=st.integers(0, 100),
)
def test_gradients_are_those_of_autograd(wiring, activation, learn, steepness, seed):
    net, (inputs, labels) = shaken(wiring, learn, activation, seed), examples(seed=seed)
    net.steepness = steepness
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[: BLOCK + 3]
    found, gradients = cross_entropy_gradients(net, FirstLayer(inputs, net.layers[0].weight, 1e9), labels, chosen)
    loss = functional.cross_entropy(net(inputs[chosen]), labels[chosen])
    wanted = torch.autograd.grad(loss, list(net.parameters()))
    torch.testing.assert_close(found, loss.detach())
    assert len(gradients) == len(wanted)
    for mine, theirs in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_gradients_are_those_of_finite_differences(wiring):
    net, (inputs, labels) = shaken(wiring, {"bias", "gain", "readout"}, "tanh"), examples()
    drives, every = FirstLayer(inputs, net.layers[0].weight, 1e9), torch.arange(len(labels))
    _, gradients = cross_entropy_gradients(net, drives, labels, every)
    for p, gradient in zip(net.parameters(), gradients, strict=True):
        for place in [(0,) * p.ndim, tuple(n - 1 for n in p.shape)]:
            values = []
            for side in (1e-5, -1e-5):
                with torch.no_grad():
                    p[place] += side
                    values.append(cross_entropy_gradients(net, drives, labels, every)[0])
                    p[place] -= side
            assert gradient[place].item() == pytest.approx(float(values[0] - values[1]) / 2e-5, rel=1e-6, abs=1e-9)


def test_drives_are_w_x_however_they_are_kept():
    inputs, weight = torch.randn(30, 7), torch.randn(11, 7)
    chosen = torch.tensor([3, 0, 29, 3])
    wanted = inputs[chosen] @ weight.T
    for memory, words, close in (
        (1320, "kept in float32", 1e-5),
        (700, "kept in float16", 1e-2),
        (659, "computed", 1e-5),
    ):
        drives = FirstLayer(inputs, Dense(weight), memory)
        assert words in drives.storage
        found = drives.drive(chosen)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, rtol=close, atol=close)
        found.zero_()  # a fresh array: what is kept stays
        torch.testing.assert_close(drives.drive(chosen), wanted, rtol=close, atol=close)


def test_what_half_precision_cannot_hold_is_computed_anew():
    drives = FirstLayer(torch.full((3, 2), 1e5), Dense(torch.ones(4, 2)), memory=30)
    assert "computed at every batch" in drives.storage and drives.drive(torch.tensor([0])).tolist() == [[2e5] * 4]


def test_a_mask_of_all_ones_is_no_mask():
    inputs, labels = examples()
    every = torch.arange(len(labels))
    plain, masked = shaken("independent", "bias"), shaken("independent", {"bias", "mask"})
    with torch.no_grad():
        masked.bias.copy_(plain.bias)
        masked.mask.fill_(1.0)
    torch.testing.assert_close(masked(inputs), plain(inputs), rtol=0, atol=0)
    found = [
        cross_entropy_gradients(net, FirstLayer(inputs, net.layers[0].weight, 1e9), labels, every)
        for net in (plain, masked)
    ]
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=0)
    torch.testing.assert_close(found[0][1][0], found[1][1][0], rtol=0, atol=0)
