"""The scripted ways through the two-arm tasks: one for each hand, which wait for each other where they have to."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .config.franka import HANDOVER_TASK_ID, LIFT_TASK_ID

LIFT_GRASP_M = {"left": 0.17, "right": -0.17}
"""Where along its x axis each hand takes the tray."""
HANDOVER_GRASP_M = {"left": 0.1, "right": -0.1}
"""Where along its x axis each hand takes the stick."""
MEETING_M = (0.5, 0.0, 0.22)
"""Where the stick is handed over: its centre, in the environment's frame."""
_ON_PAD_M = 0.02
_RAISE_M = 0.2
_WAIT = Waypoint(about=None, height_m=0.0, closed=True)


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """A way through a two-arm task for each end effector; none if this is no such task."""
    ways = {
        LIFT_TASK_ID: {eef: _lift(eef) for eef in LIFT_GRASP_M},
        HANDOVER_TASK_ID: {"left": _give(), "right": _take()},
    }
    return tuple(Oracle(eef=eef, stages=(way,)) for eef, way in ways.get(info.id, {}).items())


def _lift(eef: str) -> Stage:
    """Grasp an end of the tray, and lift it with the other hand."""
    other = {"left": "right", "right": "left"}[eef]
    spot = (LIFT_GRASP_M[eef], 0.0, 0.0)
    waypoints = (
        Waypoint(about="tray", height_m=0.1, closed=False, at_m=spot),
        Waypoint(about="tray", height_m=0.0, closed=False, careful=True, at_m=spot),
        Waypoint(about=None, height_m=0.0, closed=True, says=f"{eef} holds"),
        Waypoint(
            about=None,
            height_m=_RAISE_M,
            closed=True,
            brings="tray",
            held_at_m=spot,
            exact=True,
            after=f"{other} holds",
        ),
        *(_WAIT,) * 6,
    )
    return Stage(waypoints=waypoints)


def _give() -> Stage:
    """Grasp the stick, hold it out, and let go when the other hand has it."""
    spot = (HANDOVER_GRASP_M["left"], 0.0, 0.0)
    waypoints = (
        Waypoint(about="stick", height_m=0.1, closed=False, at_m=spot),
        Waypoint(about="stick", height_m=0.0, closed=False, careful=True, at_m=spot),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.12, closed=True, brings="stick", held_at_m=spot),
        Waypoint(
            about=None,
            place_m=MEETING_M,
            height_m=0.0,
            closed=True,
            careful=True,
            brings="stick",
            held_at_m=spot,
            says="presented",
        ),
        Waypoint(about=None, height_m=0.0, closed=False, after="right holds", says="left let go"),
        Waypoint(about=None, height_m=0.12, closed=False),
    )
    return Stage(waypoints=waypoints)


def _take() -> Stage:
    """Take the stick from the other hand, and lay it on the pad."""
    spot = (HANDOVER_GRASP_M["right"], 0.0, 0.0)
    waypoints = (
        Waypoint(about="stick", height_m=0.1, closed=False, at_m=spot, after="presented"),
        Waypoint(about="stick", height_m=0.0, closed=False, careful=True, at_m=spot),
        Waypoint(about=None, height_m=0.0, closed=True, says="right holds"),
        Waypoint(about="pad", height_m=0.12, closed=True, brings="stick", held_at_m=spot, after="left let go"),
        Waypoint(about="pad", height_m=_ON_PAD_M + 0.003, closed=True, careful=True, brings="stick", held_at_m=spot),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.1, closed=False),
    )
    return Stage(waypoints=waypoints)
