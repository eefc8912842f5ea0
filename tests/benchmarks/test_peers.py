import numpy as np
import pytest
import xarray as xr

import peers
from rnnbias.evaluation import Persistence, Polynomial
from systems import get


@pytest.fixture(scope="module")
def data():
    return get("lorenz63").simulate(duration=12.0, seed=0).trajectory


def test_tuned_settings_are_told_in_words(data):
    assert peers.chosen(peers.polynomial(data, 2)).startswith("degree ")
    assert peers.chosen(Polynomial(noise=0.01)) == "degree 3, delays 1, noise 0.01"
    words = peers.chosen(peers.echo_state(data, 60, 0, 2))
    assert words.startswith("gain ") and "input scale" in words and "bias scale" in words and "leak " in words
    assert peers.chosen(Persistence().fit(data)) == ""


def test_settings_are_named_once(tmp_path):
    told = xr.DataArray(np.array([["a", "b", ""], ["b", "", "a"]], dtype=object), dims=("seed", "noise"))
    assert peers.settings(told) == "a; b" and peers.settings(told[:1, 2:]) == ""
