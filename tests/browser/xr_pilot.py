"""Wears an emulated headset as a person would: a pilot for tests that drive the real page for headsets.

Places are along the robot's axes, as an operator stands who looks the way the robot does: x forward, y left, z up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from desk import iwer, open_page
from driving import Driver
from numpy.typing import NDArray
from pilot import Eyes
from playwright.sync_api import BrowserContext, Page

SPEED_M_S, TURN_SPEED_RAD_S = 0.25, 0.8
GAIN_HZ = 1.2
"""Speed of the hand per distance that is left. The arm is a third of a second late, which must not make it swing."""
LOOK_S = 0.04
REST_M = {"left": (0.35, 0.2, 1.2), "right": (0.35, -0.2, 1.2)}
ASIDE_M = (0.1, 0.5, 0.8)
"""Where a hand is that touches nothing."""

SCRIPT = """
// the pictures are drawn in software: every second frame will do
const soon = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => setTimeout(() => soon(draw), 20);
window.device = new IWER.XRDevice(IWER.metaQuest3);
device.installRuntime({ forceInstall: true });
device.position.set(0, 1.6, 0);
window.hold = (hands) => {
  const bare = device.primaryInputMode === "hand";
  for (const [side, { place, yaw, trigger, squeeze, buttons }] of Object.entries(hands)) {
    const held = (bare ? device.hands : device.controllers)[side];
    held.position.set(...place);
    held.quaternion.set(0, Math.sin(yaw / 2), 0, Math.cos(yaw / 2));
    if (bare) { held.updatePinchValue(trigger); continue; }
    held.updateButtonValue("trigger", trigger);
    held.updateButtonValue("squeeze", squeeze);
    for (const [name, value] of Object.entries(buttons)) held.updateButtonValue(name, value);
  }
};
window.inFrame = (look) => new Promise((resolve) =>
  device.activeSession.requestAnimationFrame((time, frame) => resolve(look(frame))));
// from a hand's place to the tip of its index finger
window.reach = async (side) => {
  const space = await device.activeSession.requestReferenceSpace("local-floor");
  return inFrame((frame) => {
    const hand = device.hands[side];
    const { x, y, z } = frame.getJointPose(hand.inputSource.hand.get("index-finger-tip"), space).transform.position;
    return [x - hand.position.x, y - hand.position.y, z - hand.position.z];
  });
};
// the middle of a button in the air: `rows` is how far above the middle of the panel it is
window.button = async (rows) => {
  const { facing } = await import("/static/xr_panels.js");
  const model = facing({ position: device.position, yaw: 0 }, 0.5, 0.75, -0.25);
  return [0, 1, 2].map((axis) => model[12 + axis] + rows * model[4 + axis]);
};
window.seen = () => inFrame(() => document.getElementById("gl").toDataURL());
"""


@dataclass(kw_only=True)
class EmulatedHand:
    """One hand, with or without a controller in it."""

    side: str
    reach: tuple[float, float]
    """How far from where it rests it gets (m), and turns (rad)."""
    place: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    yaw: float = 0.0
    trigger: float = 0.0
    squeeze: float = 0.0
    buttons: dict[str, float] = field(default_factory=dict[str, float])
    returning: bool = False
    """Whether it moves back to where it rests, and the robot is not to follow."""
    clutched: int = 0
    """How often it took hold."""

    def __post_init__(self) -> None:
        self.place = np.array(REST_M[self.side])

    def shown(self) -> dict[str, Any]:
        """In WebXR's axes."""
        x, y, z = self.place.tolist()
        given = {"yaw": self.yaw, "trigger": self.trigger, "squeeze": self.squeeze, "buttons": self.buttons}
        return given | {"place": [-y, z, -x]}

    def pull(self, off: NDArray[np.float64], turn: float, seconds: float) -> None:
        """Move on for a moment, so that the robot gets nearer; or back, at the end of the arm."""
        if self.returning:
            self._back(seconds)
            return
        if not self.squeeze:
            self.squeeze, self.clutched = 1.0, self.clutched + 1
        self.place = self.place + _at_most(GAIN_HZ * off, SPEED_M_S) * seconds
        self.yaw += float(np.clip(GAIN_HZ * turn, -TURN_SPEED_RAD_S, TURN_SPEED_RAD_S)) * seconds
        far, turned = self.reach
        if np.linalg.norm(self.place - REST_M[self.side]) > far or abs(self.yaw) > turned:
            self.returning, self.squeeze = True, 0.0

    def _back(self, seconds: float) -> None:
        off = np.array(REST_M[self.side]) - self.place
        self.place = self.place + _at_most(off / seconds, 0.6) * seconds
        self.yaw -= float(np.clip(self.yaw, -2.0 * seconds, 2.0 * seconds))
        self.returning = bool(np.linalg.norm(off) > 0.005 or abs(self.yaw) > 0.01)


@dataclass(kw_only=True, frozen=True)
class Goal:
    """Where a gripper is to be."""

    place: Callable[[], NDArray[np.float64]]
    yaw: Callable[[], float] | None = None
    """Of the fingers, modulo a quarter turn."""

    def left(self, pose: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """How far a gripper still has to go (m), and to turn about the vertical (rad)."""
        now = math.atan2(pose[1, 0], pose[0, 0])
        turn = 0.0 if self.yaw is None else (self.yaw() - now + math.pi / 4) % (math.pi / 2) - math.pi / 4
        return self.place() - pose[:3, 3], turn


class XrDriver(Driver):
    """Drives with an emulated Quest 3."""

    MODE = "controller"
    EEFS: ClassVar[Mapping[str, str]] = {"franka": "right"}
    """By end effector, the side of the hand that drives it."""
    REACH = (0.15, 0.7)

    def __init__(self, context: BrowserContext, url: str, eyes: Eyes) -> None:
        self.hands = {side: EmulatedHand(side=side, reach=self.REACH) for side in ("left", "right")}
        super().__init__(context, url, eyes)

    def open(self, context: BrowserContext, url: str) -> Page:
        context.add_init_script(path=iwer())
        context.add_init_script(SCRIPT)
        page = open_page(context, url.replace("/?", "/xr?"))
        page.set_viewport_size({"width": 640, "height": 320})  # drawn in software, every pixel costs
        page.evaluate(f"device.primaryInputMode = '{self.MODE}'")
        page.click("#enter-vr:enabled")
        page.wait_for_selector('body[data-session="immersive-vr"]')
        self.page = page
        self.show()
        return page

    def show(self) -> None:
        """Let the emulator know what the hands do."""
        self.page.evaluate("given => hold(given)", {side: hand.shown() for side, hand in self.hands.items()})

    def tap(self, button: str) -> None:
        """Press a button of the right controller for a moment."""
        self.press(button, True)
        time.sleep(0.1)
        self.press(button, False)

    def press(self, button: str, down: bool) -> None:
        self.hands["right"].buttons[button] = float(down)
        self.show()

    def press_start(self) -> None:
        self.tap("a-button")

    def let_go(self) -> None:
        for hand in self.hands.values():
            hand.squeeze = 0.0
        self.show()

    def grip(self, *eefs: str, closed: bool) -> None:
        """Pull or release triggers, as fast as fingers do."""
        for share in np.linspace(0.2, 1.0, 5):
            for eef in eefs:
                self.hands[self.EEFS[eef]].trigger = float(share if closed else 1.0 - share)
            self.show()
            time.sleep(LOOK_S)

    def go(
        self,
        goals: Mapping[str, Goal],
        *,
        near_m: float = 0.006,
        timeout_s: float = 30.0,
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        """Fly grippers to their goals, all at once, until they are calm there, or until something else is true."""
        start = last = time.monotonic()
        calm = 0
        while calm < 5 and not until():
            self.go_on()
            now = time.monotonic()
            left = {eef: goal.left(self.eyes.pose(eef)) for eef, goal in goals.items()}
            for eef, (off, turn) in left.items():
                self.hands[self.EEFS[eef]].pull(off, turn, min(0.1, now - last))
            last = now
            self.show()
            there = all(np.linalg.norm(off) < near_m and abs(turn) < 0.06 for off, turn in left.values())
            calm = calm + 1 if there else 0
            assert now - start < timeout_s, f"The grippers did not get there in {timeout_s:.0f} s: {left} are left."
            time.sleep(LOOK_S)


class BareHandDriver(XrDriver):
    """Pinches with the right hand, and touches the buttons in the air with the left one."""

    MODE = "hand"
    REACH = (math.inf, math.inf)  # it has no clutch: wherever it goes, the robot follows
    ROWS_M: ClassVar = {"start": 0.07, "rewind": 0.0, "save": -0.07}
    """How high the buttons are above the middle of their panel."""

    def open(self, context: BrowserContext, url: str) -> Page:
        self.hands["left"].place = np.array(ASIDE_M)
        return super().open(context, url)

    def touch(self, row: str) -> None:
        """Touch a button in the air with the left index finger for a moment."""
        hand = self.hands["left"]
        reach, button = np.array(self.page.evaluate("reach('left')")), self.page.evaluate(f"button({self.ROWS_M[row]})")
        x, y, z = (np.array(button) - reach).tolist()
        hand.place = np.array((-z, -x, y))
        self.show()
        time.sleep(0.15)
        hand.place = np.array(ASIDE_M)
        self.show()
        time.sleep(0.1)

    def press_start(self) -> None:
        self.touch("start")

    def let_go(self) -> None:
        pass  # a bare hand has nothing to let go of


def _at_most(vector: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    return vector * (length / max(length, float(np.linalg.norm(vector))))
