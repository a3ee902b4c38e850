"""Reset terms of the stacking tasks."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab_tasks.contrib.stack.mdp.stack_events import sample_object_poses
from torch import Tensor

from .scene import CUBES


def reset_cubes(
    env: ManagerBasedEnv, env_ids: Tensor, pose_range: dict[str, tuple[float, float]], min_separation: float
) -> None:
    """Place the cubes at random, at least `min_separation` metres apart: the stock distribution, written in one go.

    Args:
        env: The environment.
        env_ids: Environments to reset. Shape (K,).
        pose_range: Lowest and highest x, y, z (m, environment frame) and yaw (rad).
        min_separation: Smallest distance between the centres of two cubes in metres.
    """
    ids = torch.arange(env.num_envs, device=env.device)[env_ids]
    samples = torch.tensor(
        [sample_object_poses(len(CUBES), min_separation, pose_range) for _ in range(len(ids))], device=env.device
    )
    half_yaw = samples[..., 5] / 2
    zero = torch.zeros_like(half_yaw)
    quats = torch.stack((zero, zero, half_yaw.sin(), half_yaw.cos()), -1)
    poses = torch.cat((samples[..., :3] + env.scene.env_origins[ids, None], quats), -1)
    at_rest = torch.zeros(len(ids), 6, device=env.device)
    for index, name in enumerate(CUBES):
        env.scene[name].write_root_pose_to_sim_index(root_pose=poses[:, index].contiguous(), env_ids=ids)
        env.scene[name].write_root_velocity_to_sim_index(root_velocity=at_rest, env_ids=ids)
