"""Several chunks that cover a step are averaged as they should be, and only those that do."""

import math

import pytest
import torch

from apprentice.learn.algorithms.ensemble import kept_chunks, present
from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation


def plan_of(offsets: list[float], turns: list[float], chunk: int) -> dict[str, torch.Tensor]:
    """Chunks of one environment, newest first: chunk i is `offsets[i]` + its step number, turned by `turns[i]`."""
    steps = torch.arange(chunk, dtype=torch.float32)
    values = torch.stack([offset + steps for offset in offsets])[None, ..., None]
    turn = exp_rotation(torch.tensor([[0.0, 0.0, angle] for angle in turns]))
    poses = make_pose(
        values[..., None].expand(-1, -1, -1, 1, 3), turn[None, :, None, None].expand(-1, -1, chunk, 1, -1, -1)
    )
    return {"poses": poses, "continuous": values, "switches": values}


def test_every_chunk_that_covers_the_step_counts_with_its_weight():
    execute, chunk, coefficient = 2, 6, 0.5
    assert kept_chunks(chunk, execute, coefficient) == 3 and kept_chunks(chunk, execute, 0.0) == 1
    assert kept_chunks(7, execute, coefficient) == 4
    plan = plan_of([10.0, 20.0, 30.0], [0.1, 0.0, -0.2], chunk)
    now = present(plan, torch.tensor([7]), execute, coefficient)  # predicted at 6, 4 and 2: steps 1, 3 and 5 of each
    weights = torch.tensor([math.exp(-1.0), math.exp(-0.5), 1.0])  # the oldest counts most
    weights /= weights.sum()
    expected = float((weights * torch.tensor([11.0, 23.0, 35.0])).sum())
    assert now["continuous"].item() == pytest.approx(expected, rel=1e-5)
    assert now["switches"].item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(position(now["poses"])[0, 0], torch.full((3,), expected))
    angle = log_rotation(rotation(now["poses"]))[0, 0, 2].item()
    assert angle == pytest.approx(float((weights * torch.tensor([0.1, 0.0, -0.2])).sum()), abs=1e-5)


def test_chunks_of_an_episode_before_do_not_count():
    plan = plan_of([10.0, 1e6, 1e6], [0.3, 1.0, -2.0], 6)
    plan["poses"][:, 1:] = 0.0  # as at the very first step: no poses at all
    for age, step in ((0, 0), (1, 1)):
        now = present(plan, torch.tensor([age]), 2, 0.5)
        assert now["continuous"].item() == 10.0 + step
        torch.testing.assert_close(rotation(now["poses"])[0, 0], exp_rotation(torch.tensor([0.0, 0.0, 0.3])))


def test_each_environment_has_its_own_age():
    one, other = plan_of([1.0, 2.0], [0.0, 0.0], 4), plan_of([5.0, 9.0], [0.0, 0.0], 4)
    both = {key: torch.cat([one[key], other[key]]) for key in one}
    now = present(both, torch.tensor([1, 2]), 2, 0.1)
    assert now["continuous"][0].item() == 2.0
    alone = present(other, torch.tensor([2]), 2, 0.1)
    torch.testing.assert_close(now["continuous"][1], alone["continuous"][0])
