"""Spectra against closed forms and the literature."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import fit_system, metrics
from rnnbias.analysis import kaplan_yorke, lyapunov_spectrum, system_spectrum
from systems import System
from systems.labels import config


def henon(s):
    x, y = s.unbind(-1)
    return torch.stack([1 - 1.4 * x**2 + y, 0.3 * x], -1)


def starts(batch, n, width=0.1):
    return np.random.default_rng(0).uniform(-width, width, (batch, n))


def test_a_linear_map_has_the_logarithms_of_its_eigenvalues():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(4, 4)))[0] + 0.1
    matrix = torch.as_tensor(basis @ np.diag([0.3, -0.8, 0.5, 0.1]) @ np.linalg.inv(basis))
    ds = lyapunov_spectrum(lambda x: x @ matrix.T, rng.normal(size=(3, 4)), 30, 0.5, transient=150)
    wanted = np.log([0.8, 0.5, 0.3, 0.1]) / 0.5
    np.testing.assert_allclose(ds.local_exponent, np.tile(wanted, (3, 1)), rtol=1e-6)
    assert ds.exponent.attrs["units"] == "1/time unit of dt" and ds.entropy_rate == 0 and ds.kaplan_yorke == 0


def test_henon_has_its_literature_value_and_exact_contraction():
    ds = lyapunov_spectrum(henon, starts(200, 2), 400, 1.0, transient=100)
    assert ds.exponent[0].item() == pytest.approx(0.4192, abs=0.005)
    assert ds.exponent.sum().item() == pytest.approx(math.log(0.3), abs=1e-12)
    assert ds.kaplan_yorke.item() == pytest.approx(1.258, abs=0.003)
    assert ds.entropy_rate.item() == ds.exponent[0].item()


def test_the_first_exponent_is_the_metrics_own():
    one = lyapunov_spectrum(henon, starts(20, 2), 50, 0.1, count=1, transient=20, seed=4)
    other = metrics.largest_exponent(henon, starts(20, 2), 50, 0.1, transient=20, seed=4)
    np.testing.assert_allclose(one.exponent[0], other.exponent, rtol=1e-12)
    np.testing.assert_allclose(one.standard_error[0], other.standard_error, rtol=1e-9)


def test_running_means_end_at_the_exponents():
    ds = lyapunov_spectrum(henon, starts(5, 2), 120, 0.5, transient=10)
    np.testing.assert_allclose(ds.running[-1], ds.exponent)
    assert ds.time[-1].item() == 60 and ds.running.sizes == {"time": 50, "index": 2}
    short = lyapunov_spectrum(henon, starts(5, 2), 3, 0.5, transient=10)
    assert short.time.values.tolist() == [0.5, 1.0, 1.5]


def test_failures_and_vanishing_tangents_are_said():
    ds = lyapunov_spectrum(henon, [[0.0, 0.0], [9.0, 9.0]], 100, 1.0, transient=5)
    assert ds.failed.values.tolist() == [False, True]
    assert np.isfinite(ds.local_exponent[0]).all() and np.isnan(ds.exponent).all() and np.isnan(ds.kaplan_yorke)
    flat = lyapunov_spectrum(lambda x: torch.stack([2 * x[:, 0], 0 * x[:, 1]], 1), [[0.0, 1.0]], 10, 1.0)
    np.testing.assert_allclose(flat.exponent, [math.log(2), -math.inf])
    assert flat.kaplan_yorke == 1 and not flat.failed.any()


def test_the_same_seed_gives_the_same_bits():
    a, b = (lyapunov_spectrum(henon, starts(4, 2), 20, 1.0, transient=5, seed=3) for _ in range(2))
    xr.testing.assert_identical(a, b)
    assert config(a)["seed"] == 3


@pytest.mark.parametrize(
    ("exponents", "whole", "dimension"),
    [
        ([0.906, 0.0, -14.572], True, 2 + 0.906 / 14.572),
        ([0.5, -1.0], True, 1.5),
        ([-0.1, -1.0], True, 0.0),
        ([0.0, -1.0], True, 1.0),
        ([0.3, 0.2], True, 2.0),
        ([0.3, 0.2], False, math.nan),
    ],
)
def test_kaplan_yorke_dimension(exponents, whole, dimension):
    assert kaplan_yorke(exponents, whole=whole) == pytest.approx(dimension, nan_ok=True)


def test_lorenz_has_its_spectrum():
    ds = system_spectrum(systems.get("lorenz63"), duration=10.0, trials=300, transient=5.0)
    first, second, third = ds.exponent.values
    assert first == pytest.approx(0.906, rel=0.01)
    assert second == pytest.approx(0, abs=0.01)
    assert third == pytest.approx(-14.57, rel=0.01)
    assert ds.exponent.sum().item() == pytest.approx(-(10 + 1 + 8 / 3), abs=2e-4)  # the flow's divergence
    assert ds.kaplan_yorke.item() == pytest.approx(2.062, abs=0.002)


def test_a_driven_system_is_followed_in_time():
    driven = System(
        name="driven",
        states=["x"],
        field=lambda t, s, p: (t.cos() * s[..., 0] - s[..., 0],),
        dt=math.pi / 20,
        draw=lambda rng, p: [1.0],
    )
    ds = system_spectrum(driven, duration=4 * math.pi, trials=1, transient=0.0)
    assert ds.exponent.item() == pytest.approx(-1, abs=1e-3)  # the drive averages out over its periods


def test_steps_are_made_as_fine_as_the_tolerance_wants():
    stiff = System(name="stiff", states=["x", "y"], field=lambda t, s, p: s * torch.tensor([-1.0, -100.0]), dt=0.1)
    ds = system_spectrum(stiff, duration=1.0, trials=2, tolerance=1e-8)
    np.testing.assert_allclose(ds.exponent, [-1, -100], rtol=1e-4)
    assert config(ds)["steps_a_sample"] > 4


def test_units_are_those_of_the_system():
    spring = System(
        name="spring", states=["x"], field=lambda t, s, p: -s, units={"time": "s"}, draw=lambda rng, p: [1.0]
    )
    ds = system_spectrum(spring, duration=0.1, trials=2)
    assert (ds.exponent.attrs["units"], ds.time.attrs["units"]) == ("1/s", "s")


def test_a_learned_network_is_as_chaotic_as_lorenz(attractor):
    fit = fit_system(attractor[:1500], units=200, seed=1, hidden=False, progress=False)
    context = attractor.values[:4000].reshape(40, 100, 3)
    ds = lyapunov_spectrum(*fit.free_map(context), steps=700, dt=0.02, count=4, transient=200)
    assert ds.exponent[0].item() == pytest.approx(0.9056, rel=0.1)
    assert ds.exponent[1].item() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"count": 3}, ValueError, "count must be at most 2, got 3"),
        ({"count": 0}, ValueError, "count must be at least 1"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"dt": 0.0}, ValueError, "dt must be greater than 0"),
        ({"start": [[1j, 0]]}, TypeError, "start must hold real numbers"),
        ({"start": [[math.nan, 0]]}, ValueError, "start must be finite"),
        ({"step": lambda x: x[:, :1]}, ValueError, "step must keep the shape"),
    ],
)
def test_lyapunov_spectrum_refuses(change, kind, words):
    with pytest.raises(kind, match=words):
        lyapunov_spectrum(**{"step": henon, "start": [[0.0, 0.0]], "steps": 5, "dt": 1.0} | change)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"system": "lorenz63"}, TypeError, "system must be a System without delay"),
        ({"system": systems.get("mackey_glass")}, TypeError, "system must be a System without delay"),
        ({"duration": 0.001}, ValueError, "duration must be at least"),
        ({"count": 4}, ValueError, "count must be at most 3"),
        ({"tolerance": 0}, ValueError, "tolerance must be greater than 0"),
        ({"trials": 0}, ValueError, "trials must be at least 1"),
    ],
)
def test_system_spectrum_refuses(change, kind, words):
    with pytest.raises(kind, match=words):
        system_spectrum(**{"system": systems.get("lorenz63"), "duration": 1.0} | change)
