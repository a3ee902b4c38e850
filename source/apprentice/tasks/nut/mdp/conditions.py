"""When the nut counts as on the peg."""

from __future__ import annotations

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position, rotation
from apprentice.tasks.tabletop.mdp.conditions import at_rest, released, seen_from

from .sizes import CLEARANCE_M, IN_PLACE_M, NUT, PEG

FINGERS_FREE_M = 0.02
"""A finger position from which the handle is free on both sides: 1 cm of air. Fully open is 0.04."""
ABOVE_M = 0.005
"""Farthest that the nut's centre is above where it is when the nut lies on the plate."""
BESIDE_AXIS_M = CLEARANCE_M / 2 + 0.0015
"""Farthest that the nut is from the peg's axis along x or y: half the clearance, and what surfaces give way."""
UPRIGHT = 0.98
"""Cosine of the largest tilt (11 degrees) of a nut that lies."""


def nut_on_peg(env: ManagerBasedEnv) -> Tensor:
    """Whether the nut lies around the peg, at its foot, released and at rest. Shape (N,)."""
    nut = seen_from(env, NUT, PEG)
    place = position(nut)
    down = (place[:, 2] < IN_PLACE_M + ABOVE_M) & (rotation(nut)[:, 2, 2] > UPRIGHT)
    around = (place[:, :2].abs() < BESIDE_AXIS_M).all(1)
    return around & down & released(env, FINGERS_FREE_M) & at_rest(env, (NUT,))
