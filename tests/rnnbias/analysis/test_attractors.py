import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias import metrics
from rnnbias.analysis import floors, power_spectrum, return_map


def series(values, dims=("time",), dt=0.1, units="1", time_units="s"):
    values = np.asarray(values, dtype=float)
    times = ("time", np.arange(values.shape[dims.index("time")]) * dt, {"units": time_units, "long_name": "time"})
    return xr.DataArray(values, {"time": times}, dims, "z", {"units": units})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1.0, 3.0), min_size=2, max_size=8))
def test_maxima_follow_one_another(heights):
    t = np.arange(0, 10 * len(heights) + 10, 0.1)
    bumps = sum(a * np.exp(-((t - 10 * k - 9.97) ** 2)) for k, a in enumerate(heights))
    ds = return_map(series(bumps, units="m"))
    big = ds.sel(event=ds.maximum > 0.5)
    np.testing.assert_allclose(big.maximum, heights[:-1], rtol=1e-4)
    np.testing.assert_allclose(big.following[: len(heights) - 1], heights[1:], rtol=1e-4)
    np.testing.assert_allclose(big.time, 10 * np.arange(len(heights) - 1) + 9.97, atol=1e-3)
    assert ds.maximum.attrs["units"] == "m" and ds.time.attrs["units"] == "s"


def test_trials_do_not_mix():
    t = np.arange(300) * 0.1
    ds = return_map(series([np.sin(t), 5 + 2 * np.sin(t)], ("trial", "time")))
    assert ds.trial.values.tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(ds.maximum, ds.following, rtol=1e-6)


def test_power_stands_at_the_frequency_and_integrates_to_the_variance():
    t = np.arange(4000) * 0.05
    x = series([2 * np.sin(2 * np.pi * 1.25 * t), np.cos(2 * np.pi * 3 * t)], ("state", "time"), 0.05, units="V")
    ds = power_spectrum(x, segment=800)
    assert ds.power.dims == ("state", "frequency") and ds.power.attrs["units"] == "(V)^2 s"
    np.testing.assert_allclose(ds.power.idxmax("frequency"), [1.25, 3.0])
    assert ds.frequency.attrs["units"] == "1/s"
    np.testing.assert_allclose(ds.power.sum("frequency") * ds.frequency[1], [2.0, 0.5], rtol=1e-6)


def test_white_noise_is_flat_and_trials_are_averaged():
    noise = np.random.default_rng(0).normal(size=(50, 800))
    ds = power_spectrum(series(noise, ("trial", "time"), 0.5), segment=80)
    assert ds.power.dims == ("frequency",)
    np.testing.assert_allclose(ds.power[2:-2], 1.0, atol=0.12)  # variance 1 over the one-sided band 1 / (2 dt) = 1


def test_floors_are_the_metrics_of_two_halves():
    rng = np.random.default_rng(0)
    x = series(np.cumsum(rng.normal(size=(2, 600, 2)), 1), ("trial", "time", "state"))
    scale = x.std(("trial", "time"))
    ds = floors(x, scale)
    first, second = x[:, :300], x[:, 300:].assign_coords(time=x.time[:300])
    wanted = metrics.state_space_divergence(second, first, scale).divergence
    np.testing.assert_array_equal(ds.state_space_divergence, wanted)
    np.testing.assert_array_equal(ds.spectral_distance, metrics.spectral_distance(second, first))
    assert ds.spectral_distance.dims == ("trial",)


@pytest.mark.parametrize(
    ("function", "data", "kind", "words"),
    [
        (return_map, series(np.arange(10)), ValueError, "series must hold two successive maxima"),
        (return_map, series([0, 1, 0]), ValueError, "at least 4 samples"),
        (return_map, series(np.zeros((9, 2)), ("time", "state")), ValueError, "choose one state"),
        (return_map, xr.DataArray(np.zeros(9), dims="time"), ValueError, "series must have a 'time' coordinate"),
        (return_map, series([0, np.nan, 0, 1]), ValueError, "series must be finite"),
        (power_spectrum, series(np.arange(7)), ValueError, "at least 8 samples"),
        (power_spectrum, series(np.zeros(9)).rename(time="times"), ValueError, "is 'times' a misspelling"),
        (power_spectrum, series(np.zeros(9)).astype(complex), TypeError, "series must hold real numbers"),
        (power_spectrum, np.zeros(9), TypeError, "series must be an xarray.DataArray"),
    ],
)
def test_wrong_series_are_refused(function, data, kind, words):
    with pytest.raises(kind, match=words):
        function(data)


def test_a_segment_must_fit():
    with pytest.raises(ValueError, match="segment must be at most 20, got 21"):
        power_spectrum(series(np.zeros(20)), segment=21)


def test_floors_need_length():
    with pytest.raises(ValueError, match="at least 100 samples"):
        floors(
            series(np.random.default_rng(0).normal(size=(150, 1)), ("time", "state")), xr.DataArray([1.0], dims="state")
        )
