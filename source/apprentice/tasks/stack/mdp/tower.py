"""When cubes of any size count as stacked, on the table of any arm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.readings import object_pose
from apprentice.tasks.tabletop.mdp.conditions import at_rest, released

APART = (0.8, 1.2)
"""Height of a cube's centre above the next lower's, in edges: 1 where they touch."""
ASIDE = 0.6
"""Largest horizontal distance of the centres, in edges: a cube lies on another as long as it covers half of it, and
less far aside along each side."""


def stacked(env: ManagerBasedEnv, cubes: Sequence[str], edge_m: float, open_m: float) -> Tensor:
    """Whether cubes lie on each other, released. Shape (N,).

    Args:
        env: The environment.
        cubes: From the lowest on.
        edge_m: Of a cube.
        open_m: Distance of a finger from the middle from which the gripper is released.
    """
    lies = released(env, open_m)
    for lower, upper in pairwise(cubes):
        offset = object_pose(env, upper)[:, :3] - object_pose(env, lower)[:, :3]
        lies &= torch.linalg.vector_norm(offset[:, :2], dim=1) < ASIDE * edge_m
        lies &= (offset[:, 2] > APART[0] * edge_m) & (offset[:, 2] < APART[1] * edge_m)
    return lies


def tower(env: ManagerBasedEnv, cubes: Sequence[str], edge_m: float, open_m: float) -> Tensor:
    """Whether cubes lie on each other, at rest, released. Shape (N,). Arguments as of `stacked`."""
    return stacked(env, cubes, edge_m, open_m) & at_rest(env, cubes)
