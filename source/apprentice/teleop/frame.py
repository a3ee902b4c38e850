"""What an operator is doing at one moment, in the same form for every device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Pose = NDArray[np.float64]
"""Homogeneous transform. Shape (4, 4); translation in metres."""

Twist = NDArray[np.float64]
"""Linear velocity (m/s) and angular velocity (rad/s) along the axes of the frame's `command_frame`. Shape (6,)."""


Point = tuple[float, float, float]
"""A place (m)."""


class Command(StrEnum):
    """What an operator can ask of the recording, at one moment."""

    START = "start"
    """Begin, or go on after a pause."""
    PAUSE = "pause"
    TOGGLE = "toggle"
    """Pause what is being recorded, and begin or go on otherwise: for devices with few buttons."""
    SAVE = "save"
    DISCARD = "discard"
    UNDO = "undo"
    """Take the demo that was saved last out of the data."""
    MARK = "mark"
    """The subtask that is next is complete now."""
    STOP = "stop"
    """End the session."""


REWIND = "rewind"
"""Name of the button that makes time go back while it is held."""


class CommandFrame(StrEnum):
    """Along whose axes hands are measured. The robot's x is forward, y left, z up."""

    WORLD = "world"
    BASE = "base"
    CAMERA = "camera"
    """x is where the camera looks, seen from above; y is left in its picture; z is up."""
    EEF = "eef"
    """The end effector's own, for a hand that holds the tool."""


@dataclass(kw_only=True, frozen=True)
class Hand:
    """How one hand wants to move. Either a pose that the clutch follows, or a velocity."""

    twist: Twist = field(default_factory=lambda: np.zeros(6))
    """Wanted velocity of the end effector. Shape (6,)."""
    pose: Pose | None = None
    """Tracked pose of the hand, x forward, y left, z up as the operator stands; None for devices that give velocities.
    Shape (4, 4)."""
    tracked: bool = True
    """Whether the device sees the hand now. If not, its pose means nothing."""
    engaged: bool = False
    """Whether the clutch is held, so that the end effector follows `pose`."""
    grip: float = 0.0
    """How far the gripper is to be closed: 0 open, 1 closed."""
    joints: Mapping[str, Point] = field(default_factory=dict[str, Point])
    """Where the joints of a bare hand are (m), by their WebXR names, in a frame of the device's; empty for others."""


BaseVelocity = NDArray[np.float64]
"""Velocity of a robot's base forward (m/s), to the left (m/s) and of turning left (rad/s), as it faces. Shape (3,)."""


@dataclass(kw_only=True, frozen=True)
class TeleopFrame:
    """One reading of a device."""

    time_s: float
    """When it was taken, on the monotonic clock of the session."""
    hands: Mapping[str, Hand] = field(default_factory=dict[str, Hand])
    """By name of the end effector that the hand drives."""
    base: BaseVelocity | None = None
    """Wanted velocity of the robot's base, for one that walks; None from who says nothing about it: then it keeps up
    with the hand. Shape (3,)."""
    buttons: frozenset[str] = frozenset()
    """Names of the buttons that are held."""
    axes: Mapping[str, float] = field(default_factory=dict[str, float])
    """Further inputs by name, -1 to 1."""
    events: tuple[Command, ...] = ()
    """What was asked for since the frame before, oldest first."""
    command_frame: CommandFrame = CommandFrame.BASE
    """Along whose axes the hands' twists and poses are."""
    operator_yaw_rad: float = 0.0
    """How far the operator, or the camera, is turned about the vertical from those axes: pi faces the robot."""


_HUGE = 1e4
"""Metres, or metres or radians a second, that no device measures; farther on numbers lose their precision."""


def problem(frame: TeleopFrame) -> str | None:
    """Why a frame must not move the robot, in words; None if it may."""
    if not np.isfinite(frame.time_s):
        return f"expected a finite time, got {frame.time_s}"
    if not np.isfinite(frame.operator_yaw_rad):
        return f"expected a finite yaw of the operator, got {frame.operator_yaw_rad}"
    if frame.base is not None and (frame.base.shape != (3,) or not bool((np.abs(frame.base) <= _HUGE).all())):
        return f"expected a finite velocity of the base, of shape (3,), got {frame.base.tolist()}"
    for name, hand in frame.hands.items():
        if not hand.tracked:
            return f"the {name} hand is not tracked"
        if hand.twist.shape != (6,) or not bool(np.isfinite(hand.twist).all()):
            return f"expected a finite twist of shape (6,) for {name}, got {hand.twist.tolist()}"
        if np.abs(hand.twist).max() > _HUGE:
            return f"expected a twist of at most {_HUGE:g} for {name}, got {hand.twist.tolist()}"
        if not np.isfinite(hand.grip):
            return f"expected a finite grip for {name}, got {hand.grip}"
        if hand.pose is not None and not is_pose(hand.pose):
            return f"expected a rigid pose of shape (4, 4) for {name}, got {hand.pose.tolist()}"
        if hand.pose is not None and np.abs(hand.pose[:3, 3]).max() > _HUGE:
            return f"expected the {name} hand within {_HUGE:g} m, got {hand.pose[:3, 3].tolist()}"
        if hand.joints and not bool((np.abs(list(hand.joints.values())) <= _HUGE).all()):
            return f"expected the joints of the {name} hand within {_HUGE:g} m"
    return None


def is_pose(pose: Pose) -> bool:
    """Whether an array is a rigid transform: finite, with a rotation that is one to within rounding."""
    if pose.shape != (4, 4) or not bool(np.isfinite(pose).all()) or not np.allclose(pose[3], (0, 0, 0, 1)):
        return False
    turn = pose[:3, :3]
    return bool(np.allclose(turn @ turn.T, np.eye(3), atol=1e-4)) and bool(np.linalg.det(turn) > 0)
