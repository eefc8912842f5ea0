from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import systems
from rnnbias.datasets.recordings import SHORTEST, read, record
from systems import System

VALUES = np.random.default_rng(0).normal(size=(2, 80, 3))  # (trial, time, state)
CHAOS = System(
    name="chaos",  # a harmonic oscillator that claims to be more
    states=["x", "y"],
    field=lambda t, x, p: (x[..., 1], -x[..., 0]),
    units={"time": "s", "x": "m"},
    dt=0.1,
    transient=1.0,
    lyapunov=0.5,
)
TIME = ("time", np.arange(80) * 0.5, {"units": "ms"})


def labelled(**changes):
    coords = {"time": TIME, "state": ["x", "y", "z"]}
    return xr.DataArray(VALUES, {**coords, **changes}, ("trial", "time", "state"), name="lfp")


def test_an_array_with_every_dimension():
    data = labelled().assign_attrs(units="mV")
    got = read(data.assign_coords(state_units=("state", ["mV", "mV", "1"])))
    np.testing.assert_array_equal(got.values, VALUES)
    assert got.values.dtype == np.float64
    assert got.dt == pytest.approx(0.5, rel=1e-12) and got.time_units == "ms"
    assert got.states == ("x", "y", "z") and got.state_units == ("mV", "mV", "1")
    assert (got.unit, got.unit_name, got.name) == (1.0, "ms", "lfp")
    assert read(data).state_units == ("mV",) * 3


def test_dimensions_in_any_order():
    np.testing.assert_array_equal(read(labelled().transpose("state", "trial", "time")).values, VALUES)
    renamed = labelled().rename(state="channel")
    assert read(renamed).states == ("x", "y", "z")


def test_no_trial():
    got = read(labelled()[0])
    np.testing.assert_array_equal(got.values, VALUES[:1])


def test_no_state():
    got = read(labelled()[:, :, 1].drop_vars("state"))
    np.testing.assert_array_equal(got.values, VALUES[:, :, 1:2])
    assert got.states == ("lfp",)
    assert read(labelled()[0, :, 1].rename(None)).states == ("x",)


def test_unlabelled_states_are_numbered():
    assert read(labelled().drop_vars("state")).states == ("x0", "x1", "x2")
    assert read(labelled(state=[10, 20, 30])).states == ("x10", "x20", "x30")


def test_no_time_coordinate():
    got = read(labelled().drop_vars("time"), dt=0.25)
    assert got.dt == 0.25 and got.time_units == "1" and got.unit_name == "1"


def test_a_dataset_with_one_variable():
    extra = xr.DataArray([1, 2], dims="trial")
    got = read(xr.Dataset({"lfp": labelled(), "condition": extra}, attrs={"title": "session 3"}))
    np.testing.assert_array_equal(got.values, VALUES)
    assert got.name == "session 3"


def test_a_dataset_with_many_variables():
    parts = {n: labelled().sel(state=n, drop=True).assign_attrs(units=u) for n, u in zip("xy", "VA", strict=True)}
    got = read(xr.Dataset(parts))
    np.testing.assert_array_equal(got.values, VALUES[..., :2])
    assert got.states == ("x", "y") and got.state_units == ("V", "A")


def test_what_simulate_returns():
    data = CHAOS.simulate(trials=2, duration=6.0)
    got = read(data)
    np.testing.assert_array_equal(got.values, data.trajectory)
    assert got.states == ("x", "y") and got.state_units == ("m", "1")
    assert got.dt == pytest.approx(0.1) and got.time_units == "s"
    assert (got.unit, got.unit_name) == (2.0, "Lyapunov times")
    cycle = read(replace(CHAOS, lyapunov=None, period=3.0).simulate(duration=6.0))
    assert (cycle.unit, cycle.unit_name) == (3.0, "periods")


def test_what_a_file_returns(tmp_path):
    data = CHAOS.simulate(trials=2, duration=6.0)
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as opened:
        got, wanted = read(opened), read(data)
    np.testing.assert_array_equal(got.values, wanted.values)
    assert got[1:] == wanted[1:]


@pytest.mark.parametrize("exponent", [0.0, -2.0])
def test_the_exponent_of_a_system_that_forgets_is_no_time_scale(exponent):
    assert read(labelled().assign_attrs(lyapunov=exponent)).unit == 1.0
    assert read(labelled().assign_attrs(lyapunov=exponent, period=4.0)).unit == 4.0


@pytest.mark.parametrize("unit", ["ns", "s", "D"])
def test_calendar_times_become_seconds(unit):
    start = np.datetime64("2024-02-28T23:59", unit if unit != "D" else "s")
    times = start + np.arange(80) * np.timedelta64(86400 if unit == "D" else 1, "s")
    got = read(labelled(time=times.astype("datetime64[ns]")))
    assert got.dt == (86400 if unit == "D" else 1) and got.time_units == "s"
    spans = (times - times[0]).astype("timedelta64[ns]")
    assert read(labelled(time=spans)).dt == got.dt


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, np.ndarray.tolist])
def test_plain_arrays(kind):
    for values, shape in ((VALUES, (2, 80, 3)), (VALUES[0], (1, 80, 3)), (VALUES[0, :, 0], (1, 80, 1))):
        got = read(kind(values), dt=0.1)
        np.testing.assert_array_equal(got.values, values.reshape(shape))
        assert got.dt == 0.1 and got.states == ("x0", "x1", "x2")[: shape[2]]


def test_tensors_that_need_gradients_and_whole_numbers():
    tensor = torch.ones(60, 2, requires_grad=True)
    assert read(tensor, dt=1).values.dtype == np.float64
    assert read(np.arange(60), dt=1).values[0, -1, 0] == 59


def test_the_callers_data_are_not_shared():
    mine = VALUES.copy()
    read(mine, dt=1).values[:] = 0
    np.testing.assert_array_equal(mine, VALUES)


def table(**options):
    return pd.DataFrame(VALUES[0], **{"columns": ["x", "y", "z"], **options})


SECONDS = pd.Index(np.arange(80) * 0.5, name="time")
DATES = pd.date_range("2024-02-28 23:59", periods=80, freq="500ms")


@pytest.mark.parametrize("index", [SECONDS, DATES, DATES.tz_localize("Africa/Lagos"), DATES - DATES[0]])
def test_the_columns_of_a_table_are_states_and_its_index_the_time(index):
    got = read(table(index=index))
    np.testing.assert_array_equal(got.values, VALUES[:1])
    assert got.states == ("x", "y", "z") and got.dt == pytest.approx(0.5)
    assert got.time_units == ("1" if index is SECONDS else "s")
    assert read(table(index=index), observed=["z"]).states == ("z",)


def test_a_table_without_times_takes_dt():
    for index in (None, SECONDS.rename("row"), pd.Index([str(k) for k in range(80)], name="time")):
        assert read(table(index=index), dt=0.1).dt == 0.1
    assert read(table(columns=[3, 4, 5]), dt=1).states == ("x3", "x4", "x5")
    whole = table().round().astype({"x": int, "y": "Int64", "z": "float32"})
    np.testing.assert_array_equal(read(whole, dt=1).values, VALUES[:1].round())


def test_a_series_is_one_state():
    got = read(table(index=SECONDS)["y"])
    np.testing.assert_array_equal(got.values, VALUES[:1, :, 1:2])
    assert got.states == ("y",) and got.dt == 0.5
    assert read(pd.Series(VALUES[0, :, 0]), dt=1).states == ("x",)


def test_what_is_known_of_a_table_is_kept():
    data = table(index=SECONDS)
    data.attrs = {"title": "session 3", "units": "mV", "lyapunov": 0.5}
    got = read(data)
    assert (got.name, got.state_units, got.unit) == ("session 3", ("mV",) * 3, 2.0)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (table(), {}, "dt must be given"),
        (table(index=SECONDS.rename("row")), {}, "dt must be given"),
        (table(index=SECONDS), {"dt": 0.1}, "dt must agree"),
        (table().assign(who="me"), {"dt": 1}, "column 'who' must hold real numbers, got dtype (str|object)"),
        (table().assign(good=True), {"dt": 1}, "column 'good' must hold real numbers, got dtype bool"),
        (table().assign(when=DATES), {"dt": 1}, "column 'when' must hold real numbers, got dtype datetime64"),
        (table().assign(phase=1j), {"dt": 1}, "column 'phase' must hold real numbers, got dtype complex"),
        (table()["x"].astype(str), {"dt": 1}, "column 'x' must hold real numbers"),
        (table(index=SECONDS).reset_index(), {}, r"got a column 'time': pass .set_index\('time'\)"),
        (table().where(table() < 2), {"dt": 1}, "finite"),
        (table(index=SECONDS[::-1]), {}, "time must increase"),
        (table(columns=["x", "x", "y"]), {"dt": 1}, "states must have distinct names"),
        (table(columns=pd.MultiIndex.from_product([["a"], [*"xyz"]])), {"dt": 1}, "one level of rows and of columns"),
        (table()[:9], {"dt": 1}, "got 9: too short"),
    ],
)
def test_trouble_with_a_table_is_named(source, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read(source, **options)


def test_observed_states_come_in_the_order_asked_for():
    data = labelled().assign_coords(state_units=("state", ["a", "b", "c"]))
    got = read(data, observed=["z", "x"])
    np.testing.assert_array_equal(got.values, VALUES[..., [2, 0]])
    assert got.states == ("z", "x") and got.state_units == ("c", "a")
    assert read(data, observed="y").states == ("y",)
    assert read(VALUES, dt=1, observed=("x1",)).states == ("x1",)


@given(jitter=st.floats(-0.9e-4, 0.9e-4), where=st.integers(1, 78))
def test_times_may_be_rounded(jitter, where):
    times = np.arange(80) * 0.1
    times[where] += jitter
    assert read(labelled(time=times)).dt == pytest.approx(0.1, rel=1e-4)


def test_long_times_far_from_zero_are_even():
    assert read(labelled(time=1.7e9 + np.arange(80) * 0.01)).dt == pytest.approx(0.01, rel=1e-5)


def uneven():
    times = np.arange(80) * 0.5
    times[40:] += 0.1
    return labelled(time=times)


def with_value(value):
    values = VALUES.copy()
    values[1, 30, 2] = value
    return values


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (VALUES, {}, "dt must be given"),
        (labelled().drop_vars("time"), {}, "dt must be given"),
        (VALUES, {"dt": 0}, "dt must be greater than 0"),
        (VALUES, {"dt": -0.1}, "dt"),
        (VALUES, {"dt": float("nan")}, "dt must be finite"),
        (VALUES, {"dt": "0.1"}, "dt must be a number"),
        (labelled(), {"dt": 0.1}, "dt must agree .* 0.5, got 0.1"),
        (uneven(), {}, "evenly sampled, but the step is 0.5 .* 0.6 after sample 39.*interp"),
        (labelled(time=TIME[1][::-1]), {}, "time must increase"),
        (labelled(time=np.where(TIME[1] == 5, np.nan, TIME[1])), {}, "time must be finite"),
        (labelled(time=[str(k) for k in range(80)]), {}, "time must hold real numbers"),
        (with_value(np.nan), {"dt": 1}, r"finite, got 1 NaN .* at \(1, 30, 2\)"),
        (with_value(np.inf), {"dt": 1}, "finite"),
        (labelled().where(labelled() < 2), {}, "finite"),
        (VALUES + 1j, {"dt": 1}, "real numbers, got dtype complex"),
        (labelled() * 1j, {}, "real numbers, got dtype complex"),
        (VALUES > 0, {"dt": 1}, "real numbers, got dtype bool"),
        (None, {"dt": 1}, "real numbers"),
        (Path("data.nc"), {}, r"what is in the file 'data.nc': pass xarray.open_dataset\('data.nc'\)"),
        (VALUES[:, : SHORTEST - 1], {"dt": 1}, f"at least {SHORTEST} samples, got {SHORTEST - 1}: too short"),
        (labelled()[:, :20], {}, "got 20: too short"),
        (labelled()[:, :1], {}, "got 1: too short"),
        (VALUES[0].T, {"dt": 1}, "got 3: too short"),
        (VALUES[None], {"dt": 1}, r"\(trial, time, state\), got shape \(1, 2, 80, 3\)"),
        (np.float64(3), {"dt": 1}, r"got shape \(\)"),
        (VALUES[:0], {"dt": 1}, r"a trial and a state, got .*\(0, 80, 3\)"),
        (VALUES[..., :0], {"dt": 1}, r"a trial and a state, got .*\(2, 80, 0\)"),
        (labelled().rename(time="t"), {}, "dimension 'time', got .*'t'"),
        (labelled().rename(trial="subject"), {}, "one dimension beside trial and time, got .*subject.*state"),
        (labelled().to_dataset().rename(time="t"), {}, "variable with dimension 'time'"),
        (xr.Dataset(), {}, "variable with dimension 'time'"),
        (xr.Dataset({"a": labelled(), "b": labelled()}), {}, "pass the one variable"),
        (labelled(), {"observed": ["q"]}, "observed must be one of 'x', 'y', 'z', got 'q'"),
        (labelled(), {"observed": []}, "observed must be"),
        (labelled(), {"observed": 2}, "observed must be"),
        (labelled(), {"observed": [0]}, "observed must be one of"),
        (labelled(), {"observed": ["x", "x"]}, "distinct names"),
        (labelled(state=["x", "x", "y"]), {}, "states must have distinct names"),
        (labelled().assign_attrs(lyapunov="0.9"), {}, "lyapunov must be a number"),
        (labelled().assign_attrs(period=np.nan), {}, "period must be finite"),
    ],
)
def test_trouble_is_named(source, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read(source, **options)


def test_a_system_is_recorded_after_its_transient():
    got = record(CHAOS, samples=60, dt=None, seed=3, observed=None)
    data = CHAOS.simulate(duration=61 * 0.1, seed=3)
    np.testing.assert_array_equal(got.values, data.trajectory)
    assert got.values.shape == (1, 61, 2) and got.name == "chaos"
    part = record(CHAOS, samples=60, dt=0.05, seed=3, observed="y")
    assert part.states == ("y",) and part.dt == pytest.approx(0.05)
    assert record(systems.get("cosine"), samples=60, dt=None, seed=3, observed=None).name == "cosine"


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        ("lorenz63", {"observed": ["q"]}, "observed .*'q'"),
        ("lorenz63", {"observed": ["x", "x"]}, "observed"),
        ("lorenz63", {"observed": []}, "observed"),
        ("lorenz63", {"observed": 3}, "observed"),
        ("lorenz63", {"dt": -1}, "dt"),
        ("lorenz63", {"dt": float("nan")}, "dt"),
    ],
)
def test_trouble_with_a_system_is_named(system, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        record(systems.get(system), **{"samples": 60, "dt": None, "seed": 0, "observed": None, **options})
