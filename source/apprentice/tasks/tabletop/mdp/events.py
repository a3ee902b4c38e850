"""Where a reset puts objects."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.errors import UserError
from apprentice.poses import rotation_from_quat

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest x, y (m, environment frame) and yaw (rad)."""

_DRAWS = 10_000


def reset_objects(
    env: ManagerBasedEnv, env_ids: Tensor, pose_ranges: Mapping[str, Ranges], footprints_m: Mapping[str, float]
) -> None:
    """Put objects somewhere on the table, apart from each other, at the height at which they stand by default.

    Args:
        env: The environment.
        env_ids: Environments to reset. Shape (K,).
        pose_ranges: Where, by object.
        footprints_m: Radius about each object's centre that it has for itself; the circles of two do not meet.

    Raises:
        UserError: If the ranges leave no room for that.
    """
    ids = torch.arange(env.num_envs, device=env.device)[env_ids]
    samples = torch.tensor([sample_poses(pose_ranges, footprints_m) for _ in range(len(ids))], device=env.device)
    at_rest = torch.zeros(len(ids), 6, device=env.device)
    for index, name in enumerate(pose_ranges):
        x, y, yaw = samples[:, index].unbind(-1)
        zero = torch.zeros_like(x)
        height = env.scene[name].cfg.init_state.pos[2]
        positions = torch.stack((x, y, zero + height), -1) + env.scene.env_origins[ids]
        poses = torch.cat((positions, torch.stack((zero, zero, (yaw / 2).sin(), (yaw / 2).cos()), -1)), -1)
        asset = env.scene[name]
        asset.write_root_pose_to_sim_index(root_pose=poses, env_ids=ids)
        if name in env.scene.articulations:
            joints = asset.data.default_joint_pos.torch[ids].contiguous()
            asset.write_joint_position_to_sim_index(position=joints, env_ids=ids)
            asset.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(joints), env_ids=ids)
        else:
            asset.write_root_velocity_to_sim_index(root_velocity=at_rest, env_ids=ids)


def fill(env: ManagerBasedEnv, env_ids: Tensor, into: str, places_m: Mapping[str, tuple[float, float, float]]) -> None:
    """Put objects into another, or onto it, where that stands now, turned as it is, at rest.

    Args:
        env: The environment.
        env_ids: Environments to reset. Shape (K,).
        into: What is filled.
        places_m: Where in its frame, by object.
    """
    ids = torch.arange(env.num_envs, device=env.device)[env_ids]
    frame = env.scene[into].data.root_link_pose_w.torch[ids]
    for name, place in places_m.items():
        offset = rotation_from_quat(frame[:, 3:7]) @ torch.tensor(place, device=env.device)
        pose = torch.cat((frame[:, :3] + offset, frame[:, 3:7]), -1)
        env.scene[name].write_root_pose_to_sim_index(root_pose=pose, env_ids=ids)
        still = torch.zeros(len(ids), 6, device=env.device)
        env.scene[name].write_root_velocity_to_sim_index(root_velocity=still, env_ids=ids)


def sample_poses(pose_ranges: Mapping[str, Ranges], footprints_m: Mapping[str, float]) -> list[list[float]]:
    """x, y and yaw of each object. Arguments as of `reset_objects`."""
    for _ in range(_DRAWS):
        poses = [[random.uniform(*ranges[axis]) for axis in ("x", "y", "yaw")] for ranges in pose_ranges.values()]
        placed = zip(poses, pose_ranges, strict=True)
        if all(
            math.hypot(one[0] - other[0], one[1] - other[1]) >= footprints_m[a] + footprints_m[b]
            for (one, a), (other, b) in itertools.combinations(placed, 2)
        ):
            return poses
    raise UserError(
        f"Expected reset ranges in which {', '.join(pose_ranges)} have room beside each other, found none in {_DRAWS} "
        "draws: widen the ranges or lessen the footprints."
    )
