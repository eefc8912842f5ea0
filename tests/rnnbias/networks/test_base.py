import numpy as np
import pytest
import torch

from rnnbias.networks import RNN, TRAINABLE, WIRINGS, Recipe, trainable_parts

ACTIVATE = {
    "tanh": np.tanh,
    "relu": lambda u: np.maximum(u, 0),
    "softplus": lambda u: np.logaddexp(u, 0),
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
}
both_wirings = pytest.mark.parametrize("wiring", WIRINGS)


def network(wiring="push-pull", units=8, inputs=3, outputs=2, **changes):
    recipe = Recipe(seed=1, wiring=wiring, gain=0.9, input_scale=1.0, readout_scale=1.0)
    return RNN(units, inputs, outputs, **{"recipe": recipe, **changes})


def shaken(net, seed=0):
    """Move every learned number, so that no term of the equation is idle."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.5 * torch.randn(p.shape, generator=rng, dtype=torch.float64).to(p)
    return net


def inputs(trials=2, times=6, size=3, seed=0):
    return torch.randn(trials, times, size, generator=torch.Generator().manual_seed(seed)).double()


def by_hand(net, x):
    """The equation of the class, unit by unit, in numpy."""
    fan = 1 if net.recipe.wiring == "independent" else 2
    a = {name: value.detach().double().numpy() for name, value in net.state_dict().items()}
    w, b_in = np.repeat(a["recurrent"], fan, 0), np.repeat(a["input"], fan, 0)
    sign = np.resize([1.0, -1.0] if fan == 2 else [1.0], net.units)
    moved = sign * np.repeat(a["bias"], 2) if net.recipe.wiring == "push-pull" else a["bias"]
    bias = np.repeat(a["start"], fan) + moved
    readout = np.repeat(a["readout"], fan, 1) * sign
    rate = np.tile(a["initial"], (len(x), 1))
    rates, outputs = [], []
    for t in range(x.shape[1]):
        drive = a["gain"] * (rate @ w.T + x[:, t].numpy() @ b_in.T + bias)
        rate = -net.alpha * rate + net.beta * (a["mask"] >= 0) * ACTIVATE[net.activation](drive)
        rates.append(rate)
        outputs.append(rate @ readout.T)
    return np.stack(rates, 1), np.stack(outputs, 1)


@both_wirings
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 1.0), (-0.7, 0.3), (0.4, 2.0)])
@pytest.mark.parametrize("learn", ["bias", TRAINABLE, {"gain", "mask"}, "initial"])
def test_the_equation(wiring, alpha, beta, learn):
    net = shaken(network(wiring, learn=learn, alpha=alpha, beta=beta))
    x = inputs()
    with torch.no_grad():
        trace = net(x)
        rates, outputs = by_hand(net, x)
        np.testing.assert_allclose(trace.rate, rates, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(net.read(trace.rate), outputs, rtol=1e-12, atol=1e-14)
    assert trace.drive.shape == trace.rate.shape == (2, 6, 8)


@pytest.mark.parametrize("activation", ACTIVATE)
def test_the_activations(activation):
    net = shaken(network(activation=activation))
    with torch.no_grad():
        np.testing.assert_allclose(net(inputs()).rate, by_hand(net, inputs())[0], rtol=1e-12)


@both_wirings
def test_running_on_from_a_rate_is_the_same_as_one_run(wiring):
    net, x = shaken(network(wiring, alpha=-0.5)), inputs()
    with torch.no_grad():
        whole = net(x).rate
        first = net(x[:, :4]).rate
        second = net(x[:, 4:], first[:, -1]).rate
        torch.testing.assert_close(torch.cat([first, second], 1), whole)
        drive, rate = net.advance(first[:, -1], net.external(x[:, 4]))
        torch.testing.assert_close(rate, whole[:, 4])
        torch.testing.assert_close(drive, net(x).drive[:, 4])


def test_trials_do_not_meet():
    net, x = shaken(network()), inputs(trials=3)
    with torch.no_grad():
        torch.testing.assert_close(net(x).rate[1:2], net(x[1:2]).rate)


@pytest.mark.parametrize(
    ("learn", "count", "count_independent"),
    [
        ("bias", 4, 8),
        ("gain", 8, 8),
        ("mask", 8, 8),
        ("readout", 2 * 4, 2 * 8),
        ("initial", 8, 8),
        ("weights", 4 * 8 + 4 * 3, 8 * 8 + 8 * 3),
        (("bias", "gain"), 12, 16),
        (TRAINABLE, 4 + 8 + 8 + 8 + 8 + 44, 8 + 8 + 8 + 16 + 8 + 88),
    ],
)
def test_learned_numbers_are_counted_and_the_rest_is_frozen(learn, count, count_independent):
    assert network("push-pull", learn=learn).learned == count
    net = network("independent", learn=learn)
    assert net.learned == count_independent
    parameters, buffers = (dict(found()) for found in (net.named_parameters, net.named_buffers))
    parts = {"weights": {"recurrent", "input"}}
    wanted = set().union(*(parts.get(part, {part}) for part in trainable_parts(learn)))
    assert set(parameters) == wanted
    names = {"recurrent", "input", "readout", "start", "bias", "gain", "mask", "initial"}
    assert set(buffers) == names - wanted
    assert not any(b.requires_grad for b in buffers.values())
    assert set(net.digests()) == set(buffers)


def test_learn_sets_have_one_order():
    assert trainable_parts("bias") == ("bias",)
    assert trainable_parts({"mask", "bias"}) == trainable_parts(["mask", "bias"]) == ("bias", "mask")
    assert trainable_parts(reversed(TRAINABLE)) == TRAINABLE


@pytest.mark.parametrize("learn", [[], "biases", ["bias", "wieghts"], ["bias", 3], ""])
def test_wrong_learn_sets_are_refused(learn):
    with pytest.raises(ValueError, match="learn must"):
        trainable_parts(learn)


def test_push_pull_starts_at_zero():
    with torch.no_grad():
        assert (network().read(network()(inputs()).rate) == 0).all()
        assert (network("independent").read(network("independent")(inputs()).rate) != 0).all()


def test_push_pull_without_recurrence_is_odd_in_the_learned_numbers():
    net, x = network(), inputs()
    net.recurrent.zero_()
    with torch.no_grad():
        z = 1e-3 * torch.randn(4, generator=torch.Generator().manual_seed(0)).double()
        outputs = []
        for scale in (1, -1, 2):
            net.bias.copy_(scale * z)
            outputs.append(net.read(net(x).rate))
        plus, minus, twice = outputs
        torch.testing.assert_close(plus, -minus, rtol=1e-9, atol=1e-12)
        assert (twice - 2 * plus).abs().max() < 1e-5 * plus.abs().max()  # linear to second order


@both_wirings
def test_biases_are_the_start_and_what_was_learned(wiring):
    net = network(wiring)
    before = net.biases.detach().clone()
    np.testing.assert_array_equal(before, np.repeat(net.start.numpy(), net.wiring.units_per_row))
    shaken(net)
    moved = (net.biases - before).detach()
    if wiring == "push-pull":
        torch.testing.assert_close(moved[0::2], net.bias.detach())
        torch.testing.assert_close(moved[1::2], -net.bias.detach())
    else:
        torch.testing.assert_close(moved, net.bias.detach())


def test_a_negative_mask_silences_and_still_learns():
    net, x = network("independent", learn="mask"), inputs()
    with torch.no_grad():
        full = net(x).rate
        net.mask[2] = -0.1
        rate = net(x).rate
    assert (rate[..., 2] == 0).all() and (full[..., 2] != 0).any()
    assert (rate[:, 0, [0, 1, 3]] == full[:, 0, [0, 1, 3]]).all()
    net.read(net(x).rate).square().mean().backward()
    assert net.mask.grad.isfinite().all() and (net.mask.grad != 0).all()


def test_the_slope_of_the_mask_is_that_of_a_sigmoid():
    net = network("independent", learn="mask")
    x = inputs(times=1)
    with torch.no_grad():
        fired = torch.tanh(net.external(x[:, 0]))
    (gradient,) = torch.autograd.grad(net(x).rate.sum(), net.mask)
    soft = torch.sigmoid(torch.ones(()).double())
    torch.testing.assert_close(gradient, fired.sum(0) * soft * (1 - soft))


@pytest.mark.parametrize("part", TRAINABLE)
def test_every_learnable_part_moves_the_output(part):
    net = shaken(network("independent", learn=part))
    net.read(net(inputs()).rate).square().sum().backward()
    assert all((p.grad != 0).any() for p in net.parameters())


@both_wirings
def test_float32_agrees_with_float64(wiring):
    nets = [network(wiring, dtype=dtype) for dtype in (torch.float32, torch.float64)]
    single, double = (shaken(net) for net in nets)
    assert all(v.dtype == torch.float32 for v in single.state_dict().values())
    with torch.no_grad():
        rates = single(inputs().float()).rate
        assert rates.dtype == torch.float32
        torch.testing.assert_close(rates.double(), double(inputs()).rate, rtol=1e-4, atol=1e-5)


def test_state_dict_round_trip(tmp_path):
    net = shaken(network(learn={"bias", "readout"}))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other = network(learn={"bias", "readout"})
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(other(inputs()).rate, net(inputs()).rate)
    assert other.digests() == net.digests()


def test_digests_do_not_depend_on_what_was_learned_but_see_any_frozen_change():
    net = network()
    before = net.digests()
    assert shaken(net).digests() == before
    net.recurrent[0, 0] = torch.nextafter(net.recurrent[0, 0], torch.tensor(9.0).double())
    assert {name for name, d in net.digests().items() if d != before[name]} == {"recurrent"}


def test_the_representation_counts_what_learns():
    assert "learned=4" in repr(network()) and "push-pull" in repr(network())


def test_no_inputs():
    net = network(inputs=0)
    assert net(torch.zeros(2, 5, 0, dtype=torch.float64)).rate.shape == (2, 5, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "units"),
        ({"units": 7}, "units must be even"),
        ({"units": 8.0}, "units"),
        ({"units": "8"}, "units"),
        ({"units": 10**7}, "units"),
        ({"inputs": -1}, "inputs"),
        ({"outputs": 0}, "outputs"),
        ({"learn": "biases"}, "learn"),
        ({"activation": "swish"}, "activation"),
        ({"activation": torch.tanh}, "activation"),
        ({"alpha": 1.5}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"beta": 0}, "beta"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        network(**changes)
