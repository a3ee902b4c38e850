"""When the drawer counts as open, and the cube as in it."""

from __future__ import annotations

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position
from apprentice.tasks.tabletop.mdp.conditions import at_rest, released, seen_from

from .sizes import CABINET, CUBE, CUBE_M, DRAWER, FLOOR_M, INSIDE_M

OPEN_M = 0.09
"""How far the drawer must be out to count as open."""
ABOVE_M = 0.01
"""Farthest that the cube's centre is above where it is when it lies on the drawer's floor."""


def drawer_open(env: ManagerBasedEnv) -> Tensor:
    """Whether the drawer is out. Shape (N,)."""
    return position(seen_from(env, DRAWER, CABINET))[:, 0] < -OPEN_M


def drawer_opened(env: ManagerBasedEnv) -> Tensor:
    """Whether the drawer is out, and the gripper open. Shape (N,)."""
    return drawer_open(env) & released(env)


def cube_in_drawer(env: ManagerBasedEnv) -> Tensor:
    """Whether the cube lies in the open drawer, at rest, the gripper released. Shape (N,)."""
    place = position(seen_from(env, CUBE, DRAWER))
    (near, far), width, _ = INSIDE_M
    inside = (place[:, 0] > near) & (place[:, 0] < far) & (place[:, 1].abs() < width / 2)
    down = place[:, 2] < FLOOR_M + CUBE_M / 2 + ABOVE_M
    return inside & down & drawer_open(env) & released(env) & at_rest(env, (CUBE,))
