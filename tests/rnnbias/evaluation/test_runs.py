import numpy as np
import pytest
import xarray as xr

from rnnbias.evaluation import Runs, gather
from systems import labels

CELLS = {(name, seed): {"units": 20, "solver": {"rate": 0.1}} for name in ("a", "b:c") for seed in (0, 1)}


def make(key):
    name, seed = key
    values = xr.DataArray([seed, seed + 0.5], dims="window", attrs={"units": "s", "long_name": "time"})
    found = xr.Dataset(
        {"learned": seed + 1, "valid_time": values, "problem": np.array("" if seed else "none", dtype=object)}
    )
    return found.assign_attrs(machine=name)


def complete(folder, **options):
    return Runs(folder, CELLS, **options).complete(make, progress=False)


def test_every_cell_is_a_file_and_comes_back(tmp_path):
    made = complete(tmp_path / "rows")
    names = {path.name for path in (tmp_path / "rows").iterdir()}
    assert names == {"a--0.nc", "a--1.nc", "b-c--0.nc", "b-c--1.nc"}
    again = Runs(tmp_path / "rows", CELLS, resume=True)
    assert list(again) == list(made) == list(CELLS)
    for key in CELLS:
        xr.testing.assert_identical(again[key], made[key])


def test_what_is_finished_is_kept_and_only_the_rest_is_made(tmp_path):
    made = []

    def until(key):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(key)
        return make(key)

    runs = Runs(tmp_path, CELLS)
    with pytest.raises(KeyboardInterrupt):
        runs.complete(until, progress=False)
    assert list(runs) == made == list(CELLS)[:2]
    rest = []
    more = Runs(tmp_path, CELLS, resume=True).complete(lambda key: rest.append(key) or make(key), progress=False)
    assert rest == list(CELLS)[2:] and len(more) == 4


def test_a_failed_cell_is_told_and_the_others_go_on(tmp_path, capsys):
    def broken(key):
        return make(key) if key[1] else 1 / 0

    runs = Runs(tmp_path, CELLS).complete(broken, progress=False)
    assert list(runs) == [("a", 1), ("b:c", 1)] and list(runs.failures) == [("a", 0), ("b:c", 0)]
    assert "a 0: ZeroDivisionError: division by zero" in capsys.readouterr().err
    runs.complete(make, progress=False)
    assert len(runs) == 4 and not runs.failures


def test_cells_of_one_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"files of their own, got two of a-b.nc"):
        Runs(tmp_path, {("a:b",): {}, ("a-b",): {}})


def test_without_a_folder_cells_stay_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = Runs(None, CELLS, resume=True).complete(make, progress=False)
    assert len(runs) == 4 and not list(tmp_path.iterdir())


def test_without_resume_the_files_go(tmp_path):
    complete(tmp_path)
    assert not Runs(tmp_path, CELLS) and not list(tmp_path.iterdir())


def test_cells_outside_the_sweep_stay_in_their_files(tmp_path):
    complete(tmp_path)
    few = Runs(tmp_path, {("a", 1): CELLS["a", 1]}, resume=True)
    assert list(few) == [("a", 1)] and len(list(tmp_path.iterdir())) == 4


def test_other_settings_are_refused_by_name(tmp_path):
    complete(tmp_path)
    other = {key: {"units": 20, "solver": {"rate": 0.2}} for key in CELLS}
    with pytest.raises(ValueError, match=r"a--0.nc was made with other settings \(rate 0.1, now 0.2\)"):
        Runs(tmp_path, other, resume=True)


@pytest.mark.parametrize("content", [b"nothing", b""])
def test_damaged_files_are_refused(tmp_path, content):
    complete(tmp_path)
    (tmp_path / "a--1.nc").write_bytes(content)
    with pytest.raises(ValueError, match=r"a--1.nc is damaged"):
        Runs(tmp_path, CELLS, resume=True)


def test_cells_are_laid_out_over_the_parts_of_their_keys():
    cells = {key: make(key) for key in CELLS if key != ("a", 1)}
    ds = gather(cells, ("learner", "seed"), title="four cells", config={"seed": [0, 1]})
    assert ds.valid_time.dims == ("learner", "seed", "window") and list(ds.learner.values) == ["a", "b:c"]
    assert ds.valid_time.attrs == {"units": "s", "long_name": "time"}
    np.testing.assert_array_equal(ds.learned, [[1, np.nan], [1, 2]])
    assert np.isnan(ds.valid_time.sel(learner="a", seed=1)).all()
    assert ds.attrs["title"] == "four cells" and labels.config(ds) == {"seed": [0, 1]}
    assert ds.problem.values.tolist() == [["none", ""], ["none", ""]]


def test_labels_that_differ_are_all_there():
    cells = {
        (k,): xr.Dataset({"loss": ("step", [1.0 + k] * len(steps))}, {"step": steps}).assign(
            word=("step", np.array(["yes"] * len(steps), dtype=object))
        )
        for k, steps in enumerate([[0, 1], [1, 2, 3]])
    }
    ds = gather(cells, ("seed",), title="two cells", config={})
    np.testing.assert_array_equal(ds.loss, [[1, 1, np.nan, np.nan], [np.nan, 2, 2, 2]])
    assert ds.word.values.tolist() == [["yes", "yes", "", ""], ["", "yes", "yes", "yes"]]
