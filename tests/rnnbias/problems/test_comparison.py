import numpy as np
import pytest
import xarray as xr

from rnnbias import Adam, LevenbergMarquardt, Ridge
from rnnbias.networks import WIRINGS
from rnnbias.problems import LEARNERS, Regression, compare, comparison
from rnnbias.problems.comparison import matched
from systems import functions
from systems.labels import config


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("target", ["franke", "arm"])
def test_counts_are_matched(learner, target):
    problem = Regression(target, samples=1000)
    solver, recipe, units = matched(200, LEARNERS[learner], problem, "tanh", 0)
    rows = units // WIRINGS[recipe.wiring].units_per_row
    inputs, outputs = len(problem.data.inputs), len(problem.data.outputs)
    learned = {
        "bias": rows, "gain": units, "mask": units, "readout": rows * outputs,
        "full": rows * (1 + inputs + outputs),
    }[learner]  # fmt: skip
    assert abs(learned - 200) <= (1 + inputs + outputs) / 2
    assert isinstance(solver, {"mask": Adam, "readout": Ridge}.get(learner, LevenbergMarquardt))


def test_a_comparison_is_labelled_and_survives_a_file(tmp_path):
    learners = ("bias", "gain", "readout", "full")
    ds = compare("runge", learned=40, learners=learners, seeds=[3, 4], samples=300, test=500, progress=False)
    assert ds.nrmse.dims == ("seed", "learner") and ds.seed.values.tolist() == [3, 4]
    assert ds.learner.values.tolist() == list(learners)
    assert (abs(ds.learned - 40) <= 2).all() and (ds.nrmse < 0.1).all() and (ds.seconds > 0).all()
    assert config(ds)["learners"]["full"] == ["bias", "readout", "weights"]
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(ds, xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf").load())


def test_it_repeats_to_the_bit_and_one_learner_does_not_touch_another():
    options = {"learned": 30, "seeds": 1, "samples": 200, "test": 100, "progress": False}
    both = compare("runge", learners=("bias", "readout"), **options)
    alone = compare("runge", learners="readout", **options)
    assert both.nrmse.sel(learner="readout").item() == alone.nrmse.item()


def test_learners_of_ones_own_and_data_of_ones_own(monkeypatch):
    solve, learned_from = comparison.solve, []

    def watched(problem, **options):
        learned_from.append(problem.data.x)
        return solve(problem, **options)

    monkeypatch.setattr(comparison, "solve", watched)
    x = np.linspace(-1, 1, 400)
    ds = compare(
        (x, np.sin(4 * x)), learned=60, learners={"both": ("bias", "gain"), "b": "bias"}, seeds=1, progress=False,
        activation="relu",
    )  # fmt: skip
    assert ds.learner.values.tolist() == ["both", "b"]
    assert [len(np.unique(seen)) for seen in learned_from] == [320, 320]  # a fifth is the test
    assert config(ds)["learners"] == {"both": ["bias", "gain"], "b": ["bias"]}
    assert (ds.nrmse < 0.1).all()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"learned": 0}, "learned must be at least 1"),
        ({"learners": "biases"}, "did you mean 'bias'"),
        ({"learners": ()}, "learners must name at least one"),
        ({"learners": {"x": "initial"}}, "learn must be one of"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"seeds": []}, "seeds must name at least one"),
        ({"activation": "cube"}, "activation must be one of"),
        ({"test": 1}, "test must be at least 20"),
        ({"target": "frank"}, "did you mean 'franke'"),
        ({"target": lambda x: x}, "box must be given"),
    ],
)
def test_wrong_arguments_are_refused(change, error):
    with pytest.raises((ValueError, TypeError), match=error):
        compare(**{"target": functions.get("runge"), "learned": 20, "progress": False, **change})
