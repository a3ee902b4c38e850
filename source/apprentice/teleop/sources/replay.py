"""An earlier session's frames, played back through the whole teleoperation path."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.read_log import Tick
from apprentice.teleop.sources.base import DeviceStatus, Mailbox, View


class TickReplay:
    """Plays a session step by step: each control step gets the very frame that it got then.

    A `SteppedSource`. After the last step there are no more frames. It is a `LiveSource` too, as what it plays was one.
    """

    def __init__(self, ticks: Sequence[Tick]) -> None:
        """Args: ticks: In order, at least one."""
        self._ticks = list(ticks)
        self._place = -1

    @property
    def done(self) -> bool:
        """Whether all steps were played."""
        return self._place + 1 >= len(self._ticks)

    @property
    def time_s(self) -> float:
        """When the step that comes next was made, on the clock of its frames."""
        return self._ticks[min(self._place + 1, len(self._ticks) - 1)].time_s

    def start(self) -> None:
        self._place = -1

    def advance(self, time_s: float, view: View) -> None:
        """Go to the next step."""
        del time_s, view
        self._place += 1

    def latest(self) -> TeleopFrame | None:
        return self._ticks[self._place].frame if 0 <= self._place < len(self._ticks) else None

    def stop(self) -> None:
        self._place = len(self._ticks)

    def devices(self) -> list[DeviceStatus]:
        return []

    def sync(self, grips: Mapping[str, float]) -> None:
        pass  # the frames show what came of it


class FrameReplay:
    """Plays frames at the times that they were taken, counted from the first one; then there are no more."""

    def __init__(self, frames: Sequence[TeleopFrame]) -> None:
        """Args: frames: In order of time."""
        self._frames = list(frames)
        self._offsets = [frame.time_s - self._frames[0].time_s for frame in self._frames]
        self._mailbox = Mailbox()
        self._start: float | None = None
        self._played = 0

    def start(self) -> None:
        self._start, self._played = None, 0

    def advance(self, time_s: float, view: View) -> None:
        """Play every frame that is due, stamped with its time on the session's clock."""
        del view
        if self._start is None:
            self._start = time_s
        due = bisect_right(self._offsets, time_s - self._start)
        for frame, offset in zip(self._frames[self._played : due], self._offsets[self._played : due], strict=True):
            self._mailbox.put(replace(frame, time_s=self._start + offset))
        self._played = max(self._played, due)

    def latest(self) -> TeleopFrame | None:
        return self._mailbox.take()

    def stop(self) -> None:
        self._played = len(self._frames)
