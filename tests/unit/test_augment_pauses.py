"""What operators waste on hesitating is left out of source demos, and nothing else."""

import numpy as np
import torch

from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.pauses import kept_steps, without_pauses

HZ = 20.0


def demo(heights: list[float], *, gripper_at: int, signal_at: int, cube: list[float] | None = None) -> SourceDemo:
    """A hand at some heights over time, a gripper that closes and a signal that rises."""
    steps = len(heights)
    poses, objects = torch.eye(4).double().repeat(steps, 1, 1), torch.eye(4).double().repeat(steps, 1, 1)
    poses[:, 2, 3] = torch.tensor(heights)
    objects[:, 0, 3] = torch.tensor(cube or [0.5] * steps)
    gripper = torch.ones(steps, 1)
    gripper[gripper_at:] = -1.0
    return SourceDemo(
        name="demo_0",
        length=steps,
        eef={"hand": poses},
        target={"hand": poses.clone()},
        gripper={"hand": gripper},
        objects={"cube": objects},
        signals={"grasp": np.arange(steps) >= signal_at},
    )


DOWN, UP = [0.3 - 0.01 * k for k in range(20)], [0.1 + 0.01 * k for k in range(20)]


def test_of_a_pause_some_steps_are_kept_at_both_ends():
    paused = demo([*DOWN, *[0.1] * 40, *UP], gripper_at=70, signal_at=75)
    kept = kept_steps(paused, HZ)
    assert kept[:20].all() and kept[60:].all()
    assert 5 <= kept[20:60].sum() <= 8
    shorter = without_pauses(paused, HZ)
    assert shorter.length == kept.sum() == len(shorter.gripper["hand"]) == len(shorter.signals["grasp"])
    np.testing.assert_allclose(shorter.eef["hand"][:, 2, 3], paused.eef["hand"][torch.from_numpy(kept), 2, 3])
    moved = shorter.eef["hand"][1:, 2, 3] - shorter.eef["hand"][:-1, 2, 3]
    assert moved.abs().max() < 0.011, "the hand goes on where it was"


def test_a_gripper_is_given_its_time():
    grasping = demo([*DOWN, *[0.1] * 15, *UP], gripper_at=21, signal_at=30)
    assert without_pauses(grasping, HZ) is grasping
    slow = kept_steps(demo([*DOWN, *[0.1] * 60, *UP], gripper_at=21, signal_at=30), HZ)
    assert slow[:45].all(), "until the signal has been true for a while"
    assert not slow[52:72].any()


def test_who_moves_an_object_or_turns_does_not_pause():
    pushed = demo([*DOWN, *[0.1] * 40, *UP], gripper_at=70, signal_at=75, cube=[0.5 + 0.002 * k for k in range(80)])
    assert kept_steps(pushed, HZ).all()
    turning = demo([*DOWN, *[0.1] * 40, *UP], gripper_at=70, signal_at=75)
    angle = torch.linspace(0, 1.5, 80).double()
    turning.eef["hand"][:, 0, 0] = turning.eef["hand"][:, 1, 1] = angle.cos()
    turning.eef["hand"][:, 1, 0], turning.eef["hand"][:, 0, 1] = angle.sin(), -angle.sin()
    rate = 1.5 / 79 * HZ
    assert rate < 0.4 and kept_steps(turning, HZ).sum() < 60, "slower than counts as turning"
    turning.eef["hand"][:, 0, 0] = turning.eef["hand"][:, 1, 1] = (2 * angle).cos()
    turning.eef["hand"][:, 1, 0], turning.eef["hand"][:, 0, 1] = (2 * angle).sin(), -(2 * angle).sin()
    assert kept_steps(turning, HZ).all()
