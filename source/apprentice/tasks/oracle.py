"""What a scripted operator knows about a task: which waypoints lead through it, relative to the objects as they lie.

Nothing here moves like a person; that is the business of `teleop.sources.scripted`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial

from apprentice.errors import UserError

from .registry import TaskInfo

Axes = tuple[tuple[float, float, float], ...]
"""An orientation: the axes of a grasp frame (see `apprentice.robots.hands`) in columns. Shape (3, 3)."""

DOWN: Axes = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
"""A hand that comes from above."""
FORWARD: Axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
"""A hand that reaches along the environment's x axis, its fingers closing in the horizontal plane."""
ENTERED_M = 0.014
"""How far what is aligned above a hole comes down until its tip is led by it."""


@dataclass(kw_only=True, frozen=True)
class Waypoint:
    """Where the hand goes next, held as its oracle says."""

    about: str | None
    """Object to go to. None: where the hand was when this waypoint began."""
    height_m: float
    """Height above the object's centre, or above where the hand was (m)."""
    closed: bool
    """Whether the gripper is closed."""
    off_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How far from that place, along the axes of the hand as it is held there (m): -z is short of it."""
    tipped_rad: float = 0.0
    """How far the hand is turned about its own x axis from how it is held, as a cup is tipped."""
    careful: bool = False
    """Whether to go slowly and arrive exactly; otherwise passing near is enough."""
    brings: str | None = None
    """Object in the gripper that has to arrive, rather than the hand; if it is lost, the stage starts again."""
    within_m: float | None = None
    """How exactly to arrive (m), for what is fitted by looking closely, with a steady hand; what does not go in is
    taken back to the waypoint before. None: as exactly as it usually takes."""
    at_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Point of the object to go to, in the object's frame: for long ones (m)."""
    place_m: tuple[float, float, float] | None = None
    """Place in the environment to go to, rather than an object (m)."""
    at_ease: bool = False
    """Whether the hand turns there to how it was held at first, so that another can take what it brings."""
    held_at_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Point at which what the gripper brings is held, in its frame (m)."""
    tip_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Point of what the gripper brings that has to arrive, in its frame (m): the end of a long one, which is elsewhere
    when it leans in the fingers."""
    exact: bool = False
    """Whether to go at once and straight, without what people get wrong elsewhere: two hands on one object feel it when
    the other pulls."""
    along: tuple[float, float, float] | None = None
    """Direction, in the object's frame, in which what the gripper brings comes to its place when it is careful. None:
    down, however the object lies."""
    after: str | None = None
    """What another hand has to have said before this begins; until then the hand stays where it is."""
    says: str | None = None
    """What to tell other hands when it is done."""


@dataclass(kw_only=True, frozen=True)
class Stage:
    """A part of the task that can be checked, and done again when it went wrong."""

    waypoints: tuple[Waypoint, ...]
    """In order."""
    moved: str | None = None
    """Object that the stage brings into place; None where that is not checked."""
    onto: str | None = None
    """Object on which it belongs."""
    at_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where on that, in its frame (m)."""
    height_m: float = 0.0
    """Height of the one's centre above that place when it is there (m)."""
    within_m: float = 0.02
    """How far beside that place it may be (m)."""


@dataclass(kw_only=True, frozen=True)
class Oracle:
    """A way through a task with one end effector."""

    eef: str
    """End effector that does it."""
    stages: tuple[Stage, ...]
    """In order."""
    held: Axes = DOWN
    """How the hand is held, but for a turn about the vertical axis that suits the object it goes to."""
    near_m: float = 0.035
    """Distance at which a waypoint counts as reached that need not be arrived at exactly: less than it rises (m)."""
    miss_m: float = 0.05
    """How far short of an object a grasp closes that misses it: so far that the fingers do not push it over (m)."""


def pick_and_place(
    moved: str,
    onto: str,
    *,
    height_m: float,
    at_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    clearance_m: float = 0.1,
    lift_m: float | None = None,
    within_m: float | None = None,
) -> Stage:
    """Grasp one object from above and set it down on another.

    Args:
        moved: Object to grasp at its centre.
        onto: Object to put it on.
        height_m: Height of the one's centre above that place when it is there.
        at_m: Where to put it, in the frame of `onto`.
        clearance_m: Free height above everything that is passed over, from the centre of the object passed.
        lift_m: How far the one is lifted; by default as far as that.
        within_m: How exactly it is set down, see `Waypoint`; by default as people do without looking closely.
    """
    waypoints = (
        Waypoint(about=moved, height_m=clearance_m, closed=False),
        Waypoint(about=moved, height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=lift_m or clearance_m, closed=True, brings=moved),
        Waypoint(about=onto, height_m=height_m + 0.6 * clearance_m, closed=True, brings=moved, at_m=at_m),
        Waypoint(
            about=onto,
            height_m=height_m + 0.003,
            closed=True,
            careful=True,
            brings=moved,
            at_m=at_m,
            within_m=within_m,
        ),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=clearance_m, closed=False),
    )
    return Stage(waypoints=waypoints, moved=moved, onto=onto, at_m=at_m, height_m=height_m)


def pick_and_insert(
    moved: str,
    into: str,
    *,
    grasp_m: float,
    above_m: float,
    height_m: float,
    within_m: float,
    at_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    tip_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    clearance_m: float = 0.1,
) -> Stage:
    """Grasp an object from above and let it down into a hole, or over a peg.

    Args:
        moved: Object to grasp.
        into: Object with the hole or the peg, along its vertical axis.
        grasp_m: Height of the grasp above the place where `moved` is held.
        above_m: Height of the one's centre above the other's where it is aligned.
        height_m: Height of the one's centre above the other's when it is in place.
        within_m: How exactly it must be aligned.
        at_m: Where `moved` is held, in its frame.
        tip_m: Its point that has to be aligned, in its frame.
        clearance_m: How far it is lifted and the hand rises in the end.
    """
    free = partial(Waypoint, closed=False, at_m=at_m)
    held = partial(Waypoint, closed=True, brings=moved, held_at_m=at_m)
    tip = partial(held, about=into, careful=True, within_m=within_m, tip_m=tip_m)
    # as soon as the hole leads the tip, what leans is set upright by bringing its centre over it
    entering = (tip(height_m=above_m + tip_m[2] - ENTERED_M),) if any(tip_m) else ()
    waypoints = (
        free(about=moved, height_m=grasp_m + clearance_m),
        free(about=moved, height_m=grasp_m, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        held(about=None, height_m=clearance_m),
        held(about=into, height_m=above_m + 0.03),
        tip(height_m=above_m + tip_m[2]),
        *entering,
        held(about=into, height_m=height_m, careful=True, within_m=within_m),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=clearance_m, closed=False),
    )
    return Stage(waypoints=waypoints, moved=moved, onto=into, height_m=height_m)


def find_oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """The scripted way through a task for each of its end effectors.

    The registration of a task names a function that gives it, as `oracles_entry_point`; stacking tasks, Isaac Lab's
    too, are known by their subtasks.

    Raises:
        UserError: If nobody wrote one.
    """
    import gymnasium as gym

    from .stack.operator import oracle as stacking

    spec = gym.registry.get(info.id)
    entry: str | None = (spec.kwargs or {}).get("oracles_entry_point") if spec else None
    if entry is not None:
        module, _, name = entry.partition(":")
        return getattr(importlib.import_module(module), name)(info)
    if (found := stacking(info)) is not None:
        return (found,)
    raise UserError(
        f"Expected a task that the scripted operator knows, such as Apprentice-Stack-Franka, found {info.id}: drive it "
        "yourself with another --device."
    )


def find_oracle(info: TaskInfo) -> Oracle:
    """The scripted way through a task with one end effector.

    Raises:
        UserError: If nobody wrote one.
    """
    (oracle,) = find_oracles(info)
    return oracle
