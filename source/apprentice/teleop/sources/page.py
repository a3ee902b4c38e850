"""The driver's page: keyboard, gamepads and XR in one source, fed with the page's messages.

Every message holds the complete state, so nothing is added up that could go astray, and a page that is gone has
released everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from apprentice.teleop.bindings import Bindings
from apprentice.teleop.frame import REWIND, BaseVelocity, Command, CommandFrame, Hand, TeleopFrame
from apprentice.teleop.grips import Trigger
from apprentice.teleop.remote_clock import RemoteClock
from apprentice.teleop.sources import gamepad, messages, xr
from apprentice.teleop.sources.arms import Arms
from apprentice.teleop.sources.base import DeviceStatus, Mailbox, begun_late
from apprentice.teleop.sources.gamepad import Gamepad
from apprentice.teleop.sources.keyboard import Keyboard
from apprentice.teleop.sources.messages import PageInput, PageSettings
from apprentice.teleop.sources.xr import XrHands

PageDevice = Literal["keyboard", "gamepad", "xr"]

FRESH_S = 0.2
"""A device that said nothing for longer is lost."""


class PageSource:
    """A `LiveSource` and `Receiver`: the server's thread tells it what arrives, the loop takes frames."""

    name = "page"

    def __init__(
        self,
        eefs: Sequence[str],
        *,
        bindings: Bindings | None = None,
        devices: Sequence[str] | Mapping[str, Sequence[str]] = get_args(PageDevice),
        camera_yaws: Mapping[str, float] | None = None,
        walks: bool = False,
    ) -> None:
        """Args:
        eefs: End effectors of the robot.
        bindings: What the keys do.
        devices: Those of the page's devices that move the robot, or by device the end effectors that it drives. Without
            any, the page still gives commands.
        camera_yaws: By camera, how far the direction that it looks in is turned from the command frame's x (rad).
        walks: Whether the robot has a base to drive.
        """
        drives = devices if isinstance(devices, Mapping) else dict.fromkeys(devices, eefs)
        if unknown := set(drives) - set(get_args(PageDevice)):
            raise ValueError(f"Expected devices of a page, {', '.join(get_args(PageDevice))}, got {unknown.pop()!r}.")
        self._bindings, self._drives = bindings or Bindings(), {name: tuple(arms) for name, arms in drives.items()}
        self._camera_yaws, self._walks = camera_yaws or {}, walks
        self._grips = dict.fromkeys(eefs, 0.0)
        self._triggers = {eef: Trigger() for eef in eefs}
        self._keyboard = Keyboard(self._bindings, Arms(self._drives.get("keyboard", eefs), self._grips), walks=walks)
        self._gamepad = Gamepad(Arms(self._drives.get("gamepad", eefs), self._grips), walks=walks)
        self._xr = XrHands(self._drives.get("xr", eefs))
        self._clock, self._lock, self.mailbox = RemoteClock(), threading.Lock(), Mailbox()
        self._input = PageInput(t_s=0.0, visible=True, keys=frozenset(), held=frozenset())
        self._time_s: float | None = None
        self._gone: str | None = "open the page"

    def receive(self, message: Mapping[str, Any], arrived_s: float) -> None:
        """Take an "input" or "command" message of the driver.

        Args:
            message: As it came.
            arrived_s: When, on this machine's monotonic clock.

        Raises:
            ValueError: If it is malformed; it changes nothing then.
        """
        kind = message.get("type")
        if kind == "input":
            given = messages.parse_input(message)
            with self._lock:
                self._time_s = self._clock.local(given.t_s, arrived_s)
                self._gone = None
                self._put(self._in_time(self._update(given), arrived_s))
        elif kind == "command":
            command = messages.parse_command(message)
            with self._lock:
                self._time_s = arrived_s if self._time_s is None else self._time_s
                self._put(self._in_time((command,), arrived_s))  # an input came just before it
        else:
            raise ValueError(f'Expected a message of type "input" or "command", got {kind!r}.')

    def lost(self, reason: str) -> None:
        """The page is gone, or somebody else drives: all is released, and the last frame is too old to be used."""
        with self._lock:
            self._clock, self._gone = RemoteClock(), reason
            self._update(PageInput(t_s=0.0, visible=False, keys=frozenset(), held=frozenset()))
            if self._time_s is not None:
                self._time_s = min(self._time_s, time.monotonic() - 2 * FRESH_S)
                self.mailbox.put(TeleopFrame(time_s=self._time_s), loss=True)

    def start(self) -> None:
        pass  # the server brings what there is

    def latest(self) -> TeleopFrame | None:
        return self.mailbox.take()

    def stop(self) -> None:
        self.lost("stopped")

    def sync(self, grips: Mapping[str, float]) -> None:
        with self._lock:
            self._keyboard.sync()
            for trigger in self._triggers.values():
                trigger.sync()
            self._grips.update({name: float(grip > 0.5) for name, grip in grips.items() if name in self._grips})
            if self._time_s is not None and self._gone is None:
                self._put(())

    def devices(self) -> list[DeviceStatus]:
        with self._lock:
            age = None if self._time_s is None else time.monotonic() - self._time_s
            heard = self._gone is None and age is not None and age <= FRESH_S
            away = self._gone or ("" if heard else "the page is silent")
            parts = {
                "keyboard": (True, self._keyboard.detail),
                "gamepad": (self._gamepad.connected, self._gamepad.detail),
                "xr": (self._xr.connected, self._xr.detail),
            }
            return [
                DeviceStatus(name=name, connected=heard and there, age_s=age, detail=away or detail)
                for name, (there, detail) in parts.items()
                if name in self._drives
            ]

    def table(self) -> list[dict[str, str]]:
        """What an operator has to know about the devices that this page drives with, in rows of "keys" and "does"."""
        keys = self._bindings.table(arms=len(self._drives.get("keyboard", "1")), walks=self._walks)
        moving = {"start / go on", "pause", "rewind, while held", "save the demo", "discard the demo"}
        rows = keys if "keyboard" in self._drives else [row for row in keys if row["does"] in moving]
        for name, device in (("gamepad", gamepad), ("xr", xr)):
            if name in self._drives:
                rows = rows + device.TABLE + (device.WALKING if self._walks else [])
        return rows

    def _update(self, given: PageInput) -> tuple[Command, ...]:
        """Let every device see its part; the keys' commands work even where the keyboard does not move the robot."""
        self._input = given
        events = self._keyboard.update(given.keys if given.visible else frozenset())
        if "gamepad" in self._drives:
            events += self._gamepad.update(given.pads if given.visible else ())
        if "xr" in self._drives:
            events += self._xr.update(given.xr)
        return events

    def _in_time(self, events: tuple[Command, ...], arrived_s: float) -> tuple[Command, ...]:
        assert self._time_s is not None
        return events if arrived_s - self._time_s <= FRESH_S else begun_late(events)

    def _put(self, events: tuple[Command, ...]) -> None:
        assert self._time_s is not None
        if Command.START in events or Command.TOGGLE in events:
            self._xr.excuse()
        settings = self._input.settings
        buttons = self._keyboard.buttons | self._gamepad.buttons | self._xr.buttons
        if self._input.visible:
            buttons |= self._input.held & {REWIND}
        frame = TeleopFrame(
            time_s=self._time_s,
            hands=self._hands(settings),
            base=self._base(settings.speed) if self._walks else None,
            buttons=buttons,
            axes={"speed": settings.speed},
            events=events,
            command_frame=settings.command_frame,
            operator_yaw_rad=self._yaw(settings),
        )
        self.mailbox.put(frame)

    def _hands(self, settings: PageSettings) -> dict[str, Hand]:
        twists = {eef: np.zeros(6) for arms in self._drives.values() for eef in arms}
        for name, device in (("keyboard", self._keyboard), ("gamepad", self._gamepad)):
            if name in self._drives:
                twists[device.arms.driven] += device.twist(settings.speed)
        tracked = self._xr.hands() if "xr" in self._drives else {}
        for eef, hand in tracked.items():
            self._grips[eef] = self._triggers[eef].update(hand.grip, self._grips[eef])
        return {
            eef: replace(tracked.get(eef, Hand()), twist=twist, grip=self._grips[eef]) for eef, twist in twists.items()
        }

    def _base(self, speed: float) -> BaseVelocity | None:
        """What all devices say about the base; None if only bare hands move the robot."""
        devices = {"keyboard": self._keyboard, "gamepad": self._gamepad, "xr": self._xr}
        said = [device.base(speed) for name, device in devices.items() if name in self._drives]
        parts = [part for part in said if part is not None]
        return np.sum(parts, axis=0) if parts else None

    def _yaw(self, settings: PageSettings) -> float:
        if settings.command_frame is CommandFrame.CAMERA:
            return self._camera_yaws.get(settings.camera, 0.0)
        return settings.operator_yaw_rad
