"""Apprentice-Nut-Franka: a square nut with a handle is put over a square peg that is 4 mm narrower than its hole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.nut.mdp import conditions
from apprentice.tasks.nut.mdp.sizes import (
    CLEARANCE_M,
    HANDLE_M,
    HELD_AT_M,
    NUT,
    NUT_HEIGHT_M,
    OUTSIDE_M,
    PEG,
    PEG_TOP_M,
    PEG_WIDTH_M,
    PLATE_M,
    WALL_M,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, fixed, free, square_ring
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

BRASS, STEEL = (0.85, 0.6, 0.15), (0.45, 0.47, 0.5)
EIGHTH = (-math.pi / 4, math.pi / 4)
VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": {
        NUT: {"x": (0.4, 0.55), "y": (-0.22, -0.08), "yaw": EIGHTH},
        PEG: {"x": (0.46, 0.54), "y": (0.1, 0.2), "yaw": (0.0, 0.0)},
    },
    "d1": {
        NUT: {"x": (0.38, 0.57), "y": (-0.25, -0.03), "yaw": (-math.pi / 2, math.pi / 2)},
        PEG: {"x": (0.42, 0.56), "y": (0.07, 0.24), "yaw": EIGHTH},
    },
    "d2": {
        NUT: {"x": (0.37, 0.6), "y": (-0.27, 0.2), "yaw": (-1.9, 1.9)},
        PEG: {"x": (0.4, 0.6), "y": (-0.2, 0.27), "yaw": EIGHTH},
    },
}
"""The handle of every nut can be grasped from above. An eighth of a turn to both sides is all that there is of pegs."""


def _nut() -> tuple[Part, ...]:
    length, width = HANDLE_M
    handle = Part(at_m=((OUTSIDE_M + length) / 2, 0.0, 0.0), size_m=(length, width, NUT_HEIGHT_M), colour=BRASS)
    return (*square_ring(PEG_WIDTH_M + CLEARANCE_M, WALL_M, NUT_HEIGHT_M, BRASS), handle)


def _peg() -> tuple[Part, ...]:
    """The peg on its plate, above the body's origin."""
    return (
        Part(at_m=(0.0, 0.0, PLATE_M[2] / 2), size_m=PLATE_M, colour=STEEL),
        Part(at_m=(0.0, 0.0, PEG_TOP_M / 2), size_m=(PEG_WIDTH_M, PEG_WIDTH_M, PEG_TOP_M), colour=STEEL),
    )


@configclass
class NutSceneCfg(TabletopSceneCfg):
    """A nut and a peg."""

    nut = free(NUT, _nut(), mass_kg=0.06, friction=0.6, at_m=(0.48, -0.15, NUT_HEIGHT_M / 2))
    peg = fixed(PEG, _peg(), friction=0.3, at_m=(0.5, 0.15, TABLE_GAP_M))


@configclass
class NutFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Put the nut over the peg."""

    scene: Any = NutSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        held = {"name": NUT, "width_m": HANDLE_M[1], "at_m": HELD_AT_M}
        holds = ObservationTermCfg(func=grasped, params=held)
        self.define(
            TASK_ID,
            subtasks=(
                Subtask(about=NUT, does="Grasp the nut by its handle", signal="grasp", done=holds, noise=0.01),
                Subtask(about=PEG, does="Put the nut over the peg", noise=0.005),
            ),
            success=TerminationTermCfg(func=conditions.nut_on_peg),
            variants=VARIANTS,
            footprints_m={NUT: 0.1, PEG: 0.06},
            symmetry={PEG: 4},
        )
