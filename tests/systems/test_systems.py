"""What every built-in system promises."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import systems
from systems import functions, images, plants, tasks
from systems.flows.delay import DelaySystem

NAMES = list(systems.available())


def rate(system, x):
    """dx/dt with the past, if any, equal to the present."""
    return system(0.3, x, x) if isinstance(system, DelaySystem) else system(0.3, x)


def small(name):
    sizes = {"lorenz96": 5, "kuramoto_sivashinsky": 16}
    return systems.get(name, **({"size": sizes[name]} if name in sizes else {}))


@pytest.mark.parametrize("name", NAMES)
def test_metadata(name):
    system = systems.get(name)
    assert system.name == name and system.description and "\n" not in system.description
    assert (system.lyapunov is None) != (system.period is None)
    timescale = system.period or 1 / system.lyapunov
    assert 30 <= timescale / system.dt <= 250
    assert copy.deepcopy(system).parameters == system.parameters
    assert name in repr(system)


@pytest.mark.parametrize("name", NAMES)
def test_field_is_batched_and_keeps_the_dtype(name):
    system = small(name)
    x = torch.as_tensor(system.starts(6, seed=1))
    together = rate(system, x.reshape(2, 3, -1)).reshape(6, -1)
    one_by_one = torch.stack([rate(system, row) for row in x])
    torch.testing.assert_close(together, one_by_one, rtol=1e-13, atol=1e-13)
    assert rate(system, x.float()).dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_gradient_of_the_field(name):
    system = small(name)
    x = torch.as_tensor(system.starts(2, seed=2) + 0.01).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rate(system, x), x)


@pytest.mark.parametrize("name", NAMES)
def test_short_simulation(name):
    system = replace(small(name), transient=0.0)
    ds = system.simulate(trials=2, duration=20 * system.dt, seed=9)
    assert ds.trajectory.shape == (2, 20, system.size)
    np.testing.assert_array_equal(ds.trajectory[:, 0], system.starts(2, seed=9))
    again = system.simulate(duration=20 * system.dt, start=ds.trajectory[:, 0])
    np.testing.assert_array_equal(again.trajectory, ds.trajectory)


@pytest.mark.parametrize(
    ("kind", "get"),
    [
        ("system", systems.get),
        ("plant", plants.get),
        ("load", plants.loads.get),
        ("task", tasks.get),
        ("function", functions.get),
    ],
)
def test_whatever_is_available_can_be_had(kind, get):
    lines = systems.available(kind)
    assert lines and all(line and "\n" not in line for line in lines.values())
    for name in lines:
        assert get(name) is not None


def test_images_can_be_had_or_say_what_they_need(monkeypatch):
    monkeypatch.delenv(images.FOLDER, raising=False)
    drawn = images.numerals.draw
    monkeypatch.setattr(images.numerals, "draw", lambda name: drawn(name, train=10, test=10))
    for name, line in systems.available("image").items():
        try:
            assert images.get(name).name == name
        except (FileNotFoundError, ImportError):
            assert "needs" in line


def test_connectomes_can_be_had_or_say_what_they_need():
    for name, line in systems.available("connectome").items():
        try:
            assert systems.connectomes.get(name).name == name
        except TypeError:  # the file or the folder that it is read from
            assert "needs" in line


def test_kinds_are_checked():
    with pytest.raises(ValueError, match=r"kind must be one of 'system', 'plant', .* did you mean 'plant'"):
        systems.available("plants")


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("data.csv", r"pandas.read_csv\('data.csv', index_col='time'\)"),
        ("a/b.txt", r"pandas.read_csv\('a/b.txt', index_col='time'\)"),
        ("data.nc", r"xarray.open_dataset\('data.nc'\)"),
        ("data.npy", r"numpy.load\('data.npy'\) with dt"),
        ("data.mat", r"scipy.io.loadmat\('data.mat'\)\[variable\] with dt"),
    ],
)
def test_a_file_is_told_from_a_name(path, call):
    with pytest.raises(ValueError, match=f"system must be what is in the file '{path}': pass {call}"):
        systems.get(path)


def test_a_file_without_a_suffix_is_one_if_it_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="name must be one of"):
        systems.get("recording")
    (tmp_path / "recording").touch()
    with pytest.raises(ValueError, match="what is in the file 'recording'"):
        systems.get("recording")


def test_wrong_names():
    with pytest.raises(ValueError, match="did you mean 'lorenz63'"):
        systems.get("lorentz63")
    with pytest.raises(ValueError, match="name"):
        systems.get(63)
    with pytest.raises(ValueError, match="did you mean 'rho'"):
        systems.get("lorenz63", rh=1.0)
    with pytest.raises(ValueError, match="rho"):
        systems.get("lorenz63", rho=float("nan"))
    with pytest.raises(ValueError, match="size"):
        systems.get("lorenz96", size=3)
    with pytest.raises(ValueError, match="size"):
        systems.get("kuramoto_sivashinsky", size=33)
