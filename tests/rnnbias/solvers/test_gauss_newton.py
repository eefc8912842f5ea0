from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from rnnbias import RNN, GaussNewton, Recipe
from rnnbias.networks import parameters
from rnnbias.objectives import Sequences
from rnnbias.solvers import Monitor, find_solver

RECIPE = Recipe(seed=3, wiring="independent", gain=1.2, input_scale=0.5, readout_scale=3.0)


def problem(learn="bias", units=12):
    net = RNN(units, 1, 1, recipe=RECIPE, learn=learn)
    teacher = RNN(units, 1, 1, recipe=RECIPE)
    rng = np.random.default_rng(0)
    parameters.write(teacher, torch.from_numpy(0.3 * rng.standard_normal(units)))
    inputs = torch.from_numpy(rng.standard_normal((4, 30, 1)))
    with torch.no_grad():
        targets = teacher.read(teacher(inputs).rate[:, 5:])
    return net, Sequences(inputs, targets, 5)


def taught(net, data, **settings):
    monitor = Monitor(net, data, patience=100, progress=False)
    GaussNewton(**settings).solve(net, data, monitor)
    return [record["loss"] for record in monitor.records]


def test_it_finds_what_a_network_of_the_same_weights_can_do():
    net, data = problem()
    before = net.digests()
    losses = taught(net, data)
    assert losses[-1] < 1e-20 and (np.diff(losses) < 0).all()
    assert net.digests() == before


def test_it_finds_the_minimum_that_scipy_finds_where_residuals_remain():
    net, data = problem()
    data = replace(data, targets=data.targets + 0.1 * torch.sin(torch.arange(25.0, dtype=torch.float64))[:, None])
    start = parameters.read(net)

    def residual(numbers):
        parameters.write(net, torch.from_numpy(numbers))
        with torch.no_grad():
            return data.residual(net).flatten().numpy()

    truth = least_squares(residual, start.numpy(), xtol=1e-14, ftol=1e-14, gtol=1e-12)
    parameters.write(net, start)
    assert taught(net, data, iterations=100)[-1] == pytest.approx(2 * truth.cost / data.targets.numel(), rel=1e-4)


def test_weights_of_a_small_network_can_learn_too():
    net, data = problem(("weights", "bias"), units=6)
    losses = taught(net, data, iterations=20)
    assert losses[-1] < 1e-3 * losses[0]


def test_where_nothing_helps_nothing_changes():
    net, data = problem()
    with torch.no_grad():
        data = replace(data, targets=net.read(net(data.inputs).rate[:, 5:]))
    start = parameters.read(net)
    assert taught(net, data) == [0.0] and torch.equal(parameters.read(net), start)


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"tolerance": -1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GaussNewton(**wrong)


def test_a_mask_is_refused():
    with pytest.raises(ValueError, match="mask"):
        find_solver("gauss-newton", ("bias", "mask"))
