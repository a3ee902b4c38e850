"""Franka Panda: Isaac Lab's stock configuration on the locally converted model."""

from __future__ import annotations

from isaaclab.actuators import ActuatorBaseCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import clone
from isaaclab_assets.robots.franka import FRANKA_PANDA_HIGH_PD_CFG, FRANKA_PANDA_LEGACY_HIGH_PD_CFG

from .assets import PANDA
from .hands import Hand
from .spawn import spawn_locally

ARMATURE = 0.1
"""Reflected rotor inertia of every joint (kg m^2, and kg at the fingers), as in MuJoCo Menagerie's Panda. The stock
values stand in the cloud model; without one, stiff gains ring at 5 ms steps."""

HAND = Hand(
    link="panda_hand",
    tcp_m=0.1034,
    fingers=("panda_finger_joint1", "panda_finger_joint2"),
    half_opening=lambda positions: positions,
    open_m=0.04,
)


def franka_panda_cfg() -> ArticulationCfg:
    """Panda with gains for task-space control, for any backend. Joint names are those of the stock configurations."""
    return with_local_panda(FRANKA_PANDA_HIGH_PD_CFG)


def with_local_panda(stock: ArticulationCfg) -> ArticulationCfg:
    """Copy of a stock Panda configuration that loads the local model.

    Name, pose, initial joints and gains stay. Gains that the stock configuration leaves to the cloud model become those
    of Isaac Lab's high-PD Panda. Gravity is compensated, as the real arm does, because that model cannot say otherwise.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    robot = clone(stock)
    spawn_locally(robot.spawn, PANDA)
    robot.actuators = _local_actuators(robot.actuators)
    return robot


def _local_actuators(stock: dict[str, ActuatorBaseCfg]) -> dict[str, ActuatorBaseCfg]:
    """Fill in the gains that stock configurations read from the cloud model; drive both fingers."""
    known = FRANKA_PANDA_LEGACY_HIGH_PD_CFG.actuators
    arm, hand = known["panda_shoulder"], known["panda_hand"]
    actuators: dict[str, ActuatorBaseCfg] = {}
    for name, actuator in stock.items():
        if all("finger" in joint for joint in actuator.joint_names_expr):
            continue
        actuators[name] = actuator
        if actuator.stiffness is None:
            actuator.stiffness = arm.stiffness
        if actuator.damping is None:
            actuator.damping = arm.damping
    # the stock hand drives one finger and lets the model's mimic joint move the other; PhysX does not know that mimic
    actuators["panda_hand"] = clone(hand)
    for actuator in actuators.values():
        actuator.armature = ARMATURE
    return actuators
