"""The stacking environment with a UR5e."""

from __future__ import annotations

from dataclasses import replace

from apprentice.robots.ur5e import HAND
from apprentice.sim.views import FRONT, TABLE, WRIST, CameraView
from apprentice.tasks.one_arm_env import OneArmMimicEnv


class StackUR5eMimicEnv(OneArmMimicEnv):
    """UR5e cube stacking."""

    hand = HAND
    camera_views: tuple[CameraView, ...] = (FRONT, TABLE, replace(WRIST, link=HAND.link))
    """What can be seen of the task, the view for people first."""
