"""The scripted way through peg transfer: one for each instrument, which wait for each other where they have to."""

from __future__ import annotations

from functools import partial

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .mdp.peg_transfer import GRASP_M, LIES_M, ONTO, PEG_TOP_M, RING, WALL_M

MEETING_M = (0.5, 0.0, 0.2)
"""Where the ring is handed over: its centre, in the environment's frame."""
ABOVE_CENTRE_M = 0.002
"""Height of the grasp above the middle of the ring: tips stay off the plate."""
WITHIN_M = 0.004
"""How exactly jaws are put over the ring, and the ring over the peg."""
_NEAR_M = 0.06
"""Height above the ring from which jaws are put over it."""
_CLEAR_M = 0.09


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """A way through the task for each instrument."""
    stages = {"left": _give(), "right": _take()}
    return tuple(Oracle(eef=eef, stages=(stages[eef],), near_m=0.02, miss_m=0.03) for eef in info.eef_names)


def _give() -> Stage:
    """Take the ring off its peg, hold it out, and let go when the other instrument has it."""
    spot = GRASP_M["left"]
    held = partial(Waypoint, closed=True, brings=RING, held_at_m=spot)
    waypoints = (
        *_grasp("left"),
        held(about=None, height_m=_CLEAR_M),
        held(about=None, place_m=MEETING_M, height_m=0.0, careful=True, says="presented"),
        Waypoint(about=None, height_m=0.0, closed=False, after="right holds", says="left let go"),
        Waypoint(about=None, height_m=0.06, closed=False),
        Waypoint(about=None, height_m=0.0, off_m=(0.0, -0.15, 0.0), closed=False),
    )
    return Stage(waypoints=waypoints)


def _take() -> Stage:
    """Take the ring from the other instrument, and put it over the second peg."""
    spot = GRASP_M["right"]
    held = partial(Waypoint, closed=True, brings=RING, held_at_m=spot)
    near, at, close = _grasp("right", after="presented", says="right holds")
    waypoints = (
        near,
        at,
        close,
        held(about=ONTO, height_m=LIES_M + _CLEAR_M, after="left let go"),
        held(about=ONTO, height_m=PEG_TOP_M + WALL_M, careful=True, within_m=WITHIN_M),
        held(about=ONTO, height_m=LIES_M + 0.003, careful=True, within_m=WITHIN_M),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=_CLEAR_M, closed=False),
    )
    return Stage(waypoints=waypoints)


def _grasp(eef: str, after: str | None = None, says: str | None = None) -> tuple[Waypoint, Waypoint, Waypoint]:
    """Put the jaws around the ring and close them."""
    over = partial(Waypoint, about=RING, closed=False, at_m=GRASP_M[eef])
    return (
        over(height_m=_NEAR_M, after=after),
        over(height_m=ABOVE_CENTRE_M, careful=True, within_m=WITHIN_M),
        Waypoint(about=None, height_m=0.0, closed=True, says=says),
    )
