"""What every source of frames offers, and the two ways to be one: in a thread, or in step with the simulator."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from apprentice.teleop.frame import Command, TeleopFrame


class Source(Protocol):
    """An operator, as the recording sees one."""

    def start(self) -> None:
        """Begin to produce frames."""
        ...

    def latest(self) -> TeleopFrame | None:
        """The newest frame, None before the first. Never waits. Events are handed out once, none is lost."""
        ...

    def stop(self) -> None:
        """Produce no more frames and give the device back. Doing so twice does nothing."""
        ...


@dataclass(kw_only=True, frozen=True)
class DeviceStatus:
    """How a device is, for the operator to see."""

    name: str
    """Such as "keyboard" or "spacemouse (left)"."""
    connected: bool
    """Whether it can be heard."""
    age_s: float | None
    """Time since its last sign of life; None before the first."""
    detail: str = ""
    """What it does now, or what to do about it."""


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source that a person drives, on the clock of the wall."""

    def devices(self) -> list[DeviceStatus]:
        """How its devices are."""
        ...

    def sync(self, grips: Mapping[str, float]) -> None:
        """Be told how the grippers are, 0 open to 1 closed by end effector, whenever an episode begins or goes on.

        Devices that toggle count on from there.
        """
        ...


class Receiver(Protocol):
    """A source that is fed with messages from elsewhere, such as a page."""

    def receive(self, message: Mapping[str, Any], arrived_s: float) -> None:
        """Take a message that arrived at a time of this machine's monotonic clock.

        Raises:
            ValueError: If it is malformed; it changes nothing then.
        """
        ...

    def lost(self, reason: str) -> None:
        """The sender is gone: whatever it held is released at once."""
        ...


@dataclass(kw_only=True, frozen=True)
class View:
    """What an operator sees of one environment."""

    eef_poses: Mapping[str, NDArray[np.float64]]
    """By end effector, in the environment's frame. Shape (4, 4) each."""
    object_poses: Mapping[str, NDArray[np.float64]]
    """By object, in the environment's frame. Shape (4, 4) each."""


@runtime_checkable
class SteppedSource(Source, Protocol):
    """A source that lives on the simulation's clock instead of the wall's: it may run faster than real time."""

    def advance(self, time_s: float, view: View) -> None:
        """Look at the environment and make the next frame."""
        ...


def begun_late(events: tuple[Command, ...]) -> tuple[Command, ...]:
    """What still counts of commands that were held up on their way: whatever would set the robot in motion does not."""
    return tuple(Command.PAUSE if event is Command.TOGGLE else event for event in events if event is not Command.START)


class Mailbox:
    """Keeps the newest frame only, for any number of threads. What was asked for in frames that nobody took is kept."""

    def __init__(self) -> None:
        self.on_frame: Callable[[TeleopFrame], None] | None = None
        """Sees every frame that is put in, in the thread that does so."""
        self._lock = threading.Lock()
        self._frame: TeleopFrame | None = None
        self._loss: TeleopFrame | None = None

    def put(self, frame: TeleopFrame, *, loss: bool = False) -> None:
        """Replace the frame.

        Args:
            frame: The newest one.
            loss: Whether it says that the sender is gone. Such a frame is taken at least once, even if the sender, or
                another one, is back before anybody looks: nobody goes on with what somebody else began.
        """
        if self.on_frame is not None:
            self.on_frame(frame)
        with self._lock:
            waiting = self._frame.events if self._frame else ()
            self._frame = replace(frame, events=waiting + frame.events) if waiting else frame
            self._loss = frame if loss else self._loss

    def take(self) -> TeleopFrame | None:
        """The newest frame, again and again until there is a newer one; its events only the first time."""
        with self._lock:
            frame, loss = self._frame, self._loss
            self._loss = None
            if frame is not None and frame.events:
                self._frame = replace(frame, events=())
            return frame if loss is None or frame is None else replace(loss, events=frame.events)


class ThreadedSource(ABC):
    """A source that reads its device in a thread of its own. Subclasses say how to read one frame."""

    def __init__(self, name: str) -> None:
        self.mailbox = Mailbox()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"teleop-{name}", daemon=True)

    @abstractmethod
    def read(self) -> TeleopFrame | None:
        """Wait for the device, for 0.1 s at most, and make a frame of what it says; None if it said nothing."""

    @abstractmethod
    def close(self) -> None:
        """Give the device back. Called once, in the thread."""

    def start(self) -> None:
        self._thread.start()

    def latest(self) -> TeleopFrame | None:
        return self.mailbox.take()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if (frame := self.read()) is not None:
                    self.mailbox.put(frame)
        finally:
            self.close()
