"""Reset terms of the insertion tasks."""

from __future__ import annotations

import random

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from .sizes import OBJECTS, PEG, PEG_LENGTH_M, SOCKET, SOCKET_REST_M

Range = tuple[float, float]

_HEIGHT_M = {PEG: PEG_LENGTH_M / 2, SOCKET: SOCKET_REST_M}


def reset_objects(
    env: ManagerBasedEnv, env_ids: Tensor, pose_ranges: dict[str, dict[str, Range]], min_separation: float
) -> None:
    """Stand the peg and the socket on the table at random, at least `min_separation` metres apart.

    Args:
        env: The environment.
        env_ids: Environments to reset. Shape (K,).
        pose_ranges: Per object, lowest and highest x, y (m, environment frame) and yaw (rad).
        min_separation: Smallest distance between the centres of both in metres.
    """
    ids = torch.arange(env.num_envs, device=env.device)[env_ids]
    samples = torch.tensor([_sample(pose_ranges, min_separation) for _ in range(len(ids))], device=env.device)
    at_rest = torch.zeros(len(ids), 6, device=env.device)
    for index, name in enumerate(OBJECTS):
        x, y, yaw = samples[:, index].unbind(-1)
        zero = torch.zeros_like(x)
        positions = torch.stack((x, y, zero + _HEIGHT_M[name]), -1) + env.scene.env_origins[ids]
        poses = torch.cat((positions, torch.stack((zero, zero, (yaw / 2).sin(), (yaw / 2).cos()), -1)), -1)
        env.scene[name].write_root_pose_to_sim_index(root_pose=poses, env_ids=ids)
        env.scene[name].write_root_velocity_to_sim_index(root_velocity=at_rest, env_ids=ids)


def _sample(pose_ranges: dict[str, dict[str, Range]], min_separation: float) -> list[list[float]]:
    """x, y and yaw of each object."""
    while True:
        poses = [[random.uniform(*pose_ranges[name][axis]) for axis in ("x", "y", "yaw")] for name in OBJECTS]
        (ax, ay, _), (bx, by, _) = poses
        if (ax - bx) ** 2 + (ay - by) ** 2 >= min_separation**2:
            return poses
