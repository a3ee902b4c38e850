"""What is put into the episode buffer comes out of it, whichever environments step when."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from apprentice.tasks.episode import EpisodeBuffer

relaxed = settings(max_examples=50)

N = 3


def rows(tick):
    base = torch.arange(N, dtype=torch.float32) + 10 * tick
    return {
        "actions": torch.stack((base, -base), 1),
        "obs/pose": (base / 7)[:, None, None].expand(N, 4, 4),
        "obs/signal": (torch.arange(N) + tick) % 2 == 0,
    }


@relaxed
@given(st.lists(st.lists(st.booleans(), min_size=N, max_size=N), min_size=1, max_size=12))
def test_each_episode_holds_exactly_its_own_steps(schedule):
    buffer = EpisodeBuffer(N, steps=2)
    buffer.begin(range(N), {"rigid_object/cube/root_pose": torch.arange(N * 7.0).reshape(N, 7)})
    expected = [[] for _ in range(N)]
    for tick, active in enumerate(schedule):
        buffer.add(rows(tick), torch.tensor(active))
        for env_id in range(N):
            if active[env_id]:
                expected[env_id].append(tick)
    for env_id, ticks in enumerate(expected):
        tree = buffer.read(env_id)
        assert tree["initial_state/rigid_object/cube/root_pose"].tolist() == [[env_id * 7.0 + i for i in range(7)]]
        for key in ("actions", "obs/pose", "obs/signal"):
            want = [rows(tick)[key][env_id].numpy() for tick in ticks]
            assert len(tree[key]) == len(want)
            if want:
                np.testing.assert_array_equal(tree[key], np.stack(want))
                assert tree[key].dtype == want[0].dtype


def test_beginning_again_forgets_the_old_episode_and_leaves_the_others():
    buffer = EpisodeBuffer(N)
    buffer.begin(range(N), {})
    for tick in range(4):
        buffer.add(rows(tick), torch.ones(N, dtype=torch.bool))
    buffer.begin([1], {})
    assert [len(buffer.read(env_id)["actions"]) for env_id in range(N)] == [4, 0, 4]


def test_what_is_cut_is_gone():
    buffer = EpisodeBuffer(N)
    buffer.begin(range(N), {})
    everywhere = torch.ones(N, dtype=torch.bool)
    for tick in (0, 1, 2, 3):
        buffer.add(rows(tick), everywhere)
    buffer.cut(0, 2)
    buffer.add(rows(9), torch.tensor([True, False, False]))
    np.testing.assert_array_equal(buffer.read(0)["actions"][:, 0], [0.0, 10.0, 90.0])
