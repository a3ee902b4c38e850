"""What the tasks of the G1 have in common: it stands at a table, looking along x, and its hands are over the table."""

from __future__ import annotations

from typing import Any

from isaaclab.envs.mdp.actions.actions_cfg import BinaryJointPositionActionCfg
from isaaclab.managers import ObservationGroupCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass

from apprentice.robots.g1 import SIDES, WAIST_JOINTS, g1_cfg, hand
from apprentice.robots.whole_body import WholeBodyCfg
from apprentice.tasks.hands_cfg import HandsTaskCfg, light, observed, table
from apprentice.tasks.hands_env import hand_pos, hand_quat

from .mdp import scene
from .mdp.actions import WholeBodyActionCfg

PELVIS_M = 0.02
"""Height of the pelvis above the table."""


def _robot() -> Any:
    robot: Any = g1_cfg().replace(prim_path="{ENV_REGEX_NS}/Robot")  # pyright: ignore[reportAttributeAccessIssue]
    robot.init_state.pos = (0.0, 0.0, PELVIS_M)
    return robot


@configclass
class HumanoidSceneCfg(InteractiveSceneCfg):
    """The robot, and a table whose top is at height 0."""

    robot = _robot()
    table = table((0.7, 1.4, 0.04), 0.6)
    light = light()


def reach(*eefs: str) -> WholeBodyActionCfg:
    """Moves hands, and the waist that they share."""
    return WholeBodyActionCfg(
        asset_name="robot",
        tools={hand(eef).link: hand(eef).grasp for eef in eefs},
        scale=0.3,  # evens out unsteady commands: the joints alone would follow each of them within a step
        solver=WholeBodyCfg(reluctance=dict.fromkeys(WAIST_JOINTS, 4.0)),
    )


def grip(eef: str) -> BinaryJointPositionActionCfg:
    """Opens and closes a hand."""
    return BinaryJointPositionActionCfg(
        asset_name="robot",
        joint_names=[f"{eef}_hand_.*"],
        open_command_expr=hand(eef).open,
        close_command_expr=hand(eef).closed,
    )


@configclass
class OneHandActionsCfg:
    """The right hand's motion and grip."""

    reach = reach("right")
    right_grip = grip("right")


@configclass
class TwoHandsActionsCfg:
    """The left hand's motion and the right hand's, then the left grip and the right."""

    reach = reach(*SIDES)
    left_grip = grip("left")
    right_grip = grip("right")


@configclass
class OneHandPolicyCfg(ObservationGroupCfg):
    """What a policy sees of the right hand."""

    right_eef_pos = observed(hand_pos, eef="right")
    right_eef_quat = observed(hand_quat, eef="right")
    right_hand_joints = observed(scene.hand_joints, eef="right")

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class TwoHandsPolicyCfg(OneHandPolicyCfg):
    """What a policy sees of both hands."""

    left_eef_pos = observed(hand_pos, eef="left")
    left_eef_quat = observed(hand_quat, eef="left")
    left_hand_joints = observed(scene.hand_joints, eef="left")


@configclass
class HumanoidTaskCfg(HandsTaskCfg):
    """A task of the G1 at the table."""

    scene: Any = HumanoidSceneCfg(num_envs=1, env_spacing=3.0)
