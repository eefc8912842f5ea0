import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias import Circuit, analysis, fit_activity, plot
from rnnbias.plot import style
from systems.connectomes import Connectome

BLUE, ORANGE = style.COLOURS[:2]


@pytest.fixture(autouse=True)
def _clean():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def drive():
    return np.random.default_rng(0).standard_normal((2, 20, 1))


@pytest.fixture(scope="module")
def truth(drive):
    """A ring of five, whose neuron e nothing reaches."""
    weights = np.zeros((5, 5))
    weights[:4, :4] = np.roll(np.eye(4), 1, 0)
    ring = Connectome.of(weights, neurons=list("abcde"))
    net = Circuit(ring, inputs=[[1.0], [1.0], [1.0], [1.0], [0.0]], decay=0.5, learn={"bias", "gain"})
    net.bias.data[:4] = 0.3
    return net


@pytest.fixture(scope="module")
def did(truth, drive):
    return truth.run(drive, dt=0.1, time_units="s").current


@pytest.fixture(scope="module")
def fit(truth, did, drive):
    seen = did.sel(unit=["a", "c"])
    prior = {"bias": 0.5, "gain": 0.2}
    return fit_activity(truth.redrawn(), seen, drive, quantity="current", noise=0.05, prior=prior, progress=False)


@pytest.fixture(scope="module")
def found(fit, did, drive):
    return analysis.uncertainty(fit, did.sel(unit=["a", "c"]), drive)


def band(ax):
    """Lower and upper edge of what is shaded."""
    (shade,) = ax.collections
    edge = shade.get_paths()[0].vertices
    return edge[:, 1].min(), edge[:, 1].max()


def test_bands_are_90_percent_wide_and_kinds_have_colours(found, did):
    axes = plot.activity_bands(found, did, units=["b", "c"], trial=1)
    for ax, name, colour in zip(axes, "bc", (ORANGE, BLUE), strict=True):
        one = found.sel(unit=name).isel(trial=1)
        mean, true = ax.lines
        np.testing.assert_array_equal(mean.get_ydata(), one.activity)
        np.testing.assert_array_equal(true.get_ydata(), did.sel(unit=name)[1])
        low, high = (one.activity - 1.645 * one.activity_sd).min(), (one.activity + 1.645 * one.activity_sd).max()
        np.testing.assert_allclose(band(ax), (low, high))
        assert mean.get_color() == colour and ax.get_ylabel() == name
    assert axes[-1].get_xlabel() == "time (s)"
    words = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert words == ["unrecorded, with 90 % band", "recorded, with 90 % band", "truth"]


def test_from_the_middling_to_the_least_sure_where_none_are_named(found):
    axes = plot.activity_bands(found)
    names = [ax.get_ylabel() for ax in axes]
    assert len(names) == 6 and set(names[:3]) <= {"a", "c"} and set(names[3:]) <= {"b", "d", "e"}
    unsure = found.activity_sd[0].mean("time")
    assert names[-1] == max("bde", key=lambda name: float(unsure.sel(unit=name)))


def test_truth_is_drawn_where_it_is_known(found, did):
    axes = plot.activity_bands(found, did.sel(unit=["a"]), units=["a", "b"])
    assert [len(ax.lines) for ax in axes] == [2, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": ["f"]}, "units must be one of"),
        ({"trial": 2}, "trial must be"),
        ({"truth": xr.DataArray(np.zeros((2, 7, 1)), dims=("trial", "time", "unit"))}, "truth must have 20 samples"),
    ],
)
def test_wrong_arguments_are_named(found, settings, message):
    with pytest.raises(ValueError, match=message):
        plot.activity_bands(found, **settings)


@pytest.mark.parametrize("by", ["error", "correlation"])
def test_neurons_are_ranked_and_the_worst_are_named(fit, did, drive, by):
    score = fit.score(did, drive)
    axes = plot.neurons(score, by)
    value = (score.error / score.untaught_error if by == "error" else score.correlation).sel(unit=list("abcd"))
    drawn = {line.get_label(): line for line in axes.lines}
    taught, other = drawn["recorded (2)"], drawn["unrecorded (2)"]  # nothing reaches e
    assert taught.get_color() == BLUE and other.get_color() == ORANGE
    np.testing.assert_allclose(sorted(taught.get_ydata()), sorted(value.sel(unit=["a", "c"])))
    both = np.concatenate([taught.get_xdata(), other.get_xdata()])
    values = np.concatenate([taught.get_ydata(), other.get_ydata()])[np.argsort(both)]
    np.testing.assert_allclose(values, sorted(value, reverse=by == "correlation"))
    worst = value.unit.values[np.argsort(value if by == "error" else -value)][-3:]
    assert [text.get_text() for text in axes.texts] == [", ".join(worst)]


def test_a_line_a_prior_marks_the_spectrum(found):
    axes = plot.stiff_and_sloppy(found)
    spectrum, *priors = axes.lines
    np.testing.assert_array_equal(spectrum.get_ydata(), found.singular_value)
    assert {line.get_label(): line.get_ydata()[0] for line in priors} == {
        "prior of the bias alone": 2.0,
        "prior of the gain alone": 5.0,
    }


def test_the_order_names_neurons_along_the_axis(fit, did, drive):
    chosen = analysis.record_next(fit, did.sel(unit=["a", "c"]), drive, k=2)
    axes = plot.recording_order(chosen)
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [chosen.expected_error_now, *chosen.expected_error.values])
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    assert names == ["the 2 recorded", *(f"+ {name}" for name in chosen.neuron.values)]


def test_axes_given_are_used(fit, found, did, drive):
    chosen = analysis.record_next(fit, did.sel(unit=["a", "c"]), drive, k=1)
    for draw, data in ((plot.neurons, fit.score(did, drive)), (plot.stiff_and_sloppy, found)):
        ax = plt.figure().subplots()
        assert draw(data, axes=ax) is ax
    ax = plt.figure().subplots()
    assert plot.recording_order(chosen, ax) is ax
    given = plt.figure().subplots(2)
    assert list(plot.activity_bands(found, units=["a", "b"], axes=given)) == list(given)


@pytest.mark.parametrize("draw", [plot.activity_bands, plot.neurons, plot.stiff_and_sloppy, plot.recording_order])
def test_what_is_missing_is_named(draw):
    with pytest.raises(ValueError, match="data must have"):
        draw(xr.Dataset())
