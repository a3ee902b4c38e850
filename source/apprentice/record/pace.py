"""Keeps a loop at the speed of the wall clock, for operators who live in it, and says honestly how well it did."""

from __future__ import annotations

import time
from collections import deque

import numpy as np


class Pace:
    """Waits for the next control step. A step that came late does not make the next ones hurry."""

    _REMEMBERED = 2000
    """Control steps that the figures are about, the latest ones."""

    def __init__(self, hz: float) -> None:
        """Args: hz: Control steps per second."""
        self.wanted_hz = hz
        self._dt = 1.0 / hz
        self._due: float | None = None
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=self._REMEMBERED)

    @property
    def achieved_hz(self) -> float:
        """Steps per second since `restart`."""
        return len(self._gaps) / sum(self._gaps) if self._gaps else 0.0

    @property
    def jitter_s(self) -> float:
        """How far the time between two steps is from what it should be: the 99th percentile since `restart`."""
        if not self._gaps:
            return 0.0
        return float(np.quantile(np.abs(np.asarray(self._gaps) - self._dt), 0.99))

    def restart(self) -> None:
        """Forget the figures so far: another episode begins."""
        self._gaps.clear()
        self._last = None

    def wait(self) -> None:
        """Sleep until the next step is due."""
        now = time.monotonic()
        self._due = now if self._due is None else max(self._due + self._dt, now)
        time.sleep(self._due - now)
        woken = time.monotonic()
        if self._last is not None:
            self._gaps.append(woken - self._last)
        self._last = woken
