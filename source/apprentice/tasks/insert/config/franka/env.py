"""The insertion environment with a Franka Panda."""

from __future__ import annotations

from apprentice.robots.franka import HAND
from apprentice.sim.views import FRONT, TABLE, WRIST, CameraView
from apprentice.tasks.insert.mdp.sizes import OBJECTS
from apprentice.tasks.one_arm_env import OneArmMimicEnv


class InsertFrankaMimicEnv(OneArmMimicEnv):
    """Franka peg insertion."""

    hand = HAND
    objects = OBJECTS
    camera_views: tuple[CameraView, ...] = (FRONT, TABLE, WRIST)
    """What can be seen of the task, the view for people first."""
