from dataclasses import replace

import numpy as np
import pytest
import torch

import systems
from rnnbias import RNN, Recipe, fit_system
from rnnbias.analysis import before_after, eigenvalues, jacobians, untrained
from systems import maps


def rotation(angle, size):
    return size * torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float64)


@pytest.fixture(scope="module")
def fit():
    return fit_system("cosine", units=20, samples=200, recipe=Recipe.lazy(), closed_loop=(), progress=False)


@pytest.fixture(scope="module")
def data():
    return systems.get("cosine").simulate(trials=2, duration=3.0, seed=4)


def test_the_jacobian_of_a_network_is_its_weights_times_the_slopes():
    net = RNN(8, 1, 1, recipe=Recipe(wiring="independent", gain=1.0), alpha=-0.7, beta=0.3)

    def step(rate):
        return net.advance(rate, net.biases)[1]

    states = maps.orbit(step, torch.full((2, 8), 0.1, dtype=torch.float64), 4)
    ds = jacobians(step, states, 0.5, every=2)
    assert ds.jacobian.dims == ("trial", "time", "state", "other_state")
    assert ds.time.values.tolist() == [0, 1, 2]
    with torch.no_grad():
        drive = states[1, 2] @ net.recurrent.T + net.biases
        wanted = 0.7 * torch.eye(8) + 0.3 * torch.diag(1 - torch.tanh(drive) ** 2) @ net.recurrent
    np.testing.assert_allclose(ds.jacobian[1, 1], wanted, atol=1e-14)


def test_eigenvalues_of_a_known_matrix_are_found_in_order():
    block = torch.block_diag(rotation(0.4, 0.9), torch.diag(torch.tensor([1.2, 0.0], dtype=torch.float64)))
    ds = eigenvalues(lambda x: x @ block.T, np.ones((1, 3, 4)), 0.1)
    first = ds.isel(trial=0, time=1)
    found = first.eigenvalue_real.values + 1j * first.eigenvalue_imag.values
    turn = 0.9 * np.exp(0.4j)
    np.testing.assert_allclose(found, [1.2, turn.conj(), turn, 0], atol=1e-12)
    np.testing.assert_allclose(first.spectral_radius, 1.2)
    assert first.n_unstable == 1
    np.testing.assert_allclose(first.time_constant[:3], -0.1 / np.log([1.2, 0.9, 0.9]))
    assert first.time_constant[0] < 0 and first.time_constant[3] == 0
    np.testing.assert_allclose(first.frequency[1:3], np.array([-0.4, 0.4]) / (2 * np.pi * 0.1))


def test_before_and_after_are_the_loops_at_the_same_moments(fit, data):
    ds = before_after(fit, data, points=3)
    assert ds.stage.values.tolist() == ["before", "after"]
    assert ds.spectral_radius.sizes == {"stage": 2, "trial": 2, "time": 3}
    assert ds.time.attrs["units"] == fit.recording.time_units
    samples = data.sizes["time"]
    assert ds.time[-1].item() == pytest.approx((samples - 1) * fit.recording.dt)
    step, state = fit.free_map(data)
    alone = eigenvalues(step, state[:, None])
    last = ds.sel(stage="after").isel(time=-1)
    np.testing.assert_allclose(last.spectral_radius, alone.spectral_radius[:, 0])
    np.testing.assert_allclose(last.eigenvalue_real, alone.eigenvalue_real[:, 0], atol=1e-9)
    # before learning, under push-pull wiring, the loop predicts the mean step: modes of size one, the rest small
    first = ds.sel(stage="before").isel(time=-1, trial=0)
    np.testing.assert_allclose(first.eigenvalue_real[:2], 1, atol=1e-6)
    assert abs(first.eigenvalue_real[2]) < 0.2


def test_an_untrained_network_is_the_same_recipe_at_its_start(fit):
    learned = fit.network.bias.clone()
    fresh = untrained(fit.network)
    assert fresh.digests() == fit.network.digests()
    assert not fresh.bias.any() and torch.equal(fit.network.bias, learned) and learned.any()


def test_what_has_not_learned_or_has_no_loop_is_refused(fit, data):
    with pytest.raises(ValueError, match="fit must have learned"):
        before_after(replace(fit, network=untrained(fit.network)), data)
    with pytest.raises(TypeError, match="fit must be a SystemFit"):
        before_after(fit.network, data)
    with pytest.raises(ValueError, match=r"inputs must have at least 2 \* points = 1000 samples"):
        before_after(fit, data, points=500)
    with pytest.raises(ValueError, match="states"):
        before_after(fit, data.trajectory.isel(state=[0]))


@pytest.mark.parametrize("function", [jacobians, eigenvalues])
@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"states": np.zeros((2, 3))}, ValueError, r"states must be \(trial, time, n\)"),
        ({"states": np.zeros((1, 0, 3))}, ValueError, r"states must be \(trial, time, n\)"),
        ({"states": np.full((1, 2, 1), np.nan)}, ValueError, "states must be finite"),
        ({"states": np.full((1, 2, 1), 1j)}, TypeError, "states must hold real numbers"),
        ({"every": 0}, ValueError, "every must be at least 1"),
        ({"dt": 0}, ValueError, "dt must be greater than 0"),
    ],
)
def test_wrong_states_are_refused(function, change, kind, words):
    with pytest.raises(kind, match=words):
        function(**{"step": lambda x: x / 2, "states": np.zeros((1, 2, 1))} | change)
