"""State-space divergence against closed forms."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from rnnbias import metrics

DT = 0.02


def series(values, dims=("time", "state"), dt=DT):
    """Label an array; time starts at 0 with steps of `dt`."""
    values = np.asarray(values)
    return xr.DataArray(values, {"time": np.arange(values.shape[dims.index("time")]) * dt}, dims)


def per_state(*values):
    return xr.DataArray(list(values), dims="state")


ONE = per_state(1.0)


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


def test_sliced_wasserstein_in_one_dimension_is_that_of_sorted_samples():
    from scipy.stats import wasserstein_distance_nd

    x, y = np.random.default_rng(0).normal(size=(2, 300, 1)) * [[[1.0]], [[2.0]]]
    found = metrics.sliced_wasserstein(series(x), series(y), per_state(2.0), projections=3).item()
    sorted_apart = np.sort(x[:, 0]) - np.sort(y[:, 0])
    assert found == pytest.approx(np.sqrt(np.mean(sorted_apart**2)) / 2)
    order_one = wasserstein_distance_nd(x[:100], y[:100])  # of order 1, which is never more
    assert order_one <= np.sqrt(np.mean((np.sort(x[:100, 0]) - np.sort(y[:100, 0])) ** 2)) + 1e-9


def test_sliced_wasserstein_of_two_gaussians_in_closed_form():
    truth = np.random.default_rng(1).normal(size=(5000, 3))
    shift, grown = np.array([1.0, -2.0, 0.5]), 1.5
    found = metrics.sliced_wasserstein(series(shift + grown * truth), series(truth), per_state(1, 1, 1), 2000).item()
    exact = np.sqrt(shift @ shift / 3 + (grown - 1) ** 2)  # mean over directions of (shift . direction)^2 + (sd - 1)^2
    assert found == pytest.approx(exact, rel=0.03)


def test_sliced_wasserstein_is_seeded_ignores_the_order_and_scores_failures():
    truth = series(np.random.default_rng(2).normal(size=(200, 4)))
    other, scale = truth * 1.1, per_state(1, 1, 1, 1)
    assert metrics.sliced_wasserstein(truth[::-1].assign_coords(time=truth.time), truth, scale).item() == 0
    one, same, apart = (metrics.sliced_wasserstein(other, truth, scale, 5, seed).item() for seed in (0, 0, 1))
    assert one == same != apart
    assert metrics.sliced_wasserstein(other.where(other.time > 0), truth, scale).item() == math.inf
    with pytest.raises(ValueError, match="projections must be at least 1"):
        metrics.sliced_wasserstein(other, truth, scale, 0)
