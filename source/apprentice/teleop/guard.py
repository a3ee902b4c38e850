"""Notices frames that no hand can have made: the robot must not follow them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apprentice.teleop.frame import Hand, TeleopFrame, problem


class FrameGuard:
    """Looks at one source's frames in order. Each is compared with the one before, whether that was usable or not."""

    MAX_SPEED_M_S = 5.0
    """No hand is faster."""
    MAX_STEP_M = 0.3
    """No hand gets farther between two frames, as these come many times a second."""
    MAX_TURN_RAD_S = 25.0
    """No hand turns faster."""
    MAX_TURN_RAD = 1.5
    """No hand turns farther between two frames."""
    JITTER_S = 0.01
    """Frames that follow each other faster came late and early; their distance in time tells nothing."""

    def __init__(self) -> None:
        self._last: TeleopFrame | None = None

    def reset(self) -> None:
        """Forget what came before, as when an episode begins."""
        self._last = None

    def problem(self, frame: TeleopFrame, now_s: float | None = None) -> str | None:
        """Why a frame must not move the robot, in words; None if it may.

        Args:
            frame: The newest frame; the same one may come again.
            now_s: Time on the same clock as the frame's, if known.
        """
        wrong = problem(frame)
        if wrong is not None:
            return wrong  # what is broken is nothing to compare with
        last, self._last = self._last, frame
        if now_s is not None and frame.time_s > now_s + 0.05:
            return f"expected a time up to {now_s:.3f} s, got {frame.time_s:.3f} s, which is yet to come"
        if last is None:
            return None
        passed = frame.time_s - last.time_s
        if passed < 0.0:
            return f"time went back by {-passed:.3f} s"
        for name, hand in frame.hands.items():
            before = last.hands.get(name)
            if before is not None and (jump := self._jump(before, hand, max(passed, self.JITTER_S))):
                return f"the {name} hand {jump}"
        return None

    def _jump(self, before: Hand, hand: Hand, passed_s: float) -> str | None:
        if before.pose is None or hand.pose is None or not (before.engaged and hand.engaged):
            return None  # while the clutch is released a hand may be anywhere next
        off = float(np.linalg.norm(hand.pose[:3, 3] - before.pose[:3, 3]))
        if off > min(self.MAX_STEP_M, self.MAX_SPEED_M_S * passed_s):
            return f"jumped by {off:.2f} m in {passed_s:.3f} s"
        turn = _angle(hand.pose[:3, :3] @ before.pose[:3, :3].T)
        if turn > min(self.MAX_TURN_RAD, self.MAX_TURN_RAD_S * passed_s):
            return f"turned by {turn:.2f} rad in {passed_s:.3f} s"
        return None


def _angle(turn: NDArray[np.float64]) -> float:
    """Angle of a rotation, shape (3, 3), in radians."""
    sine = np.array((turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1])) / 2
    return float(np.arctan2(np.linalg.norm(sine), (np.trace(turn) - 1) / 2))
