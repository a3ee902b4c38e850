"""Apprentice-Hang-Franka: a mug is hung by its handle on the peg of a stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hang.mdp import conditions
from apprentice.tasks.hang.mdp.sizes import (
    BAR_M,
    HELD_AT_M,
    HOLLOW_M,
    LIP_M,
    MUG,
    MUG_M,
    OPENING_M,
    OPENING_X_M,
    PEG_M,
    PEG_Z_M,
    PLATE_M,
    POST_M,
    RIM_M,
    STAND,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, fixed, free, square_ring
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

BLUE, WOOD, DARK = (0.25, 0.45, 0.75), (0.7, 0.52, 0.33), (0.4, 0.28, 0.18)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        MUG: {"x": (0.42, 0.54), "y": (-0.26, -0.14), "yaw": (-0.3, 0.3)},
        STAND: {"x": (0.52, 0.58), "y": (0.14, 0.2), "yaw": (0.0, 0.0)},
    },
    "d1": {
        MUG: {"x": (0.4, 0.56), "y": (-0.29, -0.12), "yaw": (-0.6, 0.6)},
        STAND: {"x": (0.51, 0.59), "y": (0.13, 0.22), "yaw": (-0.2, 0.2)},
    },
    "d2": {
        MUG: {"x": (0.38, 0.58), "y": (-0.32, -0.1), "yaw": (-1.0, 1.0)},
        STAND: {"x": (0.5, 0.6), "y": (0.12, 0.24), "yaw": (-0.4, 0.4)},
    },
}
"""The handle points away from the robot, more or less; the peg points to the right."""


def _mug() -> tuple[Part, ...]:
    """A block with a hollow on top, and a handle of three bars, around the block's middle."""
    length, width, tall = MUG_M
    wide, thick = BAR_M
    solid = tall - HOLLOW_M
    block = Part(at_m=(0.0, 0.0, -HOLLOW_M / 2), size_m=(length, width, solid), colour=BLUE)
    rim = [
        Part(at_m=(*part.at_m[:2], solid / 2), size_m=part.size_m, colour=BLUE)
        for part in square_ring(length - 2 * RIM_M, RIM_M, HOLLOW_M, BLUE)
    ]
    across = [
        Part(
            at_m=(OPENING_X_M + thick / 2, 0.0, side * (OPENING_M[1] + thick) / 2),
            size_m=(OPENING_M[0] + thick, wide, thick),
            colour=BLUE,
        )
        for side in (1.0, -1.0)
    ]
    upright = Part(
        at_m=(OPENING_X_M + (OPENING_M[0] + thick) / 2, 0.0, 0.0), size_m=(thick, wide, OPENING_M[1]), colour=BLUE
    )
    return (block, *rim, *across, upright)


def _stand() -> tuple[Part, ...]:
    """A plate, a post, and a peg with a lip on its end, above the body's origin."""
    length, width, high = PEG_M
    end = -(POST_M / 2 + length)
    post = PEG_Z_M + high / 2 - PLATE_M[2]
    return (
        Part(at_m=(0.0, -PLATE_M[1] / 4, PLATE_M[2] / 2), size_m=PLATE_M, colour=DARK),
        Part(at_m=(0.0, 0.0, PLATE_M[2] + post / 2), size_m=(POST_M, POST_M, post), colour=WOOD),
        Part(at_m=(0.0, -(POST_M + length) / 2, PEG_Z_M), size_m=(width, length, high), colour=WOOD),
        Part(
            at_m=(0.0, end + LIP_M[0] / 2, PEG_Z_M + (high + LIP_M[1]) / 2),
            size_m=(width, *LIP_M),
            colour=WOOD,
        ),
    )


@configclass
class HangSceneCfg(TabletopSceneCfg):
    """A mug and a stand."""

    mug = free(MUG, _mug(), mass_kg=0.1, friction=0.2, at_m=(0.48, -0.2, MUG_M[2] / 2))
    stand = fixed(STAND, _stand(), friction=0.2, at_m=(0.55, 0.17, TABLE_GAP_M))


@configclass
class HangFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Hang the mug."""

    scene: Any = HangSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)
    beyond_reach: tuple[str, ...] = (STAND,)  # its post stands where a hand would go

    def __post_init__(self):
        super().__post_init__()
        held = {"name": MUG, "width_m": MUG_M[1], "at_m": HELD_AT_M}
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(
                    about=MUG,
                    does="Grasp the mug",
                    signal="grasp",
                    done=ObservationTermCfg(func=grasped, params=held),
                    noise=0.01,
                ),
                Subtask(
                    about=STAND,
                    does="Put its handle over the peg",
                    signal="threaded",
                    done=ObservationTermCfg(func=conditions.threaded),
                    noise=0.005,
                ),
                Subtask(about=STAND, does="Let it hang", noise=0.005),
            ),
            success=TerminationTermCfg(func=conditions.hangs),
            variants=VARIANTS,
            footprints_m={MUG: 0.1, STAND: 0.1},
            symmetry={},
        )
