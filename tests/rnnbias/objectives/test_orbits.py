import math

import numpy as np
import pytest
import torch

import systems
from rnnbias import RNN, Recipe
from rnnbias.objectives import FreeRun, Orbit

TURN = torch.arange(64, dtype=torch.float64) * (2 * math.pi / 64)
EIGHT = Orbit(torch.stack([TURN.sin(), TURN.sin() * TURN.cos() + 0.3], 1), period=12.7)


def curve(phase):
    return torch.stack([phase.sin(), phase.sin() * phase.cos() + 0.3], -1)


def test_the_series_is_the_curve_at_any_phase_and_so_is_its_slope():
    phase = torch.tensor([0.3, 4.0], dtype=torch.float64)
    states, slope, bend = (EIGHT.at(20, phase, order) for order in range(3))
    at = phase[:, None] + 2 * math.pi / 12.7 * torch.arange(20, dtype=torch.float64)
    torch.testing.assert_close(states, curve(at), atol=1e-12, rtol=0)
    torch.testing.assert_close(slope, torch.stack([at.cos(), (2 * at).cos()], -1), atol=1e-12, rtol=0)
    torch.testing.assert_close(bend, torch.stack([-at.sin(), -2 * (2 * at).sin()], -1), atol=1e-12, rtol=0)


def test_a_system_s_orbit_is_its_trajectory():
    system = systems.get("van_der_pol")
    orbit = Orbit.of(system, 0.2, ["x", "v"])
    assert orbit.period == pytest.approx(system.period / 0.2)
    states = orbit.at(50, torch.zeros(1, dtype=torch.float64))
    truth = system.simulate(duration=10.0, dt=0.2, start=states[:, 0].numpy()).trajectory.values
    np.testing.assert_allclose(states.numpy(), truth, atol=1e-6)
    standard, standardiser = orbit.standardised()
    np.testing.assert_allclose(standardiser.inverse(standard.samples), orbit.samples.numpy(), atol=1e-12)
    assert standard.samples.std(0, correction=0).sub(1).abs().max() < 1e-12


def test_runs_are_aligned_with_the_phase_they_have():
    phase = torch.tensor([0.1, 1.0, 3.3, 6.2], dtype=torch.float64)
    states = EIGHT.at(40, phase)
    torch.testing.assert_close(EIGHT.align(states), phase, atol=1e-9, rtol=0)


def test_the_phase_found_is_the_best_for_noisy_runs():
    noise = torch.randn(3, 40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    runs = EIGHT.at(40, torch.tensor([0.5, 2.0, 5.0], dtype=torch.float64)) + 0.3 * noise
    grid = torch.linspace(0, 2 * math.pi, 2001, dtype=torch.float64)
    states = EIGHT.at(40, grid)
    least = (runs[:, None] - states).square().mean((2, 3)).amin(1)
    found = (runs - EIGHT.at(40, EIGHT.align(runs))).square().mean((1, 2))
    assert (found <= least + 1e-12).all()


def network(learn="bias", wiring="independent", units=20):
    net = RNN(units, 0, 2, recipe=Recipe(wiring=wiring, gain=1.4, readout_scale=2.0), learn=learn, alpha=-0.6, beta=0.4)
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)).double()
    kicks = 0.5 * torch.randn(2, units, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return net, FreeRun(EIGHT, kicks, settle=5, steps=15)


@pytest.mark.parametrize("wiring", ["independent", "push-pull"])
@pytest.mark.parametrize("learn", [("bias",), ("bias", "initial"), ("weights", "readout")])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(learn, wiring):
    net, runs = network(learn, wiring, units=8)
    model = runs.linearise(net)
    gradient = 2 / len(model.error) * (model.matrix.T @ model.error)
    found = []
    for parameter in net.parameters():
        flat = parameter.data.view(-1)
        for k in range(len(flat)):
            loss = []
            for step in (1e-5, -1e-5):
                flat[k] += step
                loss.append(runs.loss(net))
                flat[k] -= step
            found.append((loss[0] - loss[1]) / 2e-5)
    torch.testing.assert_close(gradient, torch.tensor(found, dtype=torch.float64), atol=1e-7, rtol=1e-5)


def test_the_jacobian_is_the_plain_one_with_phases_projected_out():
    net, runs = network()
    model = runs.linearise(net)
    outputs = net.read(net(*runs.inputs(net)).rate[:, 5:])
    plain = torch.autograd.functional.jacobian(
        lambda b: net.read(torch.func.functional_call(net, {"bias": b}, runs.inputs(net)).rate[:, 5:]),
        net.bias.detach(),
    )
    slope = EIGHT.at(15, EIGHT.align(outputs.detach()), 1)
    matrix = model.matrix.view(2, 30, 20)
    for k in range(2):
        along = slope[k].flatten() / slope[k].norm()
        expected = plain[k].flatten(0, 1) - torch.outer(along, along @ plain[k].flatten(0, 1))
        torch.testing.assert_close(matrix[k], expected, atol=1e-9, rtol=0)
    products = runs.products(net)
    vector, weight = torch.arange(20.0, dtype=torch.float64), torch.arange(60.0, dtype=torch.float64).cos()
    torch.testing.assert_close(products.forward(vector), model.matrix @ vector, atol=1e-9, rtol=0)
    torch.testing.assert_close(products.backward(weight), model.matrix.T @ weight, atol=1e-9, rtol=0)


def test_a_part_has_the_residuals_of_its_trials():
    net, runs = network()
    with torch.no_grad():
        torch.testing.assert_close(runs.subset(torch.tensor([1])).residual(net), runs.residual(net)[1:])
    assert len(runs) == 2
