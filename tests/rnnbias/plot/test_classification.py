import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias import plot


@pytest.fixture(autouse=True)
def _clean():
    yield
    plt.close("all")


@pytest.fixture
def sweep():
    accuracy = np.array([[[0.5, 0.6], [0.7, 0.8]], [[0.6, np.nan], [np.nan, np.nan]]])
    return xr.Dataset(
        {
            "accuracy": (("learner", "units", "seed"), accuracy),
            "learned": (("learner", "units"), [[10, 100], [50, 500]]),
        },
        {"learner": ["bias", "full"], "units": [10, 100]},
    )


@pytest.mark.parametrize(("x", "places"), [("units", [[10, 100], [10]]), ("learned", [[10, 100], [50]])])
def test_means_stand_at_their_widths_or_counts(sweep, x, places):
    axes = plot.accuracy_against(sweep, x)
    for line, where, means in zip(axes.lines, places, [[0.55, 0.75], [0.6]], strict=True):
        np.testing.assert_allclose(line.get_xdata(), where)
        np.testing.assert_allclose(line.get_ydata(), means)
    assert axes.get_xscale() == "log" and axes.get_xlabel() == {"units": "units", "learned": "learned numbers"}[x]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["bias", "full"]


def test_it_draws_on_the_axes_given(sweep):
    _, axes = plt.subplots()
    assert plot.accuracy_against(sweep, axes=axes) is axes


def test_wrong_arguments(sweep):
    with pytest.raises(ValueError, match="x must be one of 'units', 'learned', got 'width'"):
        plot.accuracy_against(sweep, "width")
    with pytest.raises(ValueError, match="data must have 'learned'"):
        plot.accuracy_against(sweep.drop_vars("learned"))
