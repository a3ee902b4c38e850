"""The scripted way of putting the nut over the peg."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, pick_and_insert
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import HELD_AT_M, IN_PLACE_M, NUT, NUT_HEIGHT_M, PEG, PEG_TOP_M

GRASP_M = 0.005
"""Height of the grasp above the middle of the handle: the fingertips stay off the table."""
ALIGNED_M = PEG_TOP_M + NUT_HEIGHT_M / 2 + 0.006
"""Height of the nut's centre with its lower side just above the peg."""
WITHIN_M = 0.0015


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Grasp the nut by its handle, and put it over the peg."""
    (eef,) = info.eef_names
    stage = pick_and_insert(
        NUT,
        PEG,
        grasp_m=GRASP_M,
        above_m=ALIGNED_M,
        height_m=IN_PLACE_M + 0.003,
        within_m=WITHIN_M,
        at_m=HELD_AT_M,
    )
    return (Oracle(eef=eef, stages=(stage,)),)
