import math
import warnings

import numpy as np
import pytest
import xarray as xr

import systems
from rnnbias.evaluation import LinearAutoregression, Persistence, Polynomial, tuned


def noisy(noise=0.0, samples=600, seed=0):
    """A quadratic map on the plane (Hénon), seen with noise."""
    x = np.zeros((samples, 2))
    for t in range(1, samples):
        x[t] = 1 - 1.4 * x[t - 1, 0] ** 2 + x[t - 1, 1], 0.3 * x[t - 1, 0]
    return x + noise * x.std(0) * np.random.default_rng(seed).normal(size=x.shape)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("delays", [1, 2])
def test_a_polynomial_has_every_product_once(degree, delays):
    fit = Polynomial(degree, delays).fit(np.random.default_rng(0).normal(size=(400, 2)), dt=1.0)
    size = 2 * delays
    assert fit.learned == 2 * math.comb(size + degree, degree)
    state = fit.standardiser.inverse(fit.free_map(np.array([[2.0, 3.0]] * delays))[1].reshape(1, delays, 2))
    np.testing.assert_allclose(state, [[[2.0, 3.0]] * delays])


def test_a_quadratic_map_is_learned_exactly():
    data = noisy()
    fit = Polynomial(2).fit(data[:300], dt=1.0)
    np.testing.assert_allclose(fit.forecast(data[300:301], 10).forecast[0], data[301:311], atol=1e-6)


def test_noise_teaches_a_polynomial_the_way_back_to_the_data():
    """Two states that are always alike: nothing else says what happens where they are not."""
    x = np.repeat(noisy()[:, :1], 2, 1)
    start = x[:1] + np.array([0.05, -0.05])

    def apart(**options):
        return np.ptp(Polynomial(2, **options).fit(x, dt=1.0).forecast(start, 1).forecast.values)

    assert apart() == pytest.approx(0.1, abs=1e-6) and apart(noise=0.1) < 0.02
    assert apart(noise=0.1) == apart(noise=0.1) != apart(noise=0.1, seed=1)


def test_tuning_takes_the_degree_of_the_map():
    makers = {str(k): Polynomial(k).fit for k in (1, 2, 4)} | {"none": Persistence().fit}
    best, found = tuned(makers, noisy(0.001), dt=1.0)
    assert isinstance(best, Polynomial) and best.degree == int(found.attrs["chosen"]) in (2, 4)
    assert found.valid_time.sel(setting="2") > 3 * found.valid_time.sel(setting="none")


def test_candidates_never_see_what_they_are_tuned_on():
    data, seen = noisy(), []

    def make(values):
        seen.append(values.values.copy())
        return LinearAutoregression(1).fit(values)

    _, found = tuned({"a": make, "b": make}, data, dt=1.0, holdout=0.25)
    assert [x.shape[1] for x in seen] == [450, 450, 600]
    np.testing.assert_array_equal(seen[0][0], data[:450])
    np.testing.assert_array_equal(seen[2][0], data)
    assert found.valid_time.dims == ("setting",)


def test_only_the_chosen_warns():
    def make(values):
        warnings.warn(f"{values.sizes['time']} samples", stacklevel=2)
        return Persistence().fit(values)

    with pytest.warns(UserWarning, match="600 samples") as seen:
        tuned({"a": make, "b": make}, noisy(), dt=1.0)
    assert len(seen) == 1


def test_the_result_keeps_units_and_time_scales(tmp_path):
    data = systems.get("van_der_pol").simulate(duration=30.0, seed=0)
    best, found = tuned({"linear": LinearAutoregression(3).fit}, data)
    assert best.recording.unit_name == "periods" and best.recording.states == ("x", "v")
    found.to_netcdf(tmp_path / "found.nc")
    assert xr.load_dataset(tmp_path / "found.nc").identical(found)


@pytest.mark.parametrize(
    ("makers", "options", "message"),
    [({}, {}, "makers must name"), ({"a": Persistence().fit}, {"holdout": 0.9}, "holdout must be at most 0.5")],
)
def test_wrong_arguments_are_named(makers, options, message):
    with pytest.raises(ValueError, match=message):
        tuned(makers, noisy(), dt=1.0, **options)
    with pytest.raises(ValueError, match="degree must be at least 1"):
        Polynomial(0)
    with pytest.raises(ValueError, match="noise must be at least 0"):
        Polynomial(noise=-1.0)
