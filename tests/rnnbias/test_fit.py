import hashlib
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnbias
from rnnbias import Adam, LevenbergMarquardt, Recipe, Ridge, fit_system
from rnnbias.storage import write_netcdf
from rnnbias.storage.netcdf import seal
from systems import System, images
from systems.labels import config

T = np.arange(200) * 0.1
DATA = xr.DataArray(
    np.stack([np.sin(T), np.cos(T) ** 3], 1),
    {"time": ("time", T, {"units": "s"}), "state": ["x", "y"]},
    ("time", "state"),
    name="wave",
)
LM = LevenbergMarquardt(iterations=2)


def fit(data=DATA, **changes):
    return fit_system(
        data,
        **{"units": 20, "solver": LM, "hidden": False, "closed_loop": (), "washout": 10, "progress": False, **changes},
    )


@pytest.fixture(scope="module")
def learned():
    return fit()


@pytest.fixture(scope="module")
def content(learned, tmp_path_factory):
    return learned.save(tmp_path_factory.mktemp("saved") / "fit.nc").read_bytes()


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    return path


def alter(path, change=None, renew=True, **variables):
    """Write the file again with another configuration and other arrays; `renew` their digests."""
    ds = xr.load_dataset(path, engine="h5netcdf", decode_times=False)
    for name, value in variables.items():
        ds[name] = ds[name].copy(data=value(ds[name].values))
    stamped, digests = json.loads(ds.attrs["config"]), json.loads(ds.attrs["digests"])
    if change:
        change(stamped)
    ds.attrs["config"] = json.dumps(stamped)
    if renew:
        digests["stored"]["config"] = hashlib.sha256(ds.attrs["config"].encode()).hexdigest()
        for name in variables:
            digests["stored"][name] = rnnbias.networks.recipe.digest(ds[name].values)
    ds.attrs["digests"] = json.dumps(digests)
    write_netcdf(ds, path)


def refused(path):
    with pytest.raises(ValueError, match=r"fit\.nc") as caught:
        rnnbias.load(path)
    return str(caught.value)


# There and back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["hadamard", "low-rank"])
def test_structured_weights_serve_as_well_as_dense_ones_and_are_drawn_again(tmp_path, structure):
    dense, found = (
        fit(units=64, recipe=replace(Recipe.shaping(gain=0.5), structure=kind)) for kind in ("dense", structure)
    )
    lowest = [float(one.history.held_out_loss.min()) for one in (dense, found)]
    assert lowest[1] < 3 * lowest[0] and lowest[1] < 0.1 * float(found.history.held_out_loss[0])
    path = found.save(tmp_path / "fit.nc")
    back = rnnbias.load(path)
    assert back == found and back.network.digests() == found.network.digests()
    assert not any("recurrent" in name for name in xr.load_dataset(path, engine="h5netcdf"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learn": "readout", "solver": Ridge()},
        {"learn": "weights", "solver": Adam(iterations=4, every=2, weight_decay=0.1)},
        {"learn": {"bias", "gain", "mask", "readout", "initial"}, "solver": Adam(iterations=4, every=2)},
        {"recipe": Recipe(law="dale", wiring="independent", gain=np.float32(0.3))},
        {"recipe": Recipe(law="ternary"), "horizon": 3, "output": "state", "observed": ["y"]},
        {"hidden": None, "solver": LevenbergMarquardt(iterations=1)},
        {"activation": "relu", "alpha": -0.5, "beta": 0.5, "seed": 7},
    ],
    ids=["bias", "readout", "weights", "many", "numpy", "horizon", "search", "leak"],
)
def test_a_fit_comes_back_to_the_bit(options, tmp_path):
    one = fit(**options)
    two = rnnbias.load(one.save(tmp_path / "fit.nc"))
    xr.testing.assert_identical(two.forecast(DATA, 30), one.forecast(DATA, 30))
    xr.testing.assert_identical(two.drive(DATA), one.drive(DATA))
    xr.testing.assert_identical(two.score(DATA, windows=2, context=50), one.score(DATA, windows=2, context=50))
    xr.testing.assert_identical(two.to_dataset(), one.to_dataset())
    xr.testing.assert_equal(two.history, one.history)
    assert repr(two) == repr(one) and two.solver == one.solver and two.settings == one.settings
    assert two.network.state_dict().keys() == one.network.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(two.network.parameters(), one.network.parameters(), strict=True))
    assert two.network.digests() == one.network.digests()


def test_the_dataset_is_what_the_file_holds(learned, saved):
    held = xr.load_dataset(saved, engine="h5netcdf", decode_times=False)
    xr.testing.assert_identical(held, learned.to_dataset())
    assert config(held)["seed"] == 0 and config(held)["network"]["recipe"]["law"] == "spherical"
    assert {"learned_bias", "unit_bias", "history_loss", "mean", "scale"} <= set(held)


def test_saving_a_loaded_fit_again_changes_nothing(saved, tmp_path):
    again = rnnbias.load(saved).save(tmp_path / "again.nc")
    a, b = (xr.load_dataset(p, engine="h5netcdf") for p in (saved, again))
    xr.testing.assert_identical(a, b)


def test_a_system_with_time_scales(tmp_path):
    for scales in ({"lyapunov": 0.5}, {"lyapunov": -2.0}, {"period": 6.0}, {}):
        turn = System(name="turn", states=["x", "y"], field=lambda t, x, p: (x[..., 1], -x[..., 0]), dt=0.1, **scales)
        found = fit(turn, samples=60, solver=LevenbergMarquardt(iterations=1))
        back = rnnbias.load(found.save(tmp_path / "fit.nc"))
        assert back.recording[1:] == found.recording[1:] and back.recording.unit > 0


def test_frozen_matrices_are_not_stored(tmp_path):
    quick = LevenbergMarquardt(iterations=1)
    sizes = {n: fit(units=n, solver=quick).save(tmp_path / f"{n}.nc").stat().st_size for n in (20, 400)}
    growth = sizes[400] - sizes[20]
    matrix = 8 * 200 * 400
    assert growth < 5 * 8 * 400 < matrix / 20  # the learned numbers and the bias of each unit
    names = set(xr.load_dataset(tmp_path / "400.nc", engine="h5netcdf").variables)
    assert not names & {"recurrent", "input", "readout", "learned_recurrent"}


def test_paths_as_strings(learned, tmp_path):
    path = learned.save(str(tmp_path / "fit.nc"))
    assert path == tmp_path / "fit.nc"
    assert rnnbias.load(str(path)).network.learned == 20


def test_fits_are_equal_where_their_files_would_be(learned, saved):
    back = rnnbias.load(saved)
    assert back == learned and hash(back) == hash(learned) and len({back, learned}) == 1
    for other in (fit(seed=1), fit(units=22), fit(data=DATA.rename("tide"))):
        assert learned != other
    assert learned != "wave" and learned != None  # noqa: E711
    with torch.no_grad():
        back.network.bias[0] += 1e-12
    assert back != learned


# Files of before ------------------------------------------------------------------------------------------------


OLD = Path(__file__).parents[1] / "data" / "fits"


@pytest.mark.parametrize(
    ("kind", "measure", "wanted"),
    [
        ("autonomous", lambda fit: (fit.run(50).trajectory ** 2).sum(), 32.456784627814095),
        ("classes", lambda fit: (fit.predict(images.get("digits").test[:20]).probability ** 2).sum(), 2.0078120),
        ("function", lambda fit: (fit.evaluate(np.linspace(-1, 1, 9)[:, None]) ** 2).sum(), 1.184052972936338),
        ("reach", lambda fit: fit.reach(5).position.sum(), -0.025990242720766794),
        ("system", lambda fit: fit.forecast(DATA[:100], 20).forecast.sum(), -28.9936173553585),
        ("task", lambda fit: (fit.run(fit.task.trials(3, seed=4)).outputs ** 2).sum(), 2851.97366720853),
    ],
)
def test_files_of_the_first_release_do_what_they_did(kind, measure, wanted, tmp_path):
    """Written, and measured, before all problems were learned by one procedure."""
    found = rnnbias.load(OLD / f"{kind}.nc")
    assert found.kind == kind and float(measure(found)) == pytest.approx(wanted, rel=1e-6)
    assert rnnbias.load(found.save(tmp_path / "again.nc")) == found
    terms = ["loss_position", "loss_velocity", "loss_force"] if kind == "reach" else []
    assert [name for name in found.history.data_vars if "loss" in name] == ["loss", "held_out_loss", *terms]


def test_files_that_know_no_weight_decay_learned_without_it():
    path = OLD / "classes.nc"
    settings = config(xr.load_dataset(path, engine="h5netcdf"))["solver"]
    assert settings.pop("name") == "Adam" and "weight_decay" not in settings
    found = rnnbias.load(path).solver
    assert found == Adam(**settings) and found.weight_decay == 0


# Atomic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("moment", ["to_netcdf", "replace"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(learned, saved, monkeypatch, failure, moment):
    old = saved.read_bytes()

    def fail(ds, path, **options):
        with open(path, "wb") as half:
            half.write(b"half a file")
        raise failure

    def stop(*args):
        raise failure

    if moment == "to_netcdf":
        monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    else:
        monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(type(failure)):
        learned.save(saved)
    assert saved.read_bytes() == old and list(saved.parent.iterdir()) == [saved]


def test_a_save_replaces_the_old_file_and_leaves_nothing_else(learned, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_text("old")
    learned.save(path)
    assert list(tmp_path.iterdir()) == [path] and rnnbias.load(path)


def test_a_saved_file_has_the_usual_permissions(learned, tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert learned.save(tmp_path / "fit.nc").stat().st_mode == plain.stat().st_mode


def test_no_folder_to_save_in(learned, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path must be in a folder that exists, got .*nowhere.*fit\.nc"):
        learned.save(tmp_path / "nowhere" / "fit.nc")
    with pytest.raises(IsADirectoryError, match="path must name a file"):
        learned.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_datasets_are_written_the_same_way(tmp_path):
    ds = xr.Dataset({"a": ("x", [1.0])})
    xr.testing.assert_identical(xr.load_dataset(write_netcdf(ds, tmp_path / "a.nc"), engine="h5netcdf"), ds)


# Refused ----------------------------------------------------------------------------------------------------


def test_no_file(tmp_path):
    for path in (tmp_path / "fit.nc", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"path must name a file, got '{path}'"):
            rnnbias.load(path)


@pytest.mark.parametrize("content", [b"", b"not a fit\n", b"\x89HDF\r\n\x1a\n", b"CDF\x01" + bytes(100), bytes(10**4)])
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    assert "must end with the SHA-256 of all before" in refused(path)
    seal(path)
    assert "not a readable netCDF-4 file" in refused(path)


def test_netcdf_that_is_no_fit(tmp_path):
    path = tmp_path / "fit.nc"
    DATA.to_netcdf(path, engine="h5netcdf")
    assert "not written by rnnbias" in refused(path)
    write_netcdf(DATA.to_dataset(), path)
    assert "is not a fit" in refused(path)


def test_the_seal_is_the_sha256_of_the_rest_and_other_readers_ignore_it(learned, saved):
    raw = saved.read_bytes()
    assert raw[-64:].decode() == hashlib.sha256(raw[:-98]).hexdigest()
    with h5py.File(saved) as file:
        np.testing.assert_array_equal(file["unit_bias"], learned.network.biases.detach())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_is_found_before_the_file_is_parsed(saved, content, data):
    raw = bytearray(content)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    saved.write_bytes(raw)
    with patch.object(xr, "open_dataset", side_effect=AssertionError("parsed")):
        refused(saved)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.2, 0.5, 0.9, 0.99])
def test_truncated_files(saved, kept):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole))])
    refused(saved)


@pytest.mark.parametrize("name", ["learned_bias", "unit_bias", "mean", "scale", "step_mean", "history_loss"])
@pytest.mark.parametrize("bit", [0, 51, 62, 63])
def test_a_flipped_bit_in_an_array(learned, saved, name, bit):
    raw = bytearray(saved.read_bytes())
    array = learned.to_dataset()[name].values.tobytes()
    assert raw.count(array) == 1
    raw[raw.index(array) + bit // 8] ^= 1 << bit % 8
    saved.write_bytes(raw)
    seal(saved)
    assert name in refused(saved)


@pytest.mark.parametrize("text", ['"units": 20', '"law": "spherical"', '"horizon": 1', '"alpha": 0.0', '"frozen"'])
def test_a_flipped_bit_in_the_configuration(saved, text):
    raw = bytearray(saved.read_bytes())
    raw[raw.index(text.encode()) + len(text) - 2] ^= 1
    saved.write_bytes(raw)
    seal(saved)
    refused(saved)


def test_altered_numbers(saved):
    alter(saved, renew=False, learned_bias=lambda b: b + 1e-9)
    assert "digest of learned_bias does not match" in refused(saved)


def test_altered_configurations(saved):
    alter(saved, lambda c: c.update(horizon=2), renew=False)
    assert "digest of config does not match" in refused(saved)


def within(section, **changes):
    def change(stamped):
        inner = stamped
        for key in section.split("."):
            inner = inner[key]
        inner.update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (within("network", units=10**9), "bias must have shape"),
        (within("network", units=10**400), "damaged"),
        (within("network", units=40), "bias must have shape"),
        (within("network", units="20"), "units"),
        (within("network", units=-20), "units"),
        (within("network", inputs=10**9), "inputs"),
        (within("network", outputs=3), "frozen arrays do not match"),
        (within("network", learn=["everything"]), "learn"),
        (within("network", learn=["weights"]), "learned_recurrent"),
        (within("network", learn=3), "damaged"),
        (within("network", activation="eval"), "activation"),
        (within("network", alpha=float("nan")), "alpha"),
        (within("network", alpha=-7), "alpha"),
        (within("network", forward="x"), "damaged"),
        (within("network.recipe", seed=1), "frozen arrays do not match"),
        (within("network.recipe", gain=0.123), "frozen arrays do not match"),
        (within("network.recipe", law="uniform"), "frozen arrays do not match"),
        (within("network.recipe", wiring="push-pull"), "bias must have shape"),
        (within("network.recipe", gain=-1), "gain"),
        (within("network.recipe", surprise=1), "damaged"),
        (within("about.recording", dt=-0.1), "dt"),
        (within("about.recording", dt=None), "dt"),
        (within("about.recording", unit=0), "unit"),
        (within("about.recording", states=["x"]), "numbers of states disagree"),
        (within("solver", name="os.system"), "solver must be one of"),
        (within("solver", name="Solver"), "solver must be one of"),
        (within("solver", iterations=-3), "iterations"),
        (within("solver", command="rm"), "damaged"),
        (within("about", output="x"), "output"),
        (within("about", horizon=0), "horizon"),
        (within("about", horizon=1.5), "horizon"),
        (lambda c: c.update(network=[]), "damaged"),
        (lambda c: c.update(settings=3), "damaged"),
        (lambda c: c.update(kind="os.system"), "kind must be one of"),
        (within("network", network="eval"), "network must be one of"),
        (lambda c: c.pop("network"), "network"),
        (lambda c: c.pop("solver"), "solver"),
        (lambda c: c.clear(), "damaged"),
    ],
)
def test_hostile_configurations(saved, change, message):
    """Digests renewed, so that the content itself must be refused."""
    alter(saved, change)
    assert message in refused(saved)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learned_bias", lambda b: b * np.nan),
        ("learned_bias", lambda b: b.astype(complex).view(float)[: len(b)] * np.inf),
        ("mean", lambda m: m * np.nan),
        ("scale", lambda s: -s),
        ("step_scale", lambda s: s * 0),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_hostile_numbers(saved, name, value):
    alter(saved, **{name: value})
    assert name.removeprefix("learned_") in refused(saved)


@pytest.mark.parametrize("text", ["{", "[" * 10**5, "null", "[]", '"text"', "1e999", '{"stored": []}'])
@pytest.mark.parametrize("attribute", ["config", "digests"])
def test_hostile_attributes(saved, attribute, text):
    ds = xr.load_dataset(saved, engine="h5netcdf")
    ds.attrs[attribute] = text
    if attribute == "config":
        digests = json.loads(ds.attrs["digests"])
        digests["stored"]["config"] = hashlib.sha256(text.encode()).hexdigest()
        ds.attrs["digests"] = json.dumps(digests)
    write_netcdf(ds, saved)
    refused(saved)


def test_missing_parts(saved):
    whole = xr.load_dataset(saved, engine="h5netcdf")
    for name in ("learned_bias", "mean", "history_held_out_loss"):
        write_netcdf(whole.drop_vars(name), saved)
        assert name in refused(saved)
    for name in ("config", "digests", "format"):
        part = whole.copy()
        del part.attrs[name]
        write_netcdf(part, saved)
        refused(saved)


@pytest.mark.filterwarnings("ignore:The 'phony_dims' kwarg:UserWarning")
def test_a_small_file_that_declares_enormous_arrays(saved):
    with h5py.File(saved, "a") as file:
        file.create_dataset("bomb", shape=(10**12,), dtype="f8", chunks=(10**6,))
    seal(saved)
    assert "more numbers than it holds" in refused(saved)


class Payload:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_executed(saved, tmp_path):
    bait = tmp_path / "executed"
    pickled = pickle.dumps(Payload(bait), protocol=0)
    ds = xr.load_dataset(saved, engine="h5netcdf")
    for name in ("config", "digests", "format"):
        write_netcdf(ds.assign_attrs({name: pickled.decode("latin1")}), saved)
        refused(saved)
    saved.write_bytes(pickle.dumps(Payload(bait)))
    refused(saved)
    torch.save({"bias": Payload(bait)}, saved)
    refused(saved)
    assert not bait.exists()
    pickle.loads(pickled)
    assert bait.exists()  # the bait was live
