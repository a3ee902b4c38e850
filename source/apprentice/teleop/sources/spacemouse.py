"""The SpaceMouse: plugged into this machine, or forwarded from the operator's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from apprentice.teleop.frame import Command, Hand, TeleopFrame, Twist
from apprentice.teleop.remote_clock import RemoteClock
from apprentice.teleop.sources.arms import Arms
from apprentice.teleop.sources.base import DeviceStatus, Mailbox, ThreadedSource, begun_late
from apprentice.teleop.sources.messages import parse_puck
from apprentice.teleop.sources.spacemouse_hid import SpaceMouseReader, require_library

TABLE: list[dict[str, str]] = [
    {"keys": "SpaceMouse", "does": "moves and turns the hand as you move and turn its cap"},
    {"keys": "left button", "does": "open / close the gripper"},
    {"keys": "right button", "does": "start / pause"},
]
"""What an operator has to know, as for the keyboard."""

_LEFT, _RIGHT = 0, -1
"""Places of the buttons; models with more have those in between."""


@dataclass(kw_only=True, frozen=True)
class SpaceMouseCfg:
    speed_m_s: float = 0.35
    """Speed of the hand at full deflection."""
    turn_speed_rad_s: float = 1.5
    """Turning speed at full deflection."""
    dead_zone: float = 0.06
    """Deflection of an axis below which it rests; the rest of the way is stretched, so that motion begins at zero."""


class Puck:
    """What deflections and buttons say about one hand."""

    def __init__(self, eef: str, cfg: SpaceMouseCfg | None = None) -> None:
        self.arms = Arms((eef,))
        self._cfg = cfg or SpaceMouseCfg()
        self._held: tuple[int, ...] = ()

    def frame(self, time_s: float, axes: Twist, buttons: tuple[int, ...]) -> TeleopFrame:
        """One reading as a frame. Axes are x forward, y left, z up, roll, pitch, yaw, -1 to 1. Shape (6,)."""
        before = self._held or (0,) * len(buttons)
        pressed = [now and not old for now, old in zip(buttons, before, strict=False)]
        self._held = buttons
        if pressed and pressed[_LEFT]:
            self.arms.toggle()
        events = (Command.TOGGLE,) if len(pressed) > 1 and pressed[_RIGHT] else ()
        rest = self._cfg.dead_zone
        way = np.sign(axes) * np.maximum(0.0, np.abs(axes) - rest) / (1.0 - rest)
        twist = way * np.repeat((self._cfg.speed_m_s, self._cfg.turn_speed_rad_s), 3)
        hand = Hand(twist=twist, grip=self.arms.grips[self.arms.driven])
        return TeleopFrame(time_s=time_s, hands={self.arms.driven: hand}, events=events)


class SpaceMouse(ThreadedSource):
    """A `LiveSource`: a SpaceMouse that is plugged into this machine. It is found again when it was unplugged."""

    def __init__(
        self,
        eef: str,
        path: str | None = None,
        *,
        cfg: SpaceMouseCfg | None = None,
    ) -> None:
        """Args:
        eef: End effector that it drives.
        path: Such as "/dev/hidraw1"; None takes the first one.
        cfg: Its speeds.

        Raises:
            UserError: If the system library is missing.
        """
        require_library()
        self.name = f"spacemouse:{path}" if path else f"spacemouse ({eef})"
        super().__init__(self.name)
        self._reader, self._puck, self._lock = SpaceMouseReader(path), Puck(eef, cfg), threading.Lock()
        self._said: tuple[Twist, tuple[int, ...]] | None = None
        self._time_s: float | None = None
        self._put_s = -np.inf

    def read(self) -> TeleopFrame | None:
        reading = self._reader.read()
        if reading is None:
            self._said = None
            return None
        with self._lock:
            self._time_s = reading.time_s
            news = self._said is None or reading.buttons != self._said[1] or bool((reading.axes != self._said[0]).any())
            # at rest it says nothing for hours, and is there all the same
            if not news and reading.time_s - self._put_s < 0.02:
                return None
            self._said, self._put_s = (reading.axes, reading.buttons), reading.time_s
            return self._puck.frame(reading.time_s, reading.axes, reading.buttons)

    def close(self) -> None:
        self._reader.close()

    def sync(self, grips: Mapping[str, float]) -> None:
        with self._lock:
            self._puck.arms.sync(grips)
            self._said = None

    def devices(self) -> list[DeviceStatus]:
        age = None if self._time_s is None else time.monotonic() - self._time_s
        return [DeviceStatus(name=self.name, connected=self._reader.connected, age_s=age, detail=self._reader.detail)]


class RemoteSpaceMouse:
    """A `LiveSource` and `Receiver`: a SpaceMouse at the operator's machine, forwarded from there."""

    FRESH_S = 0.2

    def __init__(
        self,
        eef: str,
        *,
        cfg: SpaceMouseCfg | None = None,
    ) -> None:
        """Args: as of `SpaceMouse`."""
        self.name = "spacemouse@remote"
        self._puck, self._clock = Puck(eef, cfg), RemoteClock()
        self._lock, self.mailbox = threading.Lock(), Mailbox()
        self._last: tuple[Twist, tuple[int, ...]] = np.zeros(6), ()
        self._time_s: float | None = None
        self._gone: str | None = "run `apprentice forward URL` where it is plugged in"

    def receive(self, message: Mapping[str, Any], arrived_s: float) -> None:
        """Take a "device" message.

        Raises:
            ValueError: If it is malformed.
        """
        given = parse_puck(message)
        with self._lock:
            self._gone, self._last = None, (given.axes, given.buttons)
            self._time_s = self._clock.local(given.t_s, arrived_s)
            frame = self._puck.frame(self._time_s, *self._last)
            if arrived_s - self._time_s > self.FRESH_S:
                frame = replace(frame, events=begun_late(frame.events))
            self.mailbox.put(frame)

    def lost(self, reason: str) -> None:
        """The forwarding client is gone: the cap is released, and the last frame is too old to be used."""
        with self._lock:
            self._clock, self._gone, self._last = RemoteClock(), reason, (np.zeros(6), ())
            if self._time_s is not None:
                self._time_s = min(self._time_s, time.monotonic() - 2 * self.FRESH_S)
                self.mailbox.put(TeleopFrame(time_s=self._time_s), loss=True)

    def start(self) -> None:
        pass  # the server brings what there is

    def latest(self) -> TeleopFrame | None:
        return self.mailbox.take()

    def stop(self) -> None:
        self.lost("stopped")

    def sync(self, grips: Mapping[str, float]) -> None:
        with self._lock:
            self._puck.arms.sync(grips)
            if self._time_s is not None and self._gone is None:
                self.mailbox.put(self._puck.frame(self._time_s, *self._last))

    def devices(self) -> list[DeviceStatus]:
        with self._lock:
            age = None if self._time_s is None else time.monotonic() - self._time_s
            heard = self._gone is None and age is not None and age <= self.FRESH_S
            detail = self._gone or ("" if heard else "is silent")
            return [DeviceStatus(name=self.name, connected=heard, age_s=age, detail=detail)]
