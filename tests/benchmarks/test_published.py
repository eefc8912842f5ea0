"""Peers land where others reported them, at the benchmark's full size."""

import pytest
import xarray as xr

import forecast


@pytest.mark.slow
def test_echo_state_rows_land_where_reservoirpy_s_did(tmp_path):
    forecast.main(["--out", str(tmp_path), "--learners", "esn-nobias", "esn", "nvar", "ceiling-rk4", "ceiling-rk45"])
    ds = xr.load_dataset(tmp_path / "forecast.nc", engine="h5netcdf").sel(threshold=0.4)
    found = ds.valid_time.squeeze().median("window")
    for name, low, high in (
        ("esn-nobias", 1.8, 2.3),
        ("esn", 8.2, 9.5),
        ("nvar", 5.4, 7.5),
        ("ceiling-rk4", 7.3, 8.3),
        ("ceiling-rk45", 3.6, 4.6),
    ):
        assert low <= found.sel(learner=name) <= high
