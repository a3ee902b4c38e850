"""What the tasks of two patient-side manipulators have in common: both reach over a table from behind it, the left one
at +y."""

from __future__ import annotations

from typing import Any

from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass

from apprentice.robots.psm import CLOSED, HAND, OPEN, psm_cfg
from apprentice.robots.psm_urdf import ABOVE_TABLE_M, JAWS, JOINTS
from apprentice.tasks.hands_cfg import HandsTaskCfg, light, table
from apprentice.tasks.two_arms.actions import grip, reach

REMOTE_CENTRE_M = {"left": (0.25, 0.3, ABOVE_TABLE_M), "right": (0.25, -0.3, ABOVE_TABLE_M)}
"""Where each instrument turns, in the environment's frame."""
_AT_START = (-0.3473, -0.6263, 0.4265, 0.0, -0.6263, 0.3473)
"""Positions of the left instrument's joints at which it points down, 20 cm above its side of the table."""
_MIRRORED = (-1.0, 1.0, 1.0, -1.0, 1.0, -1.0)


def _arm(eef: str) -> Any:
    psm: Any = psm_cfg()
    robot = psm.replace(prim_path=f"{{ENV_REGEX_NS}}/{eef.capitalize()}Arm")
    robot.init_state.pos = REMOTE_CENTRE_M[eef]
    signs = _MIRRORED if eef == "right" else (1.0,) * len(JOINTS)
    start = (angle * sign for angle, sign in zip(_AT_START, signs, strict=True))
    robot.init_state.joint_pos = dict(zip(JOINTS, start, strict=True)) | OPEN
    return robot


@configclass
class TwoPSMsSceneCfg(InteractiveSceneCfg):
    """Two instruments, and a table whose top is at height 0."""

    left_arm = _arm("left")
    right_arm = _arm("right")
    table = table((1.2, 1.3, 0.8), 0.4)
    light = light()


@configclass
class TwoPSMsActionsCfg:
    """Left instrument, its jaws, right instrument, its jaws."""

    left_reach = reach("left", JOINTS, HAND)
    left_grip = grip("left", JAWS, OPEN, CLOSED)
    right_reach = reach("right", JOINTS, HAND)
    right_grip = grip("right", JAWS, OPEN, CLOSED)


@configclass
class TwoPSMsTaskCfg(HandsTaskCfg):
    """A task with two instruments."""

    scene: Any = TwoPSMsSceneCfg(num_envs=1, env_spacing=2.5)
    actions: Any = TwoPSMsActionsCfg()
