"""The stacking environment with a Franka Panda."""

from __future__ import annotations

from apprentice.robots.franka import HAND
from apprentice.sim.views import FRONT, TABLE, WRIST, CameraView
from apprentice.tasks.one_arm_env import OneArmMimicEnv


class StackFrankaMimicEnv(OneArmMimicEnv):
    """Franka cube stacking."""

    hand = HAND
    camera_views: tuple[CameraView, ...] = (FRONT, TABLE, WRIST)
    """What can be seen of the task, the view for people first."""
