"""Fourier GR1T2 with six-motor hands, standing with its pelvis fixed, from the package fourier-robot-descriptions."""

from __future__ import annotations

import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg

from .assets import GR1T2
from .humanoid import SIDES, DexterousHand, Humanoid
from .spawn import spawn_locally

PELVIS_M = 0.93
"""Height of the pelvis above the ground on which the feet stand."""
WAIST_JOINTS = ("waist_yaw_joint", "waist_pitch_joint", "waist_roll_joint")
ARM_JOINTS = (
    "shoulder_pitch",
    "shoulder_roll",
    "shoulder_yaw",
    "elbow_pitch",
    "wrist_yaw",
    "wrist_roll",
    "wrist_pitch",
)
"""Joints of an arm, without its side and `_joint`."""
FINGERS = ("index", "middle", "ring", "pinky")

_READY = (0.3339, 0.0522, -0.0488, -1.876, 0.0562, -0.0758, 0.0)
"""Angles of the left arm's joints (rad) at which the hand points forward, in front of the body, and is not turned. Of
the right arm's, roll and yaw are negated."""
_MIRRORED = (1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0)

_OPEN = {"thumb_proximal_yaw": -1.6, "thumb_proximal_pitch": 0.0, "thumb_distal": 0.0} | {
    f"{finger}_{part}": 0.0 for finger in FINGERS for part in ("proximal", "intermediate")
}
"""Angles of a hand's joints (rad), of both hands alike. The thumb stands across the palm, behind what is grasped."""
_CLOSED = (
    _OPEN
    | {"thumb_proximal_pitch": 1.1, "thumb_distal": 1.2}
    | {f"{finger}_{part}": -1.55 for finger in FINGERS for part in ("proximal", "intermediate")}
)
"""Those of the closed hand. They are out of reach when it holds something: the actuators push as hard as they can."""


def hand(side: str) -> DexterousHand:
    """The hand of a side, "left" or "right". The left one is the right one's mirror image."""
    sign = 1.0 if side == "right" else -1.0
    return DexterousHand(
        link=f"{side}_hand_pitch_link",
        grasp=((-1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, sign * 0.062), (0.0, 0.0, -1.0, -0.098), (0.0, 0.0, 0.0, 1.0)),
        open=_of_side(side, _OPEN),
        closed=_of_side(side, _CLOSED),
    )


def _of_side(side: str, angles: dict[str, float]) -> dict[str, float]:
    return {f"{side[0].upper()}_{name}_joint": angle for name, angle in angles.items()}


def arm_joints(side: str) -> tuple[str, ...]:
    """Names of the seven joints of a side's arm, from the shoulder on."""
    return tuple(f"{side}_{name}_joint" for name in ARM_JOINTS)


def ready_posture() -> dict[str, float]:
    """Joint angles (rad) of an upright robot with both hands, open, in front of it."""
    right = dict(zip(arm_joints("right"), (a * b for a, b in zip(_READY, _MIRRORED, strict=True)), strict=True))
    left = dict(zip(arm_joints("left"), _READY, strict=True))
    return dict.fromkeys(WAIST_JOINTS, 0.0) | left | right | hand("left").open | hand("right").open


def gr1t2_cfg() -> ArticulationCfg:
    """GR1T2 with gains for whole-body control: stiff arms that follow at once, hands that close with bounded force.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    spawn = sim_utils.UsdFileCfg(usd_path="", activate_contact_sensors=False)
    spawn_locally(spawn, GR1T2)
    return ArticulationCfg(
        spawn=spawn,
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, PELVIS_M), joint_pos=ready_posture()),
        soft_joint_pos_limit_factor=1.0,
        actuators={
            "waist": ImplicitActuatorCfg(joint_names_expr=["waist_.*"], stiffness=5000.0, damping=100.0, armature=0.03),
            "arms": ImplicitActuatorCfg(
                joint_names_expr=[".*_shoulder_.*", ".*_elbow_.*", ".*_wrist_.*"],
                joint_effort_limit=300.0,  # Isaac Lab's configuration does not limit them at all
                stiffness=3000.0,
                damping=100.0,
                armature=0.01,
            ),
            "thumbs": ImplicitActuatorCfg(
                joint_names_expr=["[LR]_thumb_.*"],
                joint_effort_limit=3.0,
                stiffness=20.0,
                damping=1.5,
                armature=0.001,
            ),
            "fingers": ImplicitActuatorCfg(
                joint_names_expr=["[LR]_(index|middle)_.*"],
                joint_effort_limit=1.2,  # no more than the thumb can bear
                stiffness=20.0,
                damping=3.0,  # a hand that opened at once would throw what it holds
                armature=0.001,
            ),
            "lower fingers": ImplicitActuatorCfg(
                joint_names_expr=["[LR]_(ring|pinky)_.*"],
                joint_effort_limit=1.2,
                stiffness=0.2,  # they lie below the thumb: pushing as hard, they would tilt what it holds
                damping=0.02,
                armature=0.001,
            ),
        },
    )


HUMANOID = Humanoid(
    articulation=gr1t2_cfg,
    hands={side: hand(side) for side in SIDES},
    waist_joints=WAIST_JOINTS,
    above_table_m=0.0,
    torso="torso_link",
    eye_m=(0.12, 0.0, 0.22),
)
"""The GR1T2, as tasks see it."""
