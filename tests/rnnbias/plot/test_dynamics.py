import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rnnbias import plot


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def labelled(values, dims, **attrs):
    return (dims, values, attrs)


@pytest.fixture
def spectrum():
    return xr.Dataset(
        {
            "exponent": labelled([[0.9, 0.0], [0.8, -0.1]], ("learner", "index"), units="1/s", long_name="exponent"),
            "standard_error": labelled([[0.01, 0.02], [0.01, np.nan]], ("learner", "index")),
            "kaplan_yorke": labelled([2.06, 2.1], ("learner",)),
            "running": labelled(np.zeros((2, 5, 2)), ("learner", "time", "index"), units="1/s", long_name="exponent"),
        },
        {
            "learner": ["truth", "network"],
            "index": labelled([1, 2], "index", units="1", long_name="number of the exponent"),
            "time": labelled(np.arange(5.0), "time", units="s", long_name="time averaged over"),
        },
    )


def points(stable=(True, False, False), fixed=(True, True, False)):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(50, 3)) * [5, 2, 0.1]
    return xr.Dataset(
        {
            "position": (("point", "state"), np.eye(3)[: len(stable)] if stable else np.zeros((0, 3))),
            "fixed": ("point", np.array(fixed, bool)),
            "stable": ("point", np.array(stable, bool)),
            "start": (("origin", "state"), start),
        },
        {"state": ["x", "y", "z"], "state_units": ("state", ["m", "m", "1"])},
    )


def test_exponents_are_labelled_from_the_data_with_the_truth_in_black(spectrum):
    ax = plot.exponents(spectrum)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("number of the exponent", "exponent (1/s)")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["truth: Kaplan-Yorke dimension 2.060", "network: Kaplan-Yorke dimension 2.100"]
    assert ax.containers[0].lines[0].get_color() == "#000000" != ax.containers[1].lines[0].get_color()
    alone = plot.exponents(spectrum.isel(learner=0, drop=True))
    assert alone.get_legend().get_texts()[0].get_text() == "Kaplan-Yorke dimension 2.060"


def test_times_can_be_lyapunov_times(spectrum):
    ax = plot.convergence(plot.time_in(spectrum, 2.0, "Lyapunov times"))
    assert ax.get_xlabel() == "time averaged over (Lyapunov times)"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 0.5, 1, 1.5, 2])
    assert len(ax.lines) == 2 * 2 + 1


def test_eigenvalues_stand_in_the_plane_with_the_unit_circle():
    data = xr.Dataset(
        {
            "eigenvalue_real": (("stage", "mode"), [[0.1, 0.2], [0.6, 0.6]]),
            "eigenvalue_imag": (("stage", "mode"), [[0.0, 0.0], [0.8, -0.8]]),
        },
        {"stage": ["before", "after"]},
    )
    ax = plot.eigenvalue_cloud(data)
    circle, before, after = ax.lines[:3]
    np.testing.assert_allclose(np.hypot(*circle.get_data()), 1)
    np.testing.assert_array_equal(after.get_xdata(), [0.6, 0.6])
    assert before.get_color() != after.get_color() and ax.get_aspect() == 1
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "before: largest |λ| 0.200",
        "after: largest |λ| 1.000",
    ]


def test_points_are_told_apart_and_lie_in_the_plane_of_most_variance():
    ax = plot.fixed_points(points())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["stable (1)", "unstable (1)", "slow (1)"]
    cloud, stable, unstable, slow = ax.lines
    assert stable.get_markerfacecolor() != "none" == unstable.get_markerfacecolor() and slow.get_marker() == "x"
    assert np.ptp(cloud.get_xdata()) > np.ptp(cloud.get_ydata())
    assert ax.get_xlabel().startswith("principal component 1 (92 %")


def test_points_can_be_seen_in_a_plane_of_states_over_trajectories():
    data = points().assign_coords(learner=("point", ["truth", "network", "network"]))
    trajectory = xr.DataArray(np.random.default_rng(0).normal(size=(2, 9, 3)), dims=("trial", "time", "state"))
    ax = plot.fixed_points(data, trajectory=trajectory, plane=("x", "z"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (m)", "z")
    np.testing.assert_array_equal(ax.lines[1].get_data(), trajectory.values[1][:, [0, 2]].T)
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["truth: stable (1)", "network: unstable (1)", "network: slow (1)"]


def test_no_points_are_drawn_as_none():
    ax = plot.fixed_points(points((), ()))
    assert len(ax.lines) == 1 and ax.get_legend() is None


def test_return_maps_share_their_diagonal():
    data = xr.Dataset(
        {
            "maximum": ("event", [1.0, 2.0, 3.0], {"units": "m", "long_name": "maximum"}),
            "following": ("event", [2.0, 3, 1]),
        },
        {"learner": ("event", ["truth", "truth", "network"])},
    )
    ax = plot.return_map(data)
    np.testing.assert_array_equal(ax.lines[0].get_data(), [[1, 2], [2, 3]])
    np.testing.assert_array_equal(ax.lines[2].get_data(), [[1, 3], [1, 3]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("maximum (m)", "following")


def test_spectra_have_a_panel_a_state_and_no_mean():
    power = xr.DataArray(np.ones((2, 2, 4)), dims=("learner", "state", "frequency"), attrs={"units": "s"})
    data = xr.Dataset(
        {"power": power},
        {"frequency": ("frequency", np.arange(4.0), {"units": "1/s"}), "state": ["x", "y"], "learner": ["truth", "a"]},
    )
    axes = plot.power_spectrum(data)
    assert [ax.get_title() for ax in axes] == ["x", "y"] and axes[0].get_yscale() == "log"
    np.testing.assert_array_equal(axes[0].lines[0].get_xdata(), [1, 2, 3])
    assert axes[0].get_xlabel() == "frequency (1/s)" and len(axes[1].lines) == 2


@pytest.mark.parametrize(
    "draw",
    [plot.exponents, plot.convergence, plot.eigenvalue_cloud, plot.fixed_points, plot.return_map, plot.power_spectrum],
)
def test_a_dataset_without_what_is_drawn_is_refused(draw):
    with pytest.raises(ValueError, match="data must have '"):
        draw(xr.Dataset({"other": 1.0}))


def test_figures_go_onto_the_axes_given_and_change_nothing_global(spectrum):
    before = dict(plt.rcParams)
    _, (a, b) = plt.subplots(1, 2)
    assert plot.exponents(spectrum, a) is a and plot.fixed_points(points(), b) is b
    assert dict(plt.rcParams) == before and len(plt.get_fignums()) == 1
