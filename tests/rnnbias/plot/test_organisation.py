import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias import analysis, plot

TASKS = ["read", "reach", "hold"]


@pytest.fixture(autouse=True)
def _clean():
    yield
    plt.close("all")


@pytest.fixture
def variance():
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.eye(3), 20, 1) + 0.1 * rng.random((3, 60))
    return xr.DataArray(kinds, {"task": TASKS}, ("task", "unit"), "x")


def test_clusters_stand_in_rows_and_tasks_in_columns(variance):
    found = analysis.clusters(variance, most=5)
    axes = plot.task_clusters(found)
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), found.centroid)
    assert [t.get_text() for t in axes.get_xticklabels()] == TASKS
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1 (20)", "2 (20)", "3 (20)"]


def test_correlations_above_the_null_are_filled(variance):
    found = analysis.correlation(variance, variance, xr.DataArray(np.arange(60) // 20, dims="unit"), permutations=50)
    found["p_value"][:] = [0.01, 0.5, 0.04]
    axes = plot.bias_correlations(found)
    filled, empty, *_ = axes.lines
    assert filled.get_xdata().tolist() == [1, 3] and empty.get_xdata().tolist() == [2]
    np.testing.assert_allclose(filled.get_ydata(), found["mean"][[0, 2]])
    bars = axes.patches
    np.testing.assert_allclose([bar.get_height() for bar in bars], 4 * found.null_sd)


def test_agreement_states_the_correlation(variance):
    axes = plot.unit_agreement(variance[0], variance[1].rename("other"))
    wanted = np.corrcoef(variance[0], variance[1])[0, 1]
    assert axes.get_title() == f"r = {wanted:.2f}" and "other" in axes.get_ylabel()


def test_axes_given_are_used(variance):
    _, axes = plt.subplots()
    assert plot.task_clusters(analysis.clusters(variance, most=4), axes) is axes


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="data must have 'centroid'"):
        plot.task_clusters(xr.Dataset())
