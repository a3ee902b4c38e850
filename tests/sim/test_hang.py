"""The mug-hanging task on the real simulator."""

import math

import pytest
from tabletop import draw_from, multiply, operate, put, wait

from apprentice.tasks.hang.mdp.conditions import threaded
from apprentice.tasks.hang.mdp.sizes import HANGS_Y_M, MUG, MUG_M, OPENING_M, OPENING_X_M, PEG_M, PEG_Z_M, STAND
from apprentice.tasks.session import open_session

NUM_ENVS = 6
HUNG = (-OPENING_X_M, HANGS_Y_M, PEG_Z_M + (PEG_M[2] - OPENING_M[1]) / 2 + 0.003)
"""Where the mug is when it is let go of, upright, seen from the stand."""


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Hang-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.mark.parametrize("yaw", [0.0, 0.15, -0.15])
def test_a_mug_let_go_of_over_the_peg_swings_and_hangs_by_itself(session, yaw):
    draw_from(session, "d2")
    put(session, {MUG: (HUNG, yaw)}, onto=STAND)
    assert threaded(session.env).all()
    wait(session, 80)
    assert session.success().all()
    assert (session.object_poses()[MUG][:, 2, 2] < 0.8).all(), "its weight has turned it, the handle up"
    wait(session, 60)
    assert session.success().all()


def test_a_mug_elsewhere_is_no_success(session):
    x, y, z = HUNG
    for where, yaw in (
        ((0.0, -0.4, MUG_M[2] / 2), 0.0),  # on the table
        ((x, y - 0.1, z), 0.0),  # in front of the peg
        ((x - 0.05, y, z), 0.0),  # the handle beside the peg
        ((-x, y, z), 0.0),  # the mug on the other side, its handle off the peg
        ((x, y, z - 0.05), 0.0),  # below
        ((0.01, y + x, z), math.pi / 2),  # the opening across the peg
    ):
        put(session, {MUG: (where, yaw)}, onto=STAND)
        assert not threaded(session.env).any() and not session.success().any(), where
    put(session, {MUG: (HUNG, 0.0)}, onto=STAND, fingers_m=0.02)
    assert threaded(session.env).all() and not session.success().any(), "the gripper is not open"


def test_the_operator_hangs_the_mug_wherever_it_stands(session):
    episodes = operate(session, "d2", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, NUM_ENVS, source_demos=4) >= 0.8
