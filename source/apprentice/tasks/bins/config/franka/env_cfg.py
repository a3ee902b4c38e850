"""Apprentice-Bins-Franka: a cube, a hexagon and a bar are each put into the bin of their colour."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isaaclab.managers import ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.bins.mdp import conditions
from apprentice.tasks.bins.mdp.sizes import (
    BAR_LENGTH_M,
    BIN_M,
    BINS,
    FLOOR_M,
    HEIGHTS_M,
    RIM_M,
    WALL_M,
    WIDTHS_M,
    bin_x_m,
)
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, Triple, cuboid, fixed, free, hexagon
from apprentice.tasks.tabletop.env_cfg import Subtask, TabletopFrankaEnvCfg, TabletopSceneCfg
from apprentice.tasks.tabletop.mdp.conditions import grasped
from apprentice.tasks.tabletop.mdp.events import Ranges

from . import TASK_ID

COLOURS: dict[str, Triple] = {"cube": (0.85, 0.2, 0.15), "hexagon": (0.15, 0.6, 0.25), "bar": (0.15, 0.35, 0.8)}
GREY = (0.35, 0.35, 0.38)
Span = tuple[float, float]
EIGHTH: Span = (-math.pi / 4, math.pi / 4)
QUARTER: Span = (-math.pi / 2, math.pi / 2)
ANYWHERE = (0.34, 0.66)
LANES = {"cube": (0.38, 0.44), "hexagon": (0.48, 0.54), "bar": (0.58, 0.63)}
WIDE_LANES = {"cube": (0.36, 0.47), "hexagon": (0.45, 0.57), "bar": (0.55, 0.65)}


def _ranges(x: Mapping[str, Span], y: Span, bar_yaw: Span, bins: Ranges) -> Mapping[str, Ranges]:
    """Objects in a field, the bins beside it."""
    yaws = {"cube": EIGHTH, "hexagon": (-math.pi / 6, math.pi / 6), "bar": bar_yaw}
    return {name: {"x": x[name], "y": y, "yaw": yaw} for name, yaw in yaws.items()} | {BINS: bins}


VARIANTS: dict[str, Mapping[str, Ranges]] = {
    "d0": _ranges(LANES, (-0.22, -0.08), EIGHTH, {"x": (0.48, 0.52), "y": (0.16, 0.2), "yaw": (0.0, 0.0)}),
    "d1": _ranges(WIDE_LANES, (-0.26, -0.02), QUARTER, {"x": (0.45, 0.55), "y": (0.16, 0.24), "yaw": (-0.3, 0.3)}),
    "d2": _ranges(
        dict.fromkeys(LANES, ANYWHERE),
        (-0.3, 0.02),
        QUARTER,
        {"x": (0.42, 0.56), "y": (0.16, 0.26), "yaw": (-0.6, 0.6)},
    ),
}
"""In d0 and d1 each object has a field of its own; in d2 they lie anywhere."""


def _bins() -> tuple[Part, ...]:
    """Floors in the colours of the objects, and grey walls, above the body's origin."""
    pitch, walls, height = BIN_M[0] + WALL_M, len(WIDTHS_M) + 1, RIM_M / 2
    length = len(WIDTHS_M) * pitch + WALL_M
    floors = [
        Part(at_m=(bin_x_m(name), 0.0, FLOOR_M / 2), size_m=(*BIN_M, FLOOR_M), colour=COLOURS[name])
        for name in WIDTHS_M
    ]
    across = [
        Part(at_m=((k - (walls - 1) / 2) * pitch, 0.0, height), size_m=(WALL_M, BIN_M[1], RIM_M), colour=GREY)
        for k in range(walls)
    ]
    along = [
        Part(at_m=(0.0, side * (BIN_M[1] + WALL_M) / 2, height), size_m=(length, WALL_M, RIM_M), colour=GREY)
        for side in (1, -1)
    ]
    return (*floors, *across, *along)


@configclass
class BinsSceneCfg(TabletopSceneCfg):
    """Three objects and their bins."""

    cube = free(
        "cube",
        cuboid((WIDTHS_M["cube"], WIDTHS_M["cube"], HEIGHTS_M["cube"]), COLOURS["cube"]),
        mass_kg=0.08,
        at_m=(0.45, -0.2, HEIGHTS_M["cube"] / 2),
    )
    hexagon = free(
        "hexagon",
        hexagon(WIDTHS_M["hexagon"], HEIGHTS_M["hexagon"], COLOURS["hexagon"]),
        mass_kg=0.08,
        at_m=(0.5, -0.08, HEIGHTS_M["hexagon"] / 2),
    )
    bar = free(
        "bar",
        cuboid((BAR_LENGTH_M, WIDTHS_M["bar"], HEIGHTS_M["bar"]), COLOURS["bar"]),
        mass_kg=0.08,
        at_m=(0.58, -0.2, HEIGHTS_M["bar"] / 2),
    )
    bins = fixed(BINS, _bins(), at_m=(0.5, 0.18, TABLE_GAP_M))


@configclass
class BinsFrankaEnvCfg(TabletopFrankaEnvCfg):
    """Put each object into its bin."""

    scene: Any = BinsSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)

    def __post_init__(self):
        super().__post_init__()
        self.episode_length_s = 60.0
        self.define(
            TASK_ID,
            subtasks=tuple(part for name in WIDTHS_M for part in _subtasks(name)),
            success=TerminationTermCfg(func=conditions.all_sorted),
            variants=VARIANTS,
            footprints_m=dict.fromkeys(WIDTHS_M, 0.055) | {BINS: 0.12},
            symmetry={"cube": 4, "hexagon": 6, "bar": 2},
        )


def _subtasks(name: str) -> tuple[Subtask, Subtask]:
    holds = ObservationTermCfg(func=grasped, params={"name": name, "width_m": WIDTHS_M[name]})
    put = ObservationTermCfg(func=conditions.put_in_bin, params={"name": name})
    last = name == list(WIDTHS_M)[-1]
    return (
        Subtask(about=name, does=f"Grasp the {name}", signal=f"grasp_{name}", done=holds),
        Subtask(
            about=BINS,
            does=f"Put the {name} into its bin",
            signal=None if last else f"place_{name}",
            done=None if last else put,
        ),
    )
