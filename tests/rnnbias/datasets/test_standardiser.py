import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnnbias.datasets import Standardiser
from systems.labels import dataset

VALUES = np.random.default_rng(0).normal(size=(4, 30, 3)) * [1, 10, 0.1] + [5, 0, -2]


def test_columns_get_mean_0_and_deviation_1():
    found = Standardiser.of(VALUES)
    assert found.mean.shape == found.scale.shape == (3,)
    standard = found.transform(VALUES, torch.empty(0, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(standard.mean((0, 1)), 0, atol=1e-13)
    np.testing.assert_allclose(standard.std((0, 1)), 1, rtol=1e-12)


@given(arrays(float, (5, 2), elements=st.floats(-1e6, 1e6)))
def test_the_inverse_undoes_it(values):
    found = Standardiser(np.array([3.0, -1e4]), np.array([1e-3, 1e5]))
    back = found.inverse(found.transform(values, torch.empty(0, dtype=torch.float64)))
    np.testing.assert_allclose(back, values, rtol=1e-12, atol=1e-9)


def test_tensors_are_like_the_networks():
    assert Standardiser.of(VALUES).transform(VALUES, torch.empty(0)).dtype == torch.float32


def test_one_scale_may_serve_all_columns():
    found = Standardiser(np.zeros(3), np.array(2.0))
    np.testing.assert_array_equal(found.transform(VALUES, torch.empty(0).double()).numpy(), VALUES / 2)


@pytest.mark.parametrize("level", [0.0, 3.7, -1e9, 1e-9])
def test_a_constant_column_is_named(level):
    values = VALUES.copy()
    values[..., 1] = level
    with pytest.raises(ValueError, match="x must vary, but 'b' is constant: leave it out"):
        Standardiser.of(values, "x", ["a", "b", "c"])
    with pytest.raises(ValueError, match="values must vary, but column 1 is constant"):
        Standardiser.of(values)


def test_a_column_that_is_constant_but_for_rounding_is_named():
    values = VALUES.copy()
    values[..., 2] = 0.3 + 1e-17 * VALUES[..., 2]
    values[0, 0, 2] = np.nextafter(0.3, 1)
    with pytest.raises(ValueError, match="column 2 is constant"):
        Standardiser.of(values)
    values[..., 2] = 1e-12 * VALUES[..., 2]
    assert Standardiser.of(values).scale[2] > 0  # small, but no rounding


def test_it_comes_back_from_labelled_arrays():
    found = Standardiser.of(VALUES)
    parts = {**found.labelled("state", "the states"), **found.labelled("state", "the steps", "step_")}
    ds = dataset(parts, {}, title="test", config={})
    assert ds.step_scale.attrs["long_name"] == "standard deviation of the steps" and ds["mean"].dims == ("state",)
    for prefix in ("", "step_"):
        back = Standardiser.restored(ds, 3, prefix)
        np.testing.assert_array_equal(back.mean, found.mean)
        np.testing.assert_array_equal(back.scale, found.scale)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": [1.0, 0.0]}, "x_scale must be positive"),
        ({"scale": [1.0, -1.0]}, "x_scale must be positive"),
        ({"scale": [1.0, np.nan]}, "x_scale must be finite"),
        ({"mean": [np.inf, 0.0]}, "x_mean must be finite"),
        ({"mean": [0.0, 0.0, 0.0]}, r"x_mean must have shape \(2\), got \(3,\)"),
        ({"scale": [[1.0, 1.0]]}, r"x_scale must have shape \(2\), got \(1, 2\)"),
    ],
)
def test_what_is_no_standardiser_is_refused(change, message):
    stored = {"mean": [0.0, 0.0], "scale": [1.0, 1.0], **change}
    ds = xr.Dataset({f"x_{name}": ([f"{name}{k}" for k in range(np.ndim(v))], v) for name, v in stored.items()})
    with pytest.raises(ValueError, match=message):
        Standardiser.restored(ds, 2, "x_")
