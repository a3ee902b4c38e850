"""The insertion task on the real simulator: its physics, its conditions, its operator, and demos made from it."""

import numpy as np
import pytest
import torch
from tabletop import draw_from, multiply, operate

from apprentice.tasks.eef_maps import action_to_target, target_to_action
from apprentice.tasks.insert.mdp.sizes import CLEARANCE_M, PEG_LENGTH_M
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-Insert-Franka", 12
PEG, SOCKET, JOINTS = (
    "rigid_object/peg/root_pose",
    "rigid_object/socket/root_pose",
    "articulation/robot/joint_position",
)


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


def place(session, offset_m, tilt_rad, yaw_rad, fingers_m=0.04):
    """Put each peg somewhere in the frame of its socket: its centre above the middle of the hole's floor.

    Args:
        offset_m: Shape (N, 3).
        tilt_rad: About the socket's x axis. Shape (N,).
        yaw_rad: About its z axis, before that. Shape (N,).
        fingers_m: Finger positions.
    """
    draw_from(session, "d2")
    session.reset(seeds=range(NUM_ENVS))
    state = session.state()
    socket = state[SOCKET]
    turn = 2 * torch.atan2(socket[:, 5], socket[:, 6])
    x, y, z = offset_m.unbind(1)
    cos, sin = turn.cos(), turn.sin()
    peg = state[PEG].clone()
    peg[:, :3] = torch.stack((socket[:, 0] + cos * x - sin * y, socket[:, 1] + sin * x + cos * y, z), 1)
    half_tilt, half_turn, half_yaw = tilt_rad / 2, turn / 2, yaw_rad / 2
    tilted = torch.stack((half_tilt.cos(), half_tilt.sin()), 1)  # w, x
    a, b = half_turn + half_yaw, half_turn - half_yaw  # turn, then tilt, then yaw
    peg[:, 3:7] = torch.stack(
        (tilted[:, 1] * b.cos(), tilted[:, 1] * b.sin(), tilted[:, 0] * a.sin(), tilted[:, 0] * a.cos()), 1
    )
    joints = state[JOINTS].clone()
    joints[:, -2:] = fingers_m
    velocities = {key: torch.zeros_like(value) for key, value in state.items() if key.endswith("velocity")}
    session.set_state(state | velocities | {PEG: peg, JOINTS: joints}, range(NUM_ENVS))


def full(value):
    return torch.full((NUM_ENVS,), float(value))


def at(x, y, z):
    return torch.tensor((x, y, z)).repeat(NUM_ENVS, 1)


@pytest.mark.parametrize("variant", ["d0", "d2"])
def test_the_operator_inserts_the_peg_nearly_always(session, variant):
    episodes = operate(session, variant, range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 2
    for episode in episodes:
        assert np.isfinite(episode.tree["obs/object"]).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_peg_let_go_in_the_hole_settles_and_is_never_thrown_out(session, seed):
    """Pressed against walls and corners, at any depth, even a little inside of them, as fingers leave it."""
    draw = torch.Generator().manual_seed(seed)
    uniform = torch.rand(NUM_ENVS, 5, generator=draw) * 2 - 1
    offset = uniform[:, :3] * torch.tensor((CLEARANCE_M / 2 + 2e-4, CLEARANCE_M / 2 + 2e-4, 0.015))
    offset[:, 2] += PEG_LENGTH_M / 2 + 0.015
    place(session, offset, 0.01 * uniform[:, 3], 0.03 * uniform[:, 4])
    held = torch.zeros(NUM_ENVS, dtype=torch.long)
    for _ in range(30):
        session.step(session.neutral_actions())
        speed = session.env.scene["peg"].data.root_lin_vel_w.torch.norm(dim=1)
        assert (speed < 1.0).all(), "faster than falling into the hole makes it"
        held = torch.where(session.success(), held + 1, 0)
    assert (held >= 10).all()
    assert speed.max() < 0.001


def test_a_peg_in_the_hole_is_a_success_only_when_released(session):
    place(session, at(0.0, 0.0, PEG_LENGTH_M / 2), full(0), full(0))
    assert session.success().all()
    place(session, at(0.0, 0.0, PEG_LENGTH_M / 2), full(0), full(np.pi / 2))
    assert session.success().all(), "a quarter turn changes nothing"
    place(session, at(0.0, 0.0, PEG_LENGTH_M / 2), full(0), full(0), fingers_m=0.01)
    assert not session.success().any()


@pytest.mark.parametrize(
    ("where", "offset", "tilt"),
    [
        ("beside the socket", (0.0, 0.06, PEG_LENGTH_M / 2), 0.0),
        ("on the rim", (0.0, 0.02, PEG_LENGTH_M / 2 + 0.04), 0.0),
        ("half way in", (0.0, 0.0, PEG_LENGTH_M / 2 + 0.01), 0.0),
        ("leaning", (0.0, 0.004, PEG_LENGTH_M / 2), 0.15),
        ("lying on top", (0.0, 0.0, 0.05), np.pi / 2),
    ],
)
def test_a_peg_elsewhere_is_no_success(session, where, offset, tilt):
    place(session, at(*offset), full(tilt), full(0))
    assert not session.success().any(), where


def test_what_an_action_asks_for_is_the_target_that_it_was_made_from(session):
    draw_from(session, "d1")
    session.reset(seeds=range(NUM_ENVS))
    target = session.eef_poses()["franka"].clone()
    target[:, :3, 3] += torch.linspace(-0.02, 0.02, 3 * NUM_ENVS).reshape(NUM_ENVS, 3)
    action = target_to_action(session.env, {"franka": target}, {"franka": torch.ones(NUM_ENVS, 1)})
    torch.testing.assert_close(action_to_target(session.env, action)["franka"], target, atol=1e-5, rtol=0)
    assert set(session.object_poses()) == {"peg", "socket"}


def test_few_demos_become_many_and_replay_bit_for_bit(session, tmp_path):
    assert multiply(session, tmp_path, NUM_ENVS) >= 0.8
