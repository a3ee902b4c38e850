"""The way from where the end effector is to where a segment starts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from apprentice.poses import interpolate, position, rotation, rotation_angle

MIN_STEPS = 3
MAX_STEPS = 150


def paced(start: Tensor, end: Tensor, speed_m: float, turn_rad: float) -> Tensor:
    """Poses from `start` (excluded) to `end` (included) at limited speed.

    Args:
        start: Shape (4, 4).
        end: Shape (4, 4).
        speed_m: Most metres per step.
        turn_rad: Most radians per step.

    Returns:
        Shape (L, 4, 4), L between `MIN_STEPS` and `MAX_STEPS`.
    """
    distance = float((position(end) - position(start)).norm())
    angle = float(rotation_angle(rotation(start).T @ rotation(end)))
    steps = min(max(math.ceil(max(distance / speed_m, angle / turn_rad)), MIN_STEPS), MAX_STEPS)
    return interpolate(start, end, torch.arange(1, steps + 1, dtype=start.dtype) / steps)


def fixed(start: Tensor, end: Tensor, interpolated: int, still: int) -> Tensor:
    """Isaac Lab's bridge: a fixed number of poses between `start` and `end`, then waiting at `end`.

    Args:
        start: Shape (4, 4).
        end: Shape (4, 4).
        interpolated: Poses between, both ends excluded.
        still: Further poses at `end`.

    Returns:
        Shape (interpolated + still, 4, 4).
    """
    fractions = torch.arange(1, interpolated + 1, dtype=start.dtype) / (interpolated + 1)
    return interpolate(start, end, torch.cat((fractions, torch.ones(still, dtype=start.dtype))))
