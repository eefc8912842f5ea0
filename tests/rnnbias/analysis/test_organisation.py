import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from rnnbias import analysis

TASKS = ["a", "b", "c", "d", "e", "f"]


def labelled(values, tasks=None):
    values = np.asarray(values, float)
    return xr.DataArray(values, {"task": TASKS[: len(values)] if tasks is None else tasks}, ("task", "unit"))


def planted(units=240, noise=0.1, seed=0):
    """Units of four kinds: active in all tasks, in the first three, in the fourth only, and in the last two."""
    rng = np.random.default_rng(seed)
    kinds = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1]], float)
    kind = rng.permutation(np.arange(units) % 4)
    relative = np.abs(kinds[kind].T + noise * rng.standard_normal((6, units)))
    return labelled(relative * rng.uniform(0.5, 5.0, units)), kind


@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(any),
    seed=st.integers(0, 1000),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_task_variance_does_not_depend_on_the_blocks(sizes, seed, offset):
    rng = np.random.default_rng(seed)
    blocks = [offset + rng.standard_normal((n, 3)) for n in sizes]
    whole = np.concatenate(blocks)
    found = analysis.task_variance({"x": blocks}).sel(task="x")
    np.testing.assert_allclose(found.variance, whole.var(0), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found["mean"], whole.mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found.on, (whole > 0).mean(0))


def test_task_variance_of_trials_over_time_is_that_over_trials_averaged_over_time():
    rates = np.random.default_rng(0).standard_normal((20, 7, 3)) + np.arange(7)[:, None]
    found = analysis.task_variance({"x": [rates[:12], rates[12:]]})
    np.testing.assert_allclose(found.variance[0], rates.var(0).mean(0))


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({}, "at least one task"),
        ({"x": []}, "rates of task 'x' must have at least one sample"),
        ({"x": [np.full((2, 2), np.nan)]}, "rates of task 'x' must be finite"),
        ({"x": [np.zeros(3)]}, "rates of task 'x' must be blocks"),
        ({"x": [np.zeros((2, 3)), np.zeros((2, 4))]}, "rates of task 'x' must be blocks .* of the same units"),
        ({"x": [np.zeros((2, 3))], "y": [np.zeros((2, 4))]}, r"the same units in all tasks, got \[3, 4\]"),
    ],
)
def test_task_variance_refuses(rates, message):
    with pytest.raises(ValueError, match=message):
        analysis.task_variance(rates)


@pytest.mark.parametrize(("noise", "seed"), [(0.05, 0), (0.05, 1), (0.15, 2)])
def test_planted_clusters_are_found_and_counted(noise, seed):
    variance, kind = planted(noise=noise, seed=seed)
    found = analysis.clusters(variance, most=8)
    assert found.chosen == 4
    table = np.zeros((4, 4), int)
    np.add.at(table, (kind, found.cluster.values), 1)
    assert table.max(1).sum() >= 0.97 * len(kind)  # each kind is one cluster
    assert set(table.argmax(1)) == set(range(4))
    assert int(found.silhouette.idxmax()) == 4
    assert found["size"].sum() == len(kind)
    np.testing.assert_array_equal(np.sort(found.centroid.argmax("task")), found.centroid.argmax("task"))


def test_units_that_do_nothing_are_in_no_cluster():
    variance, _ = planted()
    variance[:, :10] = 1e-5
    found = analysis.clusters(variance, most=5)
    assert (found.cluster[:10] == -1).all() and (found.cluster[10:] >= 0).all()


def test_the_same_seed_gives_the_same_clusters_and_units_may_come_in_any_order():
    variance, _ = planted(units=120)
    first, again = (analysis.clusters(variance, most=5, seed=3) for _ in range(2))
    xr.testing.assert_identical(first, again)
    order = np.random.default_rng(0).permutation(120)
    shuffled = analysis.clusters(variance.isel(unit=order), most=5, seed=3)
    np.testing.assert_array_equal(shuffled.cluster, first.cluster[order])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: -v, "variance must not be negative"),
        (lambda v: v.where(v > 1), "variance must be finite"),
        (lambda v: v.isel(unit=slice(0, 20)), "at least folds . most = 25 units that are active, got 20"),
        (lambda v: v.rename(unit="neuron"), r"variance must be a DataArray \(task, unit\)"),
        (lambda v: v.values, "must be a DataArray"),
        (lambda v: 0 * v + 1, "at least . units that differ"),
    ],
)
def test_clusters_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        analysis.clusters(change(planted()[0]), most=5)


def test_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    bias, variance = labelled(rng.standard_normal((6, 9))), labelled(rng.uniform(0, 1, (6, 9)).round(1))
    found = analysis.correlation(bias, variance, xr.DataArray([0, 0, 0, 0, 1, 1, 1, 1, -1], dims="unit"))
    wanted = np.array([spearmanr(b, v).statistic for b, v in zip(bias.values.T, variance.values.T, strict=True)])
    np.testing.assert_allclose(found.correlation, wanted, atol=1e-12)
    np.testing.assert_allclose(found["mean"], [wanted[:4].mean(), wanted[4:8].mean()], atol=1e-12)


def test_the_null_tells_planted_from_none():
    rng = np.random.default_rng(1)
    bias = labelled(rng.standard_normal((6, 80)))
    linked = labelled(np.exp(bias.values + 0.3 * rng.standard_normal((6, 80))))
    other = labelled(np.exp(rng.standard_normal((6, 80))))
    both = xr.concat([linked.isel(unit=slice(0, 40)), other.isel(unit=slice(40, 80))], "unit")
    found = analysis.correlation(bias, both, xr.DataArray(np.arange(80) // 40, dims="unit"), permutations=500)
    assert found["mean"][0] > 0.8 and found.p_value[0] <= 3 / 501
    assert abs(found["mean"][1]) < 0.15 and found.p_value[1] > 0.05


def test_p_values_without_a_link_are_uniform():
    rng = np.random.default_rng(2)
    p = [
        analysis.correlation(
            labelled(rng.standard_normal((5, 4))), labelled(rng.uniform(0, 1, (5, 4))),
            xr.DataArray(np.zeros(4, int), dims="unit"), permutations=39, seed=k,
        ).p_value.item()
        for k in range(150)
    ]  # fmt: skip
    assert abs(np.mean(p) - 0.5) < 0.1 and np.mean(np.array(p) <= 0.1) < 0.2


def test_units_without_variation_have_no_correlation():
    bias = labelled([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    found = analysis.correlation(bias, bias + 1, xr.DataArray([1, 0], dims="unit"), permutations=5)
    assert np.isnan(found.correlation[0]) and found.correlation[1].item() == pytest.approx(1)
    assert found["mean"][0].item() == pytest.approx(1) and np.isnan(found["mean"][1]) and np.isnan(found.p_value[1])


@pytest.mark.parametrize(
    ("bias", "variance", "cluster", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), [0, 0, 0], "at least 3 tasks, got 2"),
        (np.ones((3, 3)), np.ones((4, 3)), [0, 0, 0], "variance must have the tasks and units of bias"),
        (np.ones((3, 3)), np.ones((3, 3)), [0, 0], r"cluster must have shape \(3,\), got \(2,\)"),
    ],
)
def test_correlation_refuses(bias, variance, cluster, message):
    with pytest.raises(ValueError, match=message):
        analysis.correlation(labelled(bias), labelled(variance), xr.DataArray(cluster, dims="unit"))


def test_switching_by_hand():
    on = labelled([[0, 1, 0.5, 0.0, 0.2], [0, 1, 0.5, 0.5, 0.0]])
    variance = labelled([[0, 0, 1.0, 0, 0.3], [0, 0, 1.0, 1.0, 0.0]])
    found = analysis.switching(on, variance)
    assert found.off.values.tolist() == [0.4, 0.4] and found.always_on.values.tolist() == [0.2, 0.2]
    assert found.active.values.tolist() == [0.4, 0.4]
    assert (found.always_off, found.selective, found.shared) == (0.2, 0.4, 0.2)
    with pytest.raises(ValueError, match=r"on must be fractions, got values from 0.0 to 5.0"):
        analysis.switching(10 * on / 2, variance)
    with pytest.raises(ValueError, match="variance must have the shape of on"):
        analysis.switching(on, variance.isel(unit=slice(0, 2)))


def test_agreement_is_pearsons():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, (3, 50))
    found = analysis.agreement(xr.DataArray(values, {"run": ["bias 0", "bias 1", "mask 0"]}, ("run", "unit")))
    np.testing.assert_allclose(found, np.corrcoef(values))
    assert found.sel(run="bias 0", other_run="mask 0").item() == pytest.approx(np.corrcoef(values[0], values[2])[0, 1])
    with pytest.raises(ValueError, match="variance must differ between the units"):
        analysis.agreement(xr.DataArray(np.ones((2, 3)), dims=("run", "unit")))
    with pytest.raises(ValueError, match="must have dimensions"):
        analysis.agreement(xr.DataArray(values, dims=("unit", "run")))


def test_results_survive_netcdf(tmp_path):
    variance, _ = planted(units=120)
    found = analysis.clusters(variance, most=5)
    linked = analysis.correlation(variance, variance, found.cluster, permutations=9)
    for k, ds in enumerate((analysis.task_variance({"x": [np.eye(3)]}), found, linked)):
        ds.to_netcdf(tmp_path / f"{k}.nc", engine="h5netcdf")
        xr.testing.assert_identical(xr.load_dataset(tmp_path / f"{k}.nc", engine="h5netcdf"), ds)
