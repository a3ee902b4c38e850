"""When a run has enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .cfg import AugmentCfg


@dataclass(frozen=True)
class Standing:
    """How far a run has come, earlier starts of it included."""

    attempts: int
    successes: int
    wall_seconds: float
    coverage_share: float | None
    """Share of the visited cells that hold a success; None before the first attempt."""
    coverage_reached: bool
    """Whether the wanted share is reached, and most of what resets draw was visited."""


class Goals:
    """Demos, hours and coverage: whichever is reached first."""

    def __init__(self, cfg: AugmentCfg) -> None:
        """The goals that `cfg` states."""
        self._demos, self._hours, self._coverage = cfg.wanted_demos, cfg.hours, cfg.coverage

    def reached(self, at: Standing) -> bool:
        """Whether to stop."""
        return (
            (self._demos is not None and at.successes >= self._demos)
            or (self._hours is not None and at.wall_seconds >= 3600 * self._hours)
            or (self._coverage is not None and at.coverage_reached)
        )

    def attempts_wanted(self, at: Standing, waiting_successes: int) -> float:
        """Attempts that should be under way now: as many as are likely needed.

        Args:
            at: What is settled.
            waiting_successes: Successes among attempts that ended before one with a lower number did.
        """
        if self._demos is None:
            return math.inf
        rate = max((at.successes + 1) / (at.attempts + 1), 0.2)
        return math.ceil((self._demos - at.successes - waiting_successes) / rate)

    def progress(self, at: Standing, waiting_successes: int) -> tuple[int, int]:
        """How much is done, of how much: demos, or else seconds, or else percent of the cells."""
        if self._demos is not None:
            return min(at.successes + waiting_successes, self._demos), self._demos
        if self._hours is not None:
            return min(int(at.wall_seconds), int(3600 * self._hours)), int(3600 * self._hours)
        assert self._coverage is not None
        return min(int(100 * (at.coverage_share or 0)), int(100 * self._coverage)), int(100 * self._coverage)
