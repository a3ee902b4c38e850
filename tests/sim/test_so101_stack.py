"""Stacking small cubes with the SO-101, on the real simulator."""

import pytest
import torch
from tabletop import operate

from apprentice.tasks.session import open_session
from apprentice.tasks.stack.config.so101.env_cfg import EDGE_M
from apprentice.tasks.stack.mdp.scene import CUBES

NUM_ENVS = 6


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Stack-SO101", num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.mark.parametrize(
    ("offsets_m", "stands"),
    [
        (((0.0, 0.0, 0.0), (0.0, 0.0, EDGE_M), (0.0, 0.0, 2 * EDGE_M)), True),
        (((0.0, 0.0, 0.0), (0.008, 0.0, EDGE_M), (0.0, -0.006, 2 * EDGE_M)), True),
        (((0.0, 0.0, 0.0), (0.0, 0.0, EDGE_M), (0.06, 0.0, 0.0)), False),
        (((0.0, 0.0, EDGE_M), (0.0, 0.0, 0.0), (0.0, 0.0, 2 * EDGE_M)), False),
    ],
)
def test_a_tower_is_a_tower_in_the_right_order(session, offsets_m, stands):
    session.reset(seeds=range(NUM_ENVS))
    state = session.state()
    for name, offset in zip(CUBES, offsets_m, strict=True):
        place = torch.tensor([0.25, 0.0, EDGE_M / 2]) + torch.tensor(offset)
        state[f"rigid_object/{name}/root_pose"][:] = torch.cat((place, torch.tensor([0.0, 0.0, 0.0, 1.0])))
    session.set_state(state, range(NUM_ENVS))
    for _ in range(10):
        session.step(session.neutral_actions())
    assert session.success().tolist() == [stands] * NUM_ENVS


def test_the_operator_stacks(session):
    episodes = operate(session, "d0", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1
