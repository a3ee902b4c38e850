"""Resets of what belongs on something else."""

from __future__ import annotations

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor, cat, tensor, zeros


def put_on(env: ManagerBasedEnv, env_ids: Tensor, name: str, onto: str, height_m: float) -> None:
    """Put an object on another that stands upright, turned alike, at rest. To be called after that has its place.

    Args:
        env: The environment.
        env_ids: Environments to reset. Shape (K,).
        name: The object.
        onto: What it is put on.
        height_m: Height of the one's origin above the other's.
    """
    below = env.scene[onto].data.root_link_pose_w.torch[env_ids]
    place = below[:, :3] + tensor((0.0, 0.0, height_m), device=env.device)
    asset = env.scene[name]
    asset.write_root_pose_to_sim_index(root_pose=cat((place, below[:, 3:7]), -1), env_ids=env_ids)
    asset.write_root_velocity_to_sim_index(root_velocity=zeros(len(place), 6, device=env.device), env_ids=env_ids)
