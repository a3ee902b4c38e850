"""Two arms at one table."""

from __future__ import annotations

from torch import Tensor

from apprentice.robots import franka
from apprentice.robots.hands import Hand
from apprentice.sim.views import CameraView
from apprentice.tasks.hands_env import HandsMimicEnv
from apprentice.tasks.two_arms.mdp.scene import tcp_pose


class TwoArmsMimicEnv(HandsMimicEnv):
    """Actions are those of the left arm and its gripper, and then those of the right."""

    hand: Hand = franka.HAND
    """The gripper of both arms."""
    camera_views: tuple[CameraView, ...] = (
        CameraView(name="front", eye_m=(1.7, -0.9, 0.9), target_m=(0.4, 0.0, 0.15)),
        CameraView(name="table", eye_m=(1.25, 0.0, 0.55), target_m=(0.45, 0.0, 0.05), field_of_view_deg=50.0),
    )
    """What can be seen of the task, the view for people first."""

    @property
    def columns(self) -> dict[str, tuple[int, int]]:
        return {"left": (0, 6), "right": (7, 13)}

    def hand_pose(self, eef: str) -> Tensor:
        """Pose between an arm's fingertips, in the environment's frame. Shape (N, 4, 4)."""
        return tcp_pose(self, eef)
