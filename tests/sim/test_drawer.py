"""The drawer task on the real simulator: an articulated object, two of whose links are objects of the task."""

import numpy as np
import pytest
import torch
from tabletop import draw_from, multiply, operate, put, wait

from apprentice.tasks.drawer.mdp.sizes import CABINET, CUBE, CUBE_M, DRAWER, FLOOR_M, HANDLE_Z_M, PUT_AT_M, TRAVEL_M
from apprentice.tasks.session import open_session

NUM_ENVS = 6
SLIDE = "articulation/cabinet/joint_position"


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Drawer-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


def pull(session, out_m):
    """Slide every drawer out."""
    state = session.state()
    session.set_state(state | {SLIDE: torch.full_like(state[SLIDE], -out_m)}, range(NUM_ENVS))


def lay(session, at_m):
    """Put every cube somewhere in the frame of its drawer."""
    state, drawer = session.state(), session.object_poses()[DRAWER]
    cube = state["rigid_object/cube/root_pose"].clone()
    cube[:, :3] = drawer[:, :3, 3] + (drawer[:, :3, :3] @ torch.tensor(at_m))
    session.set_state(state | {"rigid_object/cube/root_pose": cube}, range(NUM_ENVS))


def test_resets_move_the_cabinet_and_close_its_drawer(session):
    draw_from(session, "d2")
    session.reset(seeds=range(NUM_ENVS))
    pull(session, 0.1)
    poses = session.object_poses()
    out = poses[DRAWER][:, :3, 3] - poses[CABINET][:, :3, 3]
    torch.testing.assert_close(out, -0.1 * poses[CABINET][:, :3, 0], atol=1e-5, rtol=0)
    session.reset(seeds=range(NUM_ENVS))
    poses = session.object_poses()
    assert len({round(float(x), 5) for x in poses[CABINET][:, 0, 3]}) == NUM_ENVS, "all stand at the same place"
    torch.testing.assert_close(poses[DRAWER], poses[CABINET], atol=1e-5, rtol=0)


def test_plans_see_the_drawer_where_it_is(session):
    draw_from(session, "d2")
    session.reset(seeds=range(NUM_ENVS))
    scene = session.collision_scenes()["franka"]
    for env_id in (0, NUM_ENVS - 1):
        cabinet = session.object_poses()[CABINET][env_id].double().numpy()
        before = cabinet @ np.array((-0.15, 0.0, HANDLE_Z_M, 1.0))  # where the drawer's front comes when it opens
        for out_m, touches in ((0.0, False), (0.065, True)):
            pull(session, out_m)
            eef = session.eef_poses()["franka"][env_id].double().numpy()
            moment = scene.moment(env_id, eef, None)
            aim = eef.copy()
            aim[:3, 3] = before[:3]
            joints = moment.reach(aim, moment.joints)
            assert joints is not None
            nearest = moment.distances(joints).get(("robot", ""), 1.0)
            assert (nearest < -0.003) == touches, (out_m, nearest)


def test_a_cube_in_the_open_drawer_is_a_success_and_stays_one(session):
    draw_from(session, "d0")
    put(session, {CUBE: ((0.45, -0.2, CUBE_M / 2), 0.0)})
    pull(session, TRAVEL_M)
    assert not session.success().any(), "the cube is on the table"
    lay(session, (PUT_AT_M[0], 0.02, FLOOR_M + CUBE_M / 2 + 0.004))
    wait(session, 20)
    assert session.success().all()
    pull(session, 0.02)
    assert not session.success().any(), "the drawer is not open"


def test_the_operator_opens_the_drawer_and_fills_it(session):
    episodes = operate(session, "d2", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, NUM_ENVS, source_demos=2) >= 0.8
