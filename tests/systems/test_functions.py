import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from systems import functions
from systems.functions import KINDS, Function
from systems.labels import config

names = pytest.mark.parametrize("name", functions.available())


@names
def test_every_function_is_finite_in_its_box_and_described(name):
    f = functions.get(name)
    y = f.sample(500, seed=1).y.values
    assert np.isfinite(y).all() and (y.std(0) > 0).all()
    assert y.shape == (500, len(f.outputs)) and f.kind in KINDS and f.description
    assert f(np.stack([f.low, f.high])).shape == (2, len(f.outputs))


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("runge", [0.2], 0.5),
        (
            "franke",
            [0, 0],
            0.75 * (math.exp(-2) + math.exp(-1 / 49 - 0.1)) + 0.5 * math.exp(-14.5) - 0.2 * math.exp(-65),
        ),
        ("gaussian", [0.2, 0.2], math.exp(-1)),
        ("friedman", [0.5, 1, 0.5, 0.2, 0.4, *[0.7] * 5], 10 + 0 + 2 + 2),
        ("oscillatory", [0, 0, 0], 1),
        ("cone", [0.6, -0.8], 1),
        ("weierstrass", [0], sum(2 ** (-k / 2) for k in range(12))),
        ("step", [0.4999], 0),
        ("step", [0.5], 1),
        ("checkerboard", [0.1, 0.1], 1),
        ("checkerboard", [0.3, 0.1], -1),
        ("checkerboard", [1, 1], 1),
    ],
)
def test_known_values(name, at, value):
    assert functions.get(name)([at])[0, 0] == pytest.approx(value, abs=1e-15)


def test_the_arm_is_as_long_as_its_links_when_straight():
    np.testing.assert_allclose(functions.get("arm")([[0, 0], [math.pi / 2, 0]]), [[0.75, 0], [0, 0.75]], atol=1e-15)
    assert functions.get("arm", upper=1.0, fore=2.0)([[0, 0]])[0, 0] == 3
    sample = functions.get("arm").sample(2)
    assert sample.input_units.values.tolist() == ["rad", "rad"] and sample.output_units.values.tolist() == ["m", "m"]


def test_parameters_and_dimensions():
    assert functions.get("runge", sharpness=1.0)([[1]])[0, 0] == 0.5
    assert len(functions.get("gaussian", dimension=5).box) == 5
    assert functions.get("cone", dimension=1)([[-0.3]])[0, 0] == 0.3
    assert repr(functions.get("checkerboard")) == "Function('checkerboard', fields=4)"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**31 - 1), st.sampled_from(sorted(functions.available())))
def test_samples_lie_in_the_box_and_repeat_to_the_bit(samples, seed, name):
    f = functions.get(name)
    ds = f.sample(samples, seed=seed)
    assert (ds.x.values >= f.low).all() and (ds.x.values <= f.high).all()
    np.testing.assert_array_equal(ds.y, f(ds.x.values))
    assert ds.identical(f.sample(samples, seed=seed))


def test_samples_fill_the_box_better_than_chance():
    x = functions.get("franke").sample(1024, seed=3).x.values
    counts = np.histogram2d(*x.T, bins=16, range=[(0, 1)] * 2)[0]
    assert (counts == 4).all()


def test_noise_is_measured_in_deviations_and_leaves_the_points():
    f = functions.get("arm")
    clean, noisy = f.sample(4000, seed=2), f.sample(4000, seed=2, noise=0.1)
    np.testing.assert_array_equal(clean.x, noisy.x)
    np.testing.assert_allclose((noisy.y - clean.y).std("trial") / clean.y.std("trial"), 0.1, rtol=0.05)


def test_a_grid_holds_the_corners():
    ds = functions.get("franke").grid(3)
    assert ds.x.values.tolist()[0] == [0, 0] and ds.x.values.tolist()[-1] == [1, 1] and ds.sizes["trial"] == 9


def test_samples_survive_a_file(tmp_path):
    ds = functions.get("arm").sample(5, seed=1)
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(ds, xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf").load())
    assert config(ds)["seed"] == 1 and config(ds)["function"] == "arm"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: functions.get("frnke"), "did you mean 'franke'"),
        (lambda: functions.get("runge", width=1), "parameter of runge must be one of 'sharpness', got 'width'"),
        (lambda: functions.get("franke", width=1), "parameter of franke must be one of none"),
        (lambda: functions.get("gaussian", dimension=0), "dimension must be at least 1"),
        (lambda: functions.get("weierstrass", exponent=2.0), "exponent must be at most 1"),
        (lambda: functions.get("franke")([[0.1]]), r"x must have shape \(any, 2\)"),
        (lambda: functions.get("franke")([[0.1, math.nan]]), "x must be finite"),
        (lambda: functions.get("franke").sample(0), "samples must be at least 1"),
        (lambda: functions.get("franke").sample(3, noise=-1.0), "noise must be at least 0"),
        (lambda: functions.get("franke").grid(1), "points must be at least 2"),
        (lambda: functions.get("friedman").grid(100), r"points \*\* inputs must be at most"),
        (lambda: Function(name="f", box=[(1, 0)], value=lambda x: x), "low < high"),
        (lambda: Function(name="f", box=[], value=lambda x: x), "box must"),
        (lambda: Function(name="f", box=[(0, math.inf)], value=lambda x: x), "box must be finite"),
        (lambda: Function(name="f", box=[(0, 1)], value=lambda x: 1.0), "value of the centre of the box must"),
        (lambda: Function(name="f", box=[(0, 1)], value=lambda x: x * math.nan), "must be finite"),
        (lambda: Function(name="f", box=[(0, 1)], value=lambda x: x, inputs=("a", "b")), "inputs must name the 1"),
        (lambda: Function(name="f", box=[(0, 1)], value=lambda x: x, outputs=("a", "b")), "outputs must name the 1"),
        (lambda: Function(name="f", box=[(0, 1)], value=lambda x: x, kind="nice"), "kind must be one of"),
        (lambda: Function(name="f", box=[(0, 1)], value=lambda x: x, units={"z": "m"}), "key of units must be one of"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(call, error):
    with pytest.raises((ValueError, TypeError), match=error):
        call()
