"""The hooking task on the real simulator: a cube out of the hand's reach, and a tool that draws it."""

import numpy as np
import pytest
import torch
from tabletop import draw_from, multiply, operate, put, wait

from apprentice.tasks.hook.mdp.conditions import hooked, in_bay
from apprentice.tasks.hook.mdp.sizes import BAY, BAY_M, CARRIED_M, CUBE, CUBE_M, HOOK, REACH_M, SIDE_M, TALL_M
from apprentice.tasks.session import open_session

NUM_ENVS = 6
ASIDE = {HOOK: ((-0.25, -0.35, TALL_M / 2), 0.0)}
"""The hook on the table, seen from the bay."""


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Hook-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


def test_a_hand_that_points_down_cannot_reach_the_cube_and_reaches_the_hook(session):
    draw_from(session, "d0")
    session.reset(seeds=range(NUM_ENVS))
    eef = session.eef_poses()["franka"][0].double().numpy()
    moment = session.collision_scenes()["franka"].moment(0, eef, None)

    def is_reached(name):
        joints, goal = moment.joints, session.object_poses()[name][0, :3, 3].double().numpy()
        for share in np.linspace(0.1, 1.0, 10):
            aim = eef.copy()
            aim[:3, 3] += share * (goal - eef[:3, 3])
            if (joints := moment.reach(aim, joints)) is None:
                return False
        return True

    assert is_reached(HOOK) and is_reached(BAY) and not is_reached(CUBE)


def test_a_cube_in_the_bay_is_a_success_once_the_hook_is_put_down_and_let_go_of(session):
    draw_from(session, "d0")
    inside = {CUBE: ((0.03, -0.03, CUBE_M / 2), 0.3)}
    put(session, inside | ASIDE, onto=BAY)
    wait(session, 10)
    assert session.success().all()
    put(session, inside | ASIDE, onto=BAY, fingers_m=0.013)
    assert not session.success().any(), "the gripper is closed"
    put(session, inside | {HOOK: ((-0.25, -0.35, 0.1), 0.0)}, onto=BAY)
    assert not session.success().any(), "the hook is up"
    for where in ((BAY_M / 2 + 0.01, 0.0, CUBE_M / 2), (0.0, -BAY_M / 2, CUBE_M / 2), (0.0, 0.0, CUBE_M * 1.5)):
        put(session, {CUBE: (where, 0.0)} | ASIDE, onto=BAY)
        assert not session.success().any(), where
        assert not in_bay(session.env).any(), where


def test_a_cube_counts_as_hooked_when_the_hook_is_let_down_around_it(session):
    def seen(x, y, z):
        put(session, {HOOK: ((-REACH_M - x, -SIDE_M - y, z), 0.0), CUBE: ((0.0, 0.0, CUBE_M / 2), 0.2)}, onto=BAY)
        return hooked(session.env)

    assert seen(0.0, 0.0, CARRIED_M).all() and seen(0.01, -0.01, CARRIED_M).all()
    assert not seen(0.0, 0.0, 0.1).any(), "still above"
    assert not seen(0.06, 0.0, CARRIED_M).any(), "the blade is in front of the cube"
    assert not seen(0.0, 0.08, CARRIED_M).any(), "the cube is beside the hook"


def test_the_hook_lies_still_in_the_hand_while_it_draws_wherever_things_lie(session):
    episodes = operate(session, "d2", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1
    for episode in episodes:
        data = episode.tree
        done = np.flatnonzero(data["obs/datagen_info/subtask_term_signals/hooked"])
        if not len(done):
            continue
        hook = torch.as_tensor(data[f"obs/datagen_info/object_pose/{HOOK}"][done])
        assert (hook[:, 2, 2] > 0.98).all(), "it tilts"


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, NUM_ENVS, source_demos=4) >= 0.8
