import numpy as np
import pytest
import xarray as xr

from rnnbias import metrics
from rnnbias.evaluation import (
    NVAR,
    LinearAutoregression,
    Persistence,
    forecast_windows,
    score_attractor,
    score_forecasts,
    score_windows,
)


def walk(trials=2, samples=120, seed=0):
    """Noisy sines of two states, with a period."""
    t = 0.1 * np.arange(samples)
    noise = 0.05 * np.random.default_rng(seed).normal(size=(trials, samples, 2))
    values = np.stack([np.sin(t), 3 * np.cos(t)], 1) + noise
    coords = {"time": ("time", t, {"units": "s"}), "state": ["a", "b"]}
    return xr.DataArray(values, coords, ("trial", "time", "state"), attrs={"period": 2 * np.pi})


@pytest.fixture(scope="module")
def linear():
    return LinearAutoregression(3).fit(walk())


def test_windows_are_spread_over_all_trials_and_hold_what_was_forecast(linear):
    test = walk(seed=1)
    made = forecast_windows(linear, test, windows=6, context=20, steps=40)
    firsts = [0, 30, 60]
    truth = np.concatenate([test.values[:, f + 20 : f + 60] for f in firsts])
    np.testing.assert_array_equal(made.truth, truth)
    for k, (f, trial) in enumerate((f, trial) for f in firsts for trial in range(2)):
        alone = linear.forecast(test[trial, f : f + 20], 40).forecast[0]
        np.testing.assert_allclose(made.forecast[k], alone, rtol=1e-9)
    np.testing.assert_array_equal(made.scale, walk().std(("trial", "time")))
    np.testing.assert_array_equal(made["mean"], walk().mean(("trial", "time")))
    assert made.unit == 2 * np.pi and made.unit.attrs == {"units": "s", "long_name": "periods"}


def test_scores_are_those_of_the_metrics(linear):
    made = forecast_windows(linear, walk(seed=1), windows=4, context=20)
    assert made.sizes["time"] == 120 - 20 - 1  # as far as the data allow
    found = score_forecasts(linear, walk(seed=1), windows=4, context=20, threshold=[0.1, 0.4])
    unit = made.unit.item()
    wanted = metrics.valid_time(made.forecast, made.truth, made.scale, unit, (0.1, 0.4), units="periods")
    np.testing.assert_array_equal(found.valid_time, wanted.valid_time)
    np.testing.assert_array_equal(found.nrmse, metrics.nrmse(made.forecast, made.truth, made.scale, unit))
    assert found.divergence_rate == 0 and found.constant_rate == 0
    assert found.attrs["learned"] == 14 and "LinearAutoregression(delays=3)" in found.attrs["title"]


def test_forecasters_are_measured_by_one_ruler_where_it_is_given(linear):
    made = forecast_windows(linear, walk(seed=1), windows=4, context=20)
    wide = score_windows(made.assign(scale=10 * made.scale))
    np.testing.assert_allclose(wide.nrmse, score_windows(made).nrmse / 10)


def test_attractors_of_one_kind_are_close_and_a_point_is_not():
    train, test = (walk(samples=400, seed=k) for k in (0, 1))
    near, far = (
        score_attractor(forecast_windows(kind.fit(train), test, windows=2, context=5, steps=380))
        for kind in (NVAR(ridge=0.1), Persistence())
    )
    assert far.constant_rate == 1 and near.constant_rate == 0
    assert near.d_stsp < far.d_stsp and near.d_h < far.d_h
    assert set(near) == {"d_stsp", "d_h", "divergence_rate", "constant_rate"}


def test_many_states_are_compared_by_mixtures():
    values = np.random.default_rng(0).normal(size=(1, 700, 6)).cumsum(1) % 3
    made = forecast_windows(Persistence().fit(values, dt=1.0), values, windows=1, context=1, steps=600)
    same = score_attractor(made.assign(forecast=made.truth))
    assert abs(same.d_stsp) < 1e-9 and score_attractor(made).d_stsp > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": 0}, "windows must be at least 1"),
        ({"context": 0}, "context must be at least 1"),
        ({"steps": 3}, "steps must be at least 4"),
        ({"steps": 101}, r"at least context \+ steps = 121 samples, got 120"),
        ({"context": 2}, "context must have at least 3 samples"),
    ],
)
def test_wrong_arguments_are_named(linear, options, message):
    with pytest.raises(ValueError, match=message):
        forecast_windows(linear, walk(), **{"context": 20, **options})


def test_data_of_another_kind_are_refused(linear):
    with pytest.raises(ValueError, match="must have the states"):
        score_forecasts(linear, walk().sel(state=["a"]))
    with pytest.raises(ValueError, match="must have the step"):
        score_forecasts(linear, walk()[:, ::2])
