from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import LevenbergMarquardt, Recipe, fit_family, load

SOLVER = LevenbergMarquardt(iterations=40)
OPTIONS = {"units": 60, "samples": 300, "solver": SOLVER, "progress": False}
RHO = {"rho": [26, 28, 30]}
LORENZ = replace(systems.get("lorenz63"), transient=0.0)  # quick to simulate


@pytest.fixture(scope="module")
def family():
    return fit_family("lorenz63", RHO, **OPTIONS)


def one_step(fit, rho):
    """Error of single steps at `rho`, over what persistence leaves."""
    test = systems.get("lorenz63", rho=rho).simulate(duration=8.0, seed=7).trajectory
    ahead = fit.drive(test).prediction.isel(time=slice(None, -1)).values
    then, now = test.values[:, 1:], test.values[:, :-1]
    return float(np.sqrt(((ahead - then) ** 2).mean() / ((now - then) ** 2).mean()))


def test_values_between_and_beyond_are_learned_as_those_seen(family):
    seen = one_step(family.at(rho=28), 28)
    assert seen < 0.15
    assert one_step(family.at(rho=27.3), 27.3) < 1.5 * seen
    beyond = one_step(family.at(rho=32), 32)
    assert beyond < 4 * seen and beyond < 0.8 * one_step(family.at(rho=28), 32)


def test_a_fit_at_some_values_is_a_fit_like_any_other(family, tmp_path):
    fit = family.at(rho=27.3)
    assert fit.name == "lorenz63 (rho=27.3)" and load(fit.save(tmp_path / "fit.nc")) == fit
    test = LORENZ.with_parameters(rho=27.3).simulate(duration=6.0, seed=7)
    assert family.score(test, {"rho": 27.3}, windows=3).identical(fit.score(test, windows=3))
    step, state = fit.free_map(test)
    ahead = fit.frame.states.transform(fit.forecast(test, 2).forecast.values, state)
    torch.testing.assert_close(step(step(state))[:, -3:], ahead[:, 1])


def test_a_family_comes_back_to_the_bit(family, tmp_path):
    back = load(family.save(tmp_path / "family.nc"))
    assert back == family and back.at(rho=25) == family.at(rho=25)
    assert back.learned == 120 and set(RHO) == set(back.conditions.parameter.values)


def test_recordings_and_several_parameters():
    values = {"rho": [27.0, 28.0, 30.0], "sigma": [9.0, 10.0, 11.0]}
    each = [dict(zip(values, pair, strict=True)) for pair in zip(*values.values(), strict=True)]
    data = [LORENZ.with_parameters(**one).simulate(duration=4.0).trajectory for one in each]
    fit = fit_family(data, values, **{**OPTIONS, "units": 20})
    assert fit.learned == 60 and fit.at(rho=28, sigma=9.5).name == "trajectory (rho=28, sigma=9.5)"


def test_a_cycle_is_learned_from_trials_onto_it():
    fit = fit_family("van_der_pol", {"mu": [1.0, 1.5]}, units=20, samples=1000, progress=False)
    assert fit.settings["samples"] == 1000 and fit.network.recipe == Recipe.shaping(input_scale=1.0)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"parameters": [1, 2]}, TypeError, "parameters must be values by name"),
        ({"parameters": {}}, TypeError, "parameters must be values by name"),
        ({"parameters": {"rho": [28]}}, ValueError, "two or more conditions"),
        ({"parameters": {"rho": [28, 29], "sigma": [10]}}, ValueError, "one value each for two or more conditions"),
        ({"parameters": {"rho": [28, np.nan]}}, ValueError, "rho"),
        ({"parameters": {"rho": [28, 28]}}, ValueError, "a parameter must vary, but 'rho' is constant"),
        ({"parameters": {"roh": [28, 29]}}, ValueError, "did you mean 'rho'"),
        ({"samples": 3}, ValueError, "samples must be at least"),
        ({"holdout": 0.9}, ValueError, "holdout must be at most"),
        ({"recipe": Recipe()}, ValueError, "network must be without memory"),
        ({"system": [np.zeros((60, 2))], "dt": 0.1}, ValueError, "a value for each recording, 1"),
        ({"system": [np.ones((60, 2))] * 2 + [np.ones((70, 2))], "dt": 0.1}, ValueError, "one step, states and shape"),
    ],
)
def test_wrong_arguments(wrong, error, message):
    with pytest.raises(error, match=message):
        fit_family(**{"system": LORENZ, "parameters": RHO, **OPTIONS, **wrong})


def test_values_must_be_those_of_the_parameters(family):
    with pytest.raises(ValueError, match="parameter must be one of 'rho'"):
        family.at(rho=28, sigma=10)
    with pytest.raises(ValueError, match="parameters must all be given, got none for rho"):
        family.at()
    with pytest.raises(ValueError, match="rho"):
        family.at(rho=np.nan)


def test_an_altered_family_is_refused(family, tmp_path):
    from rnnbias.storage import write_netcdf

    ds = family.to_dataset()
    path = write_netcdf(ds.assign(conditions=ds.conditions + 1), tmp_path / "family.nc")
    with pytest.raises(ValueError, match="the digest of conditions does not match"):
        load(path)
    assert isinstance(ds.conditions, xr.DataArray)


def test_no_family_fails_silently():
    with pytest.warns(UserWarning, match="a long free run .* at rho="):
        lost = fit_family(LORENZ, RHO, **OPTIONS | {"units": 4})
    assert " at rho=" in lost.settings["free_run"] and f"a long free run {lost.settings['free_run']}>" in repr(lost)
    assert "free_run" not in lost.at(rho=26).settings
