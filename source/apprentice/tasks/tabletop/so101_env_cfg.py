"""What table-top tasks with an SO-101 share: robot, table, actions."""

from __future__ import annotations

from typing import Any

from isaaclab.utils import configclass
from isaaclab_tasks.contrib.stack.stack_env_cfg import StackEnvCfg, StackEventCfg, apply_default_semantics

from apprentice.robots.so101 import JAW, arm_action, gripper_action, so101_cfg
from apprentice.tasks.hands_cfg import table

from .env_cfg import ObservationsCfg, TabletopSceneCfg, TabletopTaskCfg, TerminationsCfg

OPEN_M = 0.02
"""Distance of each pad from the middle from which the gripper counts as released; fully open it is 33 mm."""


@configclass
class SmallTabletopSceneCfg(TabletopSceneCfg):
    """A small table, whose top is at height 0, with the robot on it."""

    table = table((0.6, 0.8, 1.05), 0.17)


@configclass
class TabletopSO101EnvCfg(StackEnvCfg, TabletopTaskCfg):
    """A task on the table of an SO-101. It sets its scene, and calls `define` in its `__post_init__`."""

    class_type: type | str = "apprentice.tasks.tabletop.env:TabletopSO101Env"
    eef: str = "so101"
    scene: Any = SmallTabletopSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)
    observations: Any = ObservationsCfg()
    terminations: Any = TerminationsCfg()
    gripper_joint_names: tuple[str, ...] = (JAW,)
    """Joints that resets leave alone."""
    pace: float = 0.5
    """Share of augmentation's speeds at which the jaw holds on to a cube."""

    def __post_init__(self):
        super().__post_init__()
        self.events = StackEventCfg()
        self.scene.robot = so101_cfg()
        self.scene.robot.prim_path = "{ENV_REGEX_NS}/Robot"
        apply_default_semantics(self.scene)
        actions: Any = self.actions
        actions.arm_action = arm_action()
        actions.gripper_action = gripper_action()
