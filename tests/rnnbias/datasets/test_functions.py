import numpy as np
import pytest
import xarray as xr

from rnnbias.datasets.functions import read, read_points
from systems import functions


def field(**changes):
    lat, lon = np.linspace(-1, 1, 6), np.linspace(0, 3, 5)
    values = lat[:, None] + 10 * lon
    array = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), name="heat", attrs={"units": "K"})
    array.lat.attrs["units"] = "degrees_north"
    return array.assign_attrs(changes)


def test_a_name_a_function_and_its_samples_are_the_same_target():
    franke = functions.get("franke")
    named, given, sampled = (
        read("franke", samples=50, seed=3),
        read(franke, samples=50, seed=3),
        franke.sample(50, seed=3),
    )
    for found in (given, read(sampled)):
        np.testing.assert_array_equal(named.x, found.x)
        np.testing.assert_array_equal(named.y, found.y)
        assert (found.inputs, found.outputs) == (("x", "y"), ("z",))
    assert named.box.tolist() == [[0, 1], [0, 1]] and named.name == "franke"
    assert (read(sampled).box[:, 0] > 0).all()


def test_a_function_of_ones_own_is_sampled_in_its_box():
    found = read(lambda x: np.stack([x[:, 0], x.sum(1)], 1), box=[(0, 1), (5, 6)], samples=64)
    assert found.x.shape == (64, 2) and found.outputs == ("y0", "y1")
    assert found.x.min(0)[1] >= 5 and found.x.max(0)[1] <= 6
    np.testing.assert_array_equal(found.y[:, 1], found.x.sum(1))


def test_pairs_of_arrays():
    x, y = np.arange(20.0), np.arange(20.0) ** 2
    found = read((x, y))
    assert found.x.shape == found.y.shape == (20, 1) and found.inputs == ("x0",) and found.outputs == ("y",)
    assert found.box.tolist() == [[0, 19]]


def test_a_field_on_a_grid_has_its_dimensions_as_inputs():
    array = field()
    found = read(array)
    assert found.inputs == ("lat", "lon") and found.outputs == ("heat",) and found.name == "heat"
    assert found.units == {"lat": "degrees_north", "lon": "1", "heat": "K"}
    np.testing.assert_allclose(found.y[:, 0], found.x @ [1, 10])
    x, grid = read_points(array.transpose("lon", "lat"), found.inputs)
    np.testing.assert_array_equal(x, found.x)
    assert list(grid) == ["lat", "lon"]


def test_a_field_may_have_several_outputs():
    two = xr.concat([field(), 2 * field()], xr.Variable("output", ["a", "b"]))
    found = read(two)
    assert found.outputs == ("a", "b") and found.y.shape == (30, 2)
    np.testing.assert_allclose(found.y[:, 1], 2 * found.y[:, 0])


def test_units_are_kept():
    found = read(functions.get("arm").sample(30))
    assert found.units == {"shoulder": "rad", "elbow": "rad", "hand_x": "m", "hand_y": "m"}


RAMP = np.arange(30.0)


@pytest.mark.parametrize(
    ("target", "options", "error"),
    [
        ("frank", {}, "did you mean 'franke'"),
        (lambda x: x, {}, "box must be given with a function of your own"),
        (lambda x: x, {"box": [(1, 0)]}, "low < high"),
        ("franke", {"box": [(0, 1), (0, 1)]}, "box must be given only"),
        ((RAMP, RAMP), {"box": [(0, 1)]}, "box must be given only"),
        ((RAMP, RAMP[:-1]), {}, "as many samples, got 30 and 29"),
        ((RAMP[:10], RAMP[:10]), {}, "at least 20 samples, got 10"),
        ((RAMP, np.where(RAMP == 3, np.nan, RAMP)), {}, "y must be finite"),
        ((np.where(RAMP == 3, np.inf, RAMP), RAMP), {}, "x must be finite"),
        ((RAMP.reshape(2, 3, 5), RAMP), {}, r"x must have shape \(sample,\)"),
        ((RAMP, RAMP > 3), {}, "y must hold real numbers"),
        (RAMP, {}, "target must be a name"),
        (None, {}, "target must be a name"),
        (xr.Dataset({"x": ("trial", RAMP)}), {}, "must have a variable 'y'"),
        (xr.Dataset({"x": ("time", RAMP), "y": ("time", RAMP)}), {}, "must have a variable 'x'"),
        (xr.DataArray(RAMP, dims="lat"), {}, "dimension 'lat' must have a coordinate"),
        (field().where(field() < 5), {}, "target must be finite"),
        (functions.get("arm").sample(30).assign_coords(output=["shoulder", "y"]), {}, "distinct names"),
    ],
)
def test_wrong_targets_are_refused(target, options, error):
    with pytest.raises((ValueError, TypeError), match=error):
        read(target, **options)


@pytest.mark.parametrize(
    ("points", "error"),
    [
        ([[1.0, 2.0, 3.0]], "points must have 2 inputs"),
        ([1.0, 2.0], "points must have 2 inputs"),
        ([[np.nan, 1.0]], "points must be finite"),
        (field().isel(lon=0, drop=True), "must lie on a grid of lat, lon"),
        (xr.Dataset({"y": ("trial", RAMP)}), "must have a variable 'x'"),
    ],
)
def test_wrong_points_are_refused(points, error):
    with pytest.raises((ValueError, TypeError), match=error):
        read_points(points, ("lat", "lon"))
