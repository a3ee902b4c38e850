"""A patient-side manipulator: the instrument of `psm_urdf`, several times its natural size."""

from __future__ import annotations

import isaaclab.sim as sim_utils
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from torch import Tensor

from .assets import PSM
from .hands import Hand
from .psm_urdf import ABOVE_TABLE_M, GRASP, JAW_M, JAWS, JOINTS, PARALLEL_M, PARALLEL_RAD
from .spawn import spawn_locally

OPEN_RAD = 0.46
ARMATURE = 0.1
"""Reflected rotor inertia of the joints that turn (kg m^2), as Apprentice's other arms have it."""
OPEN, CLOSED = dict.fromkeys(JAWS, OPEN_RAD), dict.fromkeys(JAWS, 0.0)


def half_opening(angles: Tensor) -> Tensor:
    """Distance of each pad's surface from the middle at the grasp frame (m), of the jaws' angles (rad)."""
    turn = angles - PARALLEL_RAD
    return PARALLEL_M / 2 / torch.cos(turn) + JAW_M * torch.tan(turn)


HAND = Hand(
    link=GRASP,
    tcp_m=JAW_M,
    fingers=JAWS,
    half_opening=half_opening,
    open_m=float(half_opening(torch.tensor(OPEN_RAD))),
)


def psm_cfg() -> ArticulationCfg:
    """The instrument with gains for task-space control, for any backend. Its root is the remote centre.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    spawn = sim_utils.UsdFileCfg(usd_path="", activate_contact_sensors=False)
    spawn_locally(spawn, PSM)
    return ArticulationCfg(
        spawn=spawn,
        init_state=ArticulationCfg.InitialStateCfg(
            pos=(0.0, 0.0, ABOVE_TABLE_M), joint_pos={**dict.fromkeys(JOINTS, 0.0), "insertion": 0.3} | OPEN
        ),
        soft_joint_pos_limit_factor=1.0,
        actuators={
            "turns": ImplicitActuatorCfg(
                joint_names_expr=["yaw", "pitch", "roll", "wrist_.*"], stiffness=400.0, damping=80.0, armature=ARMATURE
            ),
            "insertion": ImplicitActuatorCfg(
                joint_names_expr=["insertion"], stiffness=4000.0, damping=800.0, armature=1.0
            ),
            # not as hard as they can: two jaws that both did would hold fast against each other and swing together
            "jaws": ImplicitActuatorCfg(
                joint_names_expr=["jaw_.*"], joint_effort_limit=2.0, stiffness=2.0, damping=0.15, armature=0.002
            ),
        },
    )
