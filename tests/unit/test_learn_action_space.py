"""What the columns of an action mean, and that nothing is lost on the way to poses and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from apprentice.learn.data.action_space import ActionSpace, recognise
from apprentice.poses import exp_rotation, inverse, make_pose, position, quat_from_rotation, rotation


def walk(seed: int, steps: int = 60) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A hand that follows its commands with lag: poses (T, 4, 4), targets (T, 4, 4), relative actions (T, 6)."""
    generator = torch.Generator().manual_seed(seed)
    pose = make_pose(torch.randn(3, generator=generator), exp_rotation(torch.randn(3, generator=generator)))
    poses, targets, actions = [], [], []
    for _ in range(steps):
        action = 0.1 * torch.randn(6, generator=generator)
        target = make_pose(position(pose) + action[:3], exp_rotation(action[3:]) @ rotation(pose))
        poses.append(pose)
        targets.append(target)
        actions.append(action)
        pose = make_pose(position(pose) + 0.5 * action[:3], exp_rotation(0.5 * action[3:]) @ rotation(pose))
    return torch.stack(poses), torch.stack(targets), torch.stack(actions)


def absolute(targets: torch.Tensor) -> torch.Tensor:
    return torch.cat([position(targets), quat_from_rotation(rotation(targets))], -1)


def gripper(steps: int = 60) -> torch.Tensor:
    return torch.where(torch.arange(steps) % 20 < 10, 1.0, -1.0)[:, None]


@pytest.mark.parametrize("recorded", [True, False])
def test_a_relative_arm_with_a_gripper_is_recognised(recorded: bool):
    poses, targets, actions = walk(0)
    space = recognise(torch.cat([actions, gripper()], 1), {"arm": poses}, {"arm": targets} if recorded else {}, [60])
    assert [(part.kind, part.column) for part in space.poses] == [("relative", 0)]
    assert [(switch.column, switch.low, switch.high) for switch in space.binary] == [(6, -1.0, 1.0)]
    assert space.continuous == ()


def test_two_absolute_arms_and_fingers_are_recognised_wherever_they_stand():
    left, right = walk(1), walk(2)
    fingers = torch.rand(60, 3)
    actions = torch.cat([fingers, absolute(right[1]), absolute(left[1]), gripper()], 1)
    space = recognise(actions, {"left": left[0], "right": right[0]}, {"left": left[1], "right": right[1]}, [60])
    assert {(part.eef, part.kind, part.column) for part in space.poses} == {
        ("left", "absolute", 10),
        ("right", "absolute", 3),
    }
    assert space.continuous == (0, 1, 2)
    assert [switch.column for switch in space.binary] == [17]


def test_joint_positions_are_left_as_they_are():
    poses, targets, _ = walk(3)
    space = recognise(torch.rand(60, 9), {"arm": poses}, {"arm": targets}, [60])
    assert space.poses == ()
    assert space.continuous == tuple(range(9))


@given(seed=st.integers(0, 1000), kind=st.sampled_from(["relative", "absolute"]))
def test_actions_to_targets_and_back_lose_nothing(seed: int, kind: str):
    poses, targets, relative = walk(seed, 30)
    actions = torch.cat([relative if kind == "relative" else absolute(targets), torch.rand(30, 2), gripper(30)], 1)
    space = ActionSpace.from_dict(recognise(actions, {"arm": poses}, {"arm": targets}, [30]).to_dict())
    reached = space.target_poses(actions, {"arm": poses})
    back = space.action(reached, {"arm": poses}, actions[:, list(space.continuous)], gripper(30) > 0)
    torch.testing.assert_close(back, actions, atol=1e-5, rtol=0)
    torch.testing.assert_close(reached[:, 0] @ inverse(targets), torch.eye(4).expand(30, 4, 4), atol=1e-5, rtol=0)
