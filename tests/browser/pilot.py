"""Presses keys as a person would who looks at the scene: a pilot for tests that drive the real page."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import numpy as np


class Eyes:
    """What there is to see: a copy of the poses after each step, taken in the simulator's thread."""

    def __init__(self, session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._poses: dict[str, np.ndarray] = {}
        self._closed = False
        step, restore, reset = session.step, session.restore, session.reset
        session.step = lambda *args: self._seen(step(*args))
        session.restore = lambda *args: self._seen(restore(*args))
        session.reset = lambda *args: self._seen(reset(*args))
        self._seen(None)

    def _seen(self, passed):
        poses = {**self._session.eef_poses(), **self._session.object_poses()}
        with self._lock:
            self._poses = {name: pose[0].double().numpy(force=True).copy() for name, pose in poses.items()}
            self._closed = any(
                bool(joints[0, -1] < 0.03)
                for name, joints in self._session.state().items()
                if name.startswith("articulation/") and name.endswith("/joint_position")
            )
        return passed

    @property
    def closed(self) -> bool:
        """Whether the fingers of any gripper are not wide open."""
        with self._lock:
            return self._closed

    def pose(self, name: str) -> np.ndarray:
        with self._lock:
            return self._poses[name]


class Keys:
    """Keys that are held, pressed and released one by one."""

    def __init__(self, keyboard) -> None:
        self._keyboard = keyboard
        self._held: set[str] = set()

    def hold(self, wanted: set[str]) -> None:
        for key in self._held - wanted:
            self._keyboard.up(key)
        for key in wanted - self._held:
            self._keyboard.down(key)
        self._held = set(wanted)

    def tap(self, key: str) -> None:
        self._keyboard.down(key)
        time.sleep(0.06)
        self._keyboard.up(key)


class Pilot:
    """Flies the gripper to places by holding keys. Looks twenty times a second."""

    _FINE = "ShiftLeft"

    def __init__(self, eyes: Eyes, keys: Keys, eef: str = "franka", attend: Callable[[], None] = lambda: None) -> None:
        """Args: attend: Called at each look, for what comes in between."""
        self._eyes, self._keys, self._eef, self._attend = eyes, keys, eef, attend

    def go(
        self,
        goal: Callable[[], np.ndarray],
        *,
        yaw: Callable[[], float] | None = None,
        near_m: float = 0.006,
        timeout_s: float = 40.0,
    ) -> None:
        """Fly until the position of the gripper is near the goal, with the fingers at `yaw` modulo a quarter turn."""
        deadline = time.monotonic() + timeout_s
        calm = 0
        while time.monotonic() < deadline:
            self._attend()
            pose = self._eyes.pose(self._eef)
            off = goal() - pose[:3, 3]
            turn = 0.0 if yaw is None else (yaw() - _yaw(pose) + math.pi / 4) % (math.pi / 2) - math.pi / 4
            there = np.linalg.norm(off) < near_m and abs(turn) < 0.06
            self._keys.hold(set() if there else self._towards(off, turn, near_m))
            calm = calm + 1 if there else 0
            if calm > 5:
                return
            time.sleep(0.05)
        raise AssertionError(f"The gripper did not get there in {timeout_s:.0f} s; {off} m and {turn} rad are left.")

    def _towards(self, off: np.ndarray, turn: float, near_m: float) -> set[str]:
        fine = bool(np.abs(off).max() < 0.05)
        slack = 0.5 * near_m if fine else 0.02
        held = {self._FINE} if fine else set()
        for axis, (more, less) in enumerate((("KeyW", "KeyS"), ("KeyA", "KeyD"), ("KeyQ", "KeyE"))):
            if abs(off[axis]) > slack:
                held.add(more if off[axis] > 0 else less)
        if abs(turn) > 0.04:
            held.add("KeyC" if turn > 0 else "KeyV")
        return held


def _yaw(pose: np.ndarray) -> float:
    return math.atan2(pose[1, 0], pose[0, 0])


def yaw_of(eyes: Eyes, name: str) -> Callable[[], float]:
    return lambda: _yaw(eyes.pose(name))
