"""A humanoid at a table."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from apprentice.sim.views import CameraView
from apprentice.tasks.hands_env import HandsMimicEnv
from apprentice.tasks.humanoid.mdp.scene import hand_pose


class HumanoidMimicEnv(HandsMimicEnv):
    """Actions move the hands that the task's subtasks name, in their order, and then open and close them."""

    camera_views: tuple[CameraView, ...] = (
        CameraView(name="front", eye_m=(1.2, -0.75, 0.6), target_m=(0.28, 0.0, 0.16)),
        CameraView(name="table", eye_m=(1.2, 0.0, 0.65), target_m=(0.4, 0.0, 0.12), field_of_view_deg=50.0),
        CameraView(
            name="head",
            eye_m=(0.14, 0.0, 0.42),
            target_m=(0.45, 0.0, 0.0),
            field_of_view_deg=70.0,
            link="torso_link",
        ),
    )
    """What can be seen of the task, the view for people first."""
    lag_s = 0.13
    """How long the hands trail a moving target."""

    @property
    def columns(self) -> dict[str, tuple[int, int]]:
        cfg: Any = self.cfg
        hands = list(cfg.subtask_configs)
        return {eef: (6 * index, 6 * len(hands) + index) for index, eef in enumerate(hands)}

    def hand_pose(self, eef: str) -> Tensor:
        """Grasp frame of a hand, in the environment's frame. Shape (N, 4, 4)."""
        return hand_pose(self, eef)
