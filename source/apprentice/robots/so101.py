"""SO-101, TheRobotStudio's small printed arm: five joints and a jaw, from the package example-robot-data.

Joints and links are named as in Isaac Lab's configurations of it, whose gains for task-space control these are.

Five joints place a hand and turn it in two ways; a hand that points down can be turned about the vertical axis, and
tilted away from the base or to it, but not aside.
"""

from __future__ import annotations

import isaaclab.sim as sim_utils
import torch
from isaaclab.actuators import ActuatorBaseCfg, ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.controllers.differential_ik_cfg import DifferentialIKControllerCfg
from isaaclab.envs.mdp.actions.actions_cfg import BinaryJointPositionActionCfg, DifferentialInverseKinematicsActionCfg
from isaaclab.utils import clone
from isaaclab_assets.robots.so101 import SO101_HIGH_PD_CFG
from torch import Tensor

from .assets import SO101
from .hands import Hand
from .so101_urdf import GRASP, INWARD_M, LEVER_M, PARALLEL_M, PARALLEL_RAD
from .spawn import spawn_locally

ARM_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
JAW = "gripper"
"""Joint of the moving jaw."""
HOME = dict(zip(ARM_JOINTS, (-0.0028, -0.4716, 0.4582, 1.584, 0.0458), strict=True))
"""Joint angles (rad) at which the gripper points down, 19 cm in front of the robot and 8 cm up."""
OPEN, CLOSED = {JAW: 0.65}, {JAW: -0.17}
"""Angles of the jaw (rad): 6.6 cm between the pads, and on each other."""
ARMATURE = 0.1
"""Reflected rotor inertia of the arm's joints (kg m^2), as Apprentice's other arms have it."""
BASE_HEIGHT_M = 0.0026
"""Height of the base link on a table: its foot reaches below its origin."""
ORIENTATION_WEIGHT = 0.03
"""What an error in orientation (rad) counts for, beside one in position (m): where the five joints cannot have both,
position is what they keep."""


def half_opening(angles: Tensor) -> Tensor:
    """Half of the distance between the pads at the grasp frame (m), of angles of the jaw (rad)."""
    turn = angles - PARALLEL_RAD
    return (INWARD_M - (INWARD_M - PARALLEL_M - LEVER_M * torch.sin(turn)) / torch.cos(turn)) / 2


HAND = Hand(link=GRASP, tcp_m=0.0, fingers=(JAW, JAW), half_opening=half_opening, open_m=0.033)


def so101_cfg() -> ArticulationCfg:
    """SO-101 with gains for task-space control, for any backend.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    spawn = sim_utils.UsdFileCfg(usd_path="", activate_contact_sensors=False)
    spawn_locally(spawn, SO101)
    return ArticulationCfg(
        spawn=spawn,
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, BASE_HEIGHT_M), joint_pos=HOME | OPEN),
        soft_joint_pos_limit_factor=1.0,
        actuators=local_actuators(),
    )


def local_actuators() -> dict[str, ActuatorBaseCfg]:
    """Gains of the arm, and a jaw that closes gently: a small motor's full torque would press through what it holds."""
    arm = clone(SO101_HIGH_PD_CFG.actuators["arm"])
    arm.armature = ARMATURE
    jaw = ImplicitActuatorCfg(
        joint_names_expr=[JAW], joint_effort_limit=0.5, stiffness=17.8, damping=4.0, armature=0.02
    )
    return {"arm": arm, "gripper": jaw}


def arm_action() -> DifferentialInverseKinematicsActionCfg:
    """The hand's displacement (m) and rotation vector (rad), as the stacking tasks of other arms have it."""
    return DifferentialInverseKinematicsActionCfg(
        asset_name="robot",
        joint_names=list(ARM_JOINTS),
        body_name=HAND.link,
        controller=DifferentialIKControllerCfg(
            command_type="pose", use_relative_mode=True, ik_method="dls", orientation_weight=ORIENTATION_WEIGHT
        ),
        scale=0.5,
        body_offset=DifferentialInverseKinematicsActionCfg.OffsetCfg(pos=(0.0, 0.0, HAND.tcp_m)),
    )


def gripper_action() -> BinaryJointPositionActionCfg:
    """Open, or closed."""
    return BinaryJointPositionActionCfg(
        asset_name="robot", joint_names=[JAW], open_command_expr=OPEN, close_command_expr=CLOSED
    )
