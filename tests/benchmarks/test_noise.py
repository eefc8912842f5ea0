from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import noise

pytestmark = pytest.mark.usefixtures("short_transients")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, short_transients):
    out = tmp_path_factory.mktemp("noise")
    options = ["--quick", "--units", "20", "--learners", "polynomial", "biases, closed loop", "--out", str(out)]
    assert noise.main(options) == 0
    return out


def test_it_writes_a_table_scores_and_a_figure(folder):
    text = (folder / "noise.md").read_text()
    assert "| 5 %   | polynomial" in text and "benchmarks/noise.py --quick" in text
    data = xr.open_dataset(folder / "noise.nc")
    assert data.clean_start.dims == ("system", "learner", "noise", "seed")
    assert (data.clean_start.sel(learner="polynomial") > 0.3).all()
    biases = data.sel(learner="biases, closed loop")
    assert biases.moved.notnull().all() and (biases.clean_raw > 0).all()
    assert data.clean_raw.sel(learner="polynomial").isnull().all()
    assert (
        "- Longest on lorenz63 at 5 % noise: " in text
        and "- Tuned, polynomial on lorenz63 at 10 % noise: degree " in text
    )
    assert "Tuned, biases" not in text and (data.tuned.sel(learner="biases, closed loop") == "").all()
    assert (folder / "noise.png").stat().st_size > 10_000


def test_several_systems_stand_side_by_side(tmp_path):
    options = ["--quick", "--systems", "lorenz63", "halvorsen", "--learners", "polynomial", "--noises", "0.05"]
    assert noise.main([*options, "--out", str(tmp_path)]) == 0
    text = (tmp_path / "noise.md").read_text()
    assert "# Skill against noise: lorenz63, halvorsen" in text and "| 5 %   | polynomial | halvorsen |" in text
    assert "- Longest on halvorsen at 5 % noise: polynomial" in text


def test_one_state_is_seen_through_delays(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(noise, "fit_system", lambda data, **options: seen.append((data, options)) or 1 / 0)
    size = noise.Size(20, 10, samples=600, reach=5.0, observed="x")
    with pytest.raises(ZeroDivisionError):
        noise.row(noise.Key("lorenz63", "biases, closed loop", 0.0, 0), size)
    ((data, options),) = seen
    assert data.state.values.tolist() == ["x"] and options["hidden"] and "delays" not in options


def test_training_and_test_data_have_nothing_in_common():
    train, test = noise.trials("lorenz63", 10, 600, 5.0)
    nearest = [np.abs(train.values[0][:, None] - trial[None, ::50]).max(-1).min() for trial in test.values]
    assert min(nearest) > 1e-6


def test_tuning_sees_the_training_trial_alone(monkeypatch):
    """Whatever a learner is given, it is the noisy training trial: a test trial in its place would be noticed."""
    seen = []
    monkeypatch.setitem(noise.LEARNERS, "polynomial", lambda data, size, seed: seen.append(data) or 1 / 0)
    size = noise.Size(20, 10, samples=600, reach=5.0)
    with pytest.raises(ZeroDivisionError):
        noise.row(noise.Key("lorenz63", "polynomial", 0.0, 0), size)
    np.testing.assert_array_equal(seen[0], noise.trials("lorenz63", 10, 600, 5.0)[0])


def test_an_exponent_that_is_not_known_is_measured(monkeypatch):
    unknown = replace(noise.systems.get("lorenz63"), lyapunov=None, transient=5.0)
    monkeypatch.setattr(noise.systems, "get", lambda name: unknown)
    monkeypatch.setattr(noise, "_FOLLOWED", 500)
    assert noise.exponent("unknown") == pytest.approx(0.9056, abs=0.2)


def test_noise_is_that_of_the_seed_and_in_units_of_each_state():
    train, _ = noise.trials("lorenz63", 10, 600, 5.0)
    scale = train.std(("trial", "time"))
    one, again, other = (noise.noisy(train, 0.1, scale, seed) for seed in (0, 0, 1))
    assert one.equals(again) and not one.equals(other)
    np.testing.assert_allclose((one - train).std(("trial", "time")) / scale, 0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--noises", "-1"], "--noises must be at least 0"),
        (["--learners", "nvar"], "--learners must be one of"),
        (["--systems", "van_der_pol"], "--systems must be chaotic"),
        (["--units", "3"], "--units must be at least 12"),
        (["--observed", "x", "--readout-scale", "5"], "--readout-scale must be left out with --observed"),
    ],
)
def test_wrong_arguments_are_named(options, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as found:
        noise.main([*options, "--out", str(tmp_path)])
    assert found.value.code == 2 and message in capsys.readouterr().err
