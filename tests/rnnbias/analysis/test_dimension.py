import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbias.analysis import alignment, principal_components


def activity(values, dims=("time", "unit"), **attrs):
    return xr.DataArray(values, dims=dims, attrs=attrs)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(3, 30))
def test_components_are_the_eigenvectors_of_the_covariance(seed, units, samples):
    x = np.random.default_rng(seed).normal(size=(samples, units)) * np.arange(1, units + 1)
    ds = principal_components(activity(x))
    covariance = np.cov(x.T).reshape(units, units)
    values = np.sort(np.linalg.eigvalsh(covariance))[::-1][: ds.sizes["component"]]
    np.testing.assert_allclose(ds.variance, values, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(covariance @ ds.loading.values.T, ds.loading.values.T * ds.variance.values, atol=1e-8)
    np.testing.assert_allclose(ds.participation_ratio, values.sum() ** 2 / (values**2).sum())
    assert 1 - 1e-9 <= ds.participation_ratio <= min(units, samples - 1) + 1e-9
    assert ds.explained[-1].item() == pytest.approx(1)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 1), (0.64, 1), (0.65, 2), (0.96, 2), (1.0, 3)])
def test_components_for_a_share(share, wanted):
    axes = np.diag([4.0, np.sqrt(8), 1.0])  # variances 16 : 8 : 1
    assert principal_components(activity(np.concatenate([axes, -axes])), share=share).components == wanted


def test_tasks_pass_through_and_trials_and_times_are_samples():
    x = np.random.default_rng(0).normal(size=(3, 4, 2, 5))
    data = xr.DataArray(x, {"task": ["a", "b"]}, ("trial", "time", "task", "unit"), attrs={"units": "Hz"})
    ds = principal_components(data)
    assert ds.loading.dims == ("task", "component", "unit") and ds.task.values.tolist() == ["a", "b"]
    alone = principal_components(activity(x[:, :, 1].reshape(12, 5)))
    np.testing.assert_allclose(ds.sel(task="b").variance, alone.variance)
    assert ds.variance.attrs["units"] == "(Hz)^2"


def planes(angle, samples=200):
    """Two tasks in planes of four dimensions that share one axis and have `angle` between the others."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, samples, 2)) * [3.0, 1.0]
    x -= x.mean(1, keepdims=True)
    out = np.zeros((2, samples, 4))
    out[0, :, :2] = x[0]
    out[1] = x[1] @ np.array([[1, 0, 0, 0], [0, np.cos(angle), np.sin(angle), 0]])
    return activity(out, ("task", "time", "unit"))


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2])
def test_principal_angles_are_those_between_the_planes(angle):
    ds = alignment(planes(angle), components=2, draws=50)
    np.testing.assert_allclose(ds.angle[0, 1], [0, np.degrees(angle)], atol=1e-5)
    np.testing.assert_allclose(ds.angle[0, 0], 0, atol=1e-5)
    np.testing.assert_allclose(np.diag(ds.alignment), 1)
    x = planes(angle).values[0]
    one, other = x.var(0)[0], x.var(0)[1]
    # variance of the first task within the plane of the second, whose own axes are 1 and (cos, sin)
    inside = one + other * np.cos(angle) ** 2
    assert ds.alignment[0, 1].item() == pytest.approx(inside / (one + other))


def test_random_subspaces_follow_the_covariance_and_give_p_values():
    rng = np.random.default_rng(0)
    same = rng.normal(size=(2, 400, 6))
    ds = alignment(activity(same, ("task", "time", "unit")), components=3, draws=400)
    # white activity in 6 dimensions: a random subspace of 3 holds half of the variance, a task's own one a little more
    own = principal_components(activity(same, ("task", "time", "unit"))).explained.sel(component=3)
    np.testing.assert_allclose(ds.null.mean("draw"), 0.5 / own, rtol=0.02)
    assert ds.null.dims == ("draw", "task")
    apart = np.zeros((2, 400, 6))
    apart[0, :, :3], apart[1, :, 3:] = same[0, :, :3], same[1, :, 3:]
    ds = alignment(activity(apart, ("task", "time", "unit")), components=3, draws=400)
    assert ds.alignment[0, 1] < 1e-12 and ds.p_lower[0, 1] == pytest.approx(1 / 401)
    assert ds.p_upper[0, 0] == pytest.approx(1 / 401) and ds.p_upper[0, 1] == 1


def test_alignment_is_seeded():
    a, b, c = (alignment(planes(0.3), components=1, draws=9, seed=s) for s in (1, 1, 2))
    xr.testing.assert_identical(a, b)
    assert (a.null != c.null).any()


@pytest.mark.parametrize(
    ("data", "change", "kind", "words"),
    [
        (np.zeros((3, 2)), {}, TypeError, "activity must be an xarray.DataArray"),
        (activity(np.zeros((3, 2)), ("time", "units")), {}, ValueError, "is 'units' a misspelling"),
        (activity(np.zeros((3, 2)), ("task", "unit")), {}, ValueError, "must have the dimension 'trial' or 'time'"),
        (activity(np.zeros((1, 2))), {}, ValueError, "at least 2 samples"),
        (activity(np.zeros((3, 2))), {}, ValueError, "activity must vary"),
        (activity(np.full((3, 2), np.nan)), {}, ValueError, "activity must be finite"),
        (activity(np.full((3, 2), 1j)), {}, TypeError, "activity must hold real numbers"),
        (activity(np.eye(3)), {"share": 1.1}, ValueError, "share must be at most 1"),
    ],
)
def test_principal_components_refuses(data, change, kind, words):
    with pytest.raises(kind, match=words):
        principal_components(data, **change)


@pytest.mark.parametrize(
    ("data", "change", "words"),
    [
        (activity(np.eye(3)), {}, "activity must have 'task'"),
        (planes(0.1, samples=3), {"components": 3}, "components must be at most 2"),
        (planes(0.1), {"components": 3}, "components must be at most the dimensions that each task fills"),
        (planes(0.1), {"components": 2, "draws": 0}, "draws must be at least 1"),
    ],
)
def test_alignment_refuses(data, change, words):
    with pytest.raises(ValueError, match=words):
        alignment(data, **change)
