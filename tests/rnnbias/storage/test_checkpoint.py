import pytest
import torch

from rnnbias import FNN, RNN, Recipe
from rnnbias.storage import checkpoint
from systems.labels import Labelled, dataset


def kept(network):
    """A file's content: the settings and the learned numbers of a network."""
    learned = {
        f"learned_{name}": Labelled(network.dims[name], p.detach().numpy(), "1", name)
        for name, p in network.named_parameters()
    }
    return dataset(learned, {}, title="test", config={"network": network.to_dict()})


@pytest.mark.parametrize("network", [RNN(6, 2, 1, learn=("bias", "gain")), FNN((4, 6), 2, 1, recipe=Recipe(seed=3))])
def test_a_network_is_drawn_again_with_its_numbers(network):
    torch.nn.init.ones_(network.bias)
    back = checkpoint.draw(network.to_dict(), kept(network), network.digests())
    assert back.to_dict() == network.to_dict() and back.digests() == network.digests()
    assert torch.equal(back.bias, network.bias) and checkpoint.altered(network) == {}


def test_other_frozen_arrays_and_impossible_numbers_are_refused():
    network, other = RNN(6, 2, 1), RNN(6, 2, 1, recipe=Recipe(seed=1))
    with pytest.raises(ValueError, match="the digests of the frozen arrays do not match"):
        checkpoint.draw(network.to_dict(), kept(network), other.digests())
    with pytest.raises(ValueError, match="bias must have shape"):
        checkpoint.draw({**network.to_dict(), "units": 10**5}, kept(network), network.digests())
    with pytest.raises(ValueError, match="network must be one of 'Circuit', 'FNN', 'RNN'"):
        checkpoint.draw({**network.to_dict(), "network": "LSTM"}, kept(network), network.digests())


def test_what_the_recipe_does_not_draw_is_named():
    network = RNN(6, 2, 1)
    network.readout.mul_(2.0)
    assert list(checkpoint.altered(network)) == ["frozen_readout"]


@pytest.mark.parametrize("structure", ["hadamard", "low-rank"])
def test_other_structured_weights_are_kept_by_their_arrays(structure):
    network = RNN(6, 2, 1, recipe=Recipe(structure=structure))
    for name, buffer in network.named_buffers():
        if name.startswith("recurrent_"):
            buffer.mul_(2.0)
    ds = dataset(
        {**checkpoint.altered(network), "learned_bias": Labelled("row", network.bias.detach().numpy(), "1", "b")},
        {},
        title="t",
        config={},
    )
    back = checkpoint.draw(network.to_dict(), ds, network.digests())
    assert all(torch.equal(a, b) for a, b in zip(back.buffers(), network.buffers(), strict=True))
