"""Apprentice-Insert-Franka: a standing peg into a square hole that is 2 mm wider, on any backend, offline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.insert.mdp import conditions, observations
from apprentice.tasks.insert.mdp.sizes import (
    CLEARANCE_M,
    PEG,
    PEG_LENGTH_M,
    PEG_WIDTH_M,
    SOCKET,
    SOCKET_HEIGHT_M,
    WALL_M,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, cuboid, fixed, free, square_ring
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

QUARTER = (-math.pi / 4, math.pi / 4)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        PEG: {"x": (0.4, 0.6), "y": (-0.2, -0.05), "yaw": QUARTER},
        SOCKET: {"x": (0.45, 0.55), "y": (0.1, 0.2), "yaw": (0.0, 0.0)},
    },
    "d1": {
        PEG: {"x": (0.37, 0.63), "y": (-0.25, 0.0), "yaw": (-math.pi, math.pi)},
        SOCKET: {"x": (0.4, 0.6), "y": (0.05, 0.25), "yaw": QUARTER},
    },
    "d2": {
        PEG: {"x": (0.35, 0.65), "y": (-0.28, 0.28), "yaw": (-math.pi, math.pi)},
        SOCKET: {"x": (0.37, 0.63), "y": (-0.28, 0.28), "yaw": (-math.pi, math.pi)},
    },
}
"""Every pose can be grasped, and be inserted into, from above."""


@configclass
class InsertSceneCfg(TabletopSceneCfg):
    """A peg and a socket."""

    peg = free(
        PEG,
        cuboid((PEG_WIDTH_M, PEG_WIDTH_M, PEG_LENGTH_M), (0.9, 0.3, 0.1)),
        mass_kg=0.05,
        friction=0.3,
        at_m=(0.5, -0.12, PEG_LENGTH_M / 2),
    )
    socket = fixed(
        SOCKET,
        square_ring(PEG_WIDTH_M + CLEARANCE_M, WALL_M, SOCKET_HEIGHT_M, (0.15, 0.3, 0.7)),
        friction=0.3,
        at_m=(0.5, 0.15, SOCKET_HEIGHT_M / 2 + TABLE_GAP_M),
    )


@configclass
class InsertFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Put the peg into the hole."""

    scene: Any = InsertSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        self.observations.policy.object.func = observations.object_state
        holds = ObservationTermCfg(func=grasped, params={"name": PEG, "width_m": PEG_WIDTH_M, "within_m": 0.04})
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(about=PEG, does="Grasp the peg", signal="grasp", done=holds, noise=0.01),
                Subtask(about=SOCKET, does="Insert the peg", noise=0.003),
            ),
            success=TerminationTermCfg(func=conditions.peg_inserted),
            variants=VARIANTS,
            footprints_m={PEG: 0.04, SOCKET: 0.07},
            symmetry={PEG: 4, SOCKET: 4},
        )
