import json
import math

import numpy as np
import pytest
import torch

from systems import plants
from systems.tasks.losses import ACTIVITY, EFFORT, FORCE, PATH, POSITION, VELOCITY, WAIT, Loss
from systems.tasks.reaching import CentreOut, Session


def still(inputs, memory):
    return torch.zeros(len(inputs), 2, dtype=inputs.dtype), torch.full((len(inputs), 5), 0.5, dtype=inputs.dtype)


def wild(inputs, memory):
    memory = 0.0 if memory is None else memory
    memory = memory + torch.cat([inputs, inputs.roll(1, 1)], 1)[:, :4]
    return 0.02 * torch.sin(memory[:, :2]), torch.sin(memory)


def session(**more):
    return Session(CentreOut(targets=5, duration=0.5, **more), plants.get("point"))


def test_standing_still_scores_8_17_and_not_less_than_the_stop_of_the_paper():
    where = session()
    total = Loss().residual(where, where.run(still)).square().mean()
    assert float(total) == pytest.approx(49 / 6)
    si = Loss(length=1.0, speed=1.0, force=1.0)
    assert 6 * float(si.residual(where, where.run(still)).square().mean()) == pytest.approx(0.0049)


@pytest.mark.parametrize("more", [{}, {"hold": 0.1}, {"wait": 0.1}, {"sees": "both"}])
def test_the_loss_is_the_sum_of_its_terms_and_the_mean_square_of_its_residuals(more):
    where = session(**more)
    movement = where.run(wild)
    loss = Loss() + 0.3 * PATH + 0.2 * EFFORT + 0.1 * ACTIVITY
    terms = loss.terms(where, movement)
    assert set(terms) == set(loss.weights) - (set() if where.go else {"wait"})
    assert sum(terms.values()) == pytest.approx(float(loss.residual(where, movement).square().mean()))


def test_each_term_is_what_it_says():
    where = session(wait=0.1, hold=0.05)
    m = where.run(wild)

    def term(loss):
        return float(loss.residual(where, m).square().mean())

    end, target = slice(-5, None), where.target[:, None]
    assert term(POSITION) == pytest.approx(float(((m.position[:, end] - target) / 0.01).square().mean() / 3))
    assert term(VELOCITY) == pytest.approx(float((m.velocity[:, end] / 0.02).square().mean() / 3))
    assert term(FORCE) == pytest.approx(float((m.force[:, end] / 0.08).square().mean() / 3))
    early = torch.cat([m.position[:, :10] / 0.01, m.velocity[:, :10] / 0.02], -1)
    assert term(WAIT) == pytest.approx(float(early.square().mean()))
    tenths = torch.arange(1, 11) * 5 + 10 - 1
    unit = where.target / where.target.norm(dim=1, keepdim=True)
    across = m.position[:, tenths, 1] * unit[:, None, 0] - m.position[:, tenths, 0] * unit[:, None, 1]
    assert term(PATH) == pytest.approx(float((across / 0.01).square().mean()))
    assert term(EFFORT) == pytest.approx(float(m.command[:, tenths].square().mean()))
    assert term(ACTIVITY) == pytest.approx(float(torch.stack(m.memory, 1)[:, tenths].square().mean()))


def test_the_residuals_of_a_trial_depend_on_that_trial_alone():
    where = session(sees="both", wait=0.1)
    loss = Loss() + PATH + EFFORT + ACTIVITY
    whole, few = (loss.residual(s, s.run(wild)) for s in (where, where.subset(torch.tensor([3, 1]))))
    torch.testing.assert_close(few, whole[[3, 1]], rtol=1e-12, atol=1e-14)


def test_the_residual_is_differentiable_in_a_silent_network():
    where = session()
    gain = torch.zeros((), dtype=torch.float64, requires_grad=True)
    movement = where.run(lambda inputs, memory: (gain * inputs, gain * inputs))
    (Loss() + ACTIVITY).residual(where, movement).sum().backward()
    assert math.isfinite(gain.grad)


def test_losses_add_and_scale():
    loss = 2 * (POSITION + 0.2 * VELOCITY) + POSITION
    assert loss.weights == {"position": 3.0, "velocity": 0.4}
    assert Loss(**json.loads(json.dumps(loss.to_dict()))) == loss
    np.testing.assert_equal(Loss().weights, {"position": 1.0, "velocity": 0.2, "force": 0.04, "wait": 1.0})
    with pytest.raises(ValueError, match="same scales"):
        POSITION + Loss({"velocity": 1.0}, length=1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Loss({"postion": 1.0}), "did you mean 'position'"),
        (lambda: Loss({"position": -1.0}), "weight of position must be at least 0"),
        (lambda: Loss({"position": float("nan")}), "weight of position must be finite"),
        (lambda: Loss({"position": 0.0}), "must not all be 0"),
        (lambda: Loss(length=0.0), "length must be greater than 0"),
        (lambda: -1.0 * POSITION, "factor of a loss must be at least 0"),
    ],
)
def test_bad_losses_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_must_be_a_mapping():
    with pytest.raises(TypeError, match="weights must be a mapping"):
        Loss({})
    with pytest.raises(TypeError):
        POSITION + 1
