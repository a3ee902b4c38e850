"""Poses in numpy, for code that handles a few at a time: a torch call costs more than the arithmetic in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def exp_matrix(rotvec: Array) -> Array:
    """Rotation matrices of rotation vectors (axis times angle in rad). Shape (..., 3, 3) from (..., 3)."""
    angle = np.sqrt((rotvec * rotvec).sum(-1))[..., None, None]
    cross = _cross_matrix(rotvec)
    # sin(x) / x and (1 - cos(x)) / x^2, finite at zero
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def log_matrix(rotation: Array) -> Array:
    """Rotation vectors, 0 to pi rad long, of rotation matrices. Shape (..., 3) from (..., 3, 3)."""
    r = rotation
    axis = np.stack((r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]), -1)
    sine = 0.5 * np.sqrt((axis * axis).sum(-1, keepdims=True))
    cosine = 0.5 * (np.trace(r, axis1=-2, axis2=-1)[..., None] - 1.0)
    angle = np.arctan2(sine, cosine)
    small = sine < 1e-6
    vector = axis * np.where(small, 0.5, angle / np.where(small, 1.0, 2.0 * sine))
    half_turn = (small & (cosine < 0))[..., 0]
    return np.where(half_turn[..., None], np.pi * _axis_of_half_turn(r), vector) if half_turn.any() else vector


def invert(pose: Array) -> Array:
    """Inverse of poses. Shape (..., 4, 4)."""
    inverse = np.zeros_like(pose)
    transposed = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = transposed
    inverse[..., :3, 3] = -(transposed @ pose[..., :3, 3, None])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def _cross_matrix(vector: Array) -> Array:
    cross = np.zeros((*vector.shape, 3))
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    cross[..., 0, 1], cross[..., 0, 2], cross[..., 1, 2] = -z, y, -x
    cross[..., 1, 0], cross[..., 2, 0], cross[..., 2, 1] = z, -y, x
    return cross


def _axis_of_half_turn(rotation: Array) -> Array:
    """Unit axes of rotations by pi, for which the matrix is 2 a a' - 1."""
    outer = 0.5 * (rotation + np.eye(3))
    column = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), -1)
    axis = np.take_along_axis(outer, column[..., None, None], -1)[..., 0]
    return axis / np.sqrt((axis * axis).sum(-1, keepdims=True))
