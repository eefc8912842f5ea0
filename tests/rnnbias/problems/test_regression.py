import warnings

import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import FNN, Adam, FunctionFit, LevenbergMarquardt, Recipe, Ridge, fit_function, load
from rnnbias.datasets.functions import read
from rnnbias.problems import Regression
from rnnbias.storage import netcdf
from systems import functions
from systems.labels import config


def wave(x):
    return np.sin(3 * x[:, 0]) * x[:, 1]


def learn(target=wave, **options):
    box = {"box": [(-1, 1), (0, 2)]} if target is wave else {}
    return fit_function(target, **{"units": 80, "samples": 300, "progress": False, **box, **options})


@pytest.mark.parametrize(("target", "activation", "bound"), [("franke", None, 0.015), ("runge", "relu", 0.02)])
def test_biases_of_ordinary_size_learn(target, activation, bound):
    errors = []
    for seed in range(3):
        fit = learn(target, units=100, samples=1000, seed=seed, activation=activation)
        assert fit.network.learned == 100 and fit.network.learn == ("bias",)
        errors.append(float(fit.score(target).nrmse))
        assert 0.3 < fit.network.bias.square().mean().sqrt() < 4
        with torch.no_grad():
            fit.network.bias.copy_(fit.network.bias.float())
        assert fit.score(target).nrmse == pytest.approx(errors[-1], rel=1e-3)
    assert np.median(errors) < bound


def test_the_lazy_recipe_stays_at_hand():
    fit = learn(units=300, samples=600, recipe=Recipe.lazy(gain=1.0, input_scale=1.0))
    assert fit.network.learned == 150 and fit.score(wave).nrmse < 1e-3
    assert fit.network.bias.square().mean().sqrt() < 1e-2


@pytest.mark.parametrize(
    ("parts", "units", "solver", "bound"),
    [
        ("readout", 80, Ridge, 0.03),
        ("gain", 160, LevenbergMarquardt, 0.02),
        (("bias", "weights", "readout"), 20, LevenbergMarquardt, 0.01),
        ("bias", (60, 40), LevenbergMarquardt, 0.1),
        (("mask", "readout"), 80, Adam, 0.5),
    ],
)
def test_every_part_learns_with_a_solver_of_its_own(parts, units, solver, bound):
    options = {"solver": Adam(iterations=300, batch=64, rate=0.03)} if solver is Adam else {}
    fit = learn(learn=parts, units=units, **options)
    assert isinstance(fit.solver, solver)
    assert fit.score(wave).nrmse < bound
    assert fit.history.held_out_loss.min() < 0.9 * fit.history.held_out_loss[0] or solver is Ridge


def test_masks_and_heavy_problems_go_to_adam():
    assert isinstance(learn(learn="mask", samples=20, units=4, activation=None).solver, Adam)
    heavy = Regression("franke", samples=30000).solver(("bias",), (20000,), 0)
    assert isinstance(heavy, Adam) and heavy.batch == 256


def test_readout_only_is_ridge_regression_on_the_rates():
    fit = learn(learn="readout", solver=Ridge(0.1))
    data = read(wave, box=[(-1, 1), (0, 2)], samples=300)
    # the samples that were learned from are those whose statistics the fit holds
    order = np.random.default_rng(0).permutation(300)
    kept = np.sort(order[30:])
    np.testing.assert_allclose(fit.x.mean, data.x[kept].mean(0))
    x = torch.from_numpy((data.x[kept] - fit.x.mean) / fit.x.scale)
    y = (data.y[kept] - fit.y.mean) / fit.y.scale
    rates = fit.network.trace(x).rate.detach().numpy()
    augmented = np.vstack([rates, np.sqrt(0.1) * np.eye(80)])
    wanted = np.linalg.lstsq(augmented, np.vstack([y, np.zeros((80, 1))]), rcond=None)[0]
    np.testing.assert_allclose(fit.network.readout.detach().numpy(), wanted.T, rtol=1e-7, atol=1e-10)
    sklearn = pytest.importorskip("sklearn.linear_model")
    theirs = sklearn.Ridge(alpha=0.1, fit_intercept=False, solver="svd").fit(rates, y)
    np.testing.assert_allclose(fit.network.readout.detach().numpy(), theirs.coef_.reshape(1, -1), rtol=1e-7, atol=1e-10)


def test_frozen_arrays_do_not_move():
    for parts in ("bias", "gain", "readout"):
        fit = learn(learn=parts)
        fresh = FNN.from_dict(
            {k: v for k, v in fit.network.to_dict().items() if k != "network"} | {"activation": "relu"}
        )
        assert fit.network.digests() == fresh.digests()


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    one, two, other = learn(seed=4), learn(seed=4), learn(seed=5)
    assert torch.equal(one.network.bias, two.network.bias)
    assert not torch.equal(one.network.bias, other.network.bias)


def test_learning_ends_at_the_goal():
    fit = learn(goal=1e-2, learn=("bias", "weights", "readout"), units=20)
    assert fit.history.loss[-1] <= 1e-2 and (fit.history.loss[:-1] > 1e-2).all()


def test_prediction_at_points_and_on_a_grid():
    fit = learn(functions.get("arm"), samples=600, units=200)
    at = fit.predict([[0.1, 0.2], [1.0, 2.0], [2.0, 0.5]])
    assert at.prediction.dims == ("trial", "output") and at.output.values.tolist() == ["hand_x", "hand_y"]
    assert at.output_units.values.tolist() == ["m", "m"] and config(at)["learned"] == 200
    np.testing.assert_array_equal(at.prediction, fit.evaluate(at.x))
    np.testing.assert_allclose(at.prediction, functions.get("arm")(at.x), atol=0.03)
    ds = functions.get("arm").sample(5, seed=9)
    np.testing.assert_array_equal(fit.predict(ds).prediction, fit.evaluate(ds.x))


def test_a_field_is_predicted_on_its_own_grid_or_a_finer_one():
    def heat(points):
        lat, lon = np.linspace(-1, 1, points), np.linspace(0, 3, points + 2)
        values = np.sin(2 * lat)[:, None] + np.cos(lon)
        return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), name="heat", attrs={"units": "K"})

    fit = fit_function(heat(18), units=160, progress=False)
    fine = heat(40)
    found = fit.predict(fine.transpose("lon", "lat")).prediction
    assert found.dims == ("lat", "lon", "output") and found.lat.attrs["units"] == "1"
    assert float(abs(found.isel(output=0) - fine).max()) < 0.02


def test_points_outside_the_box_give_a_warning():
    fit = learn()
    with pytest.warns(UserWarning, match="1 of 2 points are outside the box"):
        fit.predict([[0, 1], [5, 1]])


def test_scores_by_hand():
    fit = learn()
    data = read(wave, box=[(-1, 1), (0, 2)], samples=500, seed=7)
    score = fit.score((data.x, data.y))
    error = fit.evaluate(data.x) - data.y
    assert float(score.rmse[0]) == pytest.approx(np.sqrt((error**2).mean()))
    assert float(score.nrmse) == pytest.approx(np.sqrt((error**2).mean()) / data.y.std())
    assert float(score.largest_error[0]) == pytest.approx(np.abs(error).max())
    with pytest.raises(ValueError, match="test must have 2 inputs and 1 outputs, got 1 and 1"):
        fit.score((data.x[:, 0], data.y))


def test_only_an_activation_that_was_asked_for_gives_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn(samples=40, units=4)
        learn(samples=40, units=4, activation="relu")
    with pytest.warns(UserWarning, match="no bias silences a unit"):
        learn(samples=40, units=4, activation="tanh")


@pytest.mark.parametrize("parts", ["bias", "readout", ("bias", "gain", "weights", "readout")])
@pytest.mark.parametrize("units", [20, (12, 8)])
def test_saved_and_loaded_to_the_bit(tmp_path, parts, units):
    fit = learn(
        functions.get("arm"), samples=100, units=units, learn=parts, solver="ridge" if parts == "readout" else None
    )
    again = load(fit.save(tmp_path / "fit.nc"))
    assert isinstance(again, FunctionFit) and repr(again) == repr(fit)
    points = functions.get("arm").sample(20, seed=5).x.values
    np.testing.assert_array_equal(again.evaluate(points), fit.evaluate(points))
    assert again.predict(points).identical(fit.predict(points))
    xr.testing.assert_equal(again.history, fit.history)
    assert again.solver == fit.solver and again.settings == fit.settings


def test_an_altered_file_is_refused(tmp_path):
    ds = learn(samples=50, units=10).to_dataset()
    ds["y_scale"] = -ds.y_scale
    with pytest.raises(ValueError, match="y_scale"):
        load(netcdf.write_netcdf(ds, tmp_path / "a.nc"))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"units": 7, "recipe": Recipe.lazy()}, "units must be even"),
        ({"units": 0}, "units must be at least 1"),
        ({"units": (4, 3), "recipe": Recipe.lazy()}, "units must be even"),
        ({"learn": "initial"}, "learn must be one of"),
        ({"learn": "biases"}, "did you mean 'bias'"),
        ({"solver": "newton"}, "solver must be one of"),
        ({"solver": "ridge"}, "needs learn='readout'"),
        ({"solver": LevenbergMarquardt(), "learn": "mask"}, "learn must be without mask"),
        ({"recipe": {"law": "uniform"}}, "recipe must be a Recipe"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"samples": 3}, "samples must be at least 20"),
        ({"holdout": 0.9}, "holdout must be at most 0.5"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"device": "tpu"}, "device must be one"),
        ({"goal": -1.0}, "goal must be at least 0"),
        ({"target": "frank"}, "did you mean 'franke'"),
        ({"target": (np.ones(30), np.arange(30.0))}, "x must vary, but 'x0' is constant"),
        ({"target": (np.arange(30.0), np.ones(30))}, "y must vary, but 'y' is constant"),
        ({"target": (np.arange(30.0), np.full(30, np.nan))}, "y must be finite"),
    ],
)
def test_wrong_arguments_are_refused(change, error):
    with pytest.raises((ValueError, TypeError), match=error):
        learn(**change)


def test_the_matrix_free_solver_learns_as_well():
    exact, free = (learn(solver=LevenbergMarquardt(memory=m, iterations=6), units=40) for m in (2e9, 1e3))
    assert float(free.score(wave).nrmse) == pytest.approx(float(exact.score(wave).nrmse), rel=0.5)
