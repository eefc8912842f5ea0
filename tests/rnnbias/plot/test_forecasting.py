import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias import plot

LEARNERS = ["one", "two"]


@pytest.fixture(autouse=True)
def _clean():
    mpl.use("Agg")
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    plt.close("all")


@pytest.fixture
def runs():
    t = np.linspace(0, 5, 200)
    truth = np.stack([np.sin(t), np.cos(t)], 1)
    trace = np.stack([truth + 0.1, np.full_like(truth, np.nan)])
    coords = {
        "time": ("time", t, {"units": "Lyapunov times"}),
        "state": ["x", "v"],
        "state_units": ("state", ["m", "m s-1"]),
        "learner": LEARNERS,
    }
    return xr.Dataset(
        {
            "truth": (("time", "state"), truth),
            "trace": (("learner", "time", "state"), trace),
            "valid_time": ("learner", [2.5, 0.0]),
        },
        coords,
    )


def scores(learned, medians, role=None):
    rng = np.random.default_rng(0)
    values = np.array(medians)[None, :, None] + rng.uniform(-0.1, 0.1, (2, len(medians), 21))
    names = [f"learner{k}" for k in range(len(medians))]
    return xr.Dataset(
        {
            "valid_time": (("seed", "learner", "window"), values, {"units": "periods"}),
            "learned": (("seed", "learner"), np.tile(learned, (2, 1))),
        },
        {"learner": names} | ({"role": ("learner", role)} if role else {}),
    )


def test_traces_are_labelled_from_the_data_and_mark_the_valid_time(runs):
    axes = plot.traces(runs)
    assert axes.shape == (2, 2)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["x (m)", "v (m s-1)"]
    assert axes[1, 0].get_xlabel() == "time (Lyapunov times)"
    assert axes[0, 0].get_title() == "one: 2.5"
    truth, forecast, mark = axes[0, 0].lines
    np.testing.assert_array_equal(truth.get_ydata(), runs.truth.sel(state="x"))
    np.testing.assert_array_equal(forecast.get_ydata(), runs.trace.sel(learner="one", state="x"))
    assert list(mark.get_xdata()) == [2.5, 2.5]


def test_figures_go_onto_the_axes_given(runs):
    _, axes = plt.subplots(2, 2)
    assert plot.traces(runs, axes)[1, 1] is axes[1, 1]
    _, axes = plt.subplots(1, 2)
    assert plot.attractors(runs.trace, axes)[1] is axes[1]
    _, ax = plt.subplots()
    assert plot.valid_time(scores([10, 20], [1, 2]), ax) is ax
    assert len(plt.get_fignums()) == 3


def test_attractors_share_the_frame_of_the_first_and_say_what_cannot_be_seen(runs):
    truth = runs.truth
    parts = [truth, truth + 50.0, 0 * truth]
    data = xr.concat(parts, "learner").assign_coords(learner=["truth", "lost", "still"])
    axes = plot.attractors(data)
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("x (m)", "v (m s-1)")
    assert [text.get_text() for text in axes[1].texts] == ["outside"]
    assert axes[2].lines[0].get_marker() == "o" and axes[0].lines[0].get_marker() == "None"


def test_attractors_of_one_state_are_drawn_against_the_past(runs):
    (ax,) = plot.attractors(runs.trace.isel(learner=[0], state=[0]), lag=7)
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(x[7:], y[:-7])


def test_valid_time_puts_medians_at_counts_and_rules_out_overlap():
    ax = plot.valid_time(scores([100, 100, 1000, 0], [1, 2, 3, 0.5], ["a", "biases only", "a", "floor"]))
    points = {line.get_label().split(" ")[0]: line for line in ax.lines if line.get_marker() != "None"}
    places = [points[f"learner{k}"].get_xdata()[0] for k in range(3)]
    assert places[1] / places[0] > 1.05 and np.sqrt(places[0] * places[1]) == pytest.approx(100)
    assert places[2] == pytest.approx(1000)
    assert points["learner2"].get_ydata()[0] == pytest.approx(3, abs=0.1)
    assert points["learner1"].get_markerfacecolor() != "white" == points["learner0"].get_markerfacecolor()
    assert ax.get_xscale() == "log" and ax.get_ylabel() == "valid time (periods)"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [label[:8] for label in labels] == ["learner2", "learner1", "learner0", "learner3"]


def test_valid_time_leaves_out_learners_without_a_score():
    data = scores([100, 200], [1, 2])
    data.valid_time[:, 1] = np.nan
    assert len(plot.valid_time(data).get_legend().get_texts()) == 1


def test_skill_against_noise_has_a_line_for_every_learner():
    values = xr.DataArray(
        np.arange(12.0).reshape(2, 3, 2), {"learner": ["a", "b"], "noise": [0.0, 0.01, 0.05], "seed": [0, 1]},
        ("learner", "noise", "seed"), attrs={"units": "Lyapunov times"},
    )  # fmt: skip
    axes = plot.skill_against_noise(values)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0 %", "1 %", "5 %"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 2.5, 4.5])
    assert axes.get_ylabel() == "valid time (Lyapunov times)"


def test_skill_by_system_has_a_bar_for_every_learner():
    values = xr.DataArray(
        np.arange(8.0).reshape(2, 2, 2), {"system": ["p", "q"], "learner": ["a", "b"], "seed": [0, 1]},
        ("system", "learner", "seed"), attrs={"units": "Lyapunov times"},
    )  # fmt: skip
    axes = plot.skill_by_system(values)
    assert [bar.get_height() for bar in axes.patches] == [0.5, 4.5, 2.5, 6.5]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["p", "q"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_ylabel() == "valid time (Lyapunov times)"


def test_a_field_is_drawn_beside_its_forecast():
    time = np.arange(30) * 0.1
    field = np.sin(time[:, None] + np.arange(5))
    coords = {"time": ("time", time, {"units": "Lyapunov times"})}
    data = xr.Dataset({"truth": (("time", "state"), field), "forecast": (("time", "state"), 0.9 * field)}, coords)
    axes = plot.space_time(data.assign(valid_time=1.5))
    assert [ax.get_title(loc="left") for ax in axes] == ["truth", "forecast", "forecast - truth"]
    np.testing.assert_allclose(axes[2].images[0].get_array(), -0.1 * field.T, atol=1e-12)
    assert axes[2].get_xlabel() == "time (Lyapunov times)" and axes[0].lines[0].get_xdata()[0] == 1.5
    with pytest.raises(ValueError, match="data must have 'forecast'"):
        plot.space_time(data[["truth"]])
