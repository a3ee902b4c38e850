"""The scripted way of pouring."""

from __future__ import annotations

from functools import partial

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import BOWL, HELD_AT_M, PAN, PAN_HEIGHT_M

POUR_AT_M = (0.0, 0.05, 0.0)
"""Where the pan is poured from, in the bowl's frame: the beads leave it against the y axis."""
POUR_M = 0.22
"""Height of the pan's centre above the table: the tipped hand stays off the bowl."""
TIPPED_RAD = 2.1
BESIDE_M = (0.0, -0.17, 0.0)
"""Where the pan is put down, in the bowl's frame."""


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Take the pan, pour, and put it down."""
    (eef,) = info.eef_names
    handle = partial(Waypoint, about=PAN, closed=False, at_m=HELD_AT_M)
    held = partial(Waypoint, about=BOWL, closed=True, brings=PAN, held_at_m=HELD_AT_M)
    waypoints = (
        handle(height_m=0.1),
        handle(height_m=0.004, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.14, closed=True, brings=PAN, held_at_m=HELD_AT_M),
        held(at_m=POUR_AT_M, height_m=POUR_M),
        held(at_m=POUR_AT_M, height_m=POUR_M, tipped_rad=TIPPED_RAD),
        Waypoint(about=None, height_m=0.0, closed=True),
        held(at_m=BESIDE_M, height_m=POUR_M),
        held(at_m=BESIDE_M, height_m=PAN_HEIGHT_M / 2 + 0.003, careful=True),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.1, closed=False),
    )
    return (Oracle(eef=eef, stages=(Stage(waypoints=waypoints),)),)
