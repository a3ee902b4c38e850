"""Rotations: matrices, quaternions (xyzw) and rotation vectors, for any batch shape."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_from_quat(quat: Tensor) -> Tensor:
    """Rotation matrices of quaternions, which are normalised first.

    Args:
        quat: Quaternions xyzw, not zero. Shape (..., 4).

    Returns:
        Rotation matrices. Shape (..., 3, 3).
    """
    x, y, z, w = (quat / _norm(quat)).unbind(-1)
    return _matrix(
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip


def quat_from_rotation(rotation: Tensor) -> Tensor:
    """Unit quaternions xyzw of rotation matrices, the one of the two with w >= 0.

    Args:
        rotation: Rotation matrices. Shape (..., 3, 3).

    Returns:
        Quaternions xyzw. Shape (..., 4).
    """
    r = rotation
    xx, yy, zz = r[..., 0, 0], r[..., 1, 1], r[..., 2, 2]
    xy, xz, yz = r[..., 0, 1] + r[..., 1, 0], r[..., 0, 2] + r[..., 2, 0], r[..., 1, 2] + r[..., 2, 1]
    xw, yw, zw = r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]
    # Four candidates, each 4 q_k * q. The one with the largest component is accurate for every angle, also near pi.
    candidates = torch.stack(
        [
            torch.stack([1 + xx - yy - zz, xy, xz, xw], -1),
            torch.stack([xy, 1 - xx + yy - zz, yz, yw], -1),
            torch.stack([xz, yz, 1 - xx - yy + zz, zw], -1),
            torch.stack([xw, yw, zw, 1 + xx + yy + zz], -1),
        ],
        -2,
    )
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)
    quat = candidates.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    quat = quat / _norm(quat)
    return torch.where(quat[..., 3:] < 0, -quat, quat)


def exp_rotation(rotvec: Tensor) -> Tensor:
    """Rotation matrices of rotation vectors (axis times angle in rad).

    Args:
        rotvec: Rotation vectors. Shape (..., 3).

    Returns:
        Rotation matrices. Shape (..., 3, 3).
    """
    half = 0.5 * _norm(rotvec)
    # sinc needs no special case at zero
    return rotation_from_quat(torch.cat([0.5 * rotvec * torch.sinc(half / torch.pi), torch.cos(half)], -1))


def log_rotation(rotation: Tensor) -> Tensor:
    """Rotation vectors of rotation matrices: axis times angle, 0 to pi rad. The inverse of `exp_rotation`.

    Args:
        rotation: Rotation matrices. Shape (..., 3, 3).

    Returns:
        Rotation vectors. Shape (..., 3).
    """
    quat = quat_from_rotation(rotation)
    sine = _norm(quat[..., :3])
    angle = 2 * torch.atan2(sine, quat[..., 3:])
    tiny = sine < torch.finfo(quat.dtype).tiny ** 0.5
    # angle / sin(angle / 2) tends to 2 at the identity
    return quat[..., :3] * torch.where(tiny, 2.0, angle / torch.where(tiny, 1.0, sine))


def rotation_angle(rotation: Tensor) -> Tensor:
    """How far rotation matrices turn, 0 to pi rad. Shape (...) from (..., 3, 3)."""
    return _norm(log_rotation(rotation)).squeeze(-1)


def rotation_z(angle: Tensor) -> Tensor:
    """Rotation matrices about the z axis. Shape (..., 3, 3) from angles in rad of shape (...)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    return _matrix(cos, -sin, zero, sin, cos, zero, zero, zero, one)


def _norm(vector: Tensor) -> Tensor:
    return (vector * vector).sum(-1, keepdim=True).sqrt()


def _matrix(*entries: Tensor) -> Tensor:
    return torch.stack(entries, -1).reshape(*entries[0].shape, 3, 3)
