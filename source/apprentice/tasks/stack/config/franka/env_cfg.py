"""Apprentice-Stack-Franka: Isaac Lab's Franka cube stack, offline, with variants and conditions that can be held.

Scene, observations, actions and reset distribution are those of `Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0`, so demos of
one are demos of the other.
"""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_tasks.contrib.stack.config.franka.stack_ik_rel_env_cfg import FrankaCubeStackEnvCfg

from apprentice.tasks.stack.env_cfg import StackTaskCfg


@configclass
class StackFrankaEnvCfg(FrankaCubeStackEnvCfg, StackTaskCfg):
    """Stack the red cube on the blue one and the green one on top."""

    class_type: type | str = "{DIR}.env:StackFrankaMimicEnv"

    def __post_init__(self):
        super().__post_init__()
        self.stack_with("Apprentice-Stack-Franka", "franka")
