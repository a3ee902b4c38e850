"""The scripted ways through the humanoid tasks."""

from __future__ import annotations

from apprentice.tasks.oracle import FORWARD, Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .mdp.places import ASIDE_M, HANDLE_M, MEETING_M, WAITING_M

_BACK = (0.0, 0.0, -0.16)
"""How far short of what it takes a hand stops first, in its axes: its fingers are long."""
_BEFORE = (0.0, 0.0, -0.4)
"""How far short of the other table's pad a hand with the brick comes first, in its axes: so far before the table."""
_FREE = (0.0, -0.02, 0.0)
"""How far the right hand moves aside, in its axes, until its fingers do not touch what it released."""
_ON_PAD_M = 0.065
"""Height of the brick's centre above the pad's."""
_ON_STICK_M = {"right": (0.0, 0.0, -0.07), "left": (0.0, 0.0, 0.065)}
"""Where each hand takes the stick."""
_RAISE_M = 0.2
"""How far hands lift the box."""
_WAIT = Waypoint(about=None, height_m=0.0, closed=False)
_HOLD = Waypoint(about=None, height_m=0.0, closed=True)


def pick_place(info: TaskInfo) -> tuple[Oracle, ...]:
    """The way through the PickPlace tasks."""
    return _with_hands({"right": _stand_on_pad()})


def walk_pick_place(info: TaskInfo) -> tuple[Oracle, ...]:
    """The way through the WalkPickPlace task."""
    return _with_hands({"right": _carry_to_pad()})


def handover(info: TaskInfo) -> tuple[Oracle, ...]:
    """The way through the Handover tasks, for each hand."""
    return _with_hands({"left": _take(), "right": _give()})


def lift_box(info: TaskInfo) -> tuple[Oracle, ...]:
    """The way through the LiftBox tasks, for each hand."""
    return _with_hands({eef: _lift(eef) for eef in HANDLE_M})


def _with_hands(ways: dict[str, Stage]) -> tuple[Oracle, ...]:
    return tuple(Oracle(eef=eef, stages=(way,), held=FORWARD, miss_m=-_BACK[2]) for eef, way in ways.items())


def _stand_on_pad(*by: Waypoint) -> Stage:
    """Take the brick, bring it to some places on the way, and stand it on the pad."""
    waypoints = (
        Waypoint(about="brick", height_m=0.0, closed=False, off_m=_BACK),
        Waypoint(about="brick", height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.08, closed=True, brings="brick"),
        *by,
        Waypoint(about="pad", height_m=_ON_PAD_M + 0.06, closed=True, brings="brick"),
        Waypoint(about="pad", height_m=_ON_PAD_M, closed=True, careful=True, brings="brick"),
        _WAIT,
        Waypoint(about=None, height_m=0.0, closed=False, careful=True, off_m=_FREE),
        Waypoint(about=None, height_m=0.0, closed=False, off_m=_BACK),
    )
    return Stage(waypoints=waypoints)


def _carry_to_pad() -> Stage:
    """The same with the pad on another table, to which the robot comes from the front."""
    return _stand_on_pad(
        Waypoint(about="pad", height_m=_ON_PAD_M + 0.06, closed=True, off_m=_BEFORE, brings="brick"),
    )


def _give() -> Stage:
    """Take the stick, hold it out, and let go when the other hand has it."""
    spot = _ON_STICK_M["right"]
    waypoints = (
        Waypoint(about="stick", height_m=0.0, closed=False, at_m=spot, off_m=_BACK),
        Waypoint(about="stick", height_m=0.0, closed=False, at_m=spot, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.1, closed=True, brings="stick", held_at_m=spot),
        Waypoint(
            about=None,
            height_m=0.0,
            place_m=MEETING_M,
            closed=True,
            careful=True,
            at_ease=True,
            brings="stick",
            held_at_m=spot,
            says="presented",
        ),
        Waypoint(about=None, height_m=0.0, closed=False, after="left holds", says="right let go"),
        Waypoint(about=None, height_m=0.0, closed=False, careful=True, off_m=_FREE),
        Waypoint(about=None, height_m=0.0, closed=False, off_m=_BACK),
    )
    return Stage(waypoints=waypoints)


def _take() -> Stage:
    """Take the stick from the other hand, and hold it aside."""
    spot = _ON_STICK_M["left"]
    waypoints = (
        Waypoint(about=None, height_m=0.0, place_m=WAITING_M, closed=False),
        Waypoint(about="stick", height_m=0.0, closed=False, at_m=spot, off_m=_BACK, after="presented"),
        Waypoint(about="stick", height_m=0.0, closed=False, at_m=spot, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True, brings="stick", held_at_m=spot, says="left holds"),
        Waypoint(
            about=None,
            height_m=0.0,
            place_m=ASIDE_M,
            closed=True,
            careful=True,
            brings="stick",
            held_at_m=spot,
            after="right let go",
        ),
        *(_HOLD,) * 3,
    )
    return Stage(waypoints=waypoints)


def _lift(eef: str) -> Stage:
    """Grasp a handle of the box, and lift it with the other hand."""
    other = {"left": "right", "right": "left"}[eef]
    spot = HANDLE_M[eef]
    waypoints = (
        Waypoint(about="box", height_m=0.0, closed=False, at_m=spot, off_m=_BACK),
        Waypoint(about="box", height_m=0.0, closed=False, at_m=spot, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True, brings="box", held_at_m=spot, says=f"{eef} holds"),
        Waypoint(
            about=None,
            height_m=_RAISE_M,
            closed=True,
            brings="box",
            held_at_m=spot,
            exact=True,
            after=f"{other} holds",
        ),
        *(_HOLD,) * 6,
    )
    return Stage(waypoints=waypoints)
