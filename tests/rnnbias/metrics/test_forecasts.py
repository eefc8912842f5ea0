"""Errors and valid times against closed forms and constructed failures."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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


def test_error_is_the_root_mean_square_over_states_in_standard_deviations():
    truth = series(np.zeros((2, 2)))
    forecast = series([[3.0, 0.0], [3.0, 8.0]])
    e = metrics.error(forecast, truth, per_state(1.0, 2.0))
    assert e.dims == ("time",)
    np.testing.assert_allclose(e, [3 / math.sqrt(2), math.sqrt((9 + 16) / 2)])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_failed_forecast_has_infinite_error(bad):
    truth = series(np.zeros((3, 2)))
    forecast = truth.copy(data=[[0, 0], [bad, 0], [0, 0]])
    np.testing.assert_array_equal(metrics.error(forecast, truth, per_state(1.0, 1.0)), [0, np.inf, 0])
    np.testing.assert_array_equal(
        metrics.nrmse(forecast, truth, per_state(1.0, 1.0), [DT, 2 * DT, 3 * DT]), [0, np.inf, np.inf]
    )
    valid = metrics.valid_time(forecast, truth, per_state(1.0, 1.0), DT)
    np.testing.assert_array_equal(valid.valid_time, [1, 1, 1])
    assert not valid.censored.any()


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_valid_time_of_an_exponentially_growing_error(rate):
    first, threshold = 1e-5, np.array([0.3, 0.4, 0.5])
    truth = series(np.zeros((4000, 3)), dt=0.01)
    growth = first * np.exp(rate * truth.time)
    ds = metrics.valid_time(truth + growth, truth, per_state(1.0, 1.0, 1.0), unit=1 / rate, threshold=threshold)
    assert ds.valid_time.dims == ("threshold",)
    lyapunov_times = np.log(threshold / first)
    # the first sample beyond the threshold: at most one step late
    assert (ds.valid_time >= lyapunov_times).all() and (ds.valid_time < lyapunov_times + 0.01 * rate).all()
    assert ds.valid_time.attrs["units"] == "Lyapunov times"
    assert not ds.censored.any()


@pytest.mark.parametrize(("good", "valid"), [(0, 0.0), (1, 0.1), (7, 0.7), (10, 1.0)])
def test_valid_time_counts_the_good_steps_from_the_first_forecast_sample(good, valid):
    truth = series(np.zeros((10, 1)), dt=0.1)
    ds = metrics.valid_time(truth + series((np.arange(10) >= good)[:, None] * 1.0, dt=0.1), truth, ONE, 1.0, 0.4)
    assert ds.valid_time.item() == pytest.approx(valid)
    assert ds.censored.item() == (good == 10)
    assert ds.valid_time.dims == () and ds.threshold.item() == 0.4


def test_valid_time_ends_at_the_first_failure_even_if_the_forecast_returns():
    truth = series(np.zeros((5, 1)))
    ds = metrics.valid_time(truth + series([[0.0], [9.0], [0.0], [0.0], [0.0]]), truth, ONE, DT)
    np.testing.assert_allclose(ds.valid_time, 1)


def test_an_error_equal_to_the_threshold_is_still_valid():
    truth = series(np.zeros((5, 1)))
    assert metrics.valid_time(truth + 0.5, truth, ONE, 1.0, 0.5).censored.item()


def test_valid_time_takes_a_unit_for_each_system_and_any_name_for_it():
    truth = series(np.zeros((2, 10, 1)), ("system", "time", "state"), dt=1.0)
    unit = xr.DataArray([2.0, 5.0], dims="system")
    ds = metrics.valid_time(truth, truth, ONE, unit, units="periods")
    assert ds.valid_time.dims == ("threshold", "system")
    np.testing.assert_array_equal(ds.valid_time, [[5, 2]] * 3)
    assert ds.valid_time.attrs["units"] == "periods" and ds.censored.all()
    assert config(ds)["unit"] == [2.0, 5.0]


def test_nrmse_divides_by_the_deviation_and_counts_lead_times_from_one_step():
    truth = series(np.zeros((4, 1)), dt=0.1)
    forecast = series([[2.0], [4.0], [0.0], [6.0]], dt=0.1)
    result = metrics.nrmse(forecast, truth, per_state(2.0), (0.1, 0.2, 0.25, 0.4))
    assert result.dims == ("horizon",)
    np.testing.assert_allclose(result, [1, math.sqrt(5 / 2), math.sqrt(5 / 2), math.sqrt(14 / 4)])
    assert metrics.nrmse(forecast, truth, per_state(2.0), 0.1).dims == ()


def test_nrmse_of_predicting_the_mean_is_one(attractor, spread):
    mean = attractor.mean("time").broadcast_like(attractor)
    whole = attractor.sizes["time"] * DT
    assert metrics.nrmse(mean, attractor, spread, whole).item() == pytest.approx(1)


@pytest.mark.parametrize("horizon", [0.5 * DT, 6 * DT, -1.0, 0, [], math.nan])
def test_a_horizon_off_the_forecast_is_refused(horizon):
    truth = series(np.zeros((5, 1)))
    with pytest.raises(ValueError, match="horizon"):
        metrics.nrmse(truth, truth, ONE, horizon)


@pytest.mark.parametrize("steps", [7, 300, 4096])
@pytest.mark.parametrize("dt", [0.1, 0.02, 1 / 3])
def test_a_horizon_of_the_whole_forecast_is_whole_in_spite_of_rounding(steps, dt):
    last = series(np.eye(1, steps, steps - 1).T, dt=dt)
    assert metrics.nrmse(last, last * 0, ONE, steps * dt).item() == pytest.approx(1 / math.sqrt(steps))


few = arrays(float, (2, 6, 2), elements=st.floats(-3, 3).map(lambda x: round(x, 3)))


@settings(max_examples=15, deadline=None)
@given(few, few, st.sampled_from([1e-3, 0.5, 8.0, 1e4]))
def test_forecast_scores_do_not_depend_on_the_units(forecast, truth, factor):
    x, y, s = *(series(a, ("trial", "time", "state")) for a in (forecast, truth)), per_state(0.7, 1.9)
    for score in (
        lambda *a: metrics.error(*a),
        lambda *a: metrics.nrmse(*a, [DT, 6 * DT]),
        lambda *a: metrics.divergence_rate(a[0], 0 * s, a[2], 2.5),
    ):
        np.testing.assert_allclose(score(x * factor, y * factor, s * factor), score(x, y, s), rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(few, few, st.permutations(["trial", "time", "state"]), st.permutations(["trial", "time", "state"]))
def test_forecast_scores_do_not_depend_on_the_order_of_dimensions(forecast, truth, order, other):
    x, y = (series(a, ("trial", "time", "state")) for a in (forecast, truth))
    s = per_state(0.7, 1.9)
    for score in (
        lambda x, y: metrics.error(x, y, s),
        lambda x, y: metrics.nrmse(x, y, s, (DT, 3 * DT)),
        lambda x, y: metrics.valid_time(x, y, s, 0.3),
    ):
        xr.testing.assert_identical(score(x.transpose(*order), y.transpose(*other)), score(x, y))


@settings(max_examples=15, deadline=None)
@given(few, few)
def test_valid_time_grows_with_the_threshold_and_is_a_whole_number_of_steps(forecast, truth):
    x, y = (series(a, ("trial", "time", "state")) for a in (forecast, truth))
    ds = metrics.valid_time(x, y, per_state(1.0, 1.0), DT)
    assert (ds.valid_time.diff("threshold") >= 0).all()
    np.testing.assert_allclose(ds.valid_time, ds.valid_time.round(), atol=1e-9)
    np.testing.assert_array_equal(ds.censored, ds.valid_time > 5.5)
