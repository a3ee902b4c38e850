"""The environments of table-top tasks."""

from __future__ import annotations

from typing import Any

from apprentice.robots import franka, so101
from apprentice.robots.limited_ik import LimitedIK
from apprentice.sim.views import FRONT, TABLE, WRIST, CameraView
from apprentice.tasks.one_arm_env import OneArmMimicEnv


class TabletopFrankaEnv(OneArmMimicEnv):
    """A task on the table of a Franka Panda."""

    hand = franka.HAND
    camera_views: tuple[CameraView, ...] = (FRONT, TABLE, WRIST)
    """What can be seen of the task, the view for people first."""


class TabletopSO101Env(OneArmMimicEnv):
    """A task on the table of an SO-101, whose inverse kinematics knows the joint limits: it works near them."""

    hand = so101.HAND
    camera_views: tuple[CameraView, ...] = (
        CameraView(name="front", eye_m=(0.52, -0.33, 0.31), target_m=(0.14, 0.01, 0.08)),
        CameraView(name="table", eye_m=(0.48, 0.0, 0.22), target_m=(0.2, 0.0, 0.02), field_of_view_deg=40.0),
        CameraView(
            name="wrist",
            eye_m=(0.06, 0.0, -0.07),
            target_m=(0.0, 0.0, 0.01),
            up=(1.0, 0.0, 0.0),
            field_of_view_deg=70.0,
            link=so101.HAND.link,
        ),
    )
    """What can be seen of the task, the view for people first."""

    def load_managers(self) -> None:
        super().load_managers()
        arm: Any = self.action_manager.get_term("arm_action")
        arm._ik_controller = LimitedIK(arm.cfg.controller, self.num_envs, self.device)
        lower, upper = self.scene["robot"].data.joint_pos_limits.torch[0, arm._joint_ids].unbind(-1)
        arm._ik_controller.set_joint_pos_limits(lower, upper)
