"""Apprentice-Stack-SO101: three small cubes into a tower."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.stack.mdp.scene import CUBES
from apprentice.tasks.stack.mdp.tower import stacked, tower
from apprentice.tasks.tabletop.bodies import cuboid, free
from apprentice.tasks.tabletop.env_cfg import Subtask
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges
from apprentice.tasks.tabletop.so101_env_cfg import OPEN_M, SmallTabletopSceneCfg, TabletopSO101EnvCfg

from . import TASK_ID

EDGE_M = 0.025
MASS_KG = 0.02

_EIGHTH, _ALL = (-math.pi / 4, math.pi / 4), (-math.pi, math.pi)
_FOOT = {"d0": ((0.17, 0.23), (-0.06, 0.06)), "d1": ((0.17, 0.24), (-0.09, 0.09)), "d2": ((0.17, 0.24), (-0.1, 0.1))}
_OTHERS = {
    "d0": ((0.16, 0.24), (-0.1, 0.1)),
    "d1": ((0.15, 0.25), (-0.12, 0.12)),
    "d2": ((0.14, 0.26), (-0.14, 0.14)),
}


def _ranges(variant: str) -> Mapping[str, Ranges]:
    yaw = _EIGHTH if variant == "d0" else _ALL
    places = dict.fromkeys(CUBES, _OTHERS[variant]) | {CUBES[0]: _FOOT[variant]}
    return {name: {"x": x, "y": y, "yaw": yaw} for name, (x, y) in places.items()}


VARIANTS = {variant: _ranges(variant) for variant in _FOOT}
"""The lowest cube lies where the arm can point down from above the finished tower."""


def _cube(name: str, colour: tuple[float, float, float], x_m: float, y_m: float) -> Any:
    return free(name, cuboid((EDGE_M, EDGE_M, EDGE_M), colour), mass_kg=MASS_KG, at_m=(x_m, y_m, EDGE_M / 2))


@configclass
class StackSceneCfg(SmallTabletopSceneCfg):
    """Three cubes, blue, red and green."""

    cube_1 = _cube("cube_1", (0.15, 0.35, 0.8), 0.2, 0.0)
    cube_2 = _cube("cube_2", (0.85, 0.2, 0.15), 0.2, 0.08)
    cube_3 = _cube("cube_3", (0.15, 0.6, 0.25), 0.2, -0.08)


@configclass
class StackSO101EnvCfg(TabletopSO101EnvCfg):
    """Stack the red cube on the blue one and the green one on top."""

    scene: Any = StackSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        self.define(
            TASK_ID,
            subtasks=(
                _grasp("red", CUBES[1], "grasp_1"),
                Subtask(
                    about=CUBES[0],
                    does="Place the red cube on the blue cube",
                    signal="stack_1",
                    done=ObservationTermCfg(
                        func=stacked, params={"cubes": CUBES[:2], "edge_m": EDGE_M, "open_m": OPEN_M}
                    ),
                ),
                _grasp("green", CUBES[2], "grasp_2"),
                Subtask(about=CUBES[1], does="Place the green cube on the red cube"),
            ),
            success=TerminationTermCfg(func=tower, params={"cubes": CUBES, "edge_m": EDGE_M, "open_m": OPEN_M}),
            variants=VARIANTS,
            footprints_m=dict.fromkeys(CUBES, 0.03),
            symmetry=dict.fromkeys(CUBES, 4),
        )


def _grasp(colour: str, name: str, signal: str) -> Subtask:
    holds = ObservationTermCfg(func=grasped, params={"name": name, "width_m": EDGE_M})
    return Subtask(about=name, does=f"Grasp the {colour} cube", signal=signal, done=holds)
