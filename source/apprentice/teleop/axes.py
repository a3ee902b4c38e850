"""Along whose axes an operator's hands move: from the command frame to the environment's axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apprentice.teleop.frame import CommandFrame, TeleopFrame, Twist

Turn = NDArray[np.float64]
"""Rotation. Shape (3, 3)."""


def about_vertical(angle_rad: float) -> Turn:
    """Rotation about z, shape (3, 3); the exact identity for 0."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array(((cosine, -sine, 0.0), (sine, cosine, 0.0), (0.0, 0.0, 1.0)))


def to_environment(frame: TeleopFrame, eef: Turn, base_yaw_rad: float) -> Turn | None:
    """Turns a hand's motion into the environment's axes.

    Args:
        frame: Says along whose axes the hand moves, and how the operator stands to these.
        eef: The end effector's rotation in the environment. Shape (3, 3).
        base_yaw_rad: Heading of the robot's base in the environment.

    Returns:
        Shape (3, 3), or None if nothing needs to be turned.
    """
    if frame.command_frame is CommandFrame.EEF:
        return eef
    yaw = frame.operator_yaw_rad
    if frame.command_frame is not CommandFrame.WORLD:
        yaw += base_yaw_rad
    return about_vertical(yaw) if yaw else None


def turned(twist: Twist, turn: Turn | None) -> Twist:
    """A velocity in other axes. Shape (6,)."""
    return twist if turn is None else np.concatenate((turn @ twist[:3], turn @ twist[3:]))
