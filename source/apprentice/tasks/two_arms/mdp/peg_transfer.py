"""The ring and the pegs of peg transfer, and when the ring counts as held up and as put over a peg."""

from __future__ import annotations

from typing import Any

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import inverse, position
from apprentice.tasks.tabletop.mdp.conditions import at_rest

from .conditions import LIFTED_M, grasped, released, upright
from .scene import EEFS, object_pose

RING, FROM, ONTO = "ring", "first_peg", "second_peg"

HOLE_M = 0.064
"""Edge of the ring's hole."""
WALL_M = 0.016
"""Width of the ring around it, and its height."""
PEG_M = 0.016
"""Edge of a peg."""
PEG_TOP_M = 0.05
"""Height of a peg's upper end above the table."""
PLATE_M = (0.16, 0.16, 0.012)
"""Size of the plate that a peg stands on."""
LIES_M = PLATE_M[2] + WALL_M / 2
"""Height of the ring's centre above a peg's foot when it lies on the plate."""
GRASP_M = {"left": (0.0, (HOLE_M + WALL_M) / 2, 0.0), "right": (0.0, -(HOLE_M + WALL_M) / 2, 0.0)}
"""Where each instrument takes the ring, in the ring's frame: at opposite sides, one jaw in the hole."""
WITHIN_M = 0.012
"""Farthest that the grasp is from there."""
MEETING_Y_M = (-0.05, 0.05)
"""Between where and where along y the ring is handed over."""


def holds(eef: str) -> dict[str, Any]:
    """How an instrument holds the ring: arguments of `grasped`."""
    return {"eef": eef, "name": RING, "width_m": WALL_M, "at_m": GRASP_M[eef], "within_m": WITHIN_M}


def presented(env: ManagerBasedEnv) -> Tensor:
    """Whether the left instrument holds the ring up where the right one can reach it, level. Shape (N,)."""
    place = position(object_pose(env, RING))
    there = (place[:, 1] > MEETING_Y_M[0]) & (place[:, 1] < MEETING_Y_M[1]) & (place[:, 2] > LIFTED_M)
    return grasped(env, **holds("left")) & there & upright(env, RING)


def handed_over(env: ManagerBasedEnv) -> Tensor:
    """Whether the left instrument has let go of the ring that the right one holds. Shape (N,)."""
    return released(env, "left") & grasped(env, **holds("right"))


def around_second_peg(env: ManagerBasedEnv) -> Tensor:
    """Whether the ring lies around the second peg at rest, both instruments open. Shape (N,)."""
    foot = position(inverse(object_pose(env, RING)) @ object_pose(env, ONTO))
    around = (foot[:, :2].abs() < HOLE_M / 2).all(1)
    down = (foot[:, 2] + LIES_M).abs() < 0.006
    free = released(env, EEFS[0]) & released(env, EEFS[1])
    return around & down & upright(env, RING) & free & at_rest(env, (RING,))
