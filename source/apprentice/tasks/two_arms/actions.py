"""Actions of an arm and of its gripper, whichever arm it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isaaclab.controllers.differential_ik_cfg import DifferentialIKControllerCfg
from isaaclab.envs.mdp.actions.actions_cfg import (
    BinaryJointPositionActionCfg,
    DifferentialInverseKinematicsActionCfg,
)

from apprentice.robots.hands import Hand

from .mdp.scene import arm_of


def reach(eef: str, joints: Sequence[str], hand: Hand) -> DifferentialInverseKinematicsActionCfg:
    """Relative motion of the grasp frame.

    Args:
        eef: Which arm.
        joints: Names, or expressions, of the joints that move it.
        hand: Its gripper.
    """
    return DifferentialInverseKinematicsActionCfg(
        asset_name=arm_of(eef),
        joint_names=list(joints),
        body_name=hand.link,
        controller=DifferentialIKControllerCfg(command_type="pose", use_relative_mode=True, ik_method="dls"),
        scale=0.5,  # as in the stacking task, which evens out unsteady commands
        body_offset=DifferentialInverseKinematicsActionCfg.OffsetCfg(pos=(0.0, 0.0, hand.tcp_m)),
    )


def grip(
    eef: str, joints: Sequence[str], opened: Mapping[str, float], closed: Mapping[str, float]
) -> BinaryJointPositionActionCfg:
    """Opening and closing.

    Args:
        eef: Which arm.
        joints: Names, or expressions, of the joints of its gripper.
        opened: Their positions when it is open.
        closed: The same when it is closed.
    """
    return BinaryJointPositionActionCfg(
        asset_name=arm_of(eef),
        joint_names=list(joints),
        open_command_expr=dict(opened),
        close_command_expr=dict(closed),
    )
