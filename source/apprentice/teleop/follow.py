"""Follows one tracked hand with one end effector: smooths it, turns it into the environment's axes, and clutches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apprentice.teleop.axes import Turn
from apprentice.teleop.clutch import Clutch, ClutchCfg
from apprentice.teleop.frame import CommandFrame, Hand, Pose, TeleopFrame, is_pose
from apprentice.teleop.smoothing import PoseSmoothing, SmoothingCfg


class HandFollower:
    """Says where the end effector is to go, from where it is when the hand engages."""

    def __init__(self, clutch: ClutchCfg, smoothing: SmoothingCfg, dt_s: float) -> None:
        self._cfg = clutch
        self._smoothing = PoseSmoothing(smoothing, dt_s)
        self._clutch: Clutch | None = None
        self._turn: Turn = np.eye(3)

    def carry(self, motion: Pose) -> None:
        """Go along with a base that moved under the robot. Shape (4, 4)."""
        self._turn = motion[:3, :3] @ self._turn
        if self._clutch is not None:
            self._clutch.carry(motion)

    def update(self, frame: TeleopFrame, hand: Hand, target: Pose, turn: Turn | None) -> Pose | None:
        """Advance by one frame.

        Args:
            frame: What the hand is part of.
            hand: It has a pose.
            target: Where the end effector is told to be now. Shape (4, 4).
            turn: From the frame's axes to the environment's, None if they are the same. It is taken when the hand
                engages, as is the speed, so that whoever turns around, or changes settings, does not make the robot
                jump.

        Returns:
            Where it is to go. Shape (4, 4). None if it stays: the clutch is released, or the hand can't be used.
        """
        if hand.pose is None or not hand.tracked or not is_pose(hand.pose):
            self._clutch = None
            self._smoothing.reset()
            return None
        pose = self._smoothing.update(hand.pose)
        if not hand.engaged:
            self._clutch = None
            return None
        if self._clutch is None:
            scale = self._cfg.translation_scale * frame.axes.get("speed", 1.0)
            self._clutch = Clutch(replace(self._cfg, translation_scale=scale), target)
            self._turn = np.eye(3) if turn is None else turn
            if frame.command_frame is CommandFrame.EEF:
                self._turn = self._turn @ pose[:3, :3].T  # the hand's own axes lie on the end effector's
        moved = pose.copy()
        moved[:3] = self._turn @ pose[:3]
        return self._clutch.update(moved, engage=True)
