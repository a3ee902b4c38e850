"""Apprentice-Hook-Franka: a cube that lies too far away is drawn into a bay with a hook, which is then put down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hook.mdp import conditions
from apprentice.tasks.hook.mdp.sizes import (
    BAY,
    BAY_M,
    BLADE_M,
    CUBE,
    CUBE_M,
    HANDLE_M,
    HOOK,
    INSIDE_M,
    POMMEL_M,
    RAIL_M,
    REACH_M,
    SHAFT_M,
    SIDE_M,
    TALL_M,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, cuboid, firm, fixed, free
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

WOOD, STEEL, RED, GREEN = (0.55, 0.38, 0.22), (0.45, 0.47, 0.5), (0.85, 0.2, 0.15), (0.2, 0.6, 0.3)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        HOOK: {"x": (0.4, 0.46), "y": (-0.3, -0.24), "yaw": (-0.3, 0.0)},
        CUBE: {"x": (0.83, 0.86), "y": (0.02, 0.1), "yaw": (-0.2, 0.2)},
        BAY: {"x": (0.62, 0.66), "y": (0.02, 0.1), "yaw": (0.0, 0.0)},
    },
    "d1": {
        HOOK: {"x": (0.39, 0.47), "y": (-0.32, -0.23), "yaw": (-0.45, 0.05)},
        CUBE: {"x": (0.825, 0.865), "y": (0.0, 0.14), "yaw": (-0.35, 0.35)},
        BAY: {"x": (0.61, 0.67), "y": (0.01, 0.13), "yaw": (-0.15, 0.15)},
    },
    "d2": {
        HOOK: {"x": (0.38, 0.48), "y": (-0.34, -0.22), "yaw": (-0.6, 0.1)},
        CUBE: {"x": (0.82, 0.87), "y": (-0.02, 0.18), "yaw": (-0.5, 0.5)},
        BAY: {"x": (0.6, 0.68), "y": (0.0, 0.16), "yaw": (-0.3, 0.3)},
    },
}
"""The cube lies beyond the reach of a hand that points down; the hook lies to the right of both."""


def _hook() -> tuple[Part, ...]:
    """A weight, a handle, a shaft, a blade across its end and a tip leading back, around the middle of the handle."""
    (length, width), (wide, high), (deep, broad) = HANDLE_M, SHAFT_M, INSIDE_M
    end = REACH_M + deep / 2
    shaft = end + BLADE_M - length / 2
    return (
        Part(size_m=(length, width, TALL_M), colour=WOOD),
        Part(at_m=(-(length + POMMEL_M) / 2, 0.0, 0.0), size_m=(POMMEL_M, POMMEL_M, TALL_M), colour=STEEL),
        Part(at_m=((length + shaft) / 2, 0.0, 0.0), size_m=(shaft, wide, high), colour=STEEL),
        Part(
            at_m=(end + BLADE_M / 2, SIDE_M + BLADE_M / 2, 0.0),
            size_m=(BLADE_M, wide + broad + BLADE_M, TALL_M),
            colour=STEEL,
        ),
        Part(
            at_m=(end - deep / 4, SIDE_M + (broad + BLADE_M) / 2, 0.0),
            size_m=(deep / 2, BLADE_M, TALL_M),
            colour=STEEL,
        ),
    )


def _bay() -> tuple[Part, ...]:
    """Rails on three sides, above the body's origin."""
    wide, high = RAIL_M
    beside = (BAY_M + wide) / 2
    sides = [
        Part(at_m=(0.0, side * beside, high / 2), size_m=(BAY_M, wide, high), colour=GREEN) for side in (1.0, -1.0)
    ]
    near = Part(at_m=(-beside, 0.0, high / 2), size_m=(wide, BAY_M + 2 * wide, high), colour=GREEN)
    return (*sides, near)


@configclass
class HookSceneCfg(TabletopSceneCfg):
    """A hook, a cube and a bay."""

    hook = firm(free(HOOK, _hook(), mass_kg=0.08, friction=1.0, at_m=(0.43, -0.27, TALL_M / 2)))
    cube = free(CUBE, cuboid((CUBE_M, CUBE_M, CUBE_M), RED), mass_kg=0.06, friction=0.4, at_m=(0.84, 0.06, CUBE_M / 2))
    bay = fixed(BAY, _bay(), friction=0.4, at_m=(0.64, 0.06, TABLE_GAP_M))


@configclass
class HookFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Draw the cube into the bay."""

    scene: Any = HookSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)
    beyond_reach: tuple[str, ...] = (CUBE,)

    def __post_init__(self):
        super().__post_init__()
        self.episode_length_s = 45.0
        held = {"name": HOOK, "width_m": HANDLE_M[1]}
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(
                    about=HOOK,
                    does="Take the hook by its handle",
                    signal="grasp",
                    done=ObservationTermCfg(func=grasped, params=held),
                    noise=0.01,
                ),
                Subtask(
                    about=CUBE,
                    does="Let the hook down around the cube",
                    signal="hooked",
                    done=ObservationTermCfg(func=conditions.hooked),
                    noise=0.005,
                ),
                Subtask(
                    about=BAY,
                    does="Draw the cube into the bay",
                    signal="drawn",
                    done=ObservationTermCfg(func=conditions.in_bay),
                    noise=0.005,
                ),
                Subtask(about=BAY, does="Put the hook down", noise=0.005),
            ),
            success=TerminationTermCfg(func=conditions.drawn),
            variants=VARIANTS,
            footprints_m={HOOK: 0.06, CUBE: 0.035, BAY: 0.08},
            symmetry={CUBE: 4},
        )
