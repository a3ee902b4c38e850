"""What runs in the virtual machine of `run.py`: makes SpaceMice with /dev/uhid, and reads them as a recording does."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pyspacemouse  # before the rights to read it are given up

from apprentice.teleop.sources.spacemouse import SpaceMouse
from apprentice.teleop.sources.spacemouse_hid import UDEV_RULE, SpaceMouseReader

DESTROY, CREATE, INPUT = 1, 11, 12
USB = 3
NOBODY = 65534


def _collection(number: int, usages: tuple[int, ...]) -> bytes:
    """Three deflections from -350 to 350 of two bytes each, as a report of this number."""
    axes = b"".join(bytes([0x09, usage]) for usage in usages)
    return (
        bytes([0xA1, 0x00, 0x85, number, 0x16, 0xA2, 0xFE, 0x26, 0x5E, 0x01]) + axes + b"\x75\x10\x95\x03\x81\x02\xc0"
    )


DESCRIPTOR = (
    b"\x05\x01\x09\x08\xa1\x01"  # generic desktop, multi-axis controller
    + _collection(1, (0x30, 0x31, 0x32))
    + _collection(2, (0x33, 0x34, 0x35))
    # two buttons as report 3, and padding to two bytes
    + b"\xa1\x02\x85\x03\x05\x09\x19\x01\x29\x02\x15\x00\x25\x01\x75\x01\x95\x02\x81\x02\x75\x0e\x95\x01\x81\x03\xc0"
    + b"\xc0"
)
"""What a SpaceMouse Compact tells the kernel about its reports."""


class VirtualSpaceMouse:
    """A device that the kernel takes for one on USB."""

    def __init__(self) -> None:
        self._file = os.open("/dev/uhid", os.O_RDWR)
        name = b"3Dconnexion SpaceMouse Compact"
        about = struct.pack("<128s64s64sHHIIII", name, b"", b"", len(DESCRIPTOR), USB, 0x256F, 0xC635, 0x100, 0)
        self._write(CREATE, about + DESCRIPTOR)
        threading.Thread(target=self._answer, daemon=True).start()

    def push(self, x: int, y: int, z: int) -> None:
        """Right, towards the operator, down; -350 to 350."""
        self._report(1, struct.pack("<3h", x, y, z))

    def turn(self, x: int, y: int, z: int) -> None:
        """About the same axes."""
        self._report(2, struct.pack("<3h", x, y, z))

    def press(self, mask: int) -> None:
        self._report(3, struct.pack("<H", mask))

    def unplug(self) -> None:
        self._write(DESTROY, b"")

    def _report(self, number: int, content: bytes) -> None:
        self._write(INPUT, struct.pack("<H", 1 + len(content)) + bytes([number]) + content)

    def _write(self, kind: int, content: bytes) -> None:
        os.write(self._file, struct.pack("<I", kind) + content)

    def _answer(self) -> None:
        while True:
            os.read(self._file, 4380)  # the kernel tells that it was opened, and so on


def wait(what: str, condition: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until it is so; how long it took (s)."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.002)
    return time.monotonic() - start


def say(text: str) -> None:
    print(text, flush=True)


def twist(source: SpaceMouse) -> list[float]:
    frame = source.latest()
    return list(frame.hands["arm"].twist) if frame else []


def moves(source: SpaceMouse, place: int, sign: int) -> bool:
    now = twist(source)
    return bool(now) and sign * now[place] > 0 and not any(value for i, value in enumerate(now) if i != place)


def still(source: SpaceMouse) -> bool:
    now = twist(source)
    return bool(now) and not any(now)


def connected(source: SpaceMouse) -> bool:
    return source.devices()[0].connected


def axes(source: SpaceMouse, device: VirtualSpaceMouse) -> None:
    cases = [(device.push, axis, place, sign) for axis, place, sign in ((0, 1, -1), (1, 0, -1), (2, 2, -1))]
    cases += [(device.turn, axis, place, sign) for axis, place, sign in ((0, 4, -1), (1, 3, -1), (2, 5, -1))]
    for act, axis, place, sign in cases:
        for deflection in (300, -300):
            act(*(deflection if i == axis else 0 for i in range(3)))
            way = sign if deflection > 0 else -sign
            wait(f"axis {axis} of {act.__name__} moves {place}", lambda p=place, w=way: moves(source, p, w))
            act(0, 0, 0)
            wait("it rests", lambda: still(source))
    device.press(1)
    wait("the gripper closes", lambda: (f := source.latest()) is not None and f.hands["arm"].grip == 1)
    device.press(0)
    say("axes and buttons: as on the desk")


def released(source: SpaceMouse, device: VirtualSpaceMouse) -> None:
    """150 times 1/125 s of both reports, then the cap is let go."""
    start = time.monotonic()
    for count in range(150):
        device.push(0, -300 - count % 2, 0)
        device.turn(0, 0, 0)
        time.sleep(max(0.0, start + (count + 1) / 125 - time.monotonic()))
    assert moves(source, 0, 1)
    device.push(0, 0, 0)
    took = wait("it rests", lambda: still(source))
    assert took < 0.2, f"expected the release to be seen within 0.2 s, it took {took:.3f} s"
    say(f"300 reports in {time.monotonic() - start - took:.1f} s, then a release: seen after {1000 * took:.0f} ms")


def flooded(device: VirtualSpaceMouse) -> None:
    """Nobody reads for a while: the kernel throws the newest reports away, the release among them."""
    with pyspacemouse.open(axis_convention=pyspacemouse.AxisConvention.ROS) as plain:
        for _ in range(300):
            device.push(0, -300, 0)
        device.push(0, 0, 0)
        time.sleep(0.1)
        count, stamp = 0, plain.read().t
        while True:
            count += 1
            state = plain.read()
            if state.t == stamp:
                break
            stamp = state.t
        assert state.x != 0, "expected the kernel to have lost the release"
    say(f"300 reports and a release while nobody reads: {count} are kept, the release is lost")
    reader = SpaceMouseReader()
    assert reader.read() is not None
    for _ in range(300):
        device.push(0, -300, 0)
    device.push(0, 0, 0)
    time.sleep(0.1)
    reading = reader.read()
    assert reading is not None and not reading.axes.any(), f"expected the reader to rest, it says {reading}"
    device.push(0, -300, 0)
    wait("it goes on", lambda: (now := reader.read()) is not None and now.axes[0] > 0)
    device.push(0, 0, 0)
    wait("it rests", lambda: (now := reader.read()) is not None and not now.axes.any())
    reader.close()
    say("our reader rests after such a loss, and goes on with the next report")


def unplugged(source: SpaceMouse, device: VirtualSpaceMouse) -> VirtualSpaceMouse:
    device.push(0, -300, 0)
    wait("it moves", lambda: moves(source, 0, 1))
    device.unplug()
    took = wait("it is gone", lambda: not connected(source))
    last = source.latest()
    time.sleep(0.3)
    frame = source.latest()
    assert last is not None and frame is not None and frame.time_s == last.time_s, "expected silence"
    detail = source.devices()[0].detail
    again = VirtualSpaceMouse()
    back = wait("it is back", lambda: connected(source))
    wait("it rests", lambda: (f := source.latest()) is not None and f.time_s > last.time_s and still(source))
    again.push(0, 300, 0)
    wait("it moves again", lambda: moves(source, 0, -1))
    again.push(0, 0, 0)
    say(f"unplugged: silent after {1000 * took:.0f} ms ({detail}); plugged in: heard after {1000 * back:.0f} ms")
    return again


def forbidden() -> None:
    """Somebody without the rights is told what to do."""
    with warnings.catch_warnings(action="ignore"):  # of threads: ours only waits for the kernel
        child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0, "expected to be told of the udev rule"
        return
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    reader = SpaceMouseReader()
    heard = reader.read()
    say(f"without the rights: {reader.detail}")
    os._exit(0 if heard is None and "no permission" in reader.detail and "udev" in reader.detail else 1)


def allowed(udevadm: str) -> None:
    """The rule that people are told to write finds the device."""
    rules = Path("/run/udev/rules.d")
    rules.mkdir(parents=True)
    (rules / "70-spacemouse.rules").write_text(UDEV_RULE)
    asked = [udevadm, "test", "--action=add", "/sys/class/hidraw/hidraw0"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    tags = [line for line in done.stdout.splitlines() if line.startswith("TAGS=")]
    assert tags and ":uaccess:" in tags[0], f"expected the tag uaccess, udev says {done.stdout}{done.stderr}"
    say(f"with the rule: udev gives it {tags[0]}")


def main() -> None:
    say(f"Linux {os.uname().release}, up for {Path('/proc/uptime').read_text().split()[0]} s")
    device = VirtualSpaceMouse()
    wait("the kernel has made /dev/hidraw0", lambda: Path("/dev/hidraw0").exists())
    forbidden()
    allowed(sys.argv[1])
    flooded(device)
    source = SpaceMouse("arm")
    source.start()
    wait("it is connected", lambda: connected(source))
    say(f"found: {source.devices()[0].detail}")
    axes(source, device)
    released(source, device)
    unplugged(source, device)
    source.stop()
    say(sys.argv[2])


if __name__ == "__main__":
    main()
