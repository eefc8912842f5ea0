import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias import plot


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def history(*names, prefix=""):
    return xr.Dataset(
        {f"{prefix}{name}": ("iteration", [3.0, 2.0, 1.0], {"units": "1"}) for name in names},
        {"iteration": ("iteration", [0, 1, 2], {"units": "1", "long_name": "iteration"})},
    )


@pytest.mark.parametrize("prefix", ["", "history_"])
def test_learning_is_drawn_by_term(prefix):
    ax = plot.learning_curve(history("loss", "held_out_loss", "loss_velocity", "damping", prefix=prefix))
    assert [line.get_label() for line in ax.lines] == ["loss", "held out loss", "velocity"]
    assert ax.get_yscale() == "log" and ax.get_xlabel() == "iteration"


def test_what_the_logarithmic_axis_cannot_show_is_left_out_and_iterations_are_whole():
    data = history("loss", "loss_force").assign(loss_force=("iteration", [1.0, 0.0, -1.0]))
    ax = plot.learning_curve(data)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [1.0, np.nan, np.nan])
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_histograms_of_sets_are_told_apart():
    data = xr.Dataset(
        {"density": (("task", "bias"), [[0.5, 0.5], [0.2, 0.8]], {"long_name": "density of units"})},
        {"bias": ("bias", [-0.5, 0.5], {"long_name": "bias"}), "task": ["a", "b"]},
    )
    ax = plot.bias_histogram(data)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    values, edges, _ = ax.patches[1].get_data()
    assert values.tolist() == [0.2, 0.8] and edges.tolist() == [-1, 0, 1]
    with pytest.raises(ValueError, match="one dimension beside 'bias'"):
        plot.bias_histogram(data.expand_dims(seed=2))


def test_interpolations_mark_the_largest_step():
    data = xr.Dataset(
        {
            "loss": ("mix", [0.0, 0.0, 1.0]),
            "exponent": ("mix", [-1.0, 0.0, 1.0]),
            "change": ("quantity", [0.75, np.nan]),
            "sharpness": ("quantity", [1.0, np.nan]),
        },
        {"mix": [0, 0.5, 1], "quantity": ["loss", "exponent"]},
    )
    loss, exponent = plot.interpolation(data)
    assert list(loss.lines[1].get_xdata()) == [0.75, 0.75]
    assert loss.get_legend().get_texts()[0].get_text() == "largest step, 100 % of the variation"
    assert exponent.get_legend() is None and len(exponent.lines) == 2  # the line of zero


@pytest.mark.parametrize("draw", [plot.learning_curve, plot.bias_histogram, plot.interpolation])
def test_a_dataset_without_what_is_drawn_is_refused(draw):
    with pytest.raises(ValueError, match="data must have '"):
        draw(xr.Dataset({"other": 1.0}))
