"""When the cube counts as hooked, and as drawn into the bay."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position
from apprentice.tasks.tabletop.mdp.conditions import at_rest, height, released, seen_from

from .sizes import BAY, BAY_M, CARRIED_M, CUBE, CUBE_M, HOOK, INSIDE_M, REACH_M, SIDE_M, TALL_M

LOW_M = 0.008
"""Farthest that the hook is above where it draws when it has been let down behind the cube."""
DOWN_M = 0.012
"""Farthest that the hook's origin is above where it is when the hook lies on the table: it may lie on a rail."""


def hooked(env: ManagerBasedEnv) -> Tensor:
    """Whether the cube stands inside the hook, which is let down around it. Shape (N,)."""
    return _inside(env) & (height(env, HOOK) < CARRIED_M + LOW_M)


def in_bay(env: ManagerBasedEnv) -> Tensor:
    """Whether the cube stands on the table, whole inside the bay. Shape (N,)."""
    place = position(seen_from(env, CUBE, BAY))
    between = (place[:, :2].abs() < (BAY_M - CUBE_M) / 2).all(1)
    return between & (height(env, CUBE) < CUBE_M / 2 + 0.005)


def drawn(env: ManagerBasedEnv) -> Tensor:
    """Whether the cube is in the bay, and the hook was put down and let go of, all at rest. Shape (N,)."""
    down = height(env, HOOK) < TALL_M / 2 + DOWN_M
    return in_bay(env) & down & released(env) & at_rest(env, (CUBE, HOOK))


def _inside(env: ManagerBasedEnv) -> Tensor:
    """Whether the cube's centre is inside the hook. Shape (N,)."""
    off = position(seen_from(env, CUBE, HOOK))[:, :2] - torch.tensor((REACH_M, SIDE_M), device=env.device)
    return (off.abs() < torch.tensor(INSIDE_M, device=env.device) / 2 - CUBE_M / 2 + 0.005).all(1)
