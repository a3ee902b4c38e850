"""The stacking environment with a Franka Panda."""

from __future__ import annotations

from apprentice.robots.franka import HAND
from apprentice.sim.views import FRONT, TABLE, WRIST, CameraView
from apprentice.tasks.stack.env import StackMimicEnv


class StackFrankaMimicEnv(StackMimicEnv):
    """Franka cube stacking."""

    hand = HAND
    camera_views: tuple[CameraView, ...] = (FRONT, TABLE, WRIST)
    """What can be seen of the task, the view for people first."""
