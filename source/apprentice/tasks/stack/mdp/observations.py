"""Observation terms: names, order and values of the stock stacking task."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from .scene import CUBES, cube_pose, finger_positions, tcp_pose


def object_state(env: ManagerBasedEnv) -> Tensor:
    """Pose of each cube in the environment's frame, gripper to each cube, and cube to cube. Shape (N, 39)."""
    one, two, three = (cube_pose(env, name) for name in CUBES)
    tcp, _ = tcp_pose(env)
    state = torch.cat((one, two, three), 1).unflatten(1, (3, 7)).clone()
    positions = state[..., :3].clone()
    state[..., :3] -= env.scene.env_origins[:, None]
    first, second, third = positions.unbind(1)
    relative = (positions - tcp[:, None]).flatten(1)
    return torch.cat((state.flatten(1), relative, first - second, second - third, first - third), 1)


def cube_positions(env: ManagerBasedEnv) -> Tensor:
    """Position of each cube in the world. Shape (N, 9)."""
    return torch.cat([cube_pose(env, name)[:, :3] for name in CUBES], 1)


def cube_orientations(env: ManagerBasedEnv) -> Tensor:
    """Quaternion xyzw of each cube. Shape (N, 12)."""
    return torch.cat([cube_pose(env, name)[:, 3:7] for name in CUBES], 1)


def eef_pos(env: ManagerBasedEnv) -> Tensor:
    """Point between the fingertips in the environment's frame. Shape (N, 3)."""
    return tcp_pose(env)[0] - env.scene.env_origins


def eef_quat(env: ManagerBasedEnv) -> Tensor:
    """Orientation of the hand, xyzw. Shape (N, 4)."""
    return tcp_pose(env)[1].clone()


def gripper_pos(env: ManagerBasedEnv) -> Tensor:
    """Finger positions in metres, the second negated as in the stock task. Shape (N, 2)."""
    return finger_positions(env) * torch.tensor((1.0, -1.0), device=env.device)
