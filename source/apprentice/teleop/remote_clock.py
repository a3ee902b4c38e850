"""When something happened on another machine, in time of this one, from messages that take their time."""

from __future__ import annotations

import math


class RemoteClock:
    """Learns how far another clock is from this one.

    The fastest message so far tells the distance best. A message that was held up on its way is known by being slower.
    """

    DRIFT = 1e-3
    """How fast clocks may run apart, per second: several times as fast as bad ones do."""
    RESTART_S = 1e-3
    """A clock that goes back by more was started anew: another page."""

    def __init__(self) -> None:
        self._offset: float | None = None
        self._remote_s = self._arrived_s = -math.inf

    def local(self, remote_s: float, arrived_s: float) -> float:
        """The time here at which a message was sent; never later than it arrived.

        Args:
            remote_s: When it was sent, on the other clock.
            arrived_s: When it arrived, on this clock.
        """
        if remote_s < self._remote_s - self.RESTART_S:
            self._offset = None
        offset = arrived_s - remote_s
        if self._offset is not None:
            offset = min(offset, self._offset + self.DRIFT * max(0.0, arrived_s - self._arrived_s))
        self._offset, self._remote_s, self._arrived_s = offset, remote_s, arrived_s
        return min(arrived_s, remote_s + offset)
