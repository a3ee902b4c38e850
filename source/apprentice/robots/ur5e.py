"""UR5e with a Robotiq 2F-85, from the package airo-models.

The real gripper's linkage is closed; the model is the open tree that moves the same way: each finger turns at its
outer knuckle, its pad turns back by the same angle, and everything follows `finger_joint`.
"""

from __future__ import annotations

import isaaclab.sim as sim_utils
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from torch import Tensor

from .assets import UR5E
from .hands import Hand
from .spawn import spawn_locally
from .ur5e_urdf import PALM

ARM_JOINTS = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
HOME = dict(zip(ARM_JOINTS, (-0.301, -1.702, 1.887, -1.757, -1.571, -0.301), strict=True))
"""Joint angles (rad) at which the hand points down in front of the robot."""
ARMATURE = 0.1
"""Reflected rotor inertia of every joint (kg m^2), as Apprentice's Panda has it: without one, stiff gains ring."""

_SIGNS = {
    "finger_joint": 1.0,
    "right_outer_knuckle_joint": 1.0,
    "left_inner_knuckle_joint": 1.0,
    "right_inner_knuckle_joint": 1.0,
    "left_inner_finger_joint": -1.0,
    "right_inner_finger_joint": -1.0,
}
GRIPPER_JOINTS = tuple(_SIGNS)
_CLOSED_RAD = 0.8


def gripper_positions(angle_rad: float) -> dict[str, float]:
    """Where all joints of the gripper are when its fingers have turned by an angle: 0 is open, 0.8 closed."""
    return {name: sign * angle_rad for name, sign in _SIGNS.items()}


OPEN, CLOSED = gripper_positions(0.0), gripper_positions(_CLOSED_RAD)

_KNUCKLE_M = 0.0571
"""From a finger's outer knuckle to the joint of its pad."""
_KNUCKLE_RAD = 0.8523
"""Angle of that line to the palm, gripper open."""
_PAD_M = 0.0054
"""How much nearer to the middle a pad's surface is than that joint, less the knuckle's own distance from it."""


def half_opening(angles: Tensor) -> Tensor:
    """Distance of each pad's surface from the middle (m), of the angles of the outer knuckles (rad)."""
    return _PAD_M + _KNUCKLE_M * torch.cos(angles + _KNUCKLE_RAD)


HAND = Hand(
    link=PALM,
    # in the lower half of the pads, which end 9 mm below it when they hold 4 cm: as on the Panda
    tcp_m=0.152,
    fingers=("finger_joint", "right_outer_knuckle_joint"),
    half_opening=half_opening,
    open_m=0.043,
)


def ur5e_cfg() -> ArticulationCfg:
    """UR5e with gains for task-space control, for any backend.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    spawn = sim_utils.UsdFileCfg(usd_path="", activate_contact_sensors=False)
    spawn_locally(spawn, UR5E)
    return ArticulationCfg(
        spawn=spawn,
        init_state=ArticulationCfg.InitialStateCfg(joint_pos=HOME | OPEN),
        soft_joint_pos_limit_factor=1.0,
        actuators={
            "shoulder": ImplicitActuatorCfg(
                joint_names_expr=["shoulder_.*", "elbow_joint"],
                joint_effort_limit=150.0,
                stiffness=800.0,
                damping=120.0,
                armature=ARMATURE,
            ),
            "wrist": ImplicitActuatorCfg(
                joint_names_expr=["wrist_.*"],
                joint_effort_limit=28.0,
                stiffness=400.0,
                damping=60.0,
                armature=ARMATURE,
            ),
            "gripper": ImplicitActuatorCfg(
                joint_names_expr=["finger_joint", "right_outer_knuckle_joint"],
                joint_effort_limit=2.0,
                stiffness=20.0,
                damping=1.0,
                armature=0.02,
            ),
            "linkage": ImplicitActuatorCfg(
                joint_names_expr=[".*_inner_.*_joint"],
                stiffness=0.0,
                damping=0.1,
                armature=0.02,
            ),
        },
    )
