"""Rigid transforms in torch: homogeneous poses of shape (..., 4, 4), quaternions xyzw, for any batch shape."""

from apprentice.poses.pose import interpolate, inverse, make_pose, position, rotation, set_upright
from apprentice.poses.rotation import (
    exp_rotation,
    log_rotation,
    quat_from_rotation,
    rotation_angle,
    rotation_from_quat,
    rotation_z,
)

__all__ = [
    "exp_rotation",
    "interpolate",
    "inverse",
    "log_rotation",
    "make_pose",
    "position",
    "quat_from_rotation",
    "rotation",
    "rotation_angle",
    "rotation_from_quat",
    "rotation_z",
    "set_upright",
]
