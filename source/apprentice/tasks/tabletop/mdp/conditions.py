"""Conditions of which subtask signals and successes are made. All of them can be held."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import inverse, make_pose, position, rotation_from_quat
from apprentice.tasks.readings import finger_positions, object_pose, tcp_pose

GIVES_M = (0.004, 0.0025)
"""How much nearer to the middle than half of what it holds a finger may be, as it sinks in; and how much farther."""
FINGERS_OPEN_M = 0.035
"""A finger position from which the gripper counts as released; fully open is 0.04."""
AT_REST_M_S = 0.05
"""Speed below which an object rests, as in the stock stacking task."""
CALM_M_S = 0.1
"""Speed below which an object that is held up is held still: hands tremble, more in some engines than in others."""


def grasped(
    env: ManagerBasedEnv,
    name: str,
    width_m: float,
    at_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    within_m: float = 0.03,
) -> Tensor:
    """Whether the gripper holds an object. Shape (N,).

    Args:
        env: The environment.
        name: The object.
        width_m: Its width where it is held; fingers closed on nothing are at 0.
        at_m: Where it is held, in its frame.
        within_m: Farthest that the point between the fingertips is from there.
    """
    near = torch.linalg.vector_norm(tcp_in(env, name) - torch.tensor(at_m, device=env.device), dim=1) < within_m
    fingers = finger_positions(env)
    low, high = width_m / 2 - GIVES_M[0], width_m / 2 + GIVES_M[1]
    return near & ((fingers > low) & (fingers < high)).all(1)


def released(env: ManagerBasedEnv, beyond_m: float = FINGERS_OPEN_M) -> Tensor:
    """Whether the gripper is open: both fingers farther than this from the middle. Shape (N,)."""
    return (finger_positions(env) > beyond_m).all(1)


def at_rest(env: ManagerBasedEnv, names: Sequence[str]) -> Tensor:
    """Whether objects rest. Shape (N,)."""
    return (_speeds(env, names) < AT_REST_M_S).all(0)


def calm(env: ManagerBasedEnv, names: Sequence[str]) -> Tensor:
    """Whether objects that are held are held still. Shape (N,)."""
    return (_speeds(env, names) < CALM_M_S).all(0)


def height(env: ManagerBasedEnv, name: str) -> Tensor:
    """Height of an object's centre above the table (m). Shape (N,)."""
    return object_pose(env, name)[:, 2] - env.scene.env_origins[:, 2]


def seen_from(env: ManagerBasedEnv, name: str, frame: str) -> Tensor:
    """An object in another's frame. Shape (N, 4, 4)."""
    return inverse(_matrix(object_pose(env, frame))) @ _matrix(object_pose(env, name))


def tcp_in(env: ManagerBasedEnv, name: str) -> Tensor:
    """Point between the fingertips in an object's frame (m). Shape (N, 3)."""
    return position(inverse(_matrix(object_pose(env, name))) @ _matrix(torch.cat(tcp_pose(env), 1)))


def _speeds(env: ManagerBasedEnv, names: Sequence[str]) -> Tensor:
    """How fast objects move (m/s). Shape (objects, N)."""
    return torch.stack([torch.linalg.vector_norm(env.scene[name].data.root_lin_vel_w.torch, dim=1) for name in names])


def _matrix(pose: Tensor) -> Tensor:
    return make_pose(pose[:, :3], rotation_from_quat(pose[:, 3:7]))
