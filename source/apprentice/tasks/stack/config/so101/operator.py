"""The scripted way through stacking small cubes."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, pick_and_place
from apprentice.tasks.registry import TaskInfo

from .env_cfg import CUBES, EDGE_M

CLEARANCE_M = 0.04
"""A small arm cannot point down from high above."""
NEAR_M = 0.012
WITHIN_M = 0.004
LIFT_M = (0.045, 0.065)
"""How far a cube is lifted: over the one below, and over the two below."""


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Each cube onto the one before."""
    (eef,) = info.eef_names
    stages = [
        pick_and_place(moved, onto, height_m=EDGE_M, clearance_m=CLEARANCE_M, lift_m=lift_m, within_m=WITHIN_M)
        for onto, moved, lift_m in zip(CUBES, CUBES[1:], LIFT_M, strict=False)
    ]
    return (Oracle(eef=eef, stages=tuple(stages), near_m=NEAR_M),)
