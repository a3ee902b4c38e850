"""Apprentice-Pour-Franka: a pan is taken by its handle, the beads in it are poured into a bowl, and it is put down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import EventTermCfg, ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.pour.mdp import conditions
from apprentice.tasks.pour.mdp.sizes import (
    BEAD_M,
    BEADS,
    BOWL,
    BOWL_FLOOR_M,
    BOWL_INSIDE_M,
    BOWL_RIM_M,
    BOWL_WALL_M,
    HANDLE_M,
    HANDLE_Z_M,
    HELD_AT_M,
    PAN,
    PAN_FLOOR_M,
    PAN_HEIGHT_M,
    PAN_INSIDE_M,
    PAN_WALL_M,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, cuboid, fixed, free, square_ring
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp import events
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

COPPER, BLACK, CHINA, YELLOW = (0.75, 0.4, 0.25), (0.15, 0.15, 0.16), (0.3, 0.5, 0.75), (0.95, 0.8, 0.2)
SLIPPERY = 0.1
BEAD_Z_M = PAN_FLOOR_M + (BEAD_M - PAN_HEIGHT_M) / 2 + 0.0005
"""Height of the beads' centres in the pan's frame."""
EIGHTH = (-math.pi / 4, math.pi / 4)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        PAN: {"x": (0.44, 0.56), "y": (-0.22, -0.1), "yaw": (-0.5, 0.5)},
        BOWL: {"x": (0.5, 0.56), "y": (0.08, 0.16), "yaw": (0.0, 0.0)},
    },
    "d1": {
        PAN: {"x": (0.42, 0.58), "y": (-0.25, -0.08), "yaw": (-0.9, 0.9)},
        BOWL: {"x": (0.47, 0.58), "y": (0.08, 0.2), "yaw": (-0.35, 0.35)},
    },
    "d2": {
        PAN: {"x": (0.4, 0.6), "y": (-0.28, -0.06), "yaw": (-1.3, 1.3)},
        BOWL: {"x": (0.45, 0.6), "y": (0.06, 0.23), "yaw": EIGHTH},
    },
}
"""Every handle can be grasped from above. An eighth of a turn to both sides is all that there is of bowls."""


def _pan() -> tuple[Part, ...]:
    """Four walls, a floor and a handle, around the body's origin."""
    outside = PAN_INSIDE_M + 2 * PAN_WALL_M
    floor = Part(
        at_m=(0.0, 0.0, (PAN_FLOOR_M - PAN_HEIGHT_M) / 2), size_m=(outside, outside, PAN_FLOOR_M), colour=COPPER
    )
    handle = Part(at_m=(-(outside + HANDLE_M[0]) / 2, 0.0, HANDLE_Z_M), size_m=HANDLE_M, colour=BLACK)
    return (*square_ring(PAN_INSIDE_M, PAN_WALL_M, PAN_HEIGHT_M, COPPER), floor, handle)


def _bowl() -> tuple[Part, ...]:
    """Four walls around a floor, above the body's origin."""
    walls = [
        Part(at_m=(*part.at_m[:2], BOWL_RIM_M / 2), size_m=part.size_m, colour=CHINA)
        for part in square_ring(BOWL_INSIDE_M, BOWL_WALL_M, BOWL_RIM_M, CHINA)
    ]
    floor = Part(at_m=(0.0, 0.0, BOWL_FLOOR_M / 2), size_m=(BOWL_INSIDE_M, BOWL_INSIDE_M, BOWL_FLOOR_M), colour=CHINA)
    return (*walls, floor)


def _bead(name: str) -> Any:
    return free(
        name, cuboid((BEAD_M, BEAD_M, BEAD_M), YELLOW), mass_kg=0.005, friction=SLIPPERY, at_m=(0.5, -0.15, 0.02)
    )


@configclass
class PourSceneCfg(TabletopSceneCfg):
    """A pan with beads, and a bowl."""

    pan = free(PAN, _pan(), mass_kg=0.06, friction=SLIPPERY, at_m=(0.5, -0.15, PAN_HEIGHT_M / 2))
    bowl = fixed(BOWL, _bowl(), friction=0.5, at_m=(0.52, 0.12, TABLE_GAP_M))
    bead_1 = _bead("bead_1")
    bead_2 = _bead("bead_2")
    bead_3 = _bead("bead_3")
    bead_4 = _bead("bead_4")
    bead_5 = _bead("bead_5")


@configclass
class PourFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Pour the beads into the bowl."""

    scene: Any = PourSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)
    loose_objects: tuple[str, ...] = tuple(BEADS)

    def __post_init__(self):
        super().__post_init__()
        self.episode_length_s = 45.0
        held = {"name": PAN, "width_m": HANDLE_M[1], "at_m": HELD_AT_M}
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(
                    about=PAN,
                    does="Take the pan by its handle",
                    signal="grasp",
                    done=ObservationTermCfg(func=grasped, params=held),
                    noise=0.01,
                ),
                Subtask(
                    about=BOWL,
                    does="Pour the beads into the bowl",
                    signal="poured",
                    done=ObservationTermCfg(func=conditions.poured),
                    noise=0.01,
                ),
                Subtask(about=BOWL, does="Put the pan down beside the bowl", noise=0.01),
            ),
            success=TerminationTermCfg(func=conditions.poured_and_put_back),
            variants=VARIANTS,
            footprints_m={PAN: 0.06, BOWL: 0.095},
            symmetry={BOWL: 4},
        )
        resets: Any = self.events
        places = {bead: (x, y, BEAD_Z_M) for bead, (x, y) in BEADS.items()}
        resets.fill_pan = EventTermCfg(func=events.fill, mode="reset", params={"into": PAN, "places_m": places})
