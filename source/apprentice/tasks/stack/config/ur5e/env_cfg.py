"""Apprentice-Stack-UR5e: cubes, resets, conditions and control rate of Apprentice-Stack-Franka, with another arm."""

from __future__ import annotations

from typing import Any

from isaaclab.controllers.differential_ik_cfg import DifferentialIKControllerCfg
from isaaclab.envs.mdp.actions.actions_cfg import BinaryJointPositionActionCfg, DifferentialInverseKinematicsActionCfg
from isaaclab.utils import configclass
from isaaclab_tasks.contrib.stack.stack_env_cfg import StackEnvCfg, StackEventCfg, apply_default_semantics

from apprentice.robots.ur5e import ARM_JOINTS, CLOSED, GRIPPER_JOINTS, HAND, OPEN, ur5e_cfg
from apprentice.tasks.stack.env_cfg import StackTaskCfg


@configclass
class StackUR5eEnvCfg(StackEnvCfg, StackTaskCfg):
    """Stack the red cube on the blue one and the green one on top."""

    class_type: type | str = "{DIR}.env:StackUR5eMimicEnv"
    gripper_joint_names: tuple[str, ...] = GRIPPER_JOINTS
    """Joints that resets leave alone."""

    def __post_init__(self):
        super().__post_init__()
        self.events = StackEventCfg()
        self.scene.robot = ur5e_cfg()
        self.scene.robot.prim_path = "{ENV_REGEX_NS}/Robot"
        apply_default_semantics(self.scene)
        actions: Any = self.actions
        actions.arm_action = DifferentialInverseKinematicsActionCfg(
            asset_name="robot",
            joint_names=list(ARM_JOINTS),
            body_name=HAND.link,
            controller=DifferentialIKControllerCfg(command_type="pose", use_relative_mode=True, ik_method="dls"),
            scale=0.5,
            body_offset=DifferentialInverseKinematicsActionCfg.OffsetCfg(pos=(0.0, 0.0, HAND.tcp_m)),
        )
        actions.gripper_action = BinaryJointPositionActionCfg(
            asset_name="robot",
            joint_names=list(GRIPPER_JOINTS),
            open_command_expr=OPEN,
            close_command_expr=CLOSED,
        )
        self.stack_with("Apprentice-Stack-UR5e", "ur5e")
