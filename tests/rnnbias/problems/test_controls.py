"""Controls: real wiring wins where the teacher has it."""

import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import Adam, Circuit, connectome_controls
from rnnbias.problems import CONTROLS
from systems.connectomes import Connectome


@pytest.fixture(scope="module")
def setting():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((30, 30)) * (rng.random((30, 30)) < 0.2) / 6**0.5
    truth = Circuit(
        Connectome.of(weights, neurons=[f"n{k:02}" for k in range(30)]), inputs=rng.standard_normal((30, 2)),
        outputs=rng.standard_normal((1, 30)), decay=0.4,
    )  # fmt: skip
    truth.bias.data[:] = torch.from_numpy(0.5 * rng.standard_normal(30))
    drive = rng.standard_normal((2, 5, 30, 2))
    made, fresh = (truth.run(each) for each in drive)
    recording = xr.Dataset({"activity": made.rate[..., ::2], "outputs": made.outputs})
    return truth.redrawn(), recording, fresh.rate, *drive


def test_the_real_connectome_predicts_best(setting):
    network, recording, test, drive, fresh = setting
    found = connectome_controls(
        network, recording, test, drive, fresh, prior=0.5, adam=Adam(iterations=20, every=20), progress=False
    )
    real = found.sel(control="connectome")
    assert float(real.recorded_error) < 1e-8 and float(real.unrecorded_error) < 1e-3
    others = found.sel(control=list(CONTROLS[1:-1]))  # outputs without noise tell as much
    assert float(others.unrecorded_error.min()) > 100 * float(real.unrecorded_error)
    assert found.learned.values.tolist() == [30, 30, 30, 30, network.connectome.synapses + 60, 30]
    again = connectome_controls(
        network, recording, test, drive, fresh, prior=0.5, controls=["connectome"], progress=False
    )
    xr.testing.assert_identical(again.sel(control="connectome"), real.assign_attrs(again.attrs))


def test_wrong_names_are_refused(setting):
    network, recording, test, drive, fresh = setting
    with pytest.raises(ValueError, match="controls must be one of"):
        connectome_controls(network, recording, test, drive, fresh, controls=["conectome"])
