"""Apprentice-Lift-Franka: a cube is grasped and held up, on any backend, offline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.lift.mdp import conditions
from apprentice.tasks.tabletop.bodies import cuboid, free
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

CUBE = "cube"
EDGE_M = 0.04
LIFTED_M = 0.12
"""Height of the cube's centre at which it counts as lifted: 10 cm above where it lay."""

VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {CUBE: {"x": (0.4, 0.6), "y": (-0.1, 0.1), "yaw": (-math.pi / 4, math.pi / 4)}},
    "d1": {CUBE: {"x": (0.37, 0.63), "y": (-0.2, 0.2), "yaw": (-math.pi, math.pi)}},
    "d2": {CUBE: {"x": (0.33, 0.67), "y": (-0.3, 0.3), "yaw": (-math.pi, math.pi)}},
}


@configclass
class LiftSceneCfg(TabletopSceneCfg):
    """A cube."""

    cube = free(CUBE, cuboid((EDGE_M, EDGE_M, EDGE_M), (0.85, 0.2, 0.15)), mass_kg=0.1, at_m=(0.5, 0.0, EDGE_M / 2))


@configclass
class LiftFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Grasp the cube and hold it up."""

    scene: Any = LiftSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        held = {"name": CUBE, "width_m": EDGE_M}
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(
                    about=CUBE,
                    does="Grasp the cube",
                    signal="grasp",
                    done=ObservationTermCfg(func=grasped, params=held),
                ),
                Subtask(about=CUBE, does="Lift the cube"),
            ),
            success=TerminationTermCfg(func=conditions.lifted, params={**held, "above_m": LIFTED_M}),
            variants=VARIANTS,
            footprints_m={CUBE: 0.03},
            symmetry={CUBE: 4},
        )
