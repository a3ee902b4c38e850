"""Franka Panda: Isaac Lab's stock configuration on the locally converted model."""

from __future__ import annotations

from typing import Any

from isaaclab.actuators import ActuatorBaseCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import clone
from isaaclab_assets.robots.franka import FRANKA_PANDA_HIGH_PD_CFG, FRANKA_PANDA_LEGACY_HIGH_PD_CFG
from isaaclab_newton.sim.schemas import MujocoRigidBodyCfg, NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxRigidBodyCfg

from .assets import PANDA, usd_path

ARMATURE = 0.1
"""Reflected rotor inertia of every joint (kg m^2, and kg at the fingers), as in MuJoCo Menagerie's Panda. The stock
values stand in the cloud model; without one, stiff gains ring at 5 ms steps."""


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
    spawn: Any = robot.spawn
    spawn.usd_path = str(usd_path(PANDA))
    spawn.variants = None
    spawn.fix_root_link = True
    # each backend reads its own fragment and ignores the other's
    spawn.rigid_props = [
        PhysxRigidBodyCfg(disable_gravity=True, max_depenetration_velocity=5.0),
        MujocoRigidBodyCfg(gravcomp=1.0),
    ]
    spawn.articulation_props = [
        PhysxArticulationCfg(
            enabled_self_collisions=False, solver_position_iteration_count=8, solver_velocity_iteration_count=0
        ),
        NewtonArticulationCfg(self_collision_enabled=False),
    ]
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
