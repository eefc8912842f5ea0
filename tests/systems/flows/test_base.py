from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import systems
from systems import System, box
from systems.labels import config


def decay(**changes):
    """dx/dt = -rate x and dy/dt = 1, with closed forms."""
    defaults = {
        "name": "decay",
        "states": ("x", "y"),
        "parameters": {"rate": 2.0},
        "field": lambda t, x, p: (-p.rate * x[..., 0], 1.0),
        "units": {"time": "s", "x": "m", "rate": "s-1"},
        "dt": 0.1,
    }
    return System(**{**defaults, **changes})


def test_simulation_follows_the_closed_form():
    ds = decay().simulate(duration=1.0, start=[[3.0, 0.0], [-1.0, 5.0]])
    t = ds.time.values
    np.testing.assert_allclose(ds.trajectory[0], np.stack([3 * np.exp(-2 * t), t], 1), rtol=1e-12)
    np.testing.assert_allclose(ds.trajectory[1], np.stack([-np.exp(-2 * t), 5 + t], 1), rtol=1e-12)


def test_labels():
    ds = decay(lyapunov=-2.0, reference="nowhere").simulate(trials=2, duration=1.0)
    assert ds.trajectory.dims == ("trial", "time", "state") and ds.trajectory.dtype == np.float64
    np.testing.assert_array_equal(ds.time, np.arange(10) * 0.1)
    assert ds.time.attrs["units"] == "s"
    assert ds.state_units.values.tolist() == ["m", "1"]
    assert ds.attrs["dt"] == 0.1 and ds.attrs["lyapunov"] == -2.0 and "period" not in ds.attrs
    assert ds.attrs["references"] == "nowhere"
    stamped = config(ds)
    assert stamped["system"] == "decay" and stamped["parameters"] == {"rate": 2.0}
    assert stamped["seed"] == 0 and stamped["solver"] == "DOP853" and stamped["rtol"] == 1e-12


def test_netcdf_round_trip(tmp_path):
    ds = systems.get("van_der_pol").simulate(trials=2, duration=1.5, noise=0.1, observed=["v"])
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc", engine="h5netcdf"), ds)


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 300), dt=st.floats(1e-3, 10))
def test_sample_count_is_what_was_asked(samples, dt):
    constant = System(name="constant", states=["x"], field=lambda t, x, p: 0 * x)
    ds = constant.simulate(duration=samples * dt, dt=dt)
    assert ds.sizes["time"] == samples
    np.testing.assert_array_equal(ds.time, np.arange(samples) * dt)


@pytest.mark.parametrize("name", ["lorenz63", "double_pendulum", "mackey_glass", "kuramoto_sivashinsky"])
def test_a_trial_does_not_depend_on_its_companions(name):
    system = systems.get(name)
    system = replace(system, transient=3 * system.dt)
    many = system.simulate(trials=5, duration=10 * system.dt, seed=4).trajectory
    one = system.simulate(trials=1, duration=10 * system.dt, seed=4).trajectory
    np.testing.assert_array_equal(many[0], one[0])
    assert len(np.unique(many[:, 0, 0])) == 5


def test_seeds():
    system = systems.get("cosine")
    a, b, c = (system.simulate(duration=1.0, seed=seed, noise=0.1) for seed in (1, 1, 2))
    xr.testing.assert_identical(a, b)
    assert (a.trajectory != c.trajectory).all()


def test_noise_is_in_units_of_the_spread_and_leaves_the_clean_trajectory():
    system = decay(field=lambda t, x, p: (-100 * x[..., 1], 0.01 * x[..., 0]), draw=box([100, 0], 0))
    clean, noisy = (system.simulate(trials=4, duration=300, noise=level, seed=7) for level in (0, 0.2))
    hiss = (noisy - clean).trajectory
    np.testing.assert_allclose(hiss.std(["trial", "time"]), 0.2 * clean.trajectory.std(["trial", "time"]), rtol=0.03)
    assert abs(np.corrcoef(hiss[0, :, 0], hiss[1, :, 0])[0, 1]) < 0.1


def test_observed_states_come_in_the_order_asked_for():
    system = systems.get("lorenz63")
    whole = system.simulate(duration=0.2).trajectory
    part = system.simulate(duration=0.2, observed=["z", "x"]).trajectory
    assert part.state.values.tolist() == ["z", "x"]
    np.testing.assert_array_equal(part, whole.sel(state=["z", "x"]))


def test_parameters_change_and_time_scales_go():
    lorenz = systems.get("lorenz63")
    other = lorenz.with_parameters(rho=35)
    assert other.p.rho == 35 and lorenz.p.rho == 28 and other.lyapunov is None
    assert lorenz.with_parameters(rho=28).lyapunov == lorenz.lyapunov
    assert systems.get("stuart_landau", omega=2.0).period == pytest.approx(np.pi)
    assert systems.get("stuart_landau", omega=0.0).period is None


def test_time_dependent_field():
    ramp = System(name="ramp", states=["x"], field=lambda t, x, p: (2 * t,))
    np.testing.assert_allclose(ramp.solve([[0.0], [1.0]], [1.0, 3.0])[:, -1, 0], [8, 9], rtol=1e-12)


def test_integrate_is_differentiable():
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    path = decay().integrate(start, torch.tensor([0.0, 0.5], dtype=torch.float64))
    assert path.shape == (1, 2, 2)
    path[0, 1, 0].backward()
    assert start.grad[0, 0].item() == pytest.approx(np.exp(-1), rel=1e-8)


@pytest.mark.parametrize(
    ("method", "rtol", "error"),
    [
        ("DOP853", 1e-12, 1e-9),
        ("RK4", 1.0, 0.1),
        ("RK45", 1e-3, 1.0),
        ("RK23", 1e-3, 5.0),
        ("LSODA", 1e-9, 1e-5),
    ],
)
def test_solvers_agree_to_their_accuracy(method, rtol, error):
    lorenz, times = systems.get("lorenz63"), np.arange(51) * 0.02
    start = [[1.0, 2.0, 20.0], [-3.0, 0.0, 15.0]]
    truth = lorenz.solve(start, times, rtol=1e-13, atol=1e-13)
    got = lorenz.solve(start, times, method=method, rtol=rtol, atol=rtol)
    assert 0 < np.abs(got - truth).max() < error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "trials"),
        ({"trials": 2.0}, "trials"),
        ({"duration": 0.05}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"duration": 1e12}, "duration"),
        ({"dt": -0.1}, "dt"),
        ({"dt": 0}, "dt"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"noise": -1}, "noise"),
        ({"observed": ["z"]}, "observed"),
        ({"observed": "x"}, "observed"),
        ({"observed": []}, "observed"),
        ({"observed": ["x", "x"]}, "observed"),
        ({"start": [1.0, 2.0]}, "start"),
        ({"start": [[1.0, np.nan]]}, "start"),
        ({"start": [[1.0, 2.0]], "trials": 2}, "trials"),
    ],
)
def test_wrong_arguments_of_simulate_are_named(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        decay().simulate(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": [0.0, 0.0]}, "times"),
        ({"times": []}, "times"),
        ({"start": [[1.0]]}, "start"),
        ({"method": "RK5"}, "method.*RK4"),
        ({"rtol": 0}, "rtol"),
        ({"atol": -1.0}, "atol"),
    ],
)
def test_wrong_arguments_of_solve_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        decay().solve(**{"start": [[1.0, 2.0]], "times": [0.0, 1.0], **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": ()}, "states"),
        ({"states": ("x", "x")}, "states"),
        ({"states": ("x", "rate")}, "states"),
        ({"parameters": {"rate": np.nan}}, "rate"),
        ({"parameters": {"rate": "fast"}}, "rate"),
        ({"units": {"z": "m"}}, "units"),
        ({"dt": 0}, "dt"),
        ({"transient": -1}, "transient"),
        ({"period": 0.0}, "period"),
        ({"lyapunov": np.inf}, "lyapunov"),
        ({"field": lambda t, x, p: x[..., :1]}, "field"),
        ({"field": lambda t, x, p: x / 0}, "field"),
        ({"draw": lambda rng, p: [1.0]}, "draw"),
    ],
)
def test_wrong_systems_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        decay(**changes)


def test_wrong_parameters_are_named():
    with pytest.raises(ValueError, match="did you mean 'rate'"):
        decay().with_parameters(rat=1.0)
    with pytest.raises(ValueError, match="rate must be finite"):
        decay().with_parameters(rate=float("nan"))


@pytest.mark.parametrize("method", ["DOP853", "RK4", "RK45"])
def test_divergence_is_an_error(method):
    explosion = System(name="explosion", states=["x"], field=lambda t, x, p: x**2)
    with pytest.raises(FloatingPointError, match="explosion"):
        explosion.solve([[1.0]], np.arange(300) * 0.01, method=method)
