import pytest
import torch

from rnnbias import RNN, Recipe
from rnnbias.networks import NETWORKS, ParametricRNN


def network(**changes):
    settings = {"recipe": Recipe(gain=0.5, wiring="independent"), "learn": {"bias", "modulation"}, "alpha": -0.2}
    net = ParametricRNN(6, 2, 1, parameters=3, **{**settings, **changes})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(0))
    return net


@pytest.mark.parametrize("wiring", ["independent", "push-pull", "twins"])
def test_a_network_at_some_parameters_is_a_plain_one_of_those_biases(wiring):
    net = network(recipe=Recipe(gain=0.5, wiring=wiring))
    z, x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), torch.randn(4, 7, 2, dtype=torch.float64)
    plain = net.at(z)
    assert type(plain) is RNN and plain.learn == ("bias",)
    assert {k: v for k, v in net.digests().items() if k in plain.digests()} == plain.digests()
    given = torch.cat([x, z.expand(4, 7, -1)], -1)
    torch.testing.assert_close(net(given).rate, plain(x).rate)


def test_it_starts_without_modulation_and_is_rebuilt_from_its_settings():
    net = network()
    again = NETWORKS["ParametricRNN"].from_dict({k: v for k, v in net.to_dict().items() if k != "network"})
    assert not again.modulation.any() and again.to_dict() == net.to_dict() and again.digests() == net.digests()
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert ParametricRNN.shapes(net.to_dict()) == shapes == {"bias": (6,), "modulation": (3, 6)}
    assert set(net.dims) > set(shapes)


@pytest.mark.parametrize("count", [0, -1])
def test_it_has_parameters(count):
    with pytest.raises(ValueError, match="parameters must be at least 1"):
        ParametricRNN(6, 2, 1, parameters=count)
