"""The scripted way of drawing the cube into the bay."""

from __future__ import annotations

from functools import partial

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import BAY, CARRIED_M, CUBE, CUBE_M, HOOK, INSIDE_M, REACH_M, SIDE_M, TALL_M

AROUND_M = (-REACH_M, SIDE_M, 0.0)
"""From the middle of the hook's inside to its handle, along the axes of the hand."""
BEHIND_M = (AROUND_M[0] - (INSIDE_M[0] - CUBE_M) / 2, AROUND_M[1], 0.0)
"""The same from the middle of a cube that touches the blade."""
OVER_M = 0.08
"""Height of the hook's origin above the cube's when it is carried over the cube."""
LYING_M = TALL_M / 2 + 0.003
WITHIN_M = 0.04
"""How far from the bay's middle the cube may stand."""


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Take the hook, draw the cube into the bay, and put the hook down."""
    (eef,) = info.eef_names
    handle = partial(Waypoint, about=HOOK, closed=False)
    held = partial(Waypoint, closed=True, brings=HOOK)
    take = Stage(
        waypoints=(
            handle(height_m=0.1),
            handle(height_m=0.004, careful=True),
            Waypoint(about=None, height_m=0.0, closed=True),
            held(about=None, height_m=0.04),
        )
    )
    # begun again with the hook in the hand
    draw = Stage(
        waypoints=(
            held(about=None, height_m=0.07),
            held(about=CUBE, height_m=OVER_M, off_m=AROUND_M),
            held(about=CUBE, height_m=CARRIED_M - CUBE_M / 2, off_m=AROUND_M, careful=True),
            held(about=BAY, height_m=CARRIED_M, off_m=BEHIND_M, careful=True, along=(-1.0, 0.0, 0.0)),
        ),
        moved=CUBE,
        onto=BAY,
        height_m=CUBE_M / 2,
        within_m=WITHIN_M,
    )
    leave = Stage(
        waypoints=(
            held(about=BAY, height_m=LYING_M, off_m=BEHIND_M, careful=True),
            Waypoint(about=None, height_m=0.0, closed=False),
            Waypoint(about=None, height_m=0.1, closed=False),
        )
    )
    return (Oracle(eef=eef, stages=(take, draw, leave)),)
