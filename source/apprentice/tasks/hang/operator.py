"""The scripted way of hanging the mug."""

from __future__ import annotations

from functools import partial

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import BAR_M, HANGS_Y_M, HELD_AT_M, LIP_M, MUG, OPENING_M, OPENING_X_M, PEG_M, PEG_Z_M, POST_M, STAND

BEFORE_M = (-OPENING_X_M, -(POST_M / 2 + PEG_M[0] + BAR_M[0] / 2 + 0.025), PEG_Z_M)
"""Where the mug is in front of the peg, in the stand's frame."""
ON_PEG_M = (-OPENING_X_M, HANGS_Y_M, PEG_Z_M)
"""Where it is when the peg leads through its handle."""
OVER_LIP_M = LIP_M[1] / 2
"""Height of the opening's middle above the peg's when the handle passes the lip."""
LOWERED_M = (PEG_M[2] - OPENING_M[1]) / 2 + 0.003
"""The same when the handle nearly lies on the peg."""
WITHIN_M = 0.005
MISS_M = 0.08
"""How far above the mug a grasp closes that misses it: clear of the rim, or it would hold the mug there."""


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Take the mug, put its handle over the peg, and let it go."""
    (eef,) = info.eef_names
    body = partial(Waypoint, about=MUG, closed=False, at_m=HELD_AT_M)
    held = partial(Waypoint, closed=True, brings=MUG, held_at_m=HELD_AT_M)
    fitted = partial(held, about=STAND, careful=True, along=(0.0, 1.0, 0.0), within_m=WITHIN_M)
    waypoints = (
        body(height_m=0.12),
        body(height_m=0.0, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        held(about=None, height_m=0.2),
        held(about=STAND, at_m=BEFORE_M, height_m=0.02),
        fitted(at_m=BEFORE_M, height_m=OVER_LIP_M),
        fitted(at_m=ON_PEG_M, height_m=OVER_LIP_M),
        held(about=STAND, at_m=ON_PEG_M, height_m=LOWERED_M, careful=True),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.1, closed=False),
    )
    return (Oracle(eef=eef, stages=(Stage(waypoints=waypoints),), miss_m=MISS_M),)
