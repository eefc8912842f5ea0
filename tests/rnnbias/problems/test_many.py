import itertools
import time

import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import LevenbergMarquardt, SystemBank, fit_many, fit_system, load
from rnnbias.evaluation import local_client
from rnnbias.problems import many
from rnnbias.storage import write_netcdf
from systems.labels import config

SOLVER = LevenbergMarquardt(iterations=6)
OPTIONS = {"units": 30, "solver": SOLVER, "closed_loop": (), "progress": False}


@pytest.fixture(scope="module")
def data():
    lorenz = systems.get("lorenz63")
    found = {f"lorenz {k}": lorenz.simulate(duration=8.0, seed=k).trajectory for k in range(3)}
    return {**found, "plane": found["lorenz 0"].isel(state=slice(0, 2)), "short": found["lorenz 1"][:, :300]}


@pytest.fixture(scope="module")
def bank(data):
    return fit_many(data, **OPTIONS)


def alike(bank):
    """The networks of two systems with one recipe."""
    networks = [fit.network for fit in bank.values()]
    return next(
        (one, two)
        for one, two in itertools.combinations(networks, 2)
        if one.digests()["readout"] == two.digests()["readout"]
    )


def test_many_are_learned_as_each_is(bank, data):
    assert list(bank) == list(data)
    for name, recording in data.items():
        alone = fit_system(recording, hidden=False, **OPTIONS)
        together = bank[name]
        torch.testing.assert_close(together.network.bias, alone.network.bias, rtol=0, atol=1e-8)
        np.testing.assert_allclose(together.history.held_out_loss, alone.history.held_out_loss, rtol=1e-7)
        assert together.network.digests() == alone.network.digests()
        assert together.recording == alone.recording._replace(values=together.recording.values)


def test_workers_learn_the_same_bits(bank, data):
    pytest.importorskip("distributed", reason="pip install 'rnnbias[dask]'")
    with local_client(2) as client, pytest.warns(UserWarning, match="long free runs do not stay"):
        there = fit_many(data, client, **OPTIONS)
    assert list(there) == list(bank)
    for name, fit in bank.items():
        assert torch.equal(there[name].network.bias, fit.network.bias) and there[name] == fit
    one, two = alike(there)
    assert one.readout.data_ptr() == two.readout.data_ptr()


def failing(error, learned=many._learned):
    """Learns all systems but one, which ends with an error."""

    def learn(problems, name, **options):
        if name == "lorenz 1":
            raise error
        return learned(problems, name, **options)

    return learn


def test_what_was_learned_before_an_interruption_is_kept(data, bank, monkeypatch):
    monkeypatch.setattr(many, "_learned", failing(KeyboardInterrupt()))
    some = {name: data[name] for name in ("lorenz 0", "lorenz 1")}
    with pytest.warns(UserWarning, match="interrupted before these were learned: lorenz 1"):
        kept = fit_many(some, **OPTIONS)
    assert list(kept) == ["lorenz 0"] and torch.equal(kept["lorenz 0"].network.bias, bank["lorenz 0"].network.bias)
    with pytest.raises(KeyboardInterrupt):
        fit_many({"lorenz 1": data["lorenz 1"]}, **OPTIONS)


def test_an_error_names_the_system(data, monkeypatch):
    monkeypatch.setattr(many, "_learned", failing(FloatingPointError("overflow")))
    with pytest.raises(FloatingPointError, match="overflow") as caught:
        fit_many({"lorenz 1": data["lorenz 1"]}, **OPTIONS)
    assert caught.value.__notes__ == ["while 'lorenz 1' was learned"]


def test_noisy_data_go_on_in_closed_loop_as_they_would_alone(data):
    rng, options = (
        np.random.default_rng(0),
        {**OPTIONS, "closed_loop": (3,), "solver": LevenbergMarquardt(iterations=2)},
    )
    noisy = {k: d + 0.5 * rng.normal(size=d.shape) for k, d in data.items() if k in ("lorenz 0", "lorenz 1")}
    together = fit_many(noisy, **options)
    for name, recording in noisy.items():
        alone = fit_system(recording, hidden=False, **options)
        torch.testing.assert_close(together[name].network.bias, alone.network.bias, rtol=0, atol=1e-6)
        assert together[name].history.stage[-1] == 1


def test_frozen_arrays_are_shared_and_biases_are_not(bank):
    one, two = alike(bank)
    assert one.readout.data_ptr() == two.readout.data_ptr() and one.bias.data_ptr() != two.bias.data_ptr()
    assert {network.outputs for network in bank.networks.values()} == {2, 3}


def test_a_bank_comes_back_to_the_bit(bank, data, tmp_path):
    back = SystemBank.load(bank.save(tmp_path / "bank.nc"))
    assert list(back) == list(bank) and repr(back) == repr(bank)
    for name, fit in bank.items():
        assert back[name] == fit and back[name].about() == fit.about() and back[name].settings == fit.settings
        xr.testing.assert_identical(back[name].forecast(data[name], 5), fit.forecast(data[name], 5))
    xr.testing.assert_identical(back.to_dataset(), bank.to_dataset())
    assert not {"recurrent", "input", "readout"} & set(bank.to_dataset())
    kept = bank["plane"].save(tmp_path / "one.nc")
    assert load(kept) == bank["plane"]


def test_switching_takes_less_than_a_millisecond(bank):
    began = time.perf_counter()
    for _ in range(100):
        for name in ("lorenz 0", "lorenz 1"):
            assert bank[name].network.units == 30
    assert (time.perf_counter() - began) / 200 < 1e-3


def test_banks_are_put_together(bank, data):
    both = SystemBank({**bank, "again": fit_many({"again": data["lorenz 0"]}, **OPTIONS)["again"]})
    assert len(both) == 6
    torch.testing.assert_close(both["again"].network.bias, bank["lorenz 0"].network.bias, rtol=0, atol=1e-8)
    other = fit_many({"x": data["lorenz 0"]}, seed=1, **OPTIONS)["x"]
    with pytest.raises(ValueError, match="fits must share their frozen arrays, but those of 'x' are others"):
        SystemBank({**bank, "x": other})


@pytest.mark.parametrize("fits", [{}, {"": None}, {"a": "b"}])
def test_what_is_no_fit_is_refused(fits):
    with pytest.raises(ValueError, match=r"fits must|name must"):
        SystemBank(fits)


def test_unknown_names(bank):
    with pytest.raises(KeyError, match=r"name must be one of 'lorenz 0'.*got 'mars'"):
        bank["mars"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"systems": "lorenz63"}, TypeError, "systems must be several"),
        ({"systems": []}, ValueError, "systems must be one or more with names"),
        ({"systems": ["lorenz63", "lorenz63"]}, ValueError, "systems must have distinct names"),
        ({"solver": "newton"}, ValueError, "solver must be one of"),
        ({"recipe": "shaping"}, TypeError, "recipe must be a Recipe"),
        ({"client": "tcp://10.0.0.1:8786"}, TypeError, "client must be a dask.distributed.Client"),
        ({"units": 0}, ValueError, "units must be at least 1"),
    ],
)
def test_wrong_arguments(wrong, error, message, data):
    with pytest.raises(error, match=message):
        fit_many(**{"systems": {"a": data["short"]}, **OPTIONS, **wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.assign(learned_bias=ds.learned_bias * 2), "the digest of learned_bias does not match"),
        (lambda ds: ds.assign_coords(task=["a"] * 5), "task must name every fit in its own way"),
        (lambda ds: ds.assign_attrs(format="rnnbias bank 1"), "is not a system of this version"),
        (lambda ds: ds.drop_vars("scale"), "the digest of scale does not match"),
        (lambda ds: ds.assign_attrs(config="{"), "is damaged or was altered"),
        (lambda ds: ds.assign_attrs(config="[]"), "the digest of config does not match"),
    ],
)
def test_an_altered_bank_is_refused(change, message, bank, tmp_path):
    path = write_netcdf(change(bank.to_dataset()), tmp_path / "bank.nc")
    with pytest.raises(ValueError, match=message):
        SystemBank.load(path)


@pytest.mark.parametrize(
    "forge",
    [
        lambda c: c["tasks"].pop(),
        lambda c: c["networks"][c["tasks"][0]["network"]].update(units=10**9),
        lambda c: c["networks"].pop(c["tasks"][3]["network"]),
        lambda c: c["solver"].update(name="os.system"),
        lambda c: c["tasks"][0]["about"]["recording"].update(dt=-1),
        lambda c: c["tasks"][0]["about"]["recording"]["states"].append("more"),
        lambda c: c["networks"][c["tasks"][0]["network"]]["recipe"].update(seed=9),
    ],
)
def test_a_forged_configuration_is_refused(forge, bank, tmp_path):
    import json

    from rnnbias.storage.netcdf import digests

    ds = bank.to_dataset()
    settings = config(ds)
    forge(settings)
    ds = ds.assign_attrs(config=json.dumps(settings))
    kept = {**json.loads(ds.attrs["digests"]), "stored": digests(ds)}
    path = write_netcdf(ds.assign_attrs(digests=json.dumps(kept)), tmp_path / "bank.nc")
    with pytest.raises(ValueError, match="is damaged or was altered"):
        SystemBank.load(path)


def test_what_is_no_bank_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must name a file"):
        SystemBank.load(tmp_path / "none.nc")


def test_no_bank_fails_silently():
    with pytest.warns(UserWarning, match="that of lorenz63 (escapes|freezes|drifts)"):
        lost = fit_many(["lorenz63"], samples=300, **OPTIONS | {"units": 4})
    assert list(lost.lost) == ["lorenz63"] and "1 long free runs do not stay" in repr(lost)
