"""Unitree G1 with Dex3 hands, its pelvis fixed or on a planar base, from the package example-robot-data."""

from __future__ import annotations

from dataclasses import replace

import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg

from .assets import G1, G1_ON_BASE, UrdfModel
from .g1_urdf import BASE_JOINTS, ROOT
from .humanoid import SIDES, DexterousHand, Humanoid, PlanarBase
from .spawn import spawn_locally

PELVIS_M = 0.8
"""Height of the pelvis above the ground on which the feet stand."""
WAIST_JOINTS = ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
ARM_JOINTS = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
"""Joints of an arm, without its side and `_joint`."""

_READY = (0.0583, 0.3137, 0.3248, -0.3516, -0.3405, 0.3785, -0.2092)
"""Angles of the left arm's joints (rad) at which the hand points forward, in front of the body, and is not turned. Of
the right arm's, roll and yaw are negated."""
_MIRRORED = (1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0)

_OPEN = {
    "thumb_0": 0.0,
    "thumb_1": 0.3,
    "thumb_2": 0.0,
    "index_0": 0.0,
    "index_1": 0.0,
    "middle_0": 0.0,
    "middle_1": 0.0,
}
_CLOSED = _OPEN | {"thumb_1": -1.0, "thumb_2": -1.2, "index_0": 1.4, "index_1": 1.4, "middle_0": 1.4, "middle_1": 1.4}
"""Angles of the right hand's joints (rad). Those that are closed are out of reach when it holds something: the
actuators push as hard as they can."""


def hand(side: str) -> DexterousHand:
    """The Dex3 hand of a side, "left" or "right". The left one is the right one's mirror image."""
    sign = 1.0 if side == "right" else -1.0
    return DexterousHand(
        link=f"{side}_wrist_yaw_link",
        grasp=((0.0, 0.0, 1.0, 0.104), (0.0, 1.0, 0.0, sign * 0.05), (-1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
        open=_of_side(side, _OPEN),
        closed=_of_side(side, _CLOSED),
    )


def _of_side(side: str, angles: dict[str, float]) -> dict[str, float]:
    signs = {name: 1.0 if side == "right" or name == "thumb_0" else -1.0 for name in angles}
    return {f"{side}_hand_{name}_joint": signs[name] * angle for name, angle in angles.items()}


def arm_joints(side: str) -> tuple[str, ...]:
    """Names of the seven joints of a side's arm, from the shoulder on."""
    return tuple(f"{side}_{name}_joint" for name in ARM_JOINTS)


def ready_posture() -> dict[str, float]:
    """Joint angles (rad) of an upright robot with both hands, open, in front of it."""
    right = dict(zip(arm_joints("right"), (a * b for a, b in zip(_READY, _MIRRORED, strict=True)), strict=True))
    left = dict(zip(arm_joints("left"), _READY, strict=True))
    return dict.fromkeys(WAIST_JOINTS, 0.0) | left | right | hand("left").open | hand("right").open


def g1_cfg(model: UrdfModel = G1) -> ArticulationCfg:
    """G1 with gains for whole-body control: stiff arms that follow at once, hands that close with bounded force.

    Args:
        model: Which one.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    spawn = sim_utils.UsdFileCfg(usd_path="", activate_contact_sensors=False)
    spawn_locally(spawn, model)
    return ArticulationCfg(
        spawn=spawn,
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, PELVIS_M), joint_pos=ready_posture()),
        soft_joint_pos_limit_factor=1.0,
        actuators={
            "waist": ImplicitActuatorCfg(joint_names_expr=["waist_.*"], stiffness=5000.0, damping=100.0, armature=0.03),
            "arms": ImplicitActuatorCfg(
                joint_names_expr=[".*_shoulder_.*", ".*_elbow_.*", ".*_wrist_.*"],
                stiffness=3000.0,
                damping=100.0,
                armature=0.01,
            ),
            "hands": ImplicitActuatorCfg(
                joint_names_expr=[".*_hand_.*"],
                # within the motors' limits; two fingers push no harder than the thumb can bear
                joint_effort_limit={
                    ".*_thumb_0_.*": 2.45,
                    ".*_thumb_[12]_.*": 1.4,
                    ".*_(index|middle)_.*": 1.0,
                },
                stiffness=20.0,
                damping=3.0,  # a hand that opened at once would throw what it holds
                armature=0.001,
            ),
        },
    )


def g1_on_base_cfg() -> ArticulationCfg:
    """The same on a planar base, which is as fast as it is told to be whatever the arms do.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    robot = g1_cfg(G1_ON_BASE)
    robot.init_state.joint_pos |= dict.fromkeys(BASE_JOINTS, 0.0)
    x, y, turns = BASE_JOINTS
    robot.actuators |= {
        "base_slides": ImplicitActuatorCfg(joint_names_expr=[x, y], stiffness=0.0, damping=20000.0, armature=5.0),
        "base_turns": ImplicitActuatorCfg(joint_names_expr=[turns], stiffness=0.0, damping=5000.0, armature=2.0),
    }
    return robot


HUMANOID = Humanoid(
    articulation=g1_cfg,
    hands={side: hand(side) for side in SIDES},
    waist_joints=WAIST_JOINTS,
    above_table_m=0.02,
    torso="torso_link",
    eye_m=(0.14, 0.0, 0.42),
)
"""The G1, as tasks see it."""

HUMANOID_ON_BASE = replace(HUMANOID, articulation=g1_on_base_cfg, base=PlanarBase(link=ROOT, joints=BASE_JOINTS))
"""The same on a planar base."""
