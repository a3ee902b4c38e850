"""Observation terms: names, order and values of the stock stacking task."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.readings import object_pose, tcp_pose

from .scene import CUBES


def object_state(env: ManagerBasedEnv) -> Tensor:
    """Pose of each cube in the environment's frame, gripper to each cube, and cube to cube. Shape (N, 39)."""
    one, two, three = (object_pose(env, name) for name in CUBES)
    tcp, _ = tcp_pose(env)
    state = torch.cat((one, two, three), 1).unflatten(1, (3, 7)).clone()
    positions = state[..., :3].clone()
    state[..., :3] -= env.scene.env_origins[:, None]
    first, second, third = positions.unbind(1)
    relative = (positions - tcp[:, None]).flatten(1)
    return torch.cat((state.flatten(1), relative, first - second, second - third, first - third), 1)


def cube_positions(env: ManagerBasedEnv) -> Tensor:
    """Position of each cube in the world. Shape (N, 9)."""
    return torch.cat([object_pose(env, name)[:, :3] for name in CUBES], 1)


def cube_orientations(env: ManagerBasedEnv) -> Tensor:
    """Quaternion xyzw of each cube. Shape (N, 12)."""
    return torch.cat([object_pose(env, name)[:, 3:7] for name in CUBES], 1)
