import numpy as np
import pytest
import xarray as xr

import lattice


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("lattice")
    options = ["--quick", "--units", "20", "--learners", "polynomial", "biases, single steps", "--out", str(out)]
    with pytest.warns(UserWarning, match="a long free run"):
        assert lattice.main(options) == 0
    return out


def test_it_writes_a_table_scores_and_a_figure(folder):
    text = (folder / "lattice.md").read_text()
    assert "- lorenz96: 8 sites, 4 neighbours before and 2 after, boundary periodic, a sample every 0.02." in text
    assert "| lorenz96 | 1 %   | " in text and "- Tuned, polynomial on lorenz96 at 1 % noise: degree " in text
    data = xr.open_dataset(folder / "lattice.nc")
    assert data.clean_start.dims == ("system", "learner", "noise", "seed")
    assert (data.clean_start.sel(learner="polynomial") > 0.5).all()
    assert data.moved.sel(learner="biases, single steps").notnull().all()
    assert (folder / "lorenz96.png").stat().st_size > 10_000


def test_training_and_test_data_have_nothing_in_common():
    _, train, test = lattice.trials("lorenz96", lattice.Size(20, 5, 8, samples=300, reach=2.0))
    nearest = [np.abs(train.values[0][:, None] - trial[None, ::50]).max(-1).min() for trial in test.values]
    assert train.sizes["state"] == 8 and min(nearest) > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--systems", "lorenz63"], "--systems must be one of 'lorenz96', 'kuramoto_sivashinsky', got 'lorenz63'"),
        (["--learners", "x"], "--learners must be one of"),
        (["--noises", "-1"], "--noises must be at least 0"),
    ],
)
def test_wrong_arguments_end_with_one_line(options, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        lattice.main([*options, "--out", str(tmp_path)])
    assert stop.value.code == 2 and message in capsys.readouterr().err
