"""When the peg counts as inserted."""

from __future__ import annotations

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.tabletop.mdp.conditions import at_rest, released

from .scene import peg_in_socket
from .sizes import CLEARANCE_M, PEG

FINGERS_FREE_M = 0.02
"""A finger position from which the peg is free on both sides: 1 cm of air. Fully open is 0.04."""
AT_DEPTH_M = 0.004
"""Farthest that the peg's lower end is above the hole's floor when it is in."""
BESIDE_AXIS_M = CLEARANCE_M / 2 + 0.0015
"""Farthest that it is from the hole's axis along x or y: half the clearance, and what walls give way."""
UPRIGHT = 0.995
"""Cosine of the largest tilt (5.7 degrees) of an inserted peg."""


def peg_inserted(env: ManagerBasedEnv) -> Tensor:
    """Whether the peg stands in the hole at full depth, upright, released and at rest. Shape (N,)."""
    lower, axis = peg_in_socket(env)
    inside = (lower[:, :2].abs() < BESIDE_AXIS_M).all(1) & (lower[:, 2].abs() < AT_DEPTH_M)
    return inside & (axis[:, 2] > UPRIGHT) & released(env, FINGERS_FREE_M) & at_rest(env, (PEG,))
