"""The scripted way through picking and placing."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, pick_and_place
from apprentice.tasks.registry import TaskInfo

from .config.so101.env_cfg import CUBE, LIES_M, PLATE

CLEARANCE_M = 0.045
"""A small arm cannot point down from high above."""
NEAR_M = 0.012


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Put the cube onto the plate."""
    (eef,) = info.eef_names
    stage = pick_and_place(CUBE, PLATE, height_m=LIES_M, clearance_m=CLEARANCE_M)
    return (Oracle(eef=eef, stages=(stage,), near_m=NEAR_M),)
