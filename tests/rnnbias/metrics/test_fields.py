"""Labels of every result, and refusals of wrong arguments."""

import numpy as np
import pytest
import xarray as xr

from rnnbias import metrics
from systems.labels import config

DT = 0.02


def series(values, dims=("time", "state"), dt=DT):
    """Label an array; time starts at 0 with steps of `dt`."""
    values = np.asarray(values)
    return xr.DataArray(values, {"time": np.arange(values.shape[dims.index("time")]) * dt}, dims)


def per_state(*values):
    return xr.DataArray(list(values), dims="state")


ONE = per_state(1.0)


LONG = series(np.random.default_rng(0).normal(size=(2, 200, 2)), ("trial", "time", "state"))
SCALE = per_state(1.0, 2.0)
WAVE = series(np.sin(np.arange(2 * 400).reshape(2, 400, 1) / 9), ("trial", "time", "state"))
RESULTS = {
    "error": lambda: metrics.error(LONG, LONG, SCALE),
    "valid_time": lambda: metrics.valid_time(LONG, LONG, SCALE, 1.0),
    "valid_time, one threshold": lambda: metrics.valid_time(LONG, LONG, SCALE, 1.0, 0.4),
    "nrmse": lambda: metrics.nrmse(LONG, LONG, SCALE, (1.0, 2.0)),
    "nrmse, one horizon": lambda: metrics.nrmse(LONG, LONG, SCALE, 1.0),
    "sliced_wasserstein": lambda: metrics.sliced_wasserstein(LONG, LONG, SCALE),
    "state_space_divergence": lambda: metrics.state_space_divergence(LONG, LONG, SCALE),
    "mixture_divergence": lambda: metrics.mixture_divergence(LONG, LONG, SCALE, samples=10),
    "spectral_distance": lambda: metrics.spectral_distance(LONG, LONG),
    "largest_exponent": lambda: metrics.largest_exponent(lambda x: x / 2, np.ones((2, 1)), 2, 1.0),
    "divergence_rate": lambda: metrics.divergence_rate(LONG, SCALE, SCALE),
    "constant_rate": lambda: metrics.constant_rate(LONG, SCALE),
    "period": lambda: metrics.period(WAVE),
    "amplitude": lambda: metrics.amplitude(WAVE),
    "cycle_error": lambda: metrics.cycle_error(WAVE, WAVE),
}


def test_every_public_function_is_in_the_round_trip():
    functions = {name for name in metrics.__all__ if callable(getattr(metrics, name))}
    assert {name.split(",")[0] for name in RESULTS} == functions


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_labelled_and_survive_netcdf(name, tmp_path):
    result = RESULTS[name]()
    variables = result.data_vars.values() if isinstance(result, xr.Dataset) else [result]
    for variable in [*variables, *result.coords.values()]:
        assert variable.attrs["units"] and variable.attrs["long_name"]
    assert result.attrs["title"] and isinstance(config(result), dict) and "torch" in result.attrs["source"]
    result.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    load = xr.load_dataset if isinstance(result, xr.Dataset) else xr.load_dataarray
    xr.testing.assert_identical(load(tmp_path / "result.nc", engine="h5netcdf"), result)


def test_units_come_from_the_data():
    x = WAVE.assign_attrs(units="rad")
    x.time.attrs["units"] = "ms"
    assert metrics.period(x).attrs["units"] == "ms" and metrics.amplitude(x).attrs["units"] == "rad"
    assert metrics.nrmse(x, x, ONE, 1.0).horizon.attrs["units"] == "ms"


def test_other_names_of_dimensions_serve():
    names = {"time": "t", "state": "space"}
    x, s = LONG.rename(names), SCALE.rename(state="space")
    args = {"time": "t", "state": "space"}
    assert metrics.valid_time(x, x, s, 1.0, **args).valid_time.dims == ("threshold", "trial")
    assert metrics.nrmse(x, x, s, 1.0, **args).dims == ("trial",)
    assert metrics.state_space_divergence(x, x, s, **args).divergence.dims == ("trial",)
    assert metrics.constant_rate(x.rename(trial="window"), s, trial="window", **args).dims == ()
    assert metrics.period(WAVE.rename(time="t"), time="t").dims == ("trial", "state")


SCORES = {
    "error": metrics.error,
    "valid_time": lambda forecast, truth, scale: metrics.valid_time(forecast, truth, scale, 1.0),
    "nrmse": lambda forecast, truth, scale: metrics.nrmse(forecast, truth, scale, 1.0),
    "state_space_divergence": metrics.state_space_divergence,
    "mixture_divergence": lambda model, truth, scale: metrics.mixture_divergence(model, truth, scale, samples=10),
}


@pytest.mark.parametrize("name", SCORES)
def test_wrong_arguments_are_named(name):
    score, first = SCORES[name], "model" if "divergence" in name else "forecast"
    with pytest.raises(TypeError, match=rf"{first} must be an xarray\.DataArray, got ndarray"):
        score(LONG.values, LONG, SCALE)
    with pytest.raises(TypeError, match=r"truth must be an xarray\.DataArray, got Dataset"):
        score(LONG, LONG.to_dataset(name="x"), SCALE)
    with pytest.raises(TypeError, match=r"scale must be an xarray\.DataArray, got float"):
        score(LONG, LONG, 1.0)
    with pytest.raises(ValueError, match=rf"{first} must have the dimension 'time'.*is 'tme' a mis"):
        score(LONG.rename(time="tme"), LONG, SCALE)
    with pytest.raises(ValueError, match=r"truth must have the dimension 'state', got dimensions \('trial', 'time'\)"):
        score(LONG, LONG.isel(state=0), SCALE)
    with pytest.raises(ValueError, match=f"truth must have no dimension that {first} lacks, got .'trail'"):
        score(LONG, LONG.rename(trial="trail"), SCALE)
    with pytest.raises(TypeError, match=f"{first} must hold real numbers, got dtype complex128"):
        score(LONG * 1j, LONG, SCALE)
    with pytest.raises(TypeError, match="truth must hold real numbers, got dtype bool"):
        score(LONG, LONG > 0, SCALE)
    with pytest.raises(ValueError, match="truth must be finite, got 1 NaN or infinite"):
        score(LONG, LONG.where(LONG[0, 0, 0] != LONG), SCALE)
    with pytest.raises(ValueError, match="scale must be finite"):
        score(LONG, LONG, SCALE * np.nan)
    with pytest.raises(ValueError, match=r"scale must be greater than 0 for every 'state', got 0\.0"):
        score(LONG, LONG, SCALE * [0.0, 1.0])
    with pytest.raises(ValueError, match="scale must not vary over 'time'"):
        score(LONG, LONG, abs(LONG[0]) + 1)
    with pytest.raises(ValueError, match=f"truth must be as long as {first} over 'time', got 199 and 200"):
        score(LONG, LONG.isel(time=slice(1, None)), SCALE)
    with pytest.raises(ValueError, match=f"truth must have the labels of {first} over 'trial', got 1..2 and 0..1"):
        score(LONG.assign_coords(trial=[0, 1]), LONG.assign_coords(trial=[1, 2]), SCALE)
    with pytest.raises(ValueError, match=f"scale must have the labels of {first} over 'state', got 'y'..'x' and"):
        score(LONG.assign_coords(state=["x", "y"]), LONG, SCALE.assign_coords(state=["y", "x"]))
    with pytest.raises(ValueError, match=f"{first} must not be empty"):
        score(LONG.isel(trial=[]), LONG, SCALE)


@pytest.mark.parametrize("name", ["error", "valid_time", "nrmse"])
def test_forecast_and_truth_share_their_times(name):
    later = LONG.assign_coords(time=LONG.time + DT)
    with pytest.raises(ValueError, match="truth must have the labels of forecast over 'time'"):
        SCORES[name](LONG, later, SCALE)
    for rounded in (np.linspace(0, 199 * DT, 200), LONG.time.values.astype(np.float32)):
        assert SCORES[name](LONG, LONG.assign_coords(time=rounded), SCALE).sizes["trial"] == 2


@pytest.mark.parametrize("name", ["state_space_divergence", "mixture_divergence"])
def test_free_runs_need_no_common_times(name):
    later = LONG.assign_coords(time=LONG.time + 99)
    assert (SCORES[name](later, LONG, SCALE).divergence == 0).all()
    with pytest.raises(ValueError, match=r"truth must have at least 100 samples over 'time'.*got 99"):
        SCORES[name](LONG[:, :99], LONG[:, :99], SCALE)


@pytest.mark.parametrize("times", [[0, 1, 3], [0, 0, 0], [2, 1, 0], [0.0, 1.0, 2.1]])
def test_uneven_times_are_refused(times):
    x = LONG[:, :3].assign_coords(time=times)
    with pytest.raises(ValueError, match="forecast must be sampled evenly over increasing 'time'"):
        metrics.valid_time(x, x, SCALE, 1.0)


def test_times_in_single_precision_are_even():
    x = LONG.assign_coords(time=(1000 + np.arange(200) * DT).astype(np.float32))
    assert metrics.valid_time(x, x, SCALE, 1.0, 0.4).valid_time[0].item() == pytest.approx(4, rel=1e-3)


def test_times_are_needed_where_time_is_measured():
    bare = LONG.drop_vars("time")
    with pytest.raises(ValueError, match="forecast must have a 'time' coordinate"):
        metrics.valid_time(bare, bare, SCALE, 1.0)
    with pytest.raises(ValueError, match="series must have a 'time' coordinate"):
        metrics.period(WAVE.drop_vars("time"))
    with pytest.raises(ValueError, match="forecast must have at least 2 samples"):
        metrics.valid_time(LONG[:, :1], LONG[:, :1], SCALE, 1.0)
    with pytest.raises(ValueError, match=r"series must have at least 8 samples.*got 5"):
        metrics.period(WAVE[:, :5])
    with pytest.raises(TypeError, match=r"forecast\.time must hold real numbers"):
        dates = LONG.assign_coords(time=np.datetime64("2020") + np.arange(200))
        metrics.valid_time(dates, dates, SCALE, 1.0)
    assert metrics.error(bare, bare, SCALE).dims == ("trial", "time")
    assert (metrics.spectral_distance(bare, bare) == 0).all()


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: metrics.valid_time(LONG, LONG, SCALE, 0), ValueError, "unit must be greater than 0"),
        (lambda: metrics.valid_time(LONG, LONG, SCALE, "1"), TypeError, "unit must be a number"),
        (
            lambda: metrics.valid_time(LONG, LONG, SCALE, -LONG[:, 0, 0]),
            ValueError,
            "unit must be greater than 0",
        ),
        (lambda: metrics.valid_time(LONG, LONG, SCALE, SCALE), ValueError, "unit .*lack 'time' and 'state'"),
        (
            lambda: metrics.valid_time(LONG, LONG, SCALE, 1, [0.4, 0]),
            ValueError,
            "threshold must hold numbers",
        ),
        (
            lambda: metrics.valid_time(LONG, LONG, SCALE, 1, "0.4"),
            TypeError,
            "threshold must hold real numbers",
        ),
        (
            lambda: metrics.state_space_divergence(LONG, LONG, SCALE, bins=1),
            ValueError,
            "bins must be at least 2",
        ),
        (
            lambda: metrics.state_space_divergence(LONG, LONG, SCALE, alpha=0),
            ValueError,
            "alpha must be greater",
        ),
        (
            lambda: metrics.state_space_divergence(LONG, LONG, SCALE, margin=0),
            ValueError,
            "margin must be greater",
        ),
        (lambda: metrics.mixture_divergence(LONG, LONG, SCALE, width=0), ValueError, "width must be greater"),
        (
            lambda: metrics.mixture_divergence(LONG, LONG, SCALE, samples=1),
            ValueError,
            "samples must be at least",
        ),
        (lambda: metrics.spectral_distance(LONG, LONG, -1), ValueError, "smoothing must be at least 0"),
        (lambda: metrics.divergence_rate(LONG, SCALE, SCALE, 0), ValueError, "limit must be greater than 0"),
        (
            lambda: metrics.divergence_rate(LONG[0], SCALE, SCALE),
            ValueError,
            "forecast must have the dimension 'trial'",
        ),
        (lambda: metrics.divergence_rate(LONG, LONG[0], SCALE), ValueError, "mean must not vary over 'time'"),
        (lambda: metrics.constant_rate(LONG, SCALE, 0), ValueError, "last must be greater than 0"),
        (
            lambda: metrics.constant_rate(LONG[:, :3], SCALE),
            ValueError,
            "forecast must have at least 4 samples",
        ),
        (lambda: metrics.constant_rate(LONG, SCALE, 0.5, 0), ValueError, "floor must be greater than 0"),
        (lambda: metrics.period(WAVE, 1.5), ValueError, "hysteresis must be at most 0.9"),
        (lambda: metrics.cycle_error(WAVE * np.nan, WAVE * np.nan), ValueError, "truth must be finite"),
        (
            lambda: metrics.cycle_error(WAVE, WAVE.rename(trial="trail")),
            ValueError,
            "truth must have no dimension",
        ),
    ],
)
def test_parameters_out_of_bounds_are_named(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
