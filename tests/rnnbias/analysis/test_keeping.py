"""Every Dataset that an analysis returns is labelled, survives a netCDF file, and can be drawn from it."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr

import systems
from rnnbias import RNN, Circuit, analysis, fit_activity, fit_system, plot
from rnnbias.storage import read_netcdf, write_netcdf
from systems.connectomes import Connectome


def series(*shape, dims=("task", "time", "unit"), seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    times = {"time": ("time", np.arange(shape[dims.index("time")]) * 0.1, {"units": "s"})} if "time" in dims else {}
    return xr.DataArray(values, times, dims, "rate", {"units": "Hz"})


def shrink(x):
    return torch.tanh(1.5 * x)


STATES = np.random.default_rng(0).normal(size=(2, 30, 3))
NET = RNN(8, 1, 1)


def total(network):
    return network.bias.sum().item()


def network_of_one():
    net = RNN(8, 1, 1)
    net.bias.data += 1.0
    return net


def learned():
    fit = fit_system("cosine", units=20, samples=200, progress=False)
    return analysis.before_after(fit, systems.get("cosine").simulate(duration=2.0), points=3)


def recorded():
    """A circuit that explains what two of its five neurons did."""
    wiring = Connectome.of(np.random.default_rng(0).standard_normal((5, 5)) / 2)
    net = Circuit(wiring, decay=0.5, leak="rate", bias=0.3)
    seen = net.run(12).rate.isel(unit=[0, 1])
    return fit_activity(net, seen, noise=0.1, progress=False), seen


#: What makes each Dataset, and what draws it.
RESULTS = {
    "lyapunov_spectrum": (lambda: analysis.lyapunov_spectrum(shrink, STATES[0], 60, 0.1), plot.exponents),
    "system_spectrum": (
        lambda: analysis.system_spectrum(systems.get("van_der_pol"), 1.0, trials=2),
        plot.convergence,
    ),
    "jacobians": (lambda: analysis.jacobians(shrink, STATES, 0.1, every=10), None),
    "eigenvalues": (lambda: analysis.eigenvalues(shrink, STATES, 0.1, every=10), plot.eigenvalue_cloud),
    "before_after": (learned, plot.eigenvalue_cloud),
    "fixed_points": (lambda: analysis.fixed_points(shrink, STATES), plot.fixed_points),
    "no_fixed_points": (lambda: analysis.fixed_points(lambda x: x + 1, STATES), plot.fixed_points),
    "return_map": (lambda: analysis.return_map(series(3, 200, dims=("trial", "time"))), plot.return_map),
    "power_spectrum": (
        lambda: analysis.power_spectrum(series(2, 200, dims=("state", "time"))),
        plot.power_spectrum,
    ),
    "robustness": (lambda: analysis.robustness(NET, total, noises=[0.1], progress=False), None),
    "linearised": (lambda: analysis.linearised(network_of_one(), np.ones((2, 5, 1))), None),
    "floors": (
        lambda: analysis.floors(
            series(2, 400, 2, dims=("trial", "time", "state")), xr.DataArray([1.0, 1.0], dims="state")
        ),
        None,
    ),
    "principal_components": (lambda: analysis.principal_components(series(2, 20, 4)), None),
    "alignment": (lambda: analysis.alignment(series(2, 20, 4), components=2, draws=5), None),
    "bias_histogram": (lambda: analysis.bias_histogram(series(2, 30, dims=("task", "unit"))), plot.bias_histogram),
    "bias_distance": (lambda: analysis.bias_distance(series(3, 30, dims=("task", "unit"))), None),
    "unit_activity": (lambda: analysis.unit_activity(series(2, 20, 4)), None),
    "interpolate": (
        lambda: analysis.interpolate(NET, np.zeros(4), np.ones(4), lambda n: {"loss": total(n), "exponent": 1.0}),
        plot.interpolation,
    ),
    "transplant": (lambda: analysis.transplant(NET, np.ones(4), np.zeros(4), [0, 0, 1, 1], total), None),
    "lesion": (lambda: analysis.lesion(NET, [0, 0, 0, 1, 1, 1, -1, -1], total, controls=3), None),
    "uncertainty": (lambda: analysis.uncertainty(*recorded()), plot.activity_bands),
    "record_next": (lambda: analysis.record_next(*recorded(), k=2), plot.recording_order),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_labelled_and_come_back_equal_and_are_drawn(name, tmp_path):
    make, draw = RESULTS[name]
    ds = make()
    assert isinstance(ds, xr.Dataset) and ds.attrs["title"] and "rnnbias" in ds.attrs["source"]
    json.loads(ds.attrs["config"])
    for key, variable in ds.variables.items():
        assert variable.attrs["units"] and variable.attrs["long_name"], key
        assert not np.iscomplexobj(variable.values)
    back = read_netcdf(write_netcdf(ds, tmp_path / "result.nc"))
    xr.testing.assert_equal(back, ds)
    assert back.attrs == ds.attrs
    if draw is not None:
        axes = np.ravel(draw(back))
        axes[0].figure.savefig(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 3_000
        plt.close("all")


def test_every_public_analysis_is_kept():
    functions = set(analysis.__all__) - {"greedy_choice", "kaplan_yorke", "untrained", "with_input"}
    elsewhere = {"agreement", "clusters", "correlation", "switching", "task_variance"}  # test_organisation.py
    assert functions - elsewhere <= set(RESULTS)
