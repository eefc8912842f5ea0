"""Circuits against the equations written out, autograd and SciPy's integrator."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.integrate import solve_ivp

from rnnbias.networks import Circuit, parameters
from systems.connectomes import Connectome

UNITS = 10
NAMES = [f"n{k}" for k in range(UNITS)]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def wiring(rng):
    weights = rng.standard_normal((UNITS, UNITS)) * (rng.random((UNITS, UNITS)) < 0.5)
    return Connectome.of(weights, neurons=NAMES, name="ten", source="a test", licence="none")


def varied(wiring, rng, **changes):
    """A circuit with numbers of its own for every neuron."""
    settings = {
        "inputs": 2, "outputs": 1, "learn": {"bias", "gain"}, "decay": rng.uniform(0.1, 0.9, UNITS),
        "gain": rng.uniform(0.3, 1.5, UNITS), "bias": rng.standard_normal(UNITS), "initial": rng.standard_normal(UNITS),
    }  # fmt: skip
    net = Circuit(wiring, **{**settings, **changes})
    parameters.write(net, torch.from_numpy(0.3 * rng.standard_normal(net.learned)))
    return net


@pytest.mark.parametrize(("leak", "gain_at"), list(itertools.product(("current", "rate"), ("output", "input"))))
def test_equations_written_out(wiring, rng, leak, gain_at):
    net = varied(wiring, rng, leak=leak, gain_at=gain_at)
    inputs = rng.standard_normal((7, 2))
    weights, entering = wiring.dense(), net.input.numpy()
    a, b, g = net.decay.numpy(), net.biases.detach().numpy(), net.gains.detach().numpy()

    def fire(h):
        return g * np.tanh(h + b) if gain_at == "output" else np.tanh(g * (h + b))

    h = r = net.initial.numpy()
    r = fire(h) if leak == "current" else r
    found = net.run(inputs)
    for t, x in enumerate(inputs):
        arriving = weights @ r + entering @ x
        if leak == "current":
            h = h + a * (arriving - h)
            r = fire(h)
        else:
            h = arriving
            r = r + a * (fire(h) - r)
        np.testing.assert_allclose(found.current[0, t], h, atol=1e-13)
        np.testing.assert_allclose(found.rate[0, t], r, atol=1e-13)
        np.testing.assert_allclose(found.outputs[0, t], net.readout.numpy() @ r, atol=1e-13)


def test_small_steps_follow_the_differential_equation(wiring):
    """tau dh/dt = -h + W g phi(h + b)."""
    dt, start = 1e-4, np.linspace(-1, 1, UNITS)
    net = Circuit(wiring, decay=dt, bias=0.3, initial=start)
    found = net.run(10000).current[0, -1]
    truth = solve_ivp(lambda t, h: wiring.weights @ np.tanh(h + 0.3) - h, (0, 1), start, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found, truth.y[:, -1], atol=1e-3)


@pytest.mark.parametrize(
    ("leak", "gain_at", "activation"),
    list(itertools.product(("current", "rate"), ("output", "input"), ("tanh", "softplus"))),
)
def test_sensitivities_are_those_of_autograd(wiring, rng, leak, gain_at, activation):
    groups = [f"g{k // 2}" for k in range(UNITS)]
    net = varied(
        wiring, rng, leak=leak, gain_at=gain_at, activation=activation, groups=groups, learning=NAMES[1:], outputs=0
    )
    inputs = torch.from_numpy(rng.standard_normal((2, 5, 2)))
    trace = net(inputs)
    for t, step in enumerate(net.sensitivities(inputs)):
        for whole, by in ((trace.drive, step.by_current), (trace.rate, step.by_rate)):
            for unit, trial in itertools.product(range(UNITS), range(2)):
                truth = torch.autograd.grad(whole[trial, t, unit], list(net.parameters()), retain_graph=True)
                torch.testing.assert_close(by[trial, :, unit], torch.cat(truth), atol=1e-12, rtol=1e-10)


def test_dimensions_with_names_may_have_any_order(wiring, rng):
    net = varied(wiring, rng)
    drive = xr.DataArray(rng.standard_normal((3, 5, 2)), dims=("trial", "time", "input"))
    xr.testing.assert_identical(net.run(drive.transpose("input", "time", "trial")), net.run(drive.values))
    with pytest.raises(ValueError, match="inputs must have shape"):
        net.run(10)


def test_groups_share_and_others_stay(wiring):
    net = Circuit(wiring, learn={"bias", "gain"}, groups=["a", "b"] * 5, learning=NAMES[:4], bias=0.1, gain=0.5)
    assert net.groups == ("a", "b")
    torch.testing.assert_close(net.gains, torch.full((UNITS,), 0.5, dtype=torch.float64))
    net.bias.data[:] = torch.tensor([1.0, 2.0])
    net.gain.data[:] = -100.0
    np.testing.assert_allclose(net.biases.detach(), [1.1, 2.1, 1.1, 2.1] + [0.1] * 6)
    assert (net.gains >= 0).all() and float(net.gains[4].detach()) == pytest.approx(0.5)


def test_another_connectome_and_a_fresh_copy(wiring, rng):
    net = varied(wiring, rng, groups=["a", "b"] * 5, learning=NAMES[2:])
    again = net.redrawn()
    assert again.digests() == net.digests() and not again.bias.any()
    other = net.on(wiring.scaled("factor", 2.0), learn="bias")
    assert other.learn == ("bias",) and other.groups == net.groups
    torch.testing.assert_close(other.recurrent, 2 * net.recurrent)
    torch.testing.assert_close(other.readout, net.readout)


def test_a_synapse_counts_in_the_digest(wiring):
    table = wiring.dense()
    table[np.nonzero(table)[0][0], np.nonzero(table)[1][0]] += 1e-12
    assert Circuit(wiring).digests() != Circuit(Connectome.of(table, neurons=NAMES)).digests()


WIDE = """
import resource, numpy as np, torch
from scipy.sparse import random_array
from rnnbias.networks import Circuit
from systems.connectomes import Connectome

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

units = 20000
net = Circuit(Connectome.of(random_array((10, 10), density=0.2, rng=np.random.default_rng(0))), decay=0.5)
net(torch.zeros(1, 3, 0, dtype=torch.float64)).rate.square().sum().backward()
before = peak()
weights = random_array((units, units), density=2e-4, rng=np.random.default_rng(0), format="csr")
net = Circuit(Connectome.of(weights), decay=0.5, groups=["a", "b"] * (units // 2))
net(torch.zeros(1, 3, 0, dtype=torch.float64)).rate.square().sum().backward()
*_, last = net.sensitivities(torch.zeros(1, 2, 0, dtype=torch.float64))
assert last.by_rate.shape == (1, 2, units) and net.bias.grad.isfinite().all()
print(peak() - before)
"""


def test_twenty_thousand_units_make_no_square_array():
    """Memory is counted where nothing else runs; a square array would take 3.2e9 bytes."""
    found = subprocess.run([sys.executable, "-c", WIDE], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 3e8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 0.0}, "decay must be above 0"),
        ({"gain": -1.0}, "gain must be above 0"),
        ({"bias": [1.0, 2.0]}, "bias must have shape"),
        ({"inputs": np.ones((3, 2))}, "inputs must have shape"),
        ({"groups": ["a"]}, "groups must have a label for each of 10"),
        ({"learning": ["nobody"]}, "nobody"),
        ({"learning": []}, "learning must name at least one"),
        ({"leak": "none"}, "leak must be one of"),
        ({"learn": "mask"}, "learn must be one of"),
        ({"inputs": float("nan")}, "inputs must"),
    ],
)
def test_wrong_arguments_are_named(wiring, settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Circuit(wiring, **settings)


def test_weights_must_be_a_connectome():
    with pytest.raises(TypeError, match=r"Connectome\.of"):
        Circuit(np.eye(3))
