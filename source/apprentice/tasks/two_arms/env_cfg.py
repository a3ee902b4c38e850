"""What the two-arm tasks have in common: two Pandas side by side at one table, looking along x, the left one at +y."""

from __future__ import annotations

import math
from typing import Any

from isaaclab.managers import ObservationGroupCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass

from apprentice.robots.franka import HAND, franka_panda_cfg
from apprentice.tasks.hands_cfg import HandsTaskCfg, light, observed, table
from apprentice.tasks.hands_env import hand_pos, hand_quat

from .actions import grip, reach
from .mdp import observations

SIDE_M = {"left": 0.3, "right": -0.3}
"""Where each arm stands along y."""
ACROSS_RAD = math.pi / 2
"""Turn about the vertical axis at which objects lie across both arms. The hands begin turned alike."""
STILL = (15, 25)
"""Steps after something is held out high enough that it still moves to where the other arm finds it: what is done about
it after that must not begin with its motion."""
JOINTS_AT_START = {
    "panda_joint1": 0.0,
    "panda_joint2": -0.1894,
    "panda_joint3": 0.0,
    "panda_joint4": -2.5148,
    "panda_joint5": 0.0,
    "panda_joint6": 2.3775,
    "panda_joint7": 0.785 - ACROSS_RAD,
    "panda_finger_joint.*": HAND.open_m,
}


def _arm(eef: str) -> Any:
    panda: Any = franka_panda_cfg()
    robot = panda.replace(prim_path=f"{{ENV_REGEX_NS}}/{eef.capitalize()}Arm")
    robot.init_state.pos = (0.0, SIDE_M[eef], 0.0)
    robot.init_state.joint_pos = dict(JOINTS_AT_START)
    return robot


@configclass
class TwoArmsSceneCfg(InteractiveSceneCfg):
    """Two arms, and a table whose top is at height 0."""

    left_arm = _arm("left")
    right_arm = _arm("right")
    table = table((1.4, 1.6, 0.8), 0.4)
    light = light()


_ARM = ("panda_joint.*",)
_FINGERS, _OPEN, _CLOSED = ("panda_finger.*",), {"panda_finger_.*": HAND.open_m}, {"panda_finger_.*": 0.0}


@configclass
class TwoArmsActionsCfg:
    """Left arm, left gripper, right arm, right gripper."""

    left_reach = reach("left", _ARM, HAND)
    left_grip = grip("left", _FINGERS, _OPEN, _CLOSED)
    right_reach = reach("right", _ARM, HAND)
    right_grip = grip("right", _FINGERS, _OPEN, _CLOSED)


@configclass
class TwoArmsPolicyCfg(ObservationGroupCfg):
    """What a policy sees of the arms."""

    left_eef_pos = observed(hand_pos, eef="left")
    left_eef_quat = observed(hand_quat, eef="left")
    left_gripper_pos = observed(observations.gripper_pos, eef="left")
    right_eef_pos = observed(hand_pos, eef="right")
    right_eef_quat = observed(hand_quat, eef="right")
    right_gripper_pos = observed(observations.gripper_pos, eef="right")

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class TwoArmsTaskCfg(HandsTaskCfg):
    """A task with two arms. One end of each object is the left arm's, the other the right arm's: none is symmetric."""

    scene: Any = TwoArmsSceneCfg(num_envs=1, env_spacing=2.5)
    actions: Any = TwoArmsActionsCfg()
