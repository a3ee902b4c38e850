"""A humanoid at a table."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from apprentice.robots.humanoid import Humanoid
from apprentice.sim.views import CameraView
from apprentice.tasks.hands_env import HandsMimicEnv
from apprentice.tasks.humanoid.mdp.scene import hand_pose


class HumanoidMimicEnv(HandsMimicEnv):
    """Actions move the hands that the task's subtasks name, in their order, and then open and close them."""

    lag_s = 0.03
    """How far ahead of a moving hand its target is set. Hands trail it by more, but so they start without a jerk."""

    @property
    def camera_views(self) -> tuple[CameraView, ...]:
        """What can be seen of the task, the view for people first."""
        cfg: Any = self.cfg
        humanoid: Humanoid = cfg.humanoid
        x, y, z = humanoid.eye_m
        return (
            CameraView(name="front", eye_m=(1.3, -0.82, 0.68), target_m=(0.25, 0.0, 0.2)),
            CameraView(name="table", eye_m=(1.2, 0.0, 0.65), target_m=(0.4, 0.0, 0.12), field_of_view_deg=50.0),
            CameraView(
                name="head",
                eye_m=humanoid.eye_m,
                target_m=(x + 0.31, y, z - 0.42),
                field_of_view_deg=70.0,
                link=humanoid.torso,
            ),
        )

    @property
    def columns(self) -> dict[str, tuple[int, int]]:
        cfg: Any = self.cfg
        hands = list(cfg.subtask_configs)
        grip, columns = 6 * len(hands), dict[str, tuple[int, int]]()
        for index, eef in enumerate(hands):
            columns[eef] = (6 * index, grip)
            grip += self.grip_width(eef)
        return columns

    def grip_width(self, eef: str) -> int:
        """One number that opens and closes the hand, or the target of each of its finger joints."""
        cfg: Any = self.cfg
        return len(cfg.humanoid.hands[eef].open) if cfg.fingers else 1

    def hand_pose(self, eef: str) -> Tensor:
        """Grasp frame of a hand, in the environment's frame. Shape (N, 4, 4)."""
        return hand_pose(self, eef)
