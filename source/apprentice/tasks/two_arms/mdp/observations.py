"""What policies for two arms see."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position, quat_from_rotation, rotation

from .scene import finger_positions, object_pose, tcp_pose


def eef_pos(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Point between an arm's fingertips in the environment's frame. Shape (N, 3)."""
    return position(tcp_pose(env, eef))


def eef_quat(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Orientation of an arm's hand, xyzw. Shape (N, 4)."""
    return quat_from_rotation(rotation(tcp_pose(env, eef)))


def gripper_pos(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Finger positions of an arm (m), the second negated as in the stacking task. Shape (N, 2)."""
    return finger_positions(env, eef) * torch.tensor((1.0, -1.0), device=env.device)


def object_state(env: ManagerBasedEnv, name: str) -> Tensor:
    """Position and quaternion xyzw of an object in the environment's frame. Shape (N, 7)."""
    pose = object_pose(env, name)
    return torch.cat((position(pose), quat_from_rotation(rotation(pose))), -1)
