"""Times a way through poses so that the hand keeps within limits of speed and of acceleration.

The way is run through in straight legs at constant speed, and that motion is averaged over a sliding window: the
average of velocities is no faster than they are, and a window of m steps spreads each change of velocity over m steps.
Corners are rounded by it, start and end are met exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apprentice.poses.arrays import exp_matrix, log_matrix

Array = NDArray[np.float64]

MAX_STEPS = 150
"""No way takes longer."""


@dataclass(kw_only=True, frozen=True)
class StepLimits:
    """What the hand may do in a control step."""

    speed: float
    """Metres per step."""
    acceleration: float
    """Metres per step, per step."""
    turn: float
    """Radians per step."""
    turn_acceleration: float
    """Radians per step, per step. Exact where the rotation is about one axis."""

    def at_pace(self, pace: float) -> StepLimits:
        """Those of the same motion in slow motion: at half the pace it takes twice as long."""
        return StepLimits(
            speed=pace * self.speed,
            acceleration=pace**2 * self.acceleration,
            turn=pace * self.turn,
            turn_acceleration=pace**2 * self.turn_acceleration,
        )


def timed(way: Array, limits: StepLimits, arrival: Array | None = None) -> Array:
    """Poses of a hand that starts at rest at the first pose and ends at the last.

    Args:
        way: At least two poses, straight between each other; rotation on the shortest arc. Shape (V, 4, 4).
        limits: Kept unless the way would take longer than `MAX_STEPS`.
        arrival: Velocity at the end: metres per step, and rotation vector per step in the frame of `way`, slowed down
            to the limits. At rest if None. Shape (6,).

    Returns:
        Pose after each step, the last one that of `way`. Shape (L, 4, 4), L at least 1.
    """
    points = _as_vectors(way)
    arriving = np.zeros(6) if arrival is None else _slowed(arrival, limits)
    window = _window(points, arriving, limits)
    # the last leg ends so early that the average over a window at the arrival velocity gives the end
    points[-1] -= arriving * (window - 1) / 2
    durations = _durations(points, limits)
    ends = np.concatenate(([0.0], np.cumsum(durations)))
    steps = max(1, min(math.ceil(ends[-1] - 1e-9), MAX_STEPS - window + 1))
    ends *= steps / max(ends[-1], 1e-12)
    sampled = np.arange(1 - window, steps + 1)
    course = np.stack([np.interp(sampled, ends, channel) for channel in points.T], 1)
    if window > 1:
        course = np.concatenate((course, points[-1] + arriving * np.arange(1, window)[:, None]))
        summed = np.cumsum(course, 0)
        course = (summed[window:] - summed[:-window]) / window
    else:
        course = course[1:]
    poses = np.zeros((len(course), 4, 4))
    poses[:, :3, :3] = exp_matrix(course[:, 3:]) @ way[0, :3, :3]
    poses[:, :3, 3] = course[:, :3]
    poses[:, 3, 3] = 1.0
    poses[-1] = way[-1]  # met up to rounding
    return poses


def _as_vectors(way: Array) -> Array:
    """Position, and rotation vector from the first pose on. Shape (V, 6)."""
    points = np.empty((len(way), 6))
    points[:, :3] = way[:, :3, 3]
    points[:, 3:] = log_matrix(way[:, :3, :3] @ way[0, :3, :3].T)
    for before, here in zip(points[:-1, 3:], points[1:, 3:], strict=True):
        angle = float(np.sqrt(here @ here))
        if angle > 1e-9:
            # the same rotation, a turn more or less, whichever is nearer to the pose before
            here *= 1.0 + 2 * math.pi * round((float(before @ here) / angle - angle) / (2 * math.pi)) / angle
    return points


def _slowed(velocity: Array, limits: StepLimits) -> Array:
    slowed = velocity.astype(np.float64)
    for part, most in ((slowed[:3], limits.speed), (slowed[3:], limits.turn)):
        size = float(np.sqrt(part @ part))
        if size > most:
            part *= most / size
    return slowed


def _durations(points: Array, limits: StepLimits) -> Array:
    """Steps that each leg takes at full speed. Shape (V - 1,)."""
    legs = np.diff(points, axis=0)
    lengths, angles = np.sqrt((legs[:, :3] ** 2).sum(1)), np.sqrt((legs[:, 3:] ** 2).sum(1))
    return np.maximum(np.maximum(lengths / limits.speed, angles / limits.turn), 1e-6)


def _window(points: Array, arriving: Array, limits: StepLimits) -> int:
    """Steps over which to average. They shift where the last leg ends, and so its velocity, hence the repetition."""
    window = 1
    for _ in range(4):
        shifted = points.copy()
        shifted[-1] -= arriving * (window - 1) / 2
        velocities = np.diff(shifted, axis=0) / _durations(shifted, limits)[:, None]
        velocities = np.concatenate((np.zeros((1, 6)), velocities, arriving[None]))
        changes = velocities[:, None] - velocities[None]
        sizes = np.sqrt((changes[..., :3] ** 2).sum(-1).max()), np.sqrt((changes[..., 3:] ** 2).sum(-1).max())
        needed = max(sizes[0] / limits.acceleration, sizes[1] / limits.turn_acceleration)
        if needed <= window + 1e-9:
            return window
        window = math.ceil(needed - 1e-9)
    return math.ceil(2 * max(limits.speed / limits.acceleration, limits.turn / limits.turn_acceleration))
