"""The scripted way through lifting."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

RAISE_M = 0.16
"""How far the cube is lifted."""
_HOLD = Waypoint(about=None, height_m=0.0, closed=True)


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Grasp the object, lift it and hold it there."""
    (eef,), (cube,) = info.eef_names, info.objects
    waypoints = (
        Waypoint(about=cube, height_m=0.1, closed=False),
        Waypoint(about=cube, height_m=0.0, closed=False, careful=True),
        _HOLD,
        Waypoint(about=None, height_m=RAISE_M, closed=True, brings=cube),
        *(_HOLD,) * 3,
    )
    return (Oracle(eef=eef, stages=(Stage(waypoints=waypoints),)),)
