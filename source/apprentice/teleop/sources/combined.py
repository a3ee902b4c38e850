"""Several devices as one operator: together on one arm, or one per arm.

A device that was heard and falls silent stops the robot, as nobody knows what its owner wanted. When the operator
starts again with the others, it counts as absent until it is heard again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apprentice.teleop.frame import Command, CommandFrame, Hand, TeleopFrame, Twist
from apprentice.teleop.grips import LastChanged
from apprentice.teleop.sources.base import DeviceStatus, LiveSource

FRESH_S = 0.2
"""A device that said nothing for longer is lost."""


@dataclass
class _Member:
    source: LiveSource
    frame: TeleopFrame | None = None
    live: bool = False
    """Whether it was heard since it was last given up."""

    def fresh(self, now_s: float) -> bool:
        return self.frame is not None and now_s - self.frame.time_s <= FRESH_S


class Combined:
    """A `LiveSource` made of others. Taken from in one thread."""

    def __init__(self, sources: Sequence[LiveSource]) -> None:
        """Args: sources: The first one's command frame, operator yaw and speed hold for all, as it last gave them."""
        if not sources:
            raise ValueError("Expected at least one source, got none.")
        self._members = [_Member(source) for source in sources]
        self._grips: dict[str, LastChanged] = {}
        self._time_s = -np.inf
        self._frame_of, self._yaw, self._speed = CommandFrame.BASE, 0.0, 1.0

    def start(self) -> None:
        for member in self._members:
            member.source.start()

    def stop(self) -> None:
        for member in self._members:
            member.source.stop()

    def sync(self, grips: Mapping[str, float]) -> None:
        for name, grip in grips.items():
            self._grips.setdefault(name, LastChanged()).sync(grip)
        for member in self._members:
            member.source.sync(grips)

    def devices(self) -> list[DeviceStatus]:
        return [status for member in self._members for status in member.source.devices()]

    def latest(self) -> TeleopFrame | None:
        """What all devices that are heard say together; None, or a frame that is too old, if one fell silent."""
        now = time.monotonic()
        events: tuple[Command, ...] = ()
        for member in self._members:
            member.frame = member.source.latest()
            events += member.frame.events if member.frame else ()
            member.live |= member.fresh(now)
        if Command.START in events or Command.TOGGLE in events:
            for member in self._members:
                member.live = member.fresh(now)
        live = [(i, member.frame) for i, member in enumerate(self._members) if member.live and member.frame]
        if not live:
            return TeleopFrame(time_s=now - 2 * FRESH_S, events=events) if events else None
        oldest = min(frame.time_s for _, frame in live)
        if now - oldest > FRESH_S:
            return TeleopFrame(time_s=oldest, events=events)
        # a device that joins may have spoken a little earlier than those before it, but time does not go back
        self._time_s = max(self._time_s, oldest)
        return replace(self._merged(dict(live)), time_s=self._time_s, events=events)

    def _merged(self, frames: Mapping[int, TeleopFrame]) -> TeleopFrame:
        if 0 in frames:
            self._frame_of, self._yaw = frames[0].command_frame, frames[0].operator_yaw_rad
            self._speed = frames[0].axes.get("speed", 1.0)
        return TeleopFrame(
            time_s=0.0,
            hands={name: self._hand(name, frames) for name in _names(frames.values())},
            base=next((frame.base for frame in frames.values() if frame.base is not None), None),
            buttons=frozenset().union(*(frame.buttons for frame in frames.values())),
            axes={name: value for frame in frames.values() for name, value in frame.axes.items()},
            command_frame=self._frame_of,
            operator_yaw_rad=self._yaw,
        )

    def _hand(self, name: str, frames: Mapping[int, TeleopFrame]) -> Hand:
        hands = {i: frame.hands[name] for i, frame in frames.items() if name in frame.hands}
        posed = next((hand for hand in hands.values() if hand.pose is not None), Hand())
        grip = self._grips.setdefault(name, LastChanged())
        return Hand(
            twist=together([hand.twist if i == 0 else self._speed * hand.twist for i, hand in hands.items()]),
            pose=posed.pose,
            tracked=all(hand.tracked for hand in hands.values()),
            engaged=posed.engaged,
            grip=grip.update({str(i): hand.grip for i, hand in hands.items()}),
            joints=posed.joints,
        )


def together(twists: Sequence[Twist]) -> Twist:
    """Add velocities up. Devices that push the same way are together no faster than the fastest of them. Shape (6,)."""
    total = np.sum(twists, axis=0)
    for part in (slice(0, 3), slice(3, 6)):
        fastest = max(float(np.linalg.norm(twist[part])) for twist in twists)
        length = float(np.linalg.norm(total[part]))
        if length > fastest:
            total[part] *= fastest / length
    return total


def _names(frames: Iterable[TeleopFrame]) -> list[str]:
    return list(dict.fromkeys(name for frame in frames for name in frame.hands))
