"""Cube stacking with any arm."""

from __future__ import annotations

from apprentice.tasks.one_arm_env import OneArmMimicEnv
from apprentice.tasks.stack.mdp.scene import CUBES


class StackMimicEnv(OneArmMimicEnv):
    """Cube stacking with one arm."""

    objects = CUBES
