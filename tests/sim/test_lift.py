"""The lifting task on the real simulator."""

import pytest
from tabletop import multiply, operate, put

from apprentice.tasks.session import open_session

NUM_ENVS = 8


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Lift-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.mark.parametrize("variant", ["d0", "d2"])
def test_the_operator_lifts_the_cube_and_holds_it(session, variant):
    episodes = operate(session, variant, range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1
    for episode in episodes:
        heights = episode.tree["obs/datagen_info/object_pose/cube"][:, 2, 3]
        assert heights[0] < 0.021
        assert not episode.success or (heights[-9:] > 0.12).all()


@pytest.mark.parametrize("fingers_m", [0.02, 0.04])
def test_a_cube_in_the_air_or_on_the_table_is_not_lifted(session, fingers_m):
    put(session, {"cube": ((0.5, 0.0, 0.02), 0.0)}, fingers_m=fingers_m)
    assert not session.success().any()
    put(session, {"cube": ((0.5, 0.0, 0.25), 0.0)}, fingers_m=fingers_m)
    assert not session.success().any(), "it is nowhere near the hand"


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, 16) >= 0.85
