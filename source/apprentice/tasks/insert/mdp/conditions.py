"""When the peg counts as grasped, and as inserted."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.readings import finger_positions, object_pose, tcp_pose

from .scene import peg_in_socket
from .sizes import CLEARANCE_M, PEG, PEG_LENGTH_M

FINGERS_ON_PEG_M = (0.006, 0.012)
"""Finger positions between which the fingers rest on the 2 cm peg; closed on nothing they go to 0."""
FINGERS_FREE_M = 0.02
"""A finger position from which the peg is free on both sides: 1 cm of air. Fully open is 0.04."""
AT_DEPTH_M = 0.004
"""Farthest that the peg's lower end is above the hole's floor when it is in."""
BESIDE_AXIS_M = CLEARANCE_M / 2 + 0.0015
"""Farthest that it is from the hole's axis along x or y: half the clearance, and what walls give way."""
UPRIGHT = 0.995
"""Cosine of the largest tilt (5.7 degrees) of an inserted peg."""
AT_REST_M_S = 0.05
"""Speed below which the peg rests, as in the stock stacking task."""


def peg_grasped(env: ManagerBasedEnv) -> Tensor:
    """Whether the gripper holds the peg. Shape (N,)."""
    near = torch.linalg.vector_norm(object_pose(env, PEG)[:, :3] - tcp_pose(env)[0], dim=1) < PEG_LENGTH_M / 2
    fingers = finger_positions(env)
    low, high = FINGERS_ON_PEG_M
    return near & ((fingers > low) & (fingers < high)).all(1)


def peg_inserted(env: ManagerBasedEnv) -> Tensor:
    """Whether the peg stands in the hole at full depth, upright, released and at rest. Shape (N,)."""
    lower, axis = peg_in_socket(env)
    inside = (lower[:, :2].abs() < BESIDE_AXIS_M).all(1) & (lower[:, 2].abs() < AT_DEPTH_M)
    released = (finger_positions(env) > FINGERS_FREE_M).all(1)
    at_rest = torch.linalg.vector_norm(env.scene[PEG].data.root_lin_vel_w.torch, dim=1) < AT_REST_M_S
    return inside & (axis[:, 2] > UPRIGHT) & released & at_rest
