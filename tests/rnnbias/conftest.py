"""A Lorenz-63 map and its attractor, for what is measured of chaos."""

import numpy as np
import pytest
import torch
import xarray as xr

DT = 0.02


def advance(x):
    """One RK4 step of Lorenz-63 for (batch, 3), by torch."""

    linear = torch.tensor([[-10, 28, 0], [10, -1, 0], [0, 0, -8 / 3]], dtype=x.dtype)
    crossed = torch.tensor([[0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=x.dtype)

    def field(s):  # 10 (y - x), x (28 - z) - y, x y - 8/3 z
        return s @ linear + s[:, :1] * (s @ crossed)

    a = field(x)
    b = field(x + DT / 2 * a)
    c = field(x + DT / 2 * b)
    d = field(x + DT * c)
    return x + DT / 6 * (a + 2 * b + 2 * c + d)


@pytest.fixture(scope="session")
def lorenz():
    return advance


@pytest.fixture(scope="session")
def attractor():
    """Lorenz-63 states (time, state), 4,096 of them at steps of 0.02, after a transient."""
    x = torch.tensor([[1.0, 1.0, 20.0]], dtype=torch.float64)
    states = []
    for _ in range(4596):
        x = advance(x)
        states.append(x[0])
    values = torch.stack(states)[500:].numpy()
    return xr.DataArray(values, {"time": np.arange(len(values)) * DT}, ("time", "state"))


@pytest.fixture(scope="session")
def spread(attractor):
    return attractor.std("time")
