"""The natural gradient among the levers of the image benchmark."""

import pytest
import torch

from pictures.natural import NaturalGradient, curvature
from rnnbias import FNN, Recipe, fit_classes, load
from rnnbias.objectives import CrossEntropy, FirstLayer
from systems import images


@pytest.mark.parametrize("wiring", ["independent", "twins"])
def test_the_curvature_is_that_of_the_bound_on_a_softmax(wiring):
    net = FNN(12, 5, 3, recipe=Recipe(wiring=wiring, bias_scale=0.3, seed=2))
    inputs = torch.randn(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(20, dtype=torch.long)
    trials = torch.tensor([3, 7, 8, 15])
    jacobian = torch.func.jacrev(lambda b: torch.func.functional_call(net, {"bias": b}, inputs[trials]))(net.bias)
    bound = (torch.eye(3, dtype=torch.float64) - 1 / 3) / 2
    wanted = torch.einsum("toi,op,tpj->ij", jacobian, bound, jacobian) / 4
    with torch.no_grad():
        found = curvature(net, CrossEntropy(inputs, labels, FirstLayer(inputs, net.layers[0].weight, 1e9)), trials)
    torch.testing.assert_close(found, wanted)


def test_it_learns_digits_and_refuses_what_it_cannot_learn(tmp_path):
    digits = images.get("digits")
    fit = fit_classes(digits, units=1000, solver=NaturalGradient(batch=100), progress=False)
    assert float(fit.score(digits).accuracy) > 0.8
    assert load(fit.save(tmp_path / "digits.nc")).solver == fit.solver  # though it is no solver of the package
    with pytest.raises(ValueError, match=r"needs learn='bias', got learn={'gain'}"):
        fit_classes(digits, units=20, learn="gain", solver=NaturalGradient(), progress=False)
    with pytest.raises(ValueError, match="damping must be greater than 0, got 0"):
        NaturalGradient(damping=0)
