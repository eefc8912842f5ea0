import json
import math

import numpy as np
import pytest
import torch

from systems.plants import loads
from systems.plants.loads import (
    LOADS,
    ConstantField,
    CurlField,
    DivergentField,
    ForceChannel,
    Load,
    VisuomotorGain,
    VisuomotorRotation,
)  # fmt: skip

P = torch.tensor([[0.03, 0.05], [-0.02, 0.01]], dtype=torch.float64)
V = torch.tensor([[0.2, 0.1], [-0.3, 0.4]], dtype=torch.float64)
START = torch.zeros_like(P)
TARGET = torch.tensor([[0.07, 0.0], [0.0, 0.07]], dtype=torch.float64)


def test_a_curl_field_pushes_to_the_right_and_does_no_work():
    force = CurlField(15.0).force(P, V, START, TARGET)
    torch.testing.assert_close(force, 15.0 * torch.stack([V[:, 1], -V[:, 0]], 1))
    torch.testing.assert_close((force * V).sum(1), torch.zeros(2, dtype=torch.float64))
    turn = V[:, 0] * force[:, 1] - V[:, 1] * force[:, 0]
    assert (turn < 0).all()  # clockwise


def test_a_constant_field_is_the_same_everywhere():
    force = ConstantField(0.5, -1.0).force(P, V, START, TARGET)
    np.testing.assert_array_equal(force, [[0.5, -1.0]] * 2)


def test_divergent_field_and_channel_act_across_the_path_only():
    away = DivergentField(100.0).force(P, V, START, TARGET)
    np.testing.assert_allclose(away, [[0.0, 5.0], [-2.0, 0.0]], atol=1e-12)
    walls = ForceChannel(1000.0, 10.0).force(P, V, START, TARGET)
    np.testing.assert_allclose(walls, [[0.0, -51.0], [23.0, 0.0]], atol=1e-12)


def test_the_sight_is_turned_and_scaled_about_the_start():
    start = torch.tensor([[0.01, 0.02]], dtype=torch.float64).expand(2, 2)
    seen = VisuomotorRotation(30.0).view(P, start)
    before, after = (torch.atan2(d[:, 1], d[:, 0]) for d in (P - start, seen - start))
    torch.testing.assert_close((after - before) % (2 * math.pi), torch.full_like(after, math.radians(30.0)))
    torch.testing.assert_close((seen - start).norm(dim=1), (P - start).norm(dim=1))
    torch.testing.assert_close(VisuomotorGain(2.0).view(P, start) - start, 2 * (P - start))


@pytest.mark.parametrize("name", LOADS)
def test_every_load_survives_json_and_tells_what_it_is(name):
    load = LOADS[name]()
    assert Load.from_dict(json.loads(json.dumps(load.to_dict()))) == load
    assert loads.available()[name] and loads.get(name) == load
    assert load.force(P, V, START, TARGET).shape == load.view(P, START).shape == P.shape
    if load.forceless:
        assert (load.force(P, V, START, TARGET) == 0).all()


def test_bad_numbers_and_names_are_refused():
    for make, argument in (
        (CurlField, "strength"), (DivergentField, "stiffness"), (ForceChannel, "damping"),
        (VisuomotorRotation, "degrees"), (VisuomotorGain, "factor"), (ConstantField, "x"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{argument} must be finite"):
            make(**{argument: float("nan")})
    with pytest.raises(ValueError, match="stiffness must be at least 0, got -1"):
        DivergentField(-1.0)
    with pytest.raises(ValueError, match="factor must be greater than 0"):
        VisuomotorGain(0.0)
    with pytest.raises(ValueError, match="did you mean 'curl'"):
        loads.Load.from_dict({"load": "curll"})
    with pytest.raises(ValueError, match="parameter of CurlField must be one of 'strength', got 'strenght'; did you"):
        loads.get("curl", strenght=1.0)
