"""When an object counts as sorted."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position
from apprentice.tasks.tabletop.mdp.conditions import at_rest, released, seen_from

from .sizes import BIN_M, BINS, RIM_M, WIDTHS_M, bin_x_m, rest_m

SUNK_M = 0.01
"""Farthest that the centre of a sorted object is above where it is when it stands on the floor of its bin."""


def in_bin(env: ManagerBasedEnv, name: str) -> Tensor:
    """Whether an object is down in its bin. Shape (N,)."""
    place = position(seen_from(env, name, BINS))
    inside = ((place[:, 0] - bin_x_m(name)).abs() < BIN_M[0] / 2) & (place[:, 1].abs() < BIN_M[1] / 2)
    return inside & (place[:, 2] < max(rest_m(name) + SUNK_M, RIM_M))


def put_in_bin(env: ManagerBasedEnv, name: str) -> Tensor:
    """Whether an object was let go in its bin. Shape (N,)."""
    return in_bin(env, name) & released(env)


def all_sorted(env: ManagerBasedEnv) -> Tensor:
    """Whether every object lies in its bin, at rest, the gripper released. Shape (N,)."""
    inside = torch.stack([in_bin(env, name) for name in WIDTHS_M]).all(0)
    return inside & released(env) & at_rest(env, tuple(WIDTHS_M))
