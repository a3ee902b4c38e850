"""Poses: homogeneous transforms of shape (..., 4, 4), translation in metres."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from apprentice.poses.rotation import exp_rotation, log_rotation


def make_pose(position: Tensor, rotation: Tensor) -> Tensor:
    """Pose from its parts, whose batch shapes broadcast.

    Args:
        position: Translation in metres. Shape (..., 3).
        rotation: Rotation matrices. Shape (..., 3, 3).

    Returns:
        Poses. Shape (..., 4, 4).
    """
    # torch's own function imports a whole algebra system when it is first called: seconds, in a control step
    batch = np.broadcast_shapes(position.shape[:-1], rotation.shape[:-2])
    pose = torch.zeros(*batch, 4, 4, dtype=rotation.dtype, device=rotation.device)
    pose[..., :3, :3] = rotation
    pose[..., :3, 3] = position
    pose[..., 3, 3] = 1.0
    return pose


def position(pose: Tensor) -> Tensor:
    """Translation of a pose, a view. Shape (..., 3)."""
    return pose[..., :3, 3]


def rotation(pose: Tensor) -> Tensor:
    """Rotation matrix of a pose, a view. Shape (..., 3, 3)."""
    return pose[..., :3, :3]


def inverse(pose: Tensor) -> Tensor:
    """Inverse of a pose, without a general matrix inversion. Shape (..., 4, 4)."""
    transposed = rotation(pose).transpose(-1, -2)
    return make_pose(-(transposed @ position(pose).unsqueeze(-1)).squeeze(-1), transposed)


def interpolate(start: Tensor, end: Tensor, fraction: Tensor | float) -> Tensor:
    """Pose on the way from `start` to `end`: position on the line, rotation on the shortest arc.

    Args:
        start: Pose at fraction 0. Shape (..., 4, 4).
        end: Pose at fraction 1. Shape (..., 4, 4).
        fraction: How far to go, 0 to 1; values outside extrapolate. A number or shape (...), broadcast with the batch.

    Returns:
        Poses. Shape (..., 4, 4).
    """
    weight = torch.as_tensor(fraction, dtype=start.dtype, device=start.device).unsqueeze(-1)
    turn = log_rotation(rotation(start).transpose(-1, -2) @ rotation(end))
    return make_pose(
        position(start) + weight * (position(end) - position(start)), rotation(start) @ exp_rotation(weight * turn)
    )


def set_upright(pose: Tensor) -> Tensor:
    """Of all poses in which a cube looks the same, the one whose z axis is nearest to the vertical.

    Args:
        pose: Poses of cubes. Shape (..., 4, 4).

    Returns:
        The same axes under other names, still right-handed; unchanged where z is the most vertical and points up.
        Shape (..., 4, 4).
    """
    axes = rotation(pose)
    rise = axes[..., 2, :]
    up = rise.abs().argmax(-1, keepdim=True)
    sign = torch.where(rise.gather(-1, up) < 0, -1.0, 1.0).to(pose.dtype)

    def axis(index: Tensor) -> Tensor:
        return axes.gather(-1, index[..., None, :].expand(*axes.shape[:-1], 1)).squeeze(-1)

    z, x = sign * axis(up), axis((up + 1) % 3)
    return make_pose(position(pose), torch.stack((x, torch.cross(z, x, dim=-1), z), -1))
