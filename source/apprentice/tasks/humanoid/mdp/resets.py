"""Where a reset puts what depends on something else."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import make_pose, position, quat_from_rotation, rotation, rotation_from_quat, rotation_z


def put_under(
    env: ManagerBasedEnv,
    env_ids: Tensor,
    name: str,
    above: str,
    place_m: tuple[float, float],
    ranges: Mapping[str, tuple[float, float]],
) -> None:
    """Put what nothing else moves under an object, at the height at which it stands by default.

    Args:
        env: The environment.
        env_ids: Environments to reset. Shape (K,).
        name: What is put there.
        above: What it comes to be under, where that is now.
        place_m: Where its middle usually is, in that one's frame.
        ranges: Lowest and highest x, y (m) and yaw (rad) by which it is off from there.
    """
    ids = torch.arange(env.num_envs, device=env.device)[env_ids]
    pose = env.scene[above].data.root_link_pose_w.torch[ids]
    low, high = (torch.tensor([ranges[axis][end] for axis in ("x", "y", "yaw")], device=env.device) for end in (0, 1))
    x, y, yaw = (low + (high - low) * torch.rand(len(ids), 3, device=env.device)).unbind(-1)
    off = make_pose(torch.stack((place_m[0] + x, place_m[1] + y, torch.zeros_like(x)), -1), rotation_z(yaw))
    put = make_pose(pose[:, :3], rotation_from_quat(pose[:, 3:7])) @ off
    there = position(put).clone()
    there[:, 2] = env.scene[name].cfg.init_state.pos[2] + env.scene.env_origins[ids, 2]
    placed = torch.cat((there, quat_from_rotation(rotation(put))), -1)
    env.scene[name].write_root_pose_to_sim_index(root_pose=placed, env_ids=ids)
