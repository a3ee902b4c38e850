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
        CameraView(name="front", eye_m=(1.5, -0.95, 0.75), target_m=(0.25, 0.0, 0.12)),
        CameraView(name="table", eye_m=(1.1, 0.0, 0.5), target_m=(0.42, 0.0, 0.08), field_of_view_deg=45.0),
        CameraView(name="head", eye_m=(0.08, 0.0, 0.5), target_m=(0.45, 0.0, 0.05), field_of_view_deg=70.0),
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
