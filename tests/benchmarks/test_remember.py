import pytest
import xarray as xr

import remember


def test_a_run_leaves_scores_a_table_fits_and_figures(tmp_path):
    assert remember.main(["--quick", "--tasks", "flip_flop", "--out", str(tmp_path)]) == 0
    ds = xr.load_dataset(tmp_path / "remember.nc", engine="h5netcdf")
    assert ds.r_squared.dims == ("seed", "task") and ds.memories.item() == 2 and ds.learned.item() == 60
    assert ds.moved.item() > 0 and ds.float32.item() <= 1
    assert "| flip_flop | 0 | 60 |" in (tmp_path / "remember.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        "remember.md", "remember.nc", "flip_flop-0.nc", "flip_flop.png", "fixed_points-0.nc", "memories.png",
        "rows",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "arguments"),
    [("did you mean 'flip_flop'?", ["--tasks", "flipflop"]), ("--units must be at least 10", ["--units", "9"])],
)
def test_wrong_arguments_end_in_one_line(message, arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        remember.main([*arguments, "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and error.count("\n") == 1
