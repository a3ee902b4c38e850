"""Reads a SpaceMouse that is plugged into this machine, through `pyspacemouse`.

Its `read` takes one report of up to 63 that wait, the oldest first, and when more come the newest are lost: whoever
reads once per control step sees a released cap seconds later, or never. So all that waits is read, many times a second.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from apprentice.errors import UserError
from apprentice.teleop.frame import Twist

UDEV_RULE = """\
# SpaceMouse for whoever sits at this machine: /etc/udev/rules.d/70-spacemouse.rules
# For those who log in from elsewhere, by ssh, write MODE="0666" instead.
KERNEL=="hidraw*", KERNELS=="*:256F:*", TAG+="uaccess", MODE="0660"
KERNEL=="hidraw*", KERNELS=="*:046D:C62*", TAG+="uaccess", MODE="0660"
"""
"""Lets people read 3Dconnexion devices, by cable or Bluetooth, and the older ones that bear Logitech's number."""

UDEV_HELP = (
    "write the udev rule that `apprentice doctor` prints to /etc/udev/rules.d/70-spacemouse.rules, run "
    "`sudo udevadm control --reload && sudo udevadm trigger`, and plug it in again"
)


@dataclass(kw_only=True, frozen=True)
class Reading:
    """A SpaceMouse at one moment."""

    time_s: float
    """On this machine's monotonic clock."""
    axes: Twist
    """x forward, y left, z up, roll, pitch, yaw, -1 to 1. Shape (6,)."""
    buttons: tuple[int, ...]
    """1 while held. The left one is first."""


def require_library() -> None:
    """Make sure that the system library can be loaded.

    Raises:
        UserError: If it can't.
    """
    _enumerate()


def connected() -> dict[str, str]:
    """Models of the SpaceMouse interfaces that are plugged in, by path.

    Raises:
        UserError: If the system library is missing.
    """
    from pyspacemouse import get_supported_devices

    known = {(vendor, product): name for name, vendor, product in get_supported_devices()}
    return {d.path: known[i] for d in _enumerate() if (i := (d.vendor_id, d.product_id)) in known}


def _enumerate() -> list[Any]:
    try:
        from easyhid import Enumeration

        return Enumeration().device_list
    except (ImportError, OSError, AttributeError) as error:
        raise UserError(
            "Expected the library hidapi for the SpaceMouse, but it is missing: `sudo apt install libhidapi-hidraw0`."
        ) from error


_OPENING = threading.Lock()


class _Interface:
    """One open HID interface of a SpaceMouse."""

    MOST_REPORTS = 512
    """Reports read at one go; more than the kernel keeps."""
    KERNEL_KEEPS = 63
    """Reports that wait at most: Linux keeps the oldest ones and drops what comes after."""

    def __init__(self, path: str) -> None:
        import pyspacemouse

        # it tells the world what it found; two threads that redirect at a time would lose the output for good
        with _OPENING, contextlib.redirect_stdout(io.StringIO()):
            self._device = pyspacemouse.open_by_path(path, axis_convention=pyspacemouse.AxisConvention.ROS)
        self._read_s = -1.0
        self.axes: Twist = np.zeros(6)
        self.buttons: tuple[int, ...] = ()
        self.name = self._device.product_name or self._device.name

    def drain(self) -> bool:
        """Read all reports that wait. Whether there were any."""
        count = 0
        for _ in range(self.MOST_REPORTS):
            state = self._device.read()  # the same object every time, stamped when a report came
            if state.t == self._read_s:
                break
            self._read_s, count = state.t, count + 1
            axes = np.array((state.x, state.y, state.z, state.roll, state.pitch, state.yaw))
            self.axes, self.buttons = np.clip(axes, -1.0, 1.0), tuple(map(int, state.buttons))
        if count >= self.KERNEL_KEEPS:
            # this machine was held up, and newer reports are lost: the cap may rest, and then says nothing more
            self.axes = np.zeros(6)
        return count > 0

    def close(self) -> None:
        with contextlib.suppress(Exception):  # it may be gone
            self._device.close()


class SpaceMouseReader:
    """One SpaceMouse, which may be plugged in and out at any time. For one thread."""

    RETRY_S = 0.5
    """Time between attempts to find it."""
    POLL_S = 0.004
    """Time between looks at what it says: half of what the fastest takes between reports."""

    def __init__(self, path: str | None = None) -> None:
        """Args: path: Such as "/dev/hidraw1"; None takes the first one that speaks."""
        self._path = path
        self._interfaces: list[_Interface] = []
        self._speaks: _Interface | None = None
        self._retry_s = -np.inf
        self.detail = "is being looked for"
        """What it does, or what to do about it."""

    @property
    def connected(self) -> bool:
        return bool(self._interfaces)

    def read(self) -> Reading | None:
        """What it says now; None while it can't be heard. Takes a few milliseconds."""
        time.sleep(self.POLL_S)
        if not self._interfaces:
            self._find()
        if not self._interfaces:
            return None
        try:
            for interface in [self._speaks] if self._speaks else self._interfaces:
                if interface.drain():  # a receiver has several interfaces, and one of them speaks
                    self._speaks = interface
        except Exception as error:  # the library raises its own kind, and others for what it did not foresee
            self.close()
            self.detail = f"was unplugged: {error}"
            return None
        speaks = self._speaks
        axes, buttons = (speaks.axes.copy(), speaks.buttons) if speaks else (np.zeros(6), ())
        return Reading(time_s=time.monotonic(), axes=axes, buttons=buttons)

    def close(self) -> None:
        """Give it back."""
        for interface in self._interfaces:
            interface.close()
        self._interfaces, self._speaks = [], None
        self._retry_s = time.monotonic() + self.RETRY_S

    def _find(self) -> None:
        if time.monotonic() < self._retry_s:
            return
        self._retry_s = time.monotonic() + self.RETRY_S
        there = connected()
        mine = self._path and os.path.realpath(self._path)
        wanted = [path for path in there if mine is None or os.path.realpath(path) == mine]
        if not wanted:
            where = f"at {self._path}" if self._path else "plugged in"
            self.detail = f"no SpaceMouse {where}" + (f", but there is one at {', '.join(there)}" if there else "")
            return
        if self._path is None:  # all interfaces of the first device, not those of another
            wanted = [path for path in wanted if there[path] == there[wanted[0]]]
        for path in wanted:
            try:
                self._interfaces.append(_Interface(path))
            except Exception as error:
                denied = os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK)
                self.detail = f"no permission for {path}: {UDEV_HELP}" if denied else f"can't open {path}: {error}"
        if self._interfaces:
            self.detail = self._interfaces[0].name
