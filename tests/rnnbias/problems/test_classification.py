import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.linear_model import Ridge as SklearnRidge

from rnnbias import Adam, Bank, ClassFit, LevenbergMarquardt, Recipe, Ridge, fit_classes, load
from rnnbias.problems.classification import brightness_scale, network_inputs
from rnnbias.storage import write_netcdf
from systems.images.base import Images

PARTS = ("bias", "gain", "mask", "readout", "weights")
SHORT = Adam(epochs=8, rate=0.1, batch=16, clip=None)


def shapes(train=180, test=60, seed=0):
    """Three classes of 5 x 4 images: a bright row, a bright column, and noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for count in (train, test):
        labels = rng.permutation(np.arange(count) % 3)
        pictures = rng.integers(0, 60, (count, 5, 4))
        for picture, label, row, column in zip(
            pictures, labels, rng.integers(0, 5, count), rng.integers(0, 4, count), strict=True
        ):
            if label == 0:
                picture[row] += 150
            if label == 1:
                picture[:, column] += 150
        parts += [pictures.astype(np.uint8), labels]
    return Images("shapes", *parts, classes=("row", "column", "none"))


DATA = shapes()


def fit(data=DATA, **changes):
    return fit_classes(data, **{"units": 120, "solver": SHORT, "progress": False, **changes})


@pytest.mark.parametrize("learn", PARTS)
def test_every_part_learns_alone_far_above_chance_and_nothing_else_moves(learn):
    rate = 0.003 if learn in ("readout", "weights") else 0.1
    found = fit(learn=learn, solver=Adam(epochs=25, rate=rate, batch=16, clip=None))
    assert found.score(DATA).accuracy > 0.55
    assert set(dict(found.network.named_parameters())) == {"weight_1" if learn == "weights" else learn}


def test_biases_classify():
    found = fit(units=400, solver=Adam(epochs=30, rate=0.1, batch=16, clip=None))
    assert found.score(DATA).accuracy > 0.85 and found.network.learned == 400
    assert found.history.accuracy.dims == ("iteration",) and len(found.history.iteration) == 30
    assert found.history.loss[-1] < 0.3 * found.history.loss[0]
    assert "kept in float32" in found.settings["drives"]


@pytest.mark.parametrize("learn", [{"bias"}, {"bias", "readout"}, set(PARTS)])
def test_a_saved_fit_comes_back_to_the_bit(tmp_path, learn):
    found = fit(learn=learn)
    again = load(found.save(tmp_path / "fit.nc"))
    assert isinstance(again, ClassFit) and again.classes == DATA.classes and again.shape == (5, 4)
    xr.testing.assert_identical(again.predict(DATA.test), found.predict(DATA.test))
    xr.testing.assert_identical(again.history.drop_attrs(), found.history.drop_attrs())
    assert again.settings == found.settings and again.solver == found.solver
    assert repr(again) == repr(found)


def test_a_file_that_was_altered_is_refused(tmp_path):
    path = fit().save(tmp_path / "fit.nc")
    ds = xr.load_dataset(path, engine="h5netcdf")
    ds["brightness"][0] += 1
    write_netcdf(ds, path)
    with pytest.raises(ValueError, match="damaged or was altered: the digest of brightness does not match"):
        load(path)


def test_the_same_seed_gives_the_same_bits():
    first, again, other = (fit(seed=seed, solver=Adam(epochs=1, batch=16)) for seed in (3, 3, 4))
    assert torch.equal(first.network.bias, again.network.bias)
    assert not torch.equal(first.network.weight_1, other.network.weight_1)


def test_readout_only_is_scikit_learns_ridge():
    found = fit(learn="readout", units=30, solver=Ridge(0.1))
    split = DATA.held_out(30)
    like = found.network.start
    given = [network_inputs(pictures, found.scale, like) for pictures in (split.train, DATA.test)]
    rates = [found.network.trace(inputs).rate.numpy() for inputs in given]
    theirs = SklearnRidge(alpha=0.1, fit_intercept=False, solver="svd").fit(rates[0], np.eye(3)[split.train_labels])
    np.testing.assert_allclose(found.network.readout.detach(), theirs.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.predict(DATA.test).label, theirs.predict(rates[1]).argmax(1))
    assert found.network.readout.dtype == torch.float64


def test_second_order_learning_of_small_networks():
    small = DATA.first(60)
    found = fit(small, units=40, solver=LevenbergMarquardt(iterations=4))
    assert found.history.loss[-1] < 0.5 * found.history.loss[0]


def test_test_images_and_the_held_out_end_are_not_learned_from():
    other = Images("shapes", DATA.train, DATA.train_labels, DATA.test[::-1], DATA.test_labels, classes=DATA.classes)
    assert torch.equal(fit().network.bias, fit(other).network.bias)
    garbled = DATA.train.copy()
    garbled[-30:] = 255 - garbled[-30:]
    changed = Images("shapes", garbled, DATA.train_labels, DATA.test, DATA.test_labels, classes=DATA.classes)
    whole = [fit(data, solver=Adam(epochs=1, batch=16)) for data in (DATA, changed)]
    assert torch.equal(whole[0].network.bias, whole[1].network.bias)
    np.testing.assert_array_equal(whole[0].scale.mean, whole[1].scale.mean)


def test_scores_by_hand():
    found = fit()
    score, prediction = found.score(DATA), found.predict(DATA.test)
    np.testing.assert_allclose(prediction.probability.sum("class"), 1, rtol=1e-5)
    assert score.accuracy.item() == (prediction.label.values == DATA.test_labels).mean()
    wanted = -np.log(prediction.probability.values[np.arange(60), DATA.test_labels].astype(float)).mean()
    assert score.loss.item() == pytest.approx(wanted, rel=1e-4)
    assert score.confusion.sum() == 60 and score.attrs["learned"] == 120
    assert np.trace(score.confusion) == pytest.approx(60 * score.accuracy)
    assert score.confusion.sel({"class": "row"}).sum() == (DATA.test_labels == 0).sum()


def test_results_survive_netcdf(tmp_path):
    found = fit()
    for k, ds in enumerate((found.score(DATA), found.predict(DATA.test))):
        ds.to_netcdf(tmp_path / f"{k}.nc", engine="h5netcdf")
        xr.testing.assert_identical(xr.load_dataset(tmp_path / f"{k}.nc", engine="h5netcdf"), ds)


def test_rates_are_those_of_the_network():
    found = fit(units=(40, 20), learn={"bias", "gain"})
    rates = np.concatenate(list(found.rates(DATA.test)))
    assert rates.shape == (60, 60)
    with torch.no_grad():
        outputs = found.network.read(torch.from_numpy(rates))
    np.testing.assert_array_equal(outputs.argmax(1), found.predict(DATA.test).label)


def test_how_drives_are_kept_hardly_matters():
    whole, none = (fit(memory=memory) for memory in (1e9, 0.0))
    half = fit(memory=180 * 60 * 2.5)
    assert "float16" in half.settings["drives"] and "computed" in none.settings["drives"]
    torch.testing.assert_close(whole.network.bias, none.network.bias, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(whole.network.bias, half.network.bias, rtol=0.1, atol=0.05)


def test_a_bank_of_tasks_on_one_network():
    first, second = DATA, shapes(seed=1)
    second = Images("b", second.train, 2 - second.train_labels, second.test, 2 - second.test_labels)
    fits = {"a": fit(first, brightness="unit"), "b": fit(second, brightness="unit")}
    network = fits["a"].network
    bank = Bank(network)
    for name, each in fits.items():
        assert each.network.digests() == network.digests()
        with torch.no_grad():
            network.bias.copy_(each.network.bias)
        bank.store(name)
    for name, data in (("b", second), ("a", first), ("b", second)):
        inputs = network_inputs(data.test, fits[name].scale, network.start)
        with torch.no_grad():
            found = bank.use(name)(inputs).argmax(1)
        np.testing.assert_array_equal(found, fits[name].predict(data.test).label)


def test_centred_brightness_has_mean_zero_and_mean_square_one():
    like = torch.empty(0, dtype=torch.float64)
    inputs = network_inputs(DATA.train, brightness_scale(DATA.train, "centred"), like)
    torch.testing.assert_close(inputs.mean(0), torch.zeros(20, dtype=torch.float64), rtol=0, atol=1e-12)
    assert inputs.square().sum(1).mean().item() == pytest.approx(1)
    assert network_inputs(DATA.train, brightness_scale(DATA.train, "unit"), like).max() == DATA.train.max() / 255
    real = DATA.train / 17.0
    assert network_inputs(real, brightness_scale(real, "unit"), like).max() == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data": "mnits"}, ValueError, "name must be one of"),
        ({"data": 3}, TypeError, "data must be Images or the name of some, got 3"),
        ({"learn": "initial"}, ValueError, "learn must be one of 'bias', 'gain', 'mask', 'readout', 'weights'"),
        ({"units": 7}, ValueError, "units must be even under twins wiring, got 7"),
        ({"units": 0}, ValueError, "units must be at least 1"),
        ({"solver": Ridge()}, ValueError, "solver Ridge needs learn='readout'"),
        ({"solver": 3}, TypeError, "solver must be a Solver"),
        ({"recipe": {}}, TypeError, "recipe must be a Recipe"),
        ({"activation": "step"}, ValueError, "activation must be one of"),
        ({"brightness": "bright"}, ValueError, "brightness must be one of 'centred', 'unit', got 'bright'"),
        ({"holdout": 0.0}, ValueError, "holdout must be greater than 0"),
        ({"holdout": 0.9}, ValueError, "holdout must be at most 0.5"),
        ({"memory": float("nan")}, ValueError, "memory must be finite"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"device": "abacus"}, ValueError, "device must be"),
    ],
)
def test_wrong_arguments_are_named_before_any_learning(changes, error, message, monkeypatch):
    monkeypatch.setattr(Adam, "solve", lambda *args: pytest.fail("learning began"))
    with pytest.raises(error, match=message):
        fit(**changes)


@pytest.mark.parametrize(
    ("pictures", "error", "message"),
    [
        (np.zeros((2, 4, 5)), ValueError, r"pictures must have shape \(image, 5, 4\), got \(2, 4, 5\)"),
        (np.zeros((5, 4)), ValueError, r"pictures must have shape"),
        (np.zeros((0, 5, 4)), ValueError, r"pictures must have shape"),
        (np.full((1, 5, 4), np.nan), ValueError, "pictures must be finite"),
        (np.zeros((1, 5, 4), bool), TypeError, "pictures must hold real numbers"),
    ],
)
def test_wrong_images_are_refused(pictures, error, message):
    with pytest.raises(error, match=message):
        fit(solver=Adam(epochs=1, batch=64)).predict(pictures)


def test_scores_need_the_same_classes():
    found = fit(solver=Adam(epochs=1, batch=64))
    with pytest.raises(ValueError, match="data must have the classes"):
        found.score(Images("x", DATA.train, DATA.train_labels, DATA.test, DATA.test_labels))
    with pytest.raises(TypeError, match="data must be Images"):
        found.score(DATA.test)


def test_activations_that_no_bias_silences_give_a_warning():
    with pytest.warns(UserWarning, match="no bias silences"):
        fit(activation="tanh", solver=Adam(epochs=1, batch=64))


def test_recipes_and_depth():
    recipe = Recipe(law="uniform", wiring="independent", gain=1.0, input_scale=1.0, readout_scale=2.0)
    found = fit(units=(60, 30), recipe=recipe, seed=5)
    assert found.network.recipe.seed == 5 and found.network.learned == 90
    assert found.score(DATA).accuracy > 0.5
