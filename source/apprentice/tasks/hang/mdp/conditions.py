"""When the mug counts as hanging."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position, rotation
from apprentice.tasks.tabletop.mdp.conditions import at_rest, height, released, seen_from

from .sizes import BAR_M, LIP_M, MUG, OPENING_M, OPENING_X_M, PEG_M, PEG_Z_M, POST_M, STAND

FINGERS_FREE_M = 0.033
"""A finger position from which the mug is free on both sides: 5 mm of air. Fully open is 0.04."""
LEAST_M = BAR_M[0] / 2 + LIP_M[0]
"""Least distance of the handle's middle from the end of the peg: all of the handle is behind the lip."""
OFF_GROUND_M = 0.08
"""Least height of the mug's origin above the table: it swings free there."""


def threaded(env: ManagerBasedEnv) -> Tensor:
    """Whether the peg leads through the handle, however the mug is turned. Shape (N,)."""
    stand = seen_from(env, STAND, MUG)

    def seen(y_m: float) -> Tensor:
        point = torch.tensor((0.0, y_m, PEG_Z_M), device=env.device)
        return position(stand) + rotation(stand) @ point

    root, end = seen(-POST_M / 2), seen(-POST_M / 2 - PEG_M[0] + LEAST_M)
    across = root[:, 1] * end[:, 1] < 0  # the two are on either side of the plane of the handle
    share = root[:, 1] / (root[:, 1] - end[:, 1]).where(across, torch.ones_like(end[:, 1]))
    through = root + share[:, None] * (end - root)
    inside = ((through[:, 0] - OPENING_X_M).abs() < OPENING_M[0] / 2) & (through[:, 2].abs() < OPENING_M[1] / 2)
    return across & inside


def hangs(env: ManagerBasedEnv) -> Tensor:
    """Whether the mug hangs on the peg by its handle, let go of and at rest. Shape (N,)."""
    up = height(env, MUG) > OFF_GROUND_M
    return threaded(env) & up & released(env, FINGERS_FREE_M) & at_rest(env, (MUG,))
