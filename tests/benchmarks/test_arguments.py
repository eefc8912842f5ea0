import sys

import pytest
import xarray as xr

from arguments import Parser, complete
from rnnbias.evaluation import Runs


def parsed(*argv):
    return Parser("made-up", "A benchmark.", rows=True).parse_args(list(argv))


def inverse(key):
    return xr.Dataset({"inverse": 1 / key[0]})


@pytest.mark.parametrize(
    ("message", "argv"),
    [
        ("--workers must be at least 1, got 0", ["--workers", "0"]),
        ("not allowed with argument", ["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"]),
        ("--scheduler must be reached, got 'nowhere://1'", ["--scheduler", "nowhere://1"]),
    ],
)
def test_wrong_workers_end_with_one_line(message, argv, capsys):
    if "nowhere://1" in argv:
        pytest.importorskip("distributed", reason="pip install 'rnnbias[dask]'")
    with pytest.raises(SystemExit) as ended:
        parsed(*argv)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and error.count("\n") == 1


@pytest.mark.parametrize("argv", [["--workers", "2"], ["--scheduler", "tcp://127.0.0.1:9"]])
def test_without_dask_workers_name_the_extra_and_one_process_needs_none(argv, tmp_path, monkeypatch, capsys):
    for name in ("dask", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit):
        parsed(*argv)
    assert "pip install 'rnnbias[dask]'" in capsys.readouterr().err
    assert complete(parsed(), runs := Runs(tmp_path, {(2,): {}}), inverse, "alone") == 0 and len(runs) == 1


def test_failed_rows_are_told_and_are_an_exit_code(tmp_path, capsys):
    runs = Runs(tmp_path, {(0,): {}, (2,): {}})
    assert complete(parsed(), runs, inverse, "rows") == 1 and list(runs) == [(2,)]
    error = capsys.readouterr().err
    assert "1 row(s) failed, try them again with --resume" in error and "Traceback" in error and "inverse" in error


@pytest.mark.slow
def test_workers_find_the_functions_of_benchmarks(tmp_path):
    pytest.importorskip("distributed", reason="pip install 'rnnbias[dask]'")
    from approximation.cells import Cell, make

    cells = {Cell("runge", "readout", 20, seed): {} for seed in range(2)}
    shared, alone = Runs(tmp_path / "shared", cells), Runs(tmp_path / "alone", cells)
    assert complete(parsed("--workers", "2"), shared, make, "shared") == complete(parsed(), alone, make, "alone") == 0
    for cell in cells:
        xr.testing.assert_equal(shared[cell].drop_vars("seconds"), alone[cell].drop_vars("seconds"))
