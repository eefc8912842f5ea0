import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias.plot import error_against_count, width_against_error
from systems.labels import Labelled, dataset

AXES = ("seed", "target", "learner", "count")


def sweep():
    shape = (2, 3, 2, 3)
    error = np.random.default_rng(0).uniform(0.01, 1, shape)
    error[:, :, 1, 2] = np.nan
    promise = np.full(shape, np.nan)
    promise[:, :, 1, :2] = 3 * error[:, :, 1, :2]
    counts = np.broadcast_to([10.0, 100.0, 1000.0], shape)
    return dataset(
        {
            "nrmse": Labelled(AXES, error, "1", "error"),
            "learned": Labelled(AXES, counts, "1", "learned"),
            "promise": Labelled(AXES, promise, "1", "promise"),
        },
        {
            "target": Labelled("target", ["a", "b", "c"], "1", "target"),
            "learner": Labelled("learner", ["bias", "construction"], "1", "learner"),
            "count": Labelled("count", [10, 100, 1000], "1", "count"),
        },
        title="sweep",
        config={"kinds": {"a": "analytic"}},
    )


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_a_panel_a_target_and_a_line_a_learner():
    data = sweep()
    axes = error_against_count(data)
    assert [ax.get_title() for ax in axes] == ["a (analytic)", "b", "c"]
    lines = {line.get_label(): line for line in axes[1].lines}
    assert set(lines) == {"bias", "construction", "construction, promised"}
    np.testing.assert_array_equal(lines["bias"].get_xdata(), [10, 100, 1000])
    one = data.sel(target="b", learner="construction").isel(count=slice(0, 2))
    np.testing.assert_allclose(lines["construction"].get_ydata(), one.nrmse.median("seed"))
    np.testing.assert_allclose(lines["construction, promised"].get_ydata(), one.promise.median("seed"))
    legend = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert legend == ["bias", "construction", "construction, promised"]


def test_it_draws_on_axes_that_are_given():
    given = plt.subplots(1, 3)[1]
    assert error_against_count(sweep(), given)[2] is given[2]


def test_the_law_has_two_lines_a_dimension():
    data = xr.Dataset(
        {
            "width": (("dimension", "tolerance"), [[1e3, 1e5], [1e6, 1e9]]),
            "units": (("dimension", "count"), [[20, 40], [20, 40]]),
            "nrmse": (("dimension", "count"), [[0.1, 0.01], [0.3, 0.1]]),
        },
        {"dimension": [1, 2], "tolerance": [0.1, 0.01], "count": [10, 20]},
    )
    ax = width_against_error(data)
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["construction, d = 2"].get_ydata(), [1e6, 1e9])
    np.testing.assert_array_equal(lines["learned, d = 1"].get_xdata(), [0.1, 0.01])
    assert ax.get_xscale() == ax.get_yscale() == "log" and ax.xaxis_inverted()
