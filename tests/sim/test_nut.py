"""The nut-and-peg task on the real simulator."""

import math

import pytest
from tabletop import multiply, operate, put, wait

from apprentice.tasks.nut.mdp.sizes import HELD_AT_M, IN_PLACE_M, NUT, NUT_HEIGHT_M, PEG, PEG_TOP_M
from apprentice.tasks.session import open_session

NUM_ENVS = 8


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Nut-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


def test_the_operator_puts_the_nut_over_the_peg_wherever_they_lie(session):
    episodes = operate(session, "d2", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1


@pytest.mark.parametrize("quarters", range(4))
def test_a_nut_let_go_over_the_peg_falls_into_place_and_rests(session, quarters):
    put(session, {NUT: ((0.001, -0.001, PEG_TOP_M - 0.01), quarters * math.pi / 2 + 0.03)}, onto=PEG)
    assert not session.success().any(), "it is still up"
    wait(session, 20)
    assert session.success().all()
    wait(session, 20)
    assert session.success().all()


def test_a_nut_elsewhere_is_no_success(session):
    for where in (
        (0.15, 0.0, NUT_HEIGHT_M / 2),  # on the table
        (0.0, 0.0, PEG_TOP_M + NUT_HEIGHT_M / 2),  # on top of the peg
        (-HELD_AT_M[0], 0.0, IN_PLACE_M),  # its handle where its hole should be
    ):
        put(session, {NUT: (where, 0.0)}, onto=PEG)
        assert not session.success().any(), where
    put(session, {NUT: ((0.0, 0.0, IN_PLACE_M), 0.0)}, onto=PEG, fingers_m=0.01)
    assert not session.success().any(), "the gripper is not open"


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, 8, source_demos=3) >= 0.85
