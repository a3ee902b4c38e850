"""Apprentice-PickPlace-SO101: a small cube is put onto a plate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.pick_place.mdp import conditions
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, cuboid, fixed, free
from apprentice.tasks.tabletop.env_cfg import Subtask
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges
from apprentice.tasks.tabletop.so101_env_cfg import OPEN_M, SmallTabletopSceneCfg, TabletopSO101EnvCfg

from . import TASK_ID

CUBE, PLATE = "cube", "plate"
EDGE_M = 0.025
PLATE_M = (0.07, 0.07, 0.004)
LIES_M = (PLATE_M[2] + EDGE_M) / 2
"""Height of the cube's centre above the plate's when it lies there."""

_EIGHTH, _ALL = (-math.pi / 4, math.pi / 4), (-math.pi, math.pi)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        CUBE: {"x": (0.16, 0.24), "y": (-0.1, -0.02), "yaw": _EIGHTH},
        PLATE: {"x": (0.18, 0.22), "y": (0.06, 0.1), "yaw": (0.0, 0.0)},
    },
    "d1": {
        CUBE: {"x": (0.15, 0.25), "y": (-0.12, 0.02), "yaw": _ALL},
        PLATE: {"x": (0.16, 0.24), "y": (0.05, 0.12), "yaw": _EIGHTH},
    },
    "d2": {
        CUBE: {"x": (0.14, 0.26), "y": (-0.13, 0.13), "yaw": _ALL},
        PLATE: {"x": (0.16, 0.25), "y": (-0.12, 0.12), "yaw": _ALL},
    },
}


@configclass
class PickPlaceSceneCfg(SmallTabletopSceneCfg):
    """A cube and a plate."""

    cube = free(CUBE, cuboid((EDGE_M, EDGE_M, EDGE_M), (0.85, 0.2, 0.15)), mass_kg=0.02, at_m=(0.2, -0.06, EDGE_M / 2))
    plate = fixed(PLATE, cuboid(PLATE_M, (0.2, 0.35, 0.8)), at_m=(0.2, 0.08, TABLE_GAP_M + PLATE_M[2] / 2))


@configclass
class PickPlaceSO101EnvCfg(TabletopSO101EnvCfg):
    """Put the cube onto the plate."""

    scene: Any = PickPlaceSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        placed = {
            "name": CUBE,
            "onto": PLATE,
            "height_m": LIES_M,
            "within_m": (PLATE_M[0] - EDGE_M) / 2,
            "open_m": OPEN_M,
        }
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(
                    about=CUBE,
                    does="Grasp the cube",
                    signal="grasp",
                    done=ObservationTermCfg(func=grasped, params={"name": CUBE, "width_m": EDGE_M}),
                ),
                Subtask(about=PLATE, does="Put the cube onto the plate"),
            ),
            success=TerminationTermCfg(func=conditions.placed, params=placed),
            variants=VARIANTS,
            footprints_m={CUBE: 0.03, PLATE: 0.05},
            symmetry={CUBE: 4, PLATE: 4},
        )
