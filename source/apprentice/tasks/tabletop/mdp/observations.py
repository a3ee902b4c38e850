"""What policies see of the objects on a table."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from apprentice.tasks.one_arm_env import OneArmMimicEnv
from apprentice.tasks.readings import object_pose, tcp_pose


def object_state(env: OneArmMimicEnv) -> Tensor:
    """Poses in the environment's frame, gripper to each object, object to object.

    Shape (N, 10 K + 3 K (K - 1) / 2) for K objects: per object position 3 and quaternion xyzw 4; gripper to it 3; and 3
    for each pair.
    """
    tcp, _ = tcp_pose(env)
    poses = [object_pose(env, name) for name in env.objects]
    own = [part for pose in poses for part in (pose[:, :3] - env.scene.env_origins, pose[:, 3:7])]
    relative = [pose[:, :3] - tcp for pose in poses]
    between = [one[:, :3] - other[:, :3] for one, other in itertools.combinations(poses, 2)]
    return torch.cat((*own, *relative, *between), 1)


def object_positions(env: OneArmMimicEnv) -> Tensor:
    """Positions of all objects in the environment's frame. Shape (N, 3 K)."""
    return torch.cat([object_pose(env, name)[:, :3] - env.scene.env_origins for name in env.objects], 1)


def object_orientations(env: OneArmMimicEnv) -> Tensor:
    """Quaternions xyzw of all objects. Shape (N, 4 K)."""
    return torch.cat([object_pose(env, name)[:, 3:7] for name in env.objects], 1)
