"""Biases and gains of a teacher, found from recordings of some of its neurons."""

import json
import math

import numpy as np
import pytest
import torch
import xarray as xr

import rnnbias
from rnnbias import Adam, Circuit, fit_activity
from rnnbias.analysis import uncertainty
from rnnbias.storage import read_netcdf, write_netcdf
from systems.connectomes import Connectome

UNITS, TRIALS, STEPS = 40, 6, 40
NAMES = [f"n{k:02}" for k in range(UNITS)]


@pytest.fixture(scope="module")
def wiring():
    rng = np.random.default_rng(0)
    return Connectome.of(rng.standard_normal((UNITS, UNITS)) / UNITS**0.5, neurons=NAMES, name="forty")


@pytest.fixture(scope="module")
def entering():
    return np.random.default_rng(1).standard_normal((UNITS, 2))


@pytest.fixture(scope="module")
def drive():
    rng = np.random.default_rng(2)
    slow = rng.standard_normal((TRIALS, STEPS, 2))
    for t in range(1, STEPS):
        slow[:, t] = 0.8 * slow[:, t - 1] + 0.6 * slow[:, t]
    return slow


def student(wiring, entering, **settings):
    return Circuit(wiring, inputs=entering, decay=0.3, leak="rate", **settings)


@pytest.fixture(scope="module")
def teacher(wiring, entering):
    net = student(wiring, entering, learn={"bias", "gain"})
    rng = np.random.default_rng(4)
    net.bias.data[:] = torch.from_numpy(0.5 * rng.standard_normal(UNITS))
    net.gain.data[:] = torch.from_numpy(0.2 * rng.standard_normal(UNITS))
    return net


@pytest.fixture(scope="module")
def seen(teacher, drive):
    return teacher.run(drive, dt=0.1, time_units="s").rate.isel(unit=slice(0, None, 4))


@pytest.fixture(scope="module")
def fit(wiring, entering, seen, drive):
    start = student(wiring, entering, learn={"bias", "gain"})
    return fit_activity(start, seen, drive, prior={"bias": 0.5, "gain": 0.2}, progress=False)


def test_all_neurons_are_known_from_ten(fit, teacher, drive):
    fresh = drive[:, ::-1]
    score = fit.score(teacher.run(fresh).rate, fresh)
    hidden = score.where(~score.recorded, drop=True)
    assert float(hidden.error.max()) < 1e-8 * float(hidden.untaught_error.mean())
    assert score.attrs["learned"] == 2 * UNITS
    np.testing.assert_allclose(fit.network.biases.detach(), teacher.biases.detach(), atol=1e-4)
    np.testing.assert_allclose(fit.network.gains.detach(), teacher.gains.detach(), atol=1e-4)


def test_weights_never_move_and_the_circuit_given_is_left_alone(fit, wiring, entering):
    assert fit.network.digests() == student(wiring, entering, learn={"bias", "gain"}).digests()


def test_noise_is_estimated_and_errors_are_as_large_as_they_say(wiring, entering, teacher, seen, drive):
    noisy = seen + 0.05 * np.random.default_rng(7).standard_normal(seen.shape)
    start = student(wiring, entering, learn={"bias", "gain"})
    fit = fit_activity(start, noisy, drive, prior={"bias": 0.5, "gain": 0.2}, progress=False)
    assert fit.settings["noise"] == pytest.approx(0.05, rel=0.1)
    sure = uncertainty(fit, noisy, drive)
    off = (fit.network.bias - teacher.bias).detach().numpy() / sure.bias_sd.values
    assert 0.6 < np.sqrt((off**2).mean()) < 1.4
    truth = teacher.run(drive).rate.values
    inside = np.abs(sure.activity.values - truth) < 1.645 * sure.activity_sd.values
    hidden = ~np.isin(NAMES, fit.recorded)
    assert 0.8 < inside[..., hidden].mean() < 0.97


def test_missing_samples_and_tied_groups(wiring, entering, drive):
    kinds = [f"g{k % 8}" for k in range(UNITS)]
    truth = student(wiring, entering, groups=kinds)
    truth.bias.data[:] = torch.linspace(-1, 1, 8)
    seen = truth.run(drive).rate.isel(unit=slice(0, 3)).copy()
    seen[0, :, 1] = seen[2, 5:] = math.nan
    fit = fit_activity(student(wiring, entering, groups=kinds), seen, drive, progress=False)
    np.testing.assert_allclose(fit.network.bias.detach(), truth.bias.detach(), atol=1e-6)


def test_recordings_of_outputs_alone_and_an_indicator(wiring, entering, drive):
    readout = np.random.default_rng(3).standard_normal((2, UNITS)) / UNITS**0.5
    truth = student(wiring, entering, outputs=readout, groups=["a", "b"] * (UNITS // 2))
    truth.bias.data[:] = torch.tensor([0.5, -0.3])
    inputs = (("trial", "time", "input"), drive)
    start = student(wiring, entering, outputs=readout, groups=["a", "b"] * (UNITS // 2))
    made = truth.run(drive)
    fit = fit_activity(start, xr.Dataset({"outputs": made.outputs, "inputs": inputs}), progress=False)
    np.testing.assert_allclose(fit.network.bias.detach(), truth.bias.detach(), atol=1e-6)
    slow = made.rate.isel(unit=[0, 1]).values
    for t in range(1, STEPS):
        slow[:, t] = slow[:, t - 1] + 0.2 * (slow[:, t] - slow[:, t - 1])
    seen = made.rate.isel(unit=[0, 1]).copy(data=slow)
    fit = fit_activity(start, seen, drive, smoothing=0.2, progress=False)
    np.testing.assert_allclose(fit.network.bias.detach(), truth.bias.detach(), atol=1e-6)


def test_weights_learn_by_adam(wiring, entering, seen, drive):
    start = student(wiring, entering, learn="weights")
    fit = fit_activity(start, seen, drive, solver=Adam(iterations=100, rate=0.02, every=20), progress=False)
    assert float(fit.history.misfit[-1]) < 0.8 * float(fit.history.misfit[0])
    assert set(start.digests()) == set(fit.network.digests())


def test_files_with_and_without_the_connectome(fit, wiring, tmp_path, drive):
    whole = rnnbias.load(fit.save(tmp_path / "whole.nc"))
    assert whole == fit and hash(whole) == hash(fit)
    small = fit.save(tmp_path / "small.nc", connectome=False)
    assert small.stat().st_size < (tmp_path / "whole.nc").stat().st_size - 8 * UNITS**2
    with pytest.raises(ValueError, match=r"saved without its connectome, 'forty'.*pass it as connectome"):
        rnnbias.load(small)
    again = rnnbias.load(small, connectome=wiring)
    xr.testing.assert_identical(again.activity(drive), fit.activity(drive))
    with pytest.raises(ValueError, match="digests of the frozen arrays"):
        rnnbias.load(small, connectome=wiring.scaled("factor", 1.001))


def test_a_hostile_graph_is_refused(fit, tmp_path):
    """Columns that point outside would be read outside."""
    ds = fit.to_dataset()
    ds.frozen_columns.values[3] = 10**6
    config = json.loads(ds.attrs["config"])
    ds.attrs["config"] = json.dumps(config)
    stamped = rnnbias.storage.checkpoint.stamped(ds, fit.network, ds.attrs["format"])
    with pytest.raises(ValueError, match="damaged or was altered"):
        rnnbias.load(write_netcdf(stamped, tmp_path / "hostile.nc"))
    assert "frozen_columns" in read_netcdf(tmp_path / "hostile.nc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda seen, drive: (seen.assign_coords(unit=["stranger", *seen.unit.values[1:]]), drive), "stranger"),
        (lambda seen, drive: (seen.isel(unit=[0, 0]), drive), "more than once"),
        (lambda seen, drive: (seen.drop_vars("unit"), drive), "coordinate unit"),
        (lambda seen, drive: (seen, drive[:, :-1]), r"inputs must have the trials and samples"),
        (lambda seen, drive: (seen, drive[..., :1]), "inputs must have shape"),
        (lambda seen, drive: (seen, None), "inputs must be given for 2"),
        (lambda seen, drive: (seen * math.nan, drive), "at least one number"),
        (lambda seen, drive: (seen + math.inf, drive), "activity must be finite"),
        (lambda seen, drive: (seen.rename(time="when"), drive), "dimensions time, unit"),
        (lambda seen, drive: (seen.values, drive), "must be an xarray"),
        (lambda seen, drive: ("worm.nc", drive), "recording must be what is in the file"),
        (lambda seen, drive: (seen, np.where(drive > 2, math.nan, drive)), "inputs must be finite"),
    ],
)
def test_bad_recordings_are_refused_by_name(wiring, entering, seen, drive, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit_activity(student(wiring, entering), *change(seen, drive), progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": 0.0}, "noise must be"),
        ({"prior": {"biass": 1.0}}, "prior must be one of"),
        ({"prior": -1.0}, "prior must be"),
        ({"quantity": "voltage"}, "quantity must be one of"),
        ({"smoothing": 2.0}, "smoothing must be"),
        ({"learn": "mask"}, "learn must be one of"),
    ],
)
def test_wrong_arguments_are_named(wiring, entering, seen, drive, settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit_activity(student(wiring, entering), seen, drive, progress=False, **settings)
