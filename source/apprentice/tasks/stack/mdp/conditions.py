"""When something counts as grasped, stacked or done.

Stricter than the stock terms. There, "grasped" fires when the gripper closes near a cube, whether or not it holds it,
and "stacked" tests the height difference without its sign or a lower bound, so cubes side by side pass.
"""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.readings import finger_positions, object_pose, tcp_pose
from apprentice.tasks.tabletop.mdp.conditions import at_rest, released

from .scene import CUBES

HELD_WITHIN_M = 0.03
"""Farthest that the centre of a held cube is from the point between the fingertips."""
FINGERS_ON_CUBE_M = (0.012, 0.0225)
"""Finger positions between which the fingers rest on a 40.6 mm cube; closed on nothing they go to 0."""
STACK_HEIGHT_M = (0.03, 0.06)
"""Height of the upper cube's centre above the lower's; touching cubes are 0.0406 apart."""
STACK_OFFSET_M = 0.04
"""Largest horizontal distance of the centres, as in the stock task."""


def object_grasped(env: ManagerBasedEnv, name: str) -> Tensor:
    """Whether the gripper holds the cube. Shape (N,)."""
    near = torch.linalg.vector_norm(object_pose(env, name)[:, :3] - tcp_pose(env)[0], dim=1) < HELD_WITHIN_M
    fingers = finger_positions(env)
    low, high = FINGERS_ON_CUBE_M
    return near & ((fingers > low) & (fingers < high)).all(1)


def object_stacked(env: ManagerBasedEnv, upper: str, lower: str) -> Tensor:
    """Whether one cube lies on the other, released. Shape (N,)."""
    return _on_top(env, upper, lower) & released(env)


def cubes_stacked(env: ManagerBasedEnv) -> Tensor:
    """Whether the three cubes are a tower, at rest, with the gripper released. Shape (N,)."""
    tower = _on_top(env, CUBES[1], CUBES[0]) & _on_top(env, CUBES[2], CUBES[1])
    return tower & released(env) & at_rest(env, CUBES)


def _on_top(env: ManagerBasedEnv, upper: str, lower: str) -> Tensor:
    offset = object_pose(env, upper)[:, :3] - object_pose(env, lower)[:, :3]
    low, high = STACK_HEIGHT_M
    aligned = torch.linalg.vector_norm(offset[:, :2], dim=1) < STACK_OFFSET_M
    return aligned & (offset[:, 2] > low) & (offset[:, 2] < high)
