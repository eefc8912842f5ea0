import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias.networks import (
    ACTIVATIONS,
    RNN,
    WIRINGS,
    Recipe,
    bias_jacobian,
    jacobian_vector_product,
    vector_jacobian_product,
)

every_network = [
    pytest.param(wiring, alpha, beta, activation, id=f"{wiring}-{alpha}-{activation}")
    for wiring in WIRINGS
    for alpha, beta in [(0.0, 1.0), (-0.6, 0.4)]
    for activation in ACTIVATIONS
]


def network(wiring="push-pull", alpha=0.0, beta=1.0, activation="tanh", units=10, gain=0.9, seed=3):
    recipe = Recipe(seed=seed, wiring=wiring, gain=gain, input_scale=0.7, readout_scale=2.0)
    net = RNN(units, 2, 3, recipe=recipe, alpha=alpha, beta=beta, activation=activation)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        net.bias += 0.3 * torch.randn(net.bias.shape, generator=rng, dtype=torch.float64)
    return net


def inputs(trials=2, times=7, seed=0):
    return torch.randn(trials, times, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(net, x, bias, washout):
    rate = torch.func.functional_call(net, {"bias": bias}, (x,)).rate
    return net.read(rate[:, washout:])


def by_autograd(net, x, washout=0):
    return torch.autograd.functional.jacobian(lambda b: outputs(net, x, b, washout), net.bias.detach())


def jacobian(net, trace, washout=0, tolerance=0.0):
    """Of all outputs from `washout` on; its matrix is (trial, time, output, bias)."""
    counted = torch.zeros_like(net.read(trace.rate), dtype=torch.bool)
    counted[:, washout:] = True
    found = bias_jacobian(net, trace, counted, tolerance)
    return found._replace(matrix=found.matrix.unflatten(0, counted[:, washout:].shape))


def relative(a, b):
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize(("wiring", "alpha", "beta", "activation"), every_network)
@pytest.mark.parametrize("washout", [0, 3, 6])
def test_it_is_what_autograd_finds(wiring, alpha, beta, activation, washout):
    net, x = network(wiring, alpha, beta, activation), inputs()
    found = jacobian(net, net(x), washout, tolerance=0)
    assert found.matrix.shape == (2, 7 - washout, 3, net.bias.numel())
    torch.testing.assert_close(found.matrix, by_autograd(net, x, washout), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("alpha", [0.0, -0.5])
def test_it_is_what_finite_differences_find(wiring, alpha):
    net, x = network(wiring, alpha), inputs()
    exact = jacobian(net, net(x), tolerance=0).matrix
    base, step = net.bias.detach().clone(), 1e-5
    with torch.no_grad():
        for k in range(len(base)):
            nudge = step * torch.eye(len(base), dtype=torch.float64)[k]
            slope = (outputs(net, x, base + nudge, 0) - outputs(net, x, base - nudge, 0)) / (2 * step)
            torch.testing.assert_close(exact[..., k], slope, rtol=1e-6, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(
    wiring=st.sampled_from(list(WIRINGS)),
    alpha=st.sampled_from([0.0, -0.8, 0.3]),
    trials=st.integers(1, 3),
    times=st.integers(1, 9),
    half=st.integers(1, 6),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_sizes_of_every_kind(wiring, alpha, trials, times, half, seed, data):
    washout = data.draw(st.integers(0, times - 1))
    net, x = network(wiring, alpha, units=2 * half, seed=seed), inputs(trials, times, seed)
    exact = by_autograd(net, x, washout)
    trace = net(x)
    torch.testing.assert_close(jacobian(net, trace, washout, 0).matrix, exact, rtol=1e-9, atol=1e-12)
    rng = torch.Generator().manual_seed(seed)
    v = torch.randn(net.bias.shape, generator=rng, dtype=torch.float64)
    w = torch.randn(exact.shape[:-1], generator=rng, dtype=torch.float64)
    ahead = jacobian_vector_product(net, trace, v)[:, washout:]
    full = torch.cat([w.new_zeros(trials, washout, 3), w], 1) if washout else w
    back = vector_jacobian_product(net, trace, full)
    torch.testing.assert_close(ahead, exact @ v, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(back, torch.einsum("ktoj,kto->j", exact, w), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close((ahead * w).sum(), (v * back).sum(), rtol=1e-9, atol=1e-11)  # <Jv, w> = <v, J'w>


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_what_the_tolerance_drops_is_small(wiring, tolerance):
    net, x = network(wiring, units=30, gain=0.5), inputs(times=60)
    trace = net(x)
    exact, cut = (jacobian(net, trace, 5, t) for t in (0, tolerance))
    assert cut.depth < exact.depth == 59 and exact.dropped == 0
    assert 0 < cut.dropped <= tolerance
    assert relative(cut.matrix, exact.matrix) <= tolerance  # the terms fall at least by half each
    assert relative(cut.matrix, exact.matrix) > 0


def test_a_tighter_tolerance_goes_deeper():
    trace = (net := network(units=30))(inputs(times=80))
    found = [jacobian(net, trace, tolerance=t) for t in (1e-1, 1e-3, 1e-6, 1e-9)]
    depths = [f.depth for f in found]
    assert depths == sorted(set(depths))
    exact = jacobian(net, trace, tolerance=0).matrix
    errors = [relative(f.matrix, exact) for f in found]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-8


def test_without_recurrence_one_term_is_exact():
    net = network(gain=0.0)
    found = jacobian(net, net(inputs()))
    assert found.depth == found.dropped == 0
    torch.testing.assert_close(found.matrix, by_autograd(net, inputs()))


def test_the_gradient_of_a_loss_is_a_backward_sweep():
    net, x = network(alpha=-0.2), inputs()
    loss = net.read(net(x).rate[:, 2:]).square().sum() / 2
    (gradient,) = torch.autograd.grad(loss, net.bias)
    trace = net(x)
    weight = net.read(trace.rate)
    weight[:, :2] = 0
    torch.testing.assert_close(vector_jacobian_product(net, trace, weight), gradient)


def test_a_silent_network_has_jacobian_zero():
    net = network(activation="relu")
    net.start.fill_(-100.0)
    found = jacobian(net, net(inputs()))
    assert (found.matrix == 0).all() and found.dropped == 0


def test_the_units_of_pairs_are_folded():
    """Rows of pairs are those of the same network wired unit by unit, folded with opposite signs."""
    pair, x = network("push-pull"), inputs()
    flat = network("independent")
    sign = torch.tensor([1.0, -1.0]).repeat(5).double()
    with torch.no_grad():
        flat.recurrent.copy_(pair.recurrent.repeat_interleave(2, 0))
        flat.input.copy_(pair.input.repeat_interleave(2, 0))
        flat.readout.copy_(pair.readout.repeat_interleave(2, 1) * sign)
        flat.start.copy_(pair.biases)
        flat.bias.zero_()
    units = jacobian(flat, flat(x), tolerance=0).matrix
    folded = units[..., 0::2] - units[..., 1::2]
    torch.testing.assert_close(jacobian(pair, pair(x), tolerance=0).matrix, folded)


def test_single_precision():
    net = network().float()
    found = jacobian(net, net(inputs().float())).matrix
    assert found.dtype == torch.float32 and not found.requires_grad
    np.testing.assert_allclose(found, by_autograd(network(), inputs()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("alpha", [0.0, -0.6])
def test_rows_are_those_that_count_in_their_order(wiring, alpha):
    net, x = network(wiring, alpha), inputs(trials=3)
    counted = torch.rand(3, 7, 3, generator=torch.Generator().manual_seed(1)) < 0.3
    found = bias_jacobian(net, net(x), counted)
    torch.testing.assert_close(found.matrix, by_autograd(net, x)[counted])
    nothing = bias_jacobian(net, net(x), torch.zeros_like(counted))
    assert nothing.matrix.shape == (0, net.bias.numel())
