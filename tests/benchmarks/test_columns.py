import numpy as np
import pytest
import torch

import columns
from rnnbias import FNN


@pytest.fixture
def network():
    network = FNN(6, 1, 1)
    torch.nn.init.constant_(network.bias, 0.5)
    return network


def test_the_columns_are_those_of_robustness(network):
    found = columns.steadiness(network, lambda net: float(abs(net.bias.mean() - 0.5) < 1e-3))
    assert list(found) == list(columns.SCORES) and len(columns.words(found, "{:.2f}")) == len(columns.HEADER)
    assert found["moved"] == pytest.approx(0.5 / network.start.std(correction=0).item())
    assert found["float32"] == 1 and found["bias_noise"] == 1 and np.isnan(found["rate_noise"])
    assert columns.words(found, "{:.2f}")[1:] == ["1.00", "1e+00", ""]


def test_the_skill_is_that_under_noise_on_the_rates(network):
    usual = network(torch.ones(1, 1).to(network.bias)).item()

    def skill(net):
        return float(abs(net(torch.ones(1, 1).to(net.bias)).item() - usual) < 1.0)

    assert columns.steadiness(network, skill)["rate_noise"] == 1.0


def test_only_biases_that_learn_alone_have_columns():
    assert columns.steadiness(FNN(6, 1, 1, learn=("bias", "readout")), lambda net: 1.0) == {}
