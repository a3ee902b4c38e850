"""Keeps a loop at the speed of the wall clock, for operators who live in it."""

from __future__ import annotations

import time


class Pace:
    """Waits for the next control step. A step that came late does not make the next ones hurry."""

    def __init__(self, hz: float) -> None:
        """Args: hz: Control steps per second."""
        self._dt = 1.0 / hz
        self._due: float | None = None
        self._begun = 0.0
        self._steps = 0

    @property
    def achieved_hz(self) -> float:
        """Steps per second since the first one."""
        return self._steps / max(time.monotonic() - self._begun, 1e-9) if self._steps else 0.0

    def wait(self) -> None:
        """Sleep until the next step is due."""
        now = time.monotonic()
        if self._due is None:
            self._due = self._begun = now
        self._due = max(self._due + self._dt, now)
        self._steps += 1
        time.sleep(self._due - now)
