import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from systems import plants
from systems.plants import TwoLinkArm

FREE = ((0.0, 0.0), (0.0, 0.0))
WIDE = ((-1e4, 1e4), (-1e4, 1e4))
ARMS = [name for name in plants.available() if name.startswith("arm")]


def tensor(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_the_check_value_of_the_acceleration():
    found = TwoLinkArm().acceleration(tensor(np.pi / 4, np.pi / 2), tensor(1, -2), tensor(0.5, -0.3))
    np.testing.assert_allclose(found[0], [6.72173913, -12.7884058], rtol=1e-6)


def test_published_coefficients_of_inertia():
    for name, wanted in {
        "arm": (0.16, 0.048, 0.045),
        "arm-motornet": (0.291031, 0.08604, 0.070594),
        "arm-26": (0.316639, 0.072909, 0.095932),
    }.items():
        assert plants.get(name).coefficients == pytest.approx(wanted, abs=1e-6)
    eigenvalues = torch.linalg.eigvalsh(TwoLinkArm().inertia(tensor(0, np.pi / 2)))[0]
    np.testing.assert_allclose(eigenvalues, [0.02948, 0.17552], atol=1e-5)


@pytest.mark.parametrize("name", ARMS)
def test_energy_is_conserved_without_friction_and_torque(name):
    arm = plants.get(name, friction=FREE, limits=WIDE)
    state = tensor(np.pi / 4, np.pi / 2, 3, -4, 0, 0)
    before = arm.energy(state[:, :2], state[:, 2:4])
    for _ in range(100):
        state = arm.step(state, tensor(0, 0))
    assert abs(arm.energy(state[:, :2], state[:, 2:4]) / before - 1) < 1e-6


def test_a_step_against_scipy():
    """The equations of motion from their Lagrangian, written out again here, solved at 1e-12."""
    a1, a2, a3 = 0.16, 0.048, 0.045
    friction = np.array([[0.05, 0.025], [0.025, 0.05]])
    command, push = np.array([0.4, -0.2]), np.array([0.5, 1.0])

    def rate(t, x):
        q, w, torque = x.reshape(3, 2)
        mass = np.array([[a1 + 2 * a2 * np.cos(q[1]), a3 + a2 * np.cos(q[1])], [a3 + a2 * np.cos(q[1]), a3]])
        bias = a2 * np.sin(q[1]) * np.array([-w[1] * (2 * w[0] + w[1]), w[0] ** 2])
        s, t = q[0], q[0] + q[1]
        jacobian = np.array(
            [
                [-0.3 * np.sin(s) - 0.33 * np.sin(t), -0.33 * np.sin(t)],
                [0.3 * np.cos(s) + 0.33 * np.cos(t), 0.33 * np.cos(t)],
            ]
        )
        bend = np.linalg.solve(mass, torque + jacobian.T @ push - bias - friction @ w)
        return np.concatenate([w, bend, (command - torque) / 0.04])

    start = np.array([1.0, 1.5, 0.5, -0.7, 0.1, 0.2])
    truth = solve_ivp(rate, (0, 0.1), start, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    state, arm = torch.from_numpy(start)[None], TwoLinkArm()
    for _ in range(10):
        state = arm.step(state, torch.from_numpy(command)[None], lambda p, v: torch.from_numpy(push)[None])
    np.testing.assert_allclose(state[0], truth, rtol=1e-4)


@given(st.floats(-3.0, 3.0), st.floats(0.01, 3.13))
def test_inverse_kinematics_undoes_forward_kinematics(shoulder, elbow):
    arm, q = TwoLinkArm(), tensor(shoulder, elbow)
    back = arm.joints(arm.locate(q))
    turn = torch.remainder(back - q + np.pi, 2 * np.pi) - np.pi
    assert turn.abs().max() < 1e-9 / np.sin(elbow)


def test_where_the_hand_is_and_how_it_moves():
    arm = TwoLinkArm()
    np.testing.assert_allclose(arm.locate(tensor(np.pi / 3, np.pi / 2))[0], [-0.135788, 0.424808], atol=1e-6)
    q = tensor(0.7, 1.1)[0]
    torch.testing.assert_close(torch.autograd.functional.jacobian(arm.locate, q), arm.jacobian(q))


def test_a_held_hand_presses_with_the_force_that_balances_the_torques():
    arm = TwoLinkArm()
    state = torch.cat([tensor(0.7, 1.1), tensor(0, 0), tensor(0.4, -0.1)], -1)
    force = arm.hand(state).force[0]
    np.testing.assert_allclose(arm.jacobian(tensor(0.7, 1.1))[0].T @ force, [0.4, -0.1], atol=1e-12)
    held = arm.acceleration(tensor(0.7, 1.1), tensor(0, 0), tensor(0.4, -0.1), -force[None])
    np.testing.assert_allclose(held, 0, atol=1e-12)


def test_a_joint_stops_at_its_limit():
    arm = TwoLinkArm()
    state = torch.cat([tensor(60, 90).deg2rad(), tensor(-8, 0), tensor(0, 0)], -1)
    for _ in range(100):
        state = arm.step(state, tensor(-5.0, 0.0))
    assert state[0, 0] == 0 and state[0, 2] == 0


def test_targets_out_of_reach_are_refused():
    arm = TwoLinkArm()
    np.testing.assert_array_equal(arm.check_reach("target", [[0.07, 0.0]]), [[0.07, 0.0]])
    for far in ([0.0, 0.3], [5.0, 0.0], [0.1, -0.9]):
        with pytest.raises(ValueError, match=r"target must be within reach of the arm, got \(.*number 1"):
            arm.check_reach("target", [[0.0, 0.0], far])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masses": (-1.0, 1.0)}, "masses must be greater than 0"),
        ({"lengths": (0.3, float("nan"))}, "lengths must be finite"),
        ({"centres": (-0.1, 0.1)}, "centres must be at least 0"),
        ({"inertias": (0.025, 1e-4)}, "positive definite"),
        ({"friction": ((-0.1, 0.0), (0.0, 0.1))}, "friction"),
        ({"friction": (0.1, 0.1)}, r"friction must have shape \(2, 2\)"),
        ({"limits": ((70.0, 140.0), (0.0, 160.0))}, "limits must enclose posture"),
        ({"posture": (60.0, 180.0), "limits": ((0.0, 140.0), (0.0, 200.0))}, "posture must bend"),
        ({"about": "elbow"}, "about must be one of 'joint', 'centre'"),
    ],
)
def test_impossible_arms_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TwoLinkArm(**change)
