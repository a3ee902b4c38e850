"""Devices that are pulled, and thousands of frames that no hand makes: the robot stops, waits, and can be driven on."""

from __future__ import annotations

import ctypes
import math
import os
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beside import (
    STOP_STEPS,
    Client,
    assert_it_stopped,
    assert_no_garbage,
    moves,
    record_beside,
    ticks_of,
    until,
    watched,
)
from numpy.random import Generator

from apprentice.demos import DemoFile, DemoWriter
from apprentice.record.cfg import RecordCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.machine import State
from apprentice.record.recorder import demo_of, group_of
from apprentice.record.slot import Slot
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.session import open_session
from apprentice.teleop.frame import REWIND, Command, CommandFrame, Hand, TeleopFrame, problem
from apprentice.teleop.sources.base import View

TASK = "Apprentice-Stack-Franka"
FRAMES = 2000
SHIM = Path(__file__).parents[1] / "unit" / "hid_shim" / "fake_hidapi.c"


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, variant="d0") as opened:
        yield opened


# a device that is pulled


class Puck:
    """A SpaceMouse that is plugged in."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path, self._fifo = path, os.open(path, os.O_RDWR)

    def push(self, forward: int) -> None:
        os.write(self._fifo, bytes([7, 1]) + struct.pack("<3h", 0, -forward, 0))

    def pull(self) -> None:
        self.path.unlink()


@pytest.fixture
def usb(tmp_path, monkeypatch):
    """Where devices are plugged in, with a stand-in for the system's HID library."""
    library, devices = tmp_path / "lib" / "libhidapi-hidraw.so.0", tmp_path / "usb"
    library.parent.mkdir()
    devices.mkdir()
    soname = f"-Wl,-soname,{library.name}"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", soname, "-o", str(library), str(SHIM)], check=True)
    (library.parent / "libhidapi-hidraw.so").symlink_to(library.name)  # the linker is asked where the library is
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    monkeypatch.setenv("FAKE_HID_DIR", str(devices))
    ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)  # who opens one of its name from now on gets this one
    return devices


def test_a_spacemouse_that_is_pulled_stops_the_robot_and_drives_on_when_it_is_back(session, usb, tmp_path):
    output = tmp_path / "demos.hdf5"
    seen: list[str] = []

    def act(address):
        page, puck = Client(address), Puck(usb / "256f-c635-a")
        until(lambda: page.input() and page.state["devices"][0]["connected"], "the SpaceMouse")
        page.ask_until("start", "recording")
        puck.push(350)
        until(lambda: page.input() and len(steps) > 12, "steps")
        puck.pull()
        until(lambda: page.input() and page.name == "paused", "a pause")
        seen.append(page.state["why"])
        before = len(steps)
        page.hold(0.5)
        assert len(steps) == before
        page.say(type="ping", t=1.0)
        back = Puck(usb / "256f-c635-b")
        until(lambda: page.input() and page.state["devices"][0]["connected"], "the SpaceMouse")
        page.hold(0.3)
        assert page.name == "paused" and len(steps) == before
        page.ask_until("start", "recording")
        back.push(-350)
        until(lambda: page.input() and len(steps) > before + 12, "steps")
        back.push(0)
        page.hold(0.2)
        page.command("save")

    with watched(session) as steps:
        cfg = RecordCfg(device=("spacemouse",), demos=1, port=0, view=False, countdown_s=0.2)
        record_beside(session, output, cfg, act)
    assert "spacemouse" in seen[0] and "unplugged" in seen[0]
    assert_it_stopped(ticks_of(output), steps, 1)
    assert_no_garbage(output)
    forward = np.diff([step.eef[0] for step in steps])
    assert forward[:12].sum() > 0.02 and forward[-12:].sum() < -0.02


# nonsense from a page


def number(rng: Generator) -> Any:
    wild = (None, 0, -1, 1, 0.5, 1e9, -1e300, 2**60, 1e-320, True, "1", [], 1.0009)
    return wild[rng.integers(len(wild))] if rng.random() < 0.15 else float(rng.uniform(-1, 1))


def numbers(rng: Generator, count: int) -> list[Any]:
    return [number(rng) for _ in range(count if rng.random() < 0.9 else rng.integers(0, 40))]


def xr_hand(rng: Generator) -> dict[str, Any]:
    quaternion = rng.normal(size=4)
    hand = {
        "p": rng.normal(scale=rng.choice([0.01, 1.0, 1e3, 1e6]), size=3).tolist(),
        "q": (quaternion / np.linalg.norm(quaternion)).tolist(),
        "tracked": bool(rng.random() < 0.8),
        "source": rng.choice(["controller", "hand"]),
        "trigger": float(rng.random()),
        "squeeze": float(rng.random()),
        "buttons": [float(rng.random() < 0.02) for _ in range(6)],
        "axes": [0, 0],
    }
    if rng.random() < 0.1:
        hand["joints"] = {"thumb-tip": numbers(rng, 3), "index-finger-tip": numbers(rng, 3)}
    if rng.random() < 0.05:
        hand[rng.choice(list(hand))] = number(rng)
    return hand


def message(rng: Generator, time_ms: float) -> dict[str, Any]:
    """What a page that has gone mad may send: well-formed, and wild."""
    known = ["KeyW", "KeyA", "KeyE", "KeyC", "KeyX", "KeyT", "KeyK", "ShiftLeft", "Space", "KeyM", "Backspace", "Tab"]
    strange = ["", "KeyÄ", "\ud800", "Fn" * 90, "__proto__", "constructor"]
    keys = [str(rng.choice(known if rng.random() < 0.95 else strange)) for _ in range(rng.integers(0, 6))]
    result: dict[str, Any] = {"keys": keys, "t": time_ms}
    if rng.random() < 0.1:
        result["t"] = time_ms + float(rng.choice([-1e6, -500.0, -20.0, 50.0, 5e3, 1e12]))
    if rng.random() < 0.3:
        result["pads"] = [{"id": "pad", "buttons": [float(rng.random() < 0.03)] * 17, "axes": numbers(rng, 4)}]
    if rng.random() < 0.3:
        head = xr_hand(rng) if rng.random() < 0.8 else None
        result["xr"] = {"head": head, "hands": {str(rng.choice(["left", "right"])): xr_hand(rng)}}
    if rng.random() < 0.3:
        frames = [*CommandFrame, "moon"]
        result["settings"] = {"speed": float(rng.uniform(0, 5)), "command_frame": str(rng.choice(frames, p=_MOSTLY))}
        result["settings"] |= {
            "operator_yaw_deg": float(rng.uniform(-4000, 4000)),
            "camera": str(rng.choice(["", "x"])),
        }
    if rng.random() < 0.03:
        result[str(rng.choice(["keys", "t", "visible", "pads", "xr", "settings", "seq", "held"]))] = number(rng)
    return result


_MOSTLY = [0.24] * 4 + [0.04]


def test_nonsense_from_a_page_stops_the_robot_and_leaves_no_garbage(session, tmp_path):
    output = tmp_path / "demos.hdf5"
    rng = np.random.default_rng(3)
    sent = Counter()

    def act(address):
        page = Client(address)
        while sent["nonsense"] < FRAMES:
            # people drive, and then it begins
            if rng.random() < 0.08:
                page.input(keys=[])
                page.say(type="command", name="start")
                page.hold(0.15, keys=["KeyQ"])
            heard = page.input(**message(rng, 1000 * time.monotonic()))
            sent["nonsense"] += 1
            if rng.random() < 0.01:
                page.say(type="command", name=str(rng.choice(["save", "discard", "undo", "mark", "pause", "start"])))
            time.sleep(0.004)
            if not heard:
                sent["closed"] += 1
                page.close()
                page = Client(address)
        page.close()
        page = Client(address)
        page.hold(0.4)  # the first state that it hears may be old
        before = len(steps)
        page.ask_until("start", "recording")
        page.hold(0.7, keys=["KeyQ"])
        page.hold(0.2)
        assert len(steps) > before + 5, "the session goes on"
        page.ask_until("start", "recording")
        page.command("save")
        page.hold(0.2)
        page.command("stop")

    with watched(session) as steps:
        devices = ("keyboard", "gamepad", "xr")
        cfg = RecordCfg(device=devices, demos=1000, port=0, view=False, countdown_s=0.0)
        record_beside(session, output, cfg, act)
    ticks = ticks_of(output)
    assert sent["closed"] > 20
    assert sum(moves(tick) for tick in ticks if tick.state == "recording") > 20
    assert_it_stopped(ticks, steps, 10)
    assert_no_garbage(output)


# nonsense straight into the loop


def pose(rng: Generator) -> np.ndarray:
    result = np.eye(4)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    result[:3, :3] = q * np.sign(np.linalg.det(q))
    result[:3, 3] = rng.normal(scale=rng.choice([0.1, 10.0, 1e30, 1e300]), size=3)
    return result


def wild_hand(rng: Generator) -> Hand:
    bad = (math.nan, math.inf, -math.inf, 1e300, -1e30, 1e5, 0.0)
    twist = rng.normal(scale=rng.choice([0.3, 30.0, 3e3]), size=6)
    if rng.random() < 0.4:
        twist[rng.integers(6)] = rng.choice(bad)
    poses = (None, pose(rng), 2 * pose(rng), np.full((4, 4), np.nan), np.zeros((3, 3)), -np.eye(4))
    return Hand(
        twist=twist if rng.random() < 0.95 else twist[:5],
        pose=poses[rng.integers(len(poses))],
        tracked=bool(rng.random() < 0.8),
        engaged=bool(rng.random() < 0.7),
        grip=float(rng.choice([*bad, 0.3, -4.0, 7.0])),
        joints={"finger": (math.nan, 0.0, 0.0)} if rng.random() < 0.1 else {"finger": (0.1, 0.0, 0.0)},
    )


def wild_frame(rng: Generator, now: float) -> TeleopFrame | None:
    if rng.random() < 0.1:
        return None
    late = rng.choice([0.0, 0.0, 0.1, 0.3, 1e9, -0.04, -1.0, math.nan, math.inf])
    commands = [Command.START, Command.PAUSE, Command.TOGGLE, Command.MARK, Command.UNDO, Command.DISCARD, Command.SAVE]
    events = [commands[min(int(rng.exponential(1.5)), 6)] for _ in range(int(rng.random() < 0.2))]
    return TeleopFrame(
        time_s=now - float(late),
        hands={str(name): wild_hand(rng) for name in rng.choice(["franka", "tentacle"], size=rng.integers(0, 3))},
        buttons=frozenset({REWIND} if rng.random() < 0.1 else {"warp"}),
        axes={"speed": math.nan},
        events=tuple(events),
        command_frame=list(CommandFrame)[rng.integers(4)],
        operator_yaw_rad=float(rng.choice([0.0, 1.0, 1e308, math.nan, math.inf])),
    )


class Madness:
    """Drives sensibly for a while, and then goes mad for a few frames, again and again; sensibly at the end."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self.frames = self._mad = 0
        self._now, self._at = 0.0, np.eye(4)
        self._wants: tuple[Command, ...] = ()

    def start(self) -> None:
        self._wants = (Command.START,)

    def advance(self, time_s: float, view: View) -> None:
        self._now = time_s

    def latest(self) -> TeleopFrame | None:
        self.frames += self._mad > 0
        if self._mad:
            self._mad -= 1
            return wild_frame(self._rng, self._now)
        if self.frames < FRAMES and self._rng.random() < 0.2:
            self._mad = int(self._rng.integers(1, 12))
        start = self._rng.random() < 0.5
        self._at[:3, 3] += self._rng.normal(scale=0.01, size=3)
        twist = self._rng.normal(scale=0.3, size=6)
        tracked = self._rng.random() < 0.5
        hand = Hand(pose=self._at.copy(), engaged=True) if tracked else Hand(twist=twist)
        return TeleopFrame(time_s=self._now, hands={"franka": hand}, events=(Command.START,) if start else ())

    def stop(self) -> None:
        pass


class Notes:
    """Writes down what the loop did with every frame."""

    def __init__(self, source: Madness) -> None:
        self.lost: list[tuple[str, State, TeleopFrame | None]] = []
        self.after: list[State] = []
        self.calm = 0
        self._source = source

    def on_frame(self, slot: Slot, frame: TeleopFrame | None, now_s: float, lost: str) -> None:
        self.lost.append((lost, slot.state, frame))

    def on_tick(self, loop: EpisodeLoop) -> None:
        self.after.append(loop.slots[0].state)
        self.calm += self._source.frames >= FRAMES
        loop.stopping |= self.calm > 60

    def on_undo(self) -> None:
        pass


def test_nonsense_in_frames_never_moves_the_robot_and_leaves_no_garbage(session, tmp_path):
    output = tmp_path / "demos.hdf5"
    source = Madness(np.random.default_rng(4))
    notes = Notes(source)
    cfg = RecordCfg(max_steps=300)
    loop = EpisodeLoop(session, lambda _: source, cfg, rewinds=True, watcher=notes)
    seeds = iter(range(10_000))
    fingerprint = physics_fingerprint(session)
    kept = 0
    with watched(session) as steps, DemoWriter(output, task=session.task, meta=file_meta(session)) as writer:
        for ended in loop.run(lambda: next(seeds)):
            # an episode that takes too long is kept as well: there must be no garbage in it either
            if ended.tree and len(ended.tree["actions"]):
                assert all(np.isfinite(value).all() for value in ended.tree.values() if value.dtype.kind == "f")
            if group_of(ended, cfg) == "data":
                writer.append(demo_of(session, ended, cfg, fingerprint), "data")
                kept += 1
    assert source.frames >= FRAMES
    usable = over = 0
    for (lost, _, frame), state in zip(notes.lost, notes.after, strict=True):
        if lost or frame is None or problem(frame):
            assert state is not State.RECORDING, "what cannot be used does not move the robot"
        usable += state is State.RECORDING
        over += state in (State.SAVED, State.DISCARDED)
    assert usable > 200 and kept > 1  # how many episodes end in time depends on the machine
    assert len(steps) <= usable + over, "there are no steps but those of usable frames"
    assert notes.after[-STOP_STEPS] is State.RECORDING, "the session goes on"
    assert_no_garbage(output)
    with DemoFile(output) as file:
        assert len(file) == kept
