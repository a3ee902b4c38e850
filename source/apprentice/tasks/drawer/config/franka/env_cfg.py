"""Apprentice-Drawer-Franka: a drawer is pulled open by its handle, and a cube put into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.drawer.mdp import conditions
from apprentice.tasks.drawer.mdp.sizes import (
    BOARD_M,
    CABINET,
    CABINET_M,
    CUBE,
    CUBE_M,
    DRAWER,
    FLOOR_M,
    HANDLE_Z_M,
    INSIDE_M,
    PLATE_M,
    POST_M,
    THIN_M,
    TRAVEL_M,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, cuboid, free
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges
from apprentice.tasks.tabletop.slides import BASE, SLIDER, sliding

from . import TASK_ID

WOOD, LIGHT_WOOD, STEEL = (0.45, 0.3, 0.2), (0.75, 0.6, 0.42), (0.55, 0.57, 0.6)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        CUBE: {"x": (0.4, 0.52), "y": (-0.24, -0.14), "yaw": (-math.pi / 4, math.pi / 4)},
        CABINET: {"x": (0.64, 0.67), "y": (0.03, 0.09), "yaw": (0.0, 0.0)},
    },
    "d1": {
        CUBE: {"x": (0.38, 0.56), "y": (-0.27, -0.13), "yaw": (-math.pi, math.pi)},
        CABINET: {"x": (0.63, 0.67), "y": (0.02, 0.12), "yaw": (-0.12, 0.12)},
    },
    "d2": {
        CUBE: {"x": (0.36, 0.6), "y": (-0.3, -0.13), "yaw": (-math.pi, math.pi)},
        CABINET: {"x": (0.62, 0.68), "y": (0.01, 0.16), "yaw": (-0.25, 0.25)},
    },
}
"""The cube lies beside the way of the drawer."""


def _cabinet() -> tuple[Part, ...]:
    """Two sides and a back under a top, on the body's origin."""
    depth, width, height = CABINET_M
    inner, below = width - 2 * BOARD_M, height - BOARD_M
    sides = [
        Part(at_m=(0.0, side * (width - BOARD_M) / 2, below / 2), size_m=(depth, BOARD_M, below), colour=WOOD)
        for side in (1, -1)
    ]
    back = Part(at_m=((depth - BOARD_M) / 2, 0.0, below / 2), size_m=(BOARD_M, inner, below), colour=WOOD)
    top = Part(at_m=(0.0, 0.0, height - BOARD_M / 2), size_m=(depth, width, BOARD_M), colour=WOOD)
    return (*sides, back, top)


def _drawer() -> tuple[Part, ...]:
    """A box with a front and a handle, closed, in the cabinet's frame."""
    (near, far), width, wall = INSIDE_M
    bottom = FLOOR_M - THIN_M
    outer, middle, length = width + 2 * THIN_M, (near + far) / 2, far - near
    front_x, z = near - BOARD_M / 2, bottom + (wall + THIN_M) / 2
    floor = Part(at_m=(middle, 0.0, FLOOR_M - THIN_M / 2), size_m=(length, outer, THIN_M), colour=LIGHT_WOOD)
    walls = [
        Part(
            at_m=(middle, side * (width + THIN_M) / 2, FLOOR_M + wall / 2),
            size_m=(length, THIN_M, wall),
            colour=LIGHT_WOOD,
        )
        for side in (1, -1)
    ]
    back = Part(at_m=(far + THIN_M / 2, 0.0, z), size_m=(THIN_M, outer, wall + THIN_M), colour=LIGHT_WOOD)
    front = Part(at_m=(front_x, 0.0, z), size_m=(BOARD_M, outer, wall + THIN_M), colour=LIGHT_WOOD)
    post_x = near - BOARD_M - POST_M[0] / 2
    post = Part(at_m=(post_x, 0.0, HANDLE_Z_M), size_m=POST_M, colour=STEEL)
    plate = Part(at_m=(post_x - (POST_M[0] + PLATE_M[0]) / 2, 0.0, HANDLE_Z_M), size_m=PLATE_M, colour=STEEL)
    return (floor, *walls, back, front, post, plate)


@configclass
class DrawerSceneCfg(TabletopSceneCfg):
    """A cube, and a cabinet with a drawer."""

    cube = free(CUBE, cuboid((CUBE_M, CUBE_M, CUBE_M), (0.85, 0.2, 0.15)), mass_kg=0.08, at_m=(0.45, -0.2, CUBE_M / 2))
    cabinet = sliding(
        CABINET, _cabinet(), _drawer(), travel_m=(-TRAVEL_M, 0.0), damping_n_s_m=10.0, at_m=(0.65, 0.06, TABLE_GAP_M)
    )


@configclass
class DrawerFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Open the drawer and put the cube into it."""

    scene: Any = DrawerSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        self.episode_length_s = 45.0
        self.articulated_objects = {CABINET: (CABINET, BASE), DRAWER: (CABINET, SLIDER)}
        holds = ObservationTermCfg(func=grasped, params={"name": CUBE, "width_m": CUBE_M})
        opened = ObservationTermCfg(func=conditions.drawer_opened)
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(about=DRAWER, does="Pull the drawer open", signal="opened", done=opened, noise=0.01),
                Subtask(about=CUBE, does="Grasp the cube", signal="grasp", done=holds),
                Subtask(about=DRAWER, does="Put the cube into the drawer"),
            ),
            success=TerminationTermCfg(func=conditions.cube_in_drawer),
            variants=VARIANTS,
            footprints_m={CUBE: 0.03, CABINET: 0.1},
            symmetry={CUBE: 4},
        )
