"""The scripted ways through the humanoid tasks."""

from __future__ import annotations

from apprentice.tasks.oracle import FORWARD, Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .config.g1 import PICK_PLACE_TASK_ID

_BACK_M = 0.16
"""How far short of what it takes a hand stops first: its fingers are long."""
_FREE_M = 0.02
"""How far a hand moves aside, until its fingers do not touch what it released."""
_RAISE_M = 0.08
_ON_PAD_M = 0.065
"""Height of the brick's centre above the pad's."""


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """A way through a humanoid task for each hand that has a part in it."""
    ways = {PICK_PLACE_TASK_ID: {"right": _stand_on_pad()}}
    return tuple(Oracle(eef=eef, stages=(way,), held=FORWARD, miss_m=_BACK_M) for eef, way in ways[info.id].items())


def _stand_on_pad() -> Stage:
    waypoints = (
        Waypoint(about="brick", height_m=0.0, closed=False, off_m=(0.0, 0.0, -_BACK_M)),
        Waypoint(about="brick", height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=_RAISE_M, closed=True, brings="brick"),
        Waypoint(about="pad", height_m=_ON_PAD_M + 0.06, closed=True, brings="brick"),
        Waypoint(about="pad", height_m=_ON_PAD_M, closed=True, careful=True, brings="brick"),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.0, closed=False, careful=True, off_m=(0.0, -_FREE_M, 0.0)),
        Waypoint(about=None, height_m=0.0, closed=False, off_m=(0.0, 0.0, -_BACK_M)),
    )
    return Stage(waypoints=waypoints)
