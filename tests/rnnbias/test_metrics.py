"""Scores against closed forms, constructed failures and literature values."""

import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

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


def lorenz(x):
    """One RK4 step of Lorenz-63 for (batch, 3), by torch."""

    linear = torch.tensor([[-10, 28, 0], [10, -1, 0], [0, 0, -8 / 3]], dtype=x.dtype)
    crossed = torch.tensor([[0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=x.dtype)

    def field(s):  # 10 (y - x), x (28 - z) - y, x y - 8/3 z
        return s @ linear + s[:, :1] * (s @ crossed)

    a = field(x)
    b = field(x + DT / 2 * a)
    c = field(x + DT / 2 * b)
    d = field(x + DT * c)
    return x + DT / 6 * (a + 2 * b + 2 * c + d)


@pytest.fixture(scope="module")
def attractor():
    """Lorenz-63 states (time, state), 4,096 of them at steps of 0.02, after a transient."""
    x = torch.tensor([[1.0, 1.0, 20.0]], dtype=torch.float64)
    states = []
    for _ in range(4596):
        x = lorenz(x)
        states.append(x[0])
    return series(torch.stack(states)[500:].numpy())


@pytest.fixture(scope="module")
def spread(attractor):
    return attractor.std("time")


# ---------------------------------------------------------------------------------- error, valid time, NRMSE


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


# ------------------------------------------------------------------------- properties of the forecast scores


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


@settings(max_examples=10, deadline=None)
@given(st.permutations(["trial", "time", "state"]), st.sampled_from([1e-3, 7.0]))
def test_free_run_scores_do_not_depend_on_order_or_units(order, factor):
    rng = np.random.default_rng(1)
    x, y = (series(rng.normal(size=(2, 200, 2)).cumsum(1), ("trial", "time", "state")) for _ in range(2))
    s = per_state(3.0, 5.0)
    for score in (
        lambda x, y, s: metrics.state_space_divergence(x, y, s).divergence,
        lambda x, y, s: metrics.mixture_divergence(x, y, s, samples=50).divergence,
        lambda x, y, s: metrics.spectral_distance(x, y, 5.0),
    ):
        result = score(x.transpose(*order) * factor, y * factor, s * factor)
        xr.testing.assert_allclose(result, score(x, y, s))
        assert result.dims == ("trial",) and (result > 0).all()


# ------------------------------------------------------------------------------------ state-space divergence


def test_divergence_of_two_coins_in_closed_form():
    truth = series(np.repeat([0.0, 1.0], [500, 500])[:, None])
    model = series(np.repeat([0.0, 1.0], [250, 750])[:, None])
    ds = metrics.state_space_divergence(model, truth, ONE, bins=4)
    exact = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert ds.divergence.item() == pytest.approx(exact, abs=1e-6)
    assert ds.overflow.item() == 0


def test_divergence_is_the_stated_formula_over_all_cells_and_the_overflow():
    rng = np.random.default_rng(0)
    bins, alpha, margin, n = 5, 0.3, 0.2, 400
    truth, model = rng.normal(size=(n, 2)), rng.normal(0.3, 1.5, size=(n, 2))
    model[:3, 0] = np.nan, np.inf, -np.inf
    scale = np.array([0.5, 2.0])
    edges = [
        np.linspace(x.min() - margin * s, x.max() + margin * s, bins + 1) for x, s in zip(truth.T, scale, strict=True)
    ]

    def probabilities(x):
        counts = np.histogramdd(x[np.isfinite(x).all(1)], edges)[0].ravel()
        return (np.append(counts, n - counts.sum()) + alpha) / (n + alpha * (bins**2 + 1))

    p, q = probabilities(truth), probabilities(model)
    ds = metrics.state_space_divergence(series(model), series(truth), per_state(*scale), bins, alpha, margin)
    assert ds.divergence.item() == pytest.approx(np.sum(p * np.log(p / q)))
    outside = (model < [e[0] for e in edges]) | (model > [e[-1] for e in edges]) | ~np.isfinite(model)
    assert ds.overflow.item() == outside.any(1).mean() > 0.05


def test_divergence_of_two_gaussians_in_closed_form():
    n = 100_000
    quantiles = norm.ppf((np.arange(n) + 0.5) / n)[:, None]  # a Gaussian without sampling noise
    # wide bins and a wide model keep empty cells out
    ds = metrics.state_space_divergence(series(0.3 + 1.2 * quantiles), series(quantiles), ONE, bins=60)
    exact = math.log(1.2) + (1 + 0.3**2) / (2 * 1.2**2) - 0.5
    assert ds.divergence.item() == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("states", [1, 2, 3, 5])
def test_divergence_of_equal_runs_is_zero_in_up_to_five_states(states):
    truth = series(np.random.default_rng(0).normal(size=(200, states)))
    ds = metrics.state_space_divergence(truth, truth, per_state(*[1.0] * states))
    assert ds.divergence.item() == 0 and ds.overflow.item() == 0


def test_more_than_five_states_are_sent_to_the_mixture():
    truth = series(np.zeros((200, 6)))
    with pytest.raises(ValueError, match=r"truth must have at most 5 states.*got 6.*mixture_divergence"):
        metrics.state_space_divergence(truth, truth, per_state(*[1.0] * 6))


def test_outliers_count_in_the_overflow():
    truth = series(np.random.default_rng(0).uniform(size=(1000, 1)))
    half = truth.where(truth.time < 500 * DT, 1e6)
    gone, lost, few = (
        metrics.state_space_divergence(x, truth, ONE, 10)
        for x in (truth * np.nan, half, truth.where(truth > 0.01, np.inf))
    )
    assert gone.overflow.item() == 1 and lost.overflow.item() == 0.5 and 0 < few.overflow.item() < 0.03
    assert gone.divergence > 15 and lost.divergence.item() == pytest.approx(math.log(2), rel=0.1)
    assert 0 < few.divergence < 0.05


def test_divergence_takes_one_truth_for_many_models_and_one_scale_for_many_systems(attractor, spread):
    rng = np.random.default_rng(0)
    model = attractor + xr.DataArray([0.0, 1.0, 9.0], dims="seed") * attractor.copy(
        data=rng.normal(size=attractor.shape)
    )
    ds = metrics.state_space_divergence(model, attractor, spread)
    assert ds.divergence.dims == ("seed",)
    for i in range(3):
        alone = metrics.state_space_divergence(model.isel(seed=i), attractor, spread)
        assert alone.divergence.item() == ds.divergence[i].item()
    assert (ds.divergence.diff("seed") > 0).all()


def test_mixture_divergence_of_two_points_in_closed_form():
    truth = series(np.zeros((200, 7)))
    shift, scale = np.array([1.0, -2.0, 0, 0, 0, 0, 0.5]), np.array([2.0, 1, 1, 1, 1, 1, 0.5])
    ds = metrics.mixture_divergence(truth + shift, truth, per_state(*scale), width=1.5, samples=40_000)
    exact = np.sum((shift / scale) ** 2) / (2 * 1.5**2)
    assert ds.divergence.item() == pytest.approx(exact, rel=0.02)
    assert ds.failed.item() == 0


def test_mixture_divergence_keeps_failed_and_far_samples():
    rng = np.random.default_rng(0)
    truth = series(rng.normal(size=(300, 6)))
    scale = per_state(*[1.0] * 6)
    half = truth.copy(data=np.where(np.arange(300)[:, None] % 2, truth, np.nan))
    far = truth.copy(data=np.where(np.arange(300)[:, None] % 2, truth, 1e6))
    nan, distant, none, same = (
        metrics.mixture_divergence(x, truth, scale, 2.0) for x in (half, far, truth * np.nan, truth)
    )
    assert nan.failed.item() == 0.5 and nan.divergence.item() == pytest.approx(distant.divergence.item())
    assert nan.divergence.item() == pytest.approx(math.log(2), rel=0.05)
    assert none.failed.item() == 1 and none.divergence.item() == math.inf
    assert same.divergence.item() == 0


def test_mixture_divergence_of_gaussian_clouds():
    """Smoothed by the width w, N(0, 1) against N(m, 1) has divergence m^2 / 2 (1 + w^2)."""
    n = 2000
    x = series(norm.ppf((np.arange(n) + 0.5) / n)[:, None])
    ds = metrics.mixture_divergence(x + 1.0, x, ONE, 1.0, samples=5000)
    assert ds.divergence.item() == pytest.approx(0.25, abs=0.03)


# ----------------------------------------------------------------------------------------- spectral distance


def test_each_free_run_score_is_blind_to_what_the_other_sees(attractor, spread):
    order = np.random.default_rng(0).permutation(attractor.sizes["time"])
    shuffled = attractor.copy(data=attractor.values[order])
    half = attractor / 2
    assert metrics.state_space_divergence(shuffled, attractor, spread).divergence.item() == 0
    assert metrics.spectral_distance(shuffled, attractor).item() > 0.5
    assert metrics.state_space_divergence(half, attractor, spread).divergence.item() > 5
    assert metrics.spectral_distance(half, attractor).item() < 1e-7


def test_spectral_distance_is_the_stated_formula_without_smoothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 64, 2)).cumsum(1)

    def spectrum(x):
        z = (x - x.mean(0)) / x.std(0)
        power = np.array([[abs(np.sum(c * np.exp(-2j * np.pi * f * np.arange(64) / 64))) ** 2 for c in z.T]
                          for f in range(33)])  # fmt: skip
        return power / power.sum(0)

    exact = np.sqrt(1 - np.sqrt(spectrum(x) * spectrum(y)).sum(0)).mean()
    assert metrics.spectral_distance(series(x), series(y), 0).item() == pytest.approx(exact)


def test_smoothing_gives_the_distance_of_two_gaussian_peaks():
    """Two smoothed lines are Gaussians k bins apart: their Hellinger distance is closed."""
    n, sigma, apart = 4096, 20.0, 30
    t = np.arange(n)
    x, y = (series(np.sin(2 * np.pi * k * t / n)[:, None]) for k in (600, 600 + apart))
    exact = math.sqrt(1 - math.exp(-(apart**2) / (8 * sigma**2)))
    assert metrics.spectral_distance(x, y, sigma).item() == pytest.approx(exact, rel=3e-3)


@pytest.mark.parametrize("output", [0.0, 0.1, -1e200, np.nan, np.inf])
def test_a_constant_or_failed_model_has_spectral_distance_one(output):
    truth = series(np.random.default_rng(0).normal(size=(200, 2)))
    assert metrics.spectral_distance(truth * 0 + output, truth).item() == 1
    one = xr.concat([truth.isel(state=[0]), truth.isel(state=[1]) * 0 + output], "state")
    assert metrics.spectral_distance(one, truth).item() == pytest.approx(0.5)
    once = truth.copy()
    once[7, 1] = np.nan
    assert metrics.spectral_distance(once, truth).item() == pytest.approx(0.5)


def test_spectral_distance_refuses_a_constant_truth_and_other_steps():
    x = series(np.random.default_rng(0).normal(size=(200, 2)))
    with pytest.raises(ValueError, match=r"truth must vary over 'time' for every 'state'"):
        metrics.spectral_distance(x, x * [0.0, 1.0])
    with pytest.raises(ValueError, match=r"model must have the time step of truth, got 0\.04"):
        metrics.spectral_distance(x.assign_coords(time=x.time * 2), x)
    with pytest.raises(ValueError, match=r"truth must have at least 160 samples over 'time'.*got 100"):
        metrics.spectral_distance(x[:100], x[:100])


# ---------------------------------------------------------------------------------------- Lyapunov exponents


def test_exponent_of_the_logistic_map_is_ln_2():
    start = np.random.default_rng(0).uniform(0.1, 0.9, (800, 1))
    ds = metrics.largest_exponent(lambda x: 4 * x * (1 - x), start, 200, 1.0, transient=50)
    assert ds.exponent.item() == pytest.approx(math.log(2), abs=0.005)
    assert abs(ds.exponent.item() - math.log(2)) < 4 * ds.standard_error.item() < 0.02
    assert ds.local_exponent.dims == ("start",) and not ds.failed.any()


def test_exponent_of_the_henon_map():
    def henon(s):
        x, y = s.unbind(-1)
        return torch.stack([1 - 1.4 * x**2 + y, 0.3 * x], -1)

    start = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 2))
    ds = metrics.largest_exponent(henon, start, 400, 1.0, transient=100)
    assert ds.exponent.item() == pytest.approx(0.4192, abs=0.005)


def test_exponent_of_lorenz_in_units_of_time(attractor):
    start = attractor.values[::2] + np.random.default_rng(0).normal(size=(2048, 3))
    ds = metrics.largest_exponent(lorenz, start, 500, DT, transient=400)
    assert ds.exponent.item() == pytest.approx(0.9056, abs=0.02)


def test_exponent_of_a_linear_map_is_its_largest_eigenvalue():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(4, 4)))[0] + 0.1
    matrix = torch.as_tensor(basis @ np.diag([0.3, -0.8, 0.5, 0.1]) @ np.linalg.inv(basis))
    ds = metrics.largest_exponent(lambda x: x @ matrix.T, rng.normal(size=(5, 4)), 30, 0.5, transient=100)
    np.testing.assert_allclose(ds.local_exponent, math.log(0.8) / 0.5, rtol=1e-6)
    assert ds.standard_error.item() < 1e-6


def test_exponent_of_a_module_leaves_it_as_it_was():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())
    ds = metrics.largest_exponent(network, torch.randn(2, 3, requires_grad=True), 20, 1.0, 10)
    assert ds.exponent.item() < 0 and all(p.grad is None for p in network.parameters())
    again = metrics.largest_exponent(network, torch.zeros(2, 3), 20, 1.0, 200)
    assert again.local_exponent[0].item() == pytest.approx(again.local_exponent[1].item(), abs=0.05)


def test_exponent_reports_escape_and_vanishing_tangents():
    start = np.array([[0.1], [2.0]])
    ds = metrics.largest_exponent(lambda x: 4 * x * (1 - x), start, 100, 1.0, transient=10)
    np.testing.assert_array_equal(ds.failed, [False, True])
    assert np.isfinite(ds.local_exponent[0]) and np.isnan([ds.local_exponent[1], ds.exponent]).all()
    flat = metrics.largest_exponent(lambda x: x * 0 + 1, start, 10, 1.0)
    assert (flat.local_exponent == -np.inf).all() and flat.exponent.item() == -np.inf
    assert not flat.failed.any() and np.isnan(flat.standard_error)


def test_exponent_is_reproducible_and_one_start_has_no_standard_error():
    step, start = (lambda x: torch.sin(3 * x @ torch.ones(2, 2, dtype=x.dtype))), np.array([[0.1, 0.2]])
    a, b = (metrics.largest_exponent(step, start, 50, 1.0, 5, seed=3) for _ in range(2))
    xr.testing.assert_identical(a, b)
    assert np.isnan(a.standard_error) and config(a)["seed"] == 3


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"start": [1.0, 2.0]}, ValueError, "start must have 2 dimensions"),
        ({"start": [[np.nan]]}, ValueError, "start must be finite"),
        ({"start": [[1j]]}, TypeError, "start must hold real numbers"),
        ({"start": np.zeros((0, 2))}, ValueError, "start must not be empty"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 1.0}, TypeError, "steps must be a whole number"),
        ({"dt": 0}, ValueError, "dt must be greater than 0"),
        ({"transient": -1}, ValueError, "transient must be at least 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"step": lambda x: x[:, :1]}, ValueError, r"step must keep the shape \(2, 3\)"),
        ({"step": lambda x: x.float()}, ValueError, "step must keep the shape .* got .*float32"),
        ({"step": lambda x: x - x.mean(0)}, ValueError, "step must map each row by itself"),
        ({"step": lambda x: x.numpy()}, TypeError, "step must return a tensor, got ndarray"),
    ],
)
def test_largest_exponent_refuses(change, kind, words):
    start = np.arange(6.0).reshape(2, 3)
    with pytest.raises(kind, match=words):
        metrics.largest_exponent(**{"step": lambda x: x / 2, "start": start, "steps": 5, "dt": 1.0} | change)


# -------------------------------------------------------------------------------------------------- failures


def test_divergence_rate_counts_every_trial():
    x = np.zeros((2, 5, 20, 2))
    x[0, 0, 3, 1] = np.nan
    x[0, 1, 4, 0] = -np.inf
    x[0, 2, -1, 1] = 3 + 10.1 * 2
    x[0, 3, -1, 1] = 3 + 9.9 * 2
    forecast = series(x, ("seed", "trial", "time", "state"))
    rate = metrics.divergence_rate(forecast, per_state(0.0, 3.0), per_state(1.0, 2.0))
    assert rate.dims == ("seed",)
    np.testing.assert_allclose(rate, [0.6, 0])


def test_constant_rate_needs_every_state_silent_in_the_last_part():
    t = np.arange(100)
    x = np.zeros((5, 100, 2))
    x[1, :50] = np.sin(t[:50, None])  # silent in the end
    x[2, :, 0] = np.sin(t)  # one state lives
    x[3, 60] = np.nan  # failed
    x[4] = 0.02 * np.sin(t[:, None])  # below the floor: variance 2e-4
    forecast = series(x, ("trial", "time", "state"))
    assert metrics.constant_rate(forecast, per_state(1.0, 1.0)).item() == pytest.approx(3 / 5)
    assert metrics.constant_rate(forecast, per_state(1.0, 1.0), last=1.0).item() == pytest.approx(2 / 5)
    assert metrics.constant_rate(forecast, per_state(0.01, 0.01)).item() == pytest.approx(2 / 5)


# ---------------------------------------------------------------------------------------------- limit cycles


@settings(max_examples=40, deadline=None)
@given(
    st.floats(6.5, 60),
    st.floats(0.01, 100),
    st.floats(-5, 5),
    st.floats(0, 2 * math.pi),
    st.sampled_from([1e-2, 1.0]),
)
def test_period_and_amplitude_of_a_sine_between_samples(samples, size, offset, phase, dt):
    t = np.arange(1000) * dt
    x = series(offset + size * np.sin(2 * np.pi * t / (samples * dt) + phase), ("time",), dt)
    assert metrics.period(x).item() == pytest.approx(samples * dt, rel=2e-3)
    assert metrics.amplitude(x).item() == pytest.approx(size, rel=0.02)


def test_period_and_amplitude_see_through_noise_and_odd_shapes():
    t = np.arange(4000) * 0.01
    rng = np.random.default_rng(0)
    noisy = np.sin(2 * np.pi * t / 1.3) + 0.05 * rng.normal(size=t.size)
    spikes = np.exp(-(((t % 2.0) - 1) ** 2) / 0.005)  # narrow peaks over a long flat floor
    wiggly = np.sin(2 * np.pi * t / 4) + 0.2 * np.sin(2 * np.pi * t / 0.4)
    x = series([noisy, spikes, wiggly], ("state", "time"), 0.01)
    np.testing.assert_allclose(metrics.period(x), [1.3, 2.0, 4.0], rtol=3e-3)
    np.testing.assert_allclose(metrics.amplitude(x)[:2], [1.0, 0.5], rtol=0.15)


@pytest.mark.parametrize(
    "x",
    [
        lambda t: 0 * t,
        lambda t: 0 * t + 0.1,
        lambda t: np.exp(-t),
        lambda t: np.exp(-t / 2) * np.sin(2 * np.pi * t),  # dies out
        lambda t: np.exp(t / 2),
        lambda t: t,
        lambda t: np.sin(2 * np.pi * t / 20),  # one cycle
        lambda t: np.where(t == 5, np.nan, np.sin(2 * np.pi * t)),
        lambda t: np.where(t == 5, np.inf, np.sin(2 * np.pi * t)),
    ],
)
def test_no_lasting_oscillation_is_a_failure(x):
    t = np.arange(2000) * 0.01
    model = series(x(t)[:, None], dt=0.01)
    truth = series(np.sin(2 * np.pi * t)[:, None], dt=0.01)
    assert np.isnan(metrics.period(model)).all() and np.isnan(metrics.amplitude(model)).all()
    ds = metrics.cycle_error(model, truth)
    assert ds.failed.all() and np.isnan(ds.period_error).all() and np.isnan(ds.amplitude_error).all()
    if np.isfinite(model).all():
        with pytest.raises(ValueError, match="truth must oscillate in every 'state'"):
            metrics.cycle_error(truth, model)


def test_cycle_error_is_relative_and_per_trial_and_state():
    t = np.arange(1000) * 0.05
    model = series(
        [[1.1 * np.sin(2 * np.pi * t / 2.1), np.cos(2 * np.pi * t / 1.9)], [0 * t, 3 * np.sin(np.pi * t)]],
        ("trial", "state", "time"),
        0.05,
    )
    truth = series([np.sin(np.pi * t[:800]), np.cos(np.pi * t[:800])], ("state", "time"), 0.05)
    ds = metrics.cycle_error(model, truth)
    assert ds.period_error.dims == ("trial", "state")
    np.testing.assert_allclose(ds.period_error, [[0.05, 0.05], [np.nan, 0]], atol=1e-4)
    np.testing.assert_allclose(ds.amplitude_error, [[0.1, 0], [np.nan, 2]], atol=1e-3)
    np.testing.assert_array_equal(ds.failed, [[False, False], [True, False]])


# --------------------------------------------------------------------------------------- labels and refusals


LONG = series(np.random.default_rng(0).normal(size=(2, 200, 2)), ("trial", "time", "state"))
SCALE = per_state(1.0, 2.0)
WAVE = series(np.sin(np.arange(2 * 400).reshape(2, 400, 1) / 9), ("trial", "time", "state"))
RESULTS = {
    "error": lambda: metrics.error(LONG, LONG, SCALE),
    "valid_time": lambda: metrics.valid_time(LONG, LONG, SCALE, 1.0),
    "valid_time, one threshold": lambda: metrics.valid_time(LONG, LONG, SCALE, 1.0, 0.4),
    "nrmse": lambda: metrics.nrmse(LONG, LONG, SCALE, (1.0, 2.0)),
    "nrmse, one horizon": lambda: metrics.nrmse(LONG, LONG, SCALE, 1.0),
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
    assert {name.split(",")[0] for name in RESULTS} == set(metrics.__all__)


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
