"""When beads count as poured."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position, rotation_from_quat
from apprentice.tasks.readings import object_pose
from apprentice.tasks.tabletop.mdp.conditions import at_rest, height, released, seen_from

from .sizes import BEADS, BOWL, BOWL_INSIDE_M, BOWL_RIM_M, PAN, PAN_HEIGHT_M

MOST = 4
"""Beads, of five, that have to be in the bowl."""
UPRIGHT = 0.98
"""Cosine of the largest tilt (11 degrees) of a pan that stands."""
ABOVE_M = 0.008
"""Farthest that the centre of a standing pan is above where it is when the pan stands on the table."""


def poured(env: ManagerBasedEnv) -> Tensor:
    """Whether most beads are in the bowl, below its rim. Shape (N,)."""
    places = torch.stack([position(seen_from(env, bead, BOWL)) for bead in BEADS])
    inside = (places[..., :2].abs() < BOWL_INSIDE_M / 2).all(-1) & (places[..., 2] < BOWL_RIM_M)
    return inside.sum(0) >= MOST


def poured_and_put_back(env: ManagerBasedEnv) -> Tensor:
    """Whether most beads are in the bowl, and the pan stands on the table, at rest, released. Shape (N,)."""
    upright = rotation_from_quat(object_pose(env, PAN)[:, 3:7])[:, 2, 2] > UPRIGHT
    down = height(env, PAN) < PAN_HEIGHT_M / 2 + ABOVE_M
    return poured(env) & upright & down & released(env) & at_rest(env, (PAN,))
