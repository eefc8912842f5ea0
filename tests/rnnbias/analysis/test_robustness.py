from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import (
    FNN,
    RNN,
    Adam,
    Circuit,
    LevenbergMarquardt,
    Recipe,
    analysis,
    fit_activity,
    fit_autonomous,
    fit_classes,
    fit_function,
    fit_reach,
    fit_system,
    fit_task,
)
from systems.connectomes import Connectome
from systems.images.base import Images
from systems.tasks import CentreOut

STEP = LevenbergMarquardt(iterations=1)
IMAGES = Images(
    "noise",
    *(np.random.default_rng(0).integers(0, 256, (60, 3, 3), np.uint8), np.arange(60) % 2) * 2,
    classes=("a", "b"),
)


def network(shift, **more):
    net = RNN(20, 2, 2, recipe=Recipe.paper(seed=1), **more)
    net.bias.data += shift * torch.randn(20, generator=torch.Generator().manual_seed(0)).double()
    return net


def inputs(seed=0):
    return torch.randn(3, 15, 2, generator=torch.Generator().manual_seed(seed)).double()


def nearness(net, x, right):
    return float(1 / (1 + ((net.read(net(x).rate) - right) ** 2).mean().item() / 1e-6))


def test_it_finds_the_noise_that_halves_a_known_skill():
    """A skill that is 1 while the biases are within 0.01 of where they are."""
    net = network(0.5)
    right = net.biases.detach()
    found = analysis.robustness(
        net, lambda n: float((n.biases - right).abs().mean() < 0.01), noises=[1e-4, 1e-3, 1e-2, 0.1], progress=False
    )
    assert found.bias_noise == pytest.approx(0.1, rel=1) and found.skill == 1 and found.skill_float32 == 1
    assert np.isnan(found.rate_noise)  # the skill does not look at rates
    shift = (net.biases - net.start).detach().square().mean().sqrt()
    assert float(found.moved) == pytest.approx(float(shift))
    assert float(found.moved_relative) == pytest.approx(float(shift / net.start.std(correction=0)))


def test_noise_on_rates_is_felt_and_leaves_no_trace(tmp_path):
    net, x = network(0.5), inputs()
    right = net.read(net(x).rate).detach()
    before, digests = net.bias.detach().clone(), net.digests()
    found = analysis.robustness(net, lambda n: nearness(n, x, right), noises=[1e-6, 1.0], draws=2, progress=False)
    assert found.skill == 1 and found.skill_rate_noise[0] > 0.9 > 0.1 > found.skill_rate_noise[1]
    assert float(found.rate_noise) == 1.0
    assert torch.equal(net.bias, before) and net.digests() == digests
    torch.testing.assert_close(net.read(net(x).rate), right)
    found.to_netcdf(tmp_path / "found.nc")
    assert xr.load_dataset(tmp_path / "found.nc").identical(found)


def test_single_precision_is_fatal_to_lazy_biases_alone():
    """What float32 does to a bias of 1 matters where the readout is 1e7, and not where it is 5."""
    x = inputs()
    for recipe, fatal in ((Recipe.lazy(), True), (Recipe.paper(), False)):
        net = RNN(20, 2, 2, recipe=recipe)
        net.bias.data += 1.0 / 3
        right = net.read(net(x).rate).detach()
        found = analysis.robustness(net, lambda n, right=right: nearness(n, x, right), noises=[1e-9], progress=False)
        assert (found.skill_float32 < 0.5) == fatal


def test_biases_are_rounded_to_either_precision():
    net = network(0.0)
    net.bias.data.fill_(1 / 3)
    found = analysis.robustness(net, lambda n: float(n.bias[0]), noises=[1e-9], progress=False)
    assert (found.skill, found.skill_float32, found.skill_bfloat16) == (1 / 3, np.float32(1 / 3), 171 / 512)


@pytest.mark.parametrize("shift", [1e-6, 1.0])
@pytest.mark.parametrize("kind", ["rnn", "fnn"])
def test_linearised_tells_lazy_biases_from_those_that_shape(kind, shift):
    if kind == "rnn":
        net, x = network(shift), inputs()
    else:
        net = FNN(20, 2, 2, recipe=Recipe.paper(seed=1))
        net.bias.data += shift
        x = inputs()[0]
    found = analysis.linearised(net, x.numpy())
    assert found.nonlinearity.dims == ("output",)
    assert bool((found.nonlinearity < 1e-3).all()) == (shift < 1e-3)
    if shift > 1e-3:
        assert float(found.nonlinearity.mean()) > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noises": []}, "noises must be positive and ascending"),
        ({"noises": [0.1, 0.01]}, "noises must be positive and ascending"),
        ({"draws": 0}, "draws must be at least 1"),
        ({"skill": lambda n: [1, 2]}, "must return a number"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    options = {"skill": lambda n: 1.0, **options}
    with pytest.raises((ValueError, TypeError), match=message):
        analysis.robustness(network(0.1), progress=False, **options)
    with pytest.raises(ValueError, match="inputs must have 2 columns"):
        analysis.linearised(network(0.1), np.ones((1, 2, 3)))


def _system():
    return fit_system("lorenz63", units=20, samples=300, closed_loop=(), solver=STEP, progress=False)


FITS = {
    "system": (_system, lambda: systems.get("lorenz63").simulate(duration=5.0, seed=7)),
    "function": (lambda: fit_function("runge", units=20, samples=100, solver=STEP, progress=False), None),
    "own function": (
        lambda: fit_function(lambda x: x[:, 0] ** 2, box=[(-1, 1)], units=20, samples=100, solver=STEP, progress=False),
        lambda: lambda x: x[:, 0] ** 2,
    ),
    "reach": (lambda: fit_reach(CentreOut(targets=4), units=20, solver=STEP, progress=False), None),
    "autonomous": (lambda: fit_autonomous("van_der_pol", units=40, solver=STEP, progress=False), None),
    "task": (lambda: fit_task("flip_flop", units=20, trials=8, start="drawn", solver=STEP, progress=False), None),
    "classes": (
        lambda: fit_classes(IMAGES, units=20, solver=Adam(iterations=2), progress=False),
        lambda: IMAGES,
    ),
}


@pytest.mark.filterwarnings("ignore:a long free run")
@pytest.mark.parametrize("kind", FITS)
def test_a_fit_says_itself_what_it_is_tested_by(kind):
    make, data = FITS[kind]
    fit, data = make(), None if data is None else data()
    found = analysis.robustness(fit, data, noises=[1e-3, 10.0], draws=1, progress=False)
    given = () if data is None else (data,)
    assert found.skill == pytest.approx(fit.skill(*given)) and np.isfinite(found.skill_float32)
    by_hand = analysis.robustness(
        fit.network, lambda net: replace(fit, network=net).skill(*given), noises=[1e-3, 10.0], draws=1, progress=False
    )
    xr.testing.assert_identical(found, by_hand)
    lazy = analysis.linearised(fit, data)
    assert lazy.sizes["output"] == fit.network.outputs and (lazy.nonlinearity >= 0).all()
    assert fit.stimuli(*given).shape[-1] == fit.network.inputs


def test_what_a_reaching_network_is_given_is_what_it_met():
    fit = FITS["reach"][0]()
    rate = fit.network(fit.stimuli()).rate.detach().numpy()
    np.testing.assert_allclose(rate, fit.reach().hidden.values, atol=1e-12)


@pytest.mark.parametrize("call", [analysis.robustness, analysis.linearised])
def test_what_cannot_be_examined_is_refused(call):
    with pytest.raises(TypeError, match=r"learned must be a Network, or a fit with the methods `skill` and `stimuli`"):
        call(np.ones(3), None)
    with pytest.raises(TypeError, match="skill must be a function of the network, got None"):
        analysis.robustness(network(0.1))


def test_a_circuit_is_asked_how_well_it_does_what_was_recorded():
    """Noise on the rates reaches a circuit too; one that is not read is judged by its units."""
    rng = np.random.default_rng(0)
    circuit = Circuit(Connectome.of(rng.standard_normal((20, 20)) / 20**0.5), inputs=rng.standard_normal((20, 1)))
    circuit.bias.data += 0.5 * torch.from_numpy(rng.standard_normal(20))
    drive = rng.standard_normal((4, 20, 1))
    seen = circuit.run(drive).rate
    fit = fit_activity(circuit.redrawn(), seen.isel(unit=slice(10)), drive, prior=0.5, progress=False)
    found = analysis.robustness(fit, (seen, drive), noises=[1e-6, 1.0], progress=False)
    assert found.skill > 0.99 and found.skill_float32 > 0.99
    assert found.bias_noise == 1 and found.rate_noise == 1
    shares = analysis.linearised(fit, (seen, drive))
    assert shares.nonlinearity.dims == ("unit",)
    assert float(shares.nonlinearity.min()) > 0.05 and float(shares.nonlinearity.max()) < 3
