"""The scripted ways through the two-arm tasks: one for each hand, which wait for each other where they have to."""

from __future__ import annotations

from functools import partial

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .config.franka import HANDOVER_TASK_ID, LID_TASK_ID, LIFT_TASK_ID, THREAD_TASK_ID
from .mdp.sizes import ASIDE_M, BOX, CUBE, HELD_UP_M, HOLE_AT_M, LID, NEEDLE, RING, SHAFT_M

LIFT_GRASP_M = {"left": 0.17, "right": -0.17}
"""Where along its x axis each hand takes the tray."""
HANDOVER_GRASP_M = {"left": 0.1, "right": -0.1}
"""Where along its x axis each hand takes the stick."""
MEETING_M = (0.5, 0.0, 0.22)
"""Where the stick is handed over: its centre, in the environment's frame."""
NEEDLE_GRASP_M = (-SHAFT_M[0] - 0.016, 0.0, 0.0)
"""Where the needle is taken: just behind its shaft."""
THROUGH_M = 0.06
"""How far the needle's tip is pushed beyond the middle of the ring, and how far before it is aimed."""
FITS_M = 0.0025
"""How exactly the needle is aimed at the hole."""
_ON_KNOB_M = 0.005
"""Height of the grasp above the middle of the knob: fingertips stay off the lid."""
_HALFWAY_M = (ASIDE_M[0], 0.75 * ASIDE_M[1], ASIDE_M[2])
"""Where the lid no longer hides the box."""
_INTO_BOX_M = 0.02
"""Height of the cube above the box's centre where it is let go."""
_ON_PAD_M = 0.02
_RAISE_M = 0.2
_WAIT = Waypoint(about=None, height_m=0.0, closed=True)


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """A way through a two-arm task for each end effector; none if this is no such task."""
    ways = {
        LIFT_TASK_ID: {eef: _lift(eef) for eef in LIFT_GRASP_M},
        HANDOVER_TASK_ID: {"left": _give(), "right": _take()},
        LID_TASK_ID: {"left": _open(), "right": _fill()},
        THREAD_TASK_ID: {"left": _hold_up(), "right": _thread()},
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


def _open() -> Stage:
    """Lift the lid by its knob, and hold it aside until the cube is in the box."""
    waypoints = (
        Waypoint(about=LID, height_m=0.1, closed=False),
        Waypoint(about=LID, height_m=_ON_KNOB_M, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.12, closed=True, brings=LID),
        # the other hand goes on while this one is still under way
        Waypoint(about=None, place_m=_HALFWAY_M, height_m=0.0, closed=True, brings=LID, says="the lid is off"),
        Waypoint(about=None, place_m=ASIDE_M, height_m=0.0, closed=True, careful=True, brings=LID),
        _wait_for("the cube is in"),
        *(_WAIT,) * 2,
    )
    return Stage(waypoints=waypoints)


def _fill() -> Stage:
    """Grasp the cube, and put it into the box when that is open."""
    waypoints = (
        Waypoint(about=CUBE, height_m=0.1, closed=False),
        Waypoint(about=CUBE, height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.12, closed=True, brings=CUBE, after="the lid is off"),
        Waypoint(about=BOX, height_m=0.12, closed=True, brings=CUBE),
        Waypoint(about=BOX, height_m=_INTO_BOX_M, closed=True, careful=True, brings=CUBE),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.12, closed=False, says="the cube is in"),
    )
    return Stage(waypoints=waypoints)


def _hold_up() -> Stage:
    """Take the ring by its handle, and hold it up until the needle is through."""
    waypoints = (
        Waypoint(about=RING, height_m=0.1, closed=False),
        Waypoint(about=RING, height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.1, closed=True, brings=RING),
        Waypoint(
            about=None,
            place_m=HELD_UP_M,
            height_m=0.0,
            closed=True,
            careful=True,
            brings=RING,
            after="the needle is up",
            says="the ring is up",
        ),
        _wait_for("the needle is through"),
        *(_WAIT,) * 2,
    )
    return Stage(waypoints=waypoints)


def _thread() -> Stage:
    """Take the needle and put it through the ring."""
    held = partial(Waypoint, closed=True, brings=NEEDLE, held_at_m=NEEDLE_GRASP_M)
    to_ring = partial(held, about=RING, height_m=0.0, careful=True, along=(1.0, 0.0, 0.0), within_m=FITS_M)
    waypoints = (
        Waypoint(about=NEEDLE, height_m=0.1, closed=False, at_m=NEEDLE_GRASP_M),
        Waypoint(about=NEEDLE, height_m=0.0, closed=False, careful=True, at_m=NEEDLE_GRASP_M),
        Waypoint(about=None, height_m=0.0, closed=True),
        held(about=None, height_m=0.2, says="the needle is up"),
        held(about=RING, height_m=0.0, at_m=(-2 * THROUGH_M, 0.0, HOLE_AT_M), after="the ring is up"),
        to_ring(at_m=(-THROUGH_M, 0.0, HOLE_AT_M)),
        to_ring(at_m=(THROUGH_M, 0.0, HOLE_AT_M), says="the needle is through"),
        *(_WAIT,) * 2,
    )
    return Stage(waypoints=waypoints)


def _wait_for(said: str) -> Waypoint:
    return Waypoint(about=None, height_m=0.0, closed=True, after=said)
