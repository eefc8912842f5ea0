"""What every plant promises."""

import json

import numpy as np
import pytest
import torch

from systems import plants
from systems.plants.loads import CurlField

NAMES = list(plants.available())


def moving(plant, trials=3):
    """States in motion, off the limits."""
    rng = np.random.default_rng(5)
    state = plant.rest(torch.from_numpy(rng.uniform(-0.05, 0.05, (trials, 2))))
    return state + torch.from_numpy(rng.normal(0, 0.2, state.shape)) * torch.tensor([0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize("name", NAMES)
def test_rest_is_where_it_was_asked_for_and_stays(name):
    plant = plants.get(name)
    place = torch.tensor([[0.05, -0.02], [0.0, 0.0]], dtype=torch.float64)
    state = plant.rest(place)
    hand = plant.hand(plant.step(state, torch.zeros(2, 2, dtype=torch.float64)))
    torch.testing.assert_close(hand.position, place, rtol=0, atol=1e-12)
    assert hand.velocity.abs().max() < 1e-12 and hand.force.abs().max() < 1e-12
    assert state.shape[-1] == len(plant.states) == len(plant.state_units)


@pytest.mark.parametrize("name", NAMES)
def test_velocity_is_the_change_of_position(name):
    plant = plants.get(name, dt=1e-5)
    state = moving(plant)
    later = plant.step(state, torch.zeros(3, 2, dtype=torch.float64))
    speed = (plant.hand(later).position - plant.hand(state).position) / plant.dt
    middle = (plant.hand(later).velocity + plant.hand(state).velocity) / 2
    torch.testing.assert_close(speed, middle, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("loaded", [False, True])
def test_gradient_of_a_step_and_of_the_hand(name, loaded):
    plant = plants.get(name)

    def after(state, command):
        curl = CurlField(15.0)
        external = [lambda p, v: curl.force(p, v, p, p)] if loaded else []
        state = plant.step(state, command, *external)
        return torch.cat([state, *plant.hand(state)], -1)

    command = torch.full((3, 2), 0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(after, (moving(plant).requires_grad_(), command))


@pytest.mark.parametrize("name", NAMES)
def test_batches_and_types(name):
    plant = plants.get(name)
    state, command = moving(plant, 6), torch.ones(6, 2, dtype=torch.float64)
    together = plant.step(state.reshape(2, 3, -1), command.reshape(2, 3, 2)).reshape(6, -1)
    alone = torch.stack([plant.step(s, c) for s, c in zip(state, command, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-13, atol=1e-13)
    assert plant.step(state.float(), command.float()).dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_plant_survives_json(name):
    plant = plants.get(name)
    assert plants.from_dict(json.loads(json.dumps(plant.to_dict()))) == plant


def test_names_and_parameters_are_checked():
    assert plants.get(plants.get("arm", tau=0.05)).tau == 0.05
    with pytest.raises(ValueError, match=r"plant must be one of 'point'.*did you mean 'point'"):
        plants.get("pont")
    with pytest.raises(ValueError, match=r"parameter of PointMass.*did you mean 'mass'"):
        plants.get("point", maas=1.0)
    with pytest.raises(ValueError, match="plant must be one of"):
        plants.from_dict({"plant": "os.system"})
    for name in NAMES:
        for parameter in ("dt", "tau"):
            for bad in (-0.01, 0.0, float("nan"), float("inf")):
                with pytest.raises(ValueError, match=parameter):
                    plants.get(name, **{parameter: bad})
