import json

import numpy as np
import pytest
import xarray as xr

from systems import labels
from systems.labels import Labelled


def example(**config):
    return labels.dataset(
        {"speed": Labelled("time", [0.0, 1.0], "m s-1", "hand speed")},
        {"time": Labelled("time", [0.0, 0.1], "s", "time")},
        title="demo",
        config=config,
        references="somewhere",
    )


def test_values_units_and_names():
    ds = example(seed=3)
    assert ds.speed.dims == ("time",) and ds.speed.values.tolist() == [0.0, 1.0]
    assert ds.speed.attrs == {"units": "m s-1", "long_name": "hand speed"}
    assert ds.time.attrs == {"units": "s", "long_name": "time"} and "time" in ds.indexes
    assert ds.attrs["title"] == "demo" and ds.attrs["references"] == "somewhere"


def test_the_configuration_comes_back_whole():
    given = {"seed": 3, "name": "é", "list": [1, None, True], "nested": {"a": 0.1}}
    assert labels.config(example(**given)) == given
    assert isinstance(json.loads(example(**given).attrs["config"]), dict)


def test_a_configuration_that_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        example(rate=float("nan"))
    with pytest.raises(TypeError, match="JSON"):
        example(rate=np.ones(2))


def test_versions_are_named(monkeypatch):
    import torch

    assert f"torch {torch.__version__.partition('+')[0]}" in labels.source()
    assert f"numpy {np.__version__}" in labels.source() and "python 3." in labels.source()

    def missing(package):
        raise labels.PackageNotFoundError(package)

    monkeypatch.setattr(labels, "version", missing)
    assert "xarray (not installed)" in labels.source.__wrapped__()


def test_netcdf_round_trip(tmp_path):
    ds = example(seed=3)
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc", engine="h5netcdf"), ds)


def test_dimensions_have_one_order():
    assert labels.DIMENSIONS.index("trial") < labels.DIMENSIONS.index("time") < labels.DIMENSIONS.index("state")
    assert len(set(labels.DIMENSIONS)) == len(labels.DIMENSIONS)
