"""The scripted way of putting the cube into the drawer."""

from __future__ import annotations

from functools import partial

from apprentice.tasks.oracle import Oracle, Stage, Waypoint, pick_and_place
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import CABINET, CUBE, CUBE_M, DRAWER, FLOOR_M, HANDLE_AT_M, PUT_AT_M

PULLED_M = (-0.112, 0.0, 0.0)
"""Where the drawer is pulled to, in the cabinet's frame: nearly as far as it goes."""


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Open the drawer, and put the cube into it."""
    (eef,) = info.eef_names
    into = pick_and_place(CUBE, DRAWER, height_m=FLOOR_M + CUBE_M / 2, at_m=PUT_AT_M)
    return (Oracle(eef=eef, stages=(_pull(), into)),)


def _pull() -> Stage:
    handle = partial(Waypoint, about=DRAWER, closed=False, at_m=HANDLE_AT_M)
    waypoints = (
        handle(height_m=0.1),
        handle(height_m=0.0, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(
            about=CABINET,
            height_m=0.0,
            closed=True,
            careful=True,
            brings=DRAWER,
            at_m=PULLED_M,
            held_at_m=HANDLE_AT_M,
        ),
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.1, closed=False),
    )
    return Stage(waypoints=waypoints, moved=DRAWER, onto=CABINET, at_m=PULLED_M)
