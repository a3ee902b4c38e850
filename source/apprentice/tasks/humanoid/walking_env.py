"""A humanoid that moves about on a planar base."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from apprentice.sim.views import CameraView
from apprentice.tasks.humanoid.env import HumanoidMimicEnv
from apprentice.tasks.humanoid.mdp.base import base_pose, keep_up


class WalkingMimicEnv(HumanoidMimicEnv):
    """Actions end with the velocity of the base: forward, to the left (m/s), turning left (rad/s), as the robot faces.

    Mimic's targets say where hands are to go, and nothing about the base: what is made of them lets it keep up with the
    hand, in layouts that no demo has shown too. Whoever drives the base says so instead (`base_columns`).
    """

    @property
    def camera_views(self) -> tuple[CameraView, ...]:
        """What can be seen of the task, the view for people first."""
        *_, head = super().camera_views
        return (
            CameraView(name="room", eye_m=(1.9, 2.1, 1.5), target_m=(-0.05, 0.35, 0.0)),
            CameraView(name="above", eye_m=(0.05, 0.4, 3.2), target_m=(0.0, 0.4, 0.0), field_of_view_deg=50.0),
            head,
        )

    @property
    def base_columns(self) -> slice:
        """Where of an action the base's velocity stands."""
        width = self.action_manager.total_action_dim
        return slice(width - 3, width)

    @property
    def base_pose(self) -> Tensor:
        """Where the robot stands and faces, in the environment's frame. Shape (N, 4, 4)."""
        return base_pose(self)

    def target_eef_poses_to_actions(self, targets: dict[str, Tensor], grippers: dict[str, Tensor]) -> Tensor:
        """As of any task with hands; the base keeps up with the first of them. Shape (N, A)."""
        cfg: Any = self.cfg
        actions = super().target_eef_poses_to_actions(targets, grippers)
        actions[:, self.base_columns] = keep_up(self.base_pose, next(iter(targets.values())), cfg.keep_up)
        return actions
