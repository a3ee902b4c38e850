"""Controllers and bare hands of a WebXR session, as hands that the clutch follows.

A controller moves the arm while squeezed, and its trigger closes the gripper. A bare hand moves the arm whenever it is
seen, and pinching closes the gripper: there is no button to hold, and the clutch starts anew from where the robot is
whenever an episode begins or goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apprentice.teleop.frame import REWIND, BaseVelocity, Command, Hand, Pose
from apprentice.teleop.sources.gamepad import dead_zone
from apprentice.teleop.sources.messages import Xr, XrHand

TABLE: list[dict[str, str]] = [
    {"keys": "squeeze", "does": "move the arm, while held"},
    {"keys": "trigger", "does": "close the gripper, while held"},
    {"keys": "A or X", "does": "start / pause"},
    {"keys": "B or Y", "does": "rewind, while held"},
    {"keys": "press stick", "does": "save the demo"},
    {"keys": "bare hand", "does": "moves the arm while it is seen; a pinch closes the gripper"},
]
"""What an operator has to know, as for the keyboard."""
WALKING: list[dict[str, str]] = [
    {"keys": "left stick", "does": "walk forward / back, left / right"},
    {"keys": "right stick", "does": "the robot turns left / right"},
    {"keys": "bare hands", "does": "the robot walks along with the hand"},
]
"""The same of a robot that walks."""

_STICK, _A, _B = 3, 4, 5
_COMMANDS = {_A: Command.TOGGLE, _STICK: Command.SAVE}
_FROM_WEBXR = np.array(((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
"""From x right, y up, z back to x forward, y left, z up."""


class XrHands:
    """Reads WebXR sessions."""

    ENGAGE = (0.4, 0.6)
    """A squeeze up to the first lets go, from the second on it holds."""
    WALK_M_S, WALK_TURN_RAD_S = 0.6, 1.0
    """Speeds of the base of a robot that walks, at full deflection of a stick."""
    REST = 0.15
    """Deflection below which a stick rests."""
    PINCH_M = (0.02, 0.06)
    """Distance of thumb and index finger of a closed pinch, and of an open hand."""

    def __init__(self, eefs: Sequence[str]) -> None:
        """Args: eefs: End effectors to drive. With several, hands go by "left" and "right" in their names."""
        self._eefs = tuple(eefs)
        self._turn: np.ndarray | None = None
        self._xr: Xr | None = None
        self._held: frozenset[tuple[str, int]] = frozenset()
        self._squeezed: dict[str, bool] = {}
        self._grips = dict.fromkeys(self._eefs, 0.0)
        self._side: str | None = None
        self._lost: set[str] = set()
        self._heard: set[str] = set()

    def update(self, xr: Xr | None) -> tuple[Command, ...]:
        """Take the session as it is now, None without one. What was asked for with newly held buttons comes back."""
        if xr is None:
            self._turn, self._side, self._squeezed = None, None, {}
            self._heard.clear()
            self._lost.clear()
        self._xr = xr
        hands = xr.hands if xr else {}
        if xr and self._turn is None and xr.head is not None:
            self._turn = _facing(xr.head)
        held = frozenset((side, b) for side, hand in hands.items() for b, v in enumerate(hand.buttons) if v > 0.5)
        pressed = {button for _, button in held - self._held}
        self._held = held
        for side, hand in hands.items():
            low, high = self.ENGAGE
            self._squeezed[side] = hand.squeeze > (low if self._squeezed.get(side) else high)
            if hand.pose is not None:
                self._heard.add(side)
                self._lost.discard(side)
        return tuple(command for button, command in _COMMANDS.items() if button in pressed)

    def excuse(self) -> None:
        """Go on without the hands that are not seen now, until they are seen again."""
        seen = {side for side, hand in (self._xr.hands if self._xr else {}).items() if hand.pose is not None}
        self._lost = self._heard - seen
        self._side = None

    def hands(self) -> dict[str, Hand]:
        """By end effector, the hands of the session. Nobody's hand is missing once it was seen, but it may be lost."""
        found = {eef: self._hand(eef, side) for eef, side in self._sides().items() if side not in self._lost}
        return {eef: hand for eef, hand in found.items() if hand is not None}

    def base(self, speed: float = 1.0) -> BaseVelocity | None:
        """Wanted velocity of the base of a robot that walks; None from bare hands. Shape (3,).

        Args:
            speed: Setting of the operator; 1 is as usual.
        """
        held = {side: hand for side, hand in (self._xr.hands if self._xr else {}).items() if not hand.is_hand}
        if not held:
            return None
        sticks = {side: dead_zone(np.array([0.0, 0.0, *hand.axes][-2:]), self.REST) for side, hand in held.items()}
        across, along = sticks.get("left", np.zeros(2))
        turn, _ = sticks.get("right", np.zeros(2))
        return np.array((-along, -across, -turn)) * np.repeat((self.WALK_M_S, self.WALK_TURN_RAD_S), (2, 1)) * speed

    @property
    def buttons(self) -> frozenset[str]:
        """Buttons that are held."""
        return frozenset({REWIND}) if any(button == _B for _, button in self._held) else frozenset()

    @property
    def connected(self) -> bool:
        return self._xr is not None

    @property
    def detail(self) -> str:
        """What an operator should know."""
        if self._xr is None:
            return "open the page in the headset and enter XR"
        seen = [
            f"{side} {'hand' if h.is_hand else 'controller'}"
            for side, h in self._xr.hands.items()
            if h.pose is not None
        ]
        return " and ".join(seen) if seen else "sees no hand"

    def _sides(self) -> dict[str, str]:
        """The side that drives each end effector, of those that were seen."""
        if len(self._eefs) > 1:
            named = {eef: "left" if "left" in eef.lower() else "right" for eef in self._eefs}
            if len(set(named.values())) == 1:  # the names don't tell: in order, as a person names their hands
                named = dict(zip(self._eefs, ("left", "right"), strict=False))
            return {eef: side for eef, side in named.items() if side in self._heard}
        if self._side is None:
            usable = [side for side in ("right", "left") if side in self._heard - self._lost]
            self._side = usable[0] if usable else None
        return dict.fromkeys(self._eefs[:1], self._side) if self._side else {}

    def _hand(self, eef: str, side: str) -> Hand | None:
        hand = self._xr.hands.get(side) if self._xr else None
        if hand is None or hand.pose is None:
            return Hand(tracked=False, grip=self._grips[eef])
        self._grips[eef] = self._pinch(hand)
        return Hand(
            pose=self._standing(hand.pose),
            engaged=hand.is_hand or self._squeezed[side],
            grip=self._grips[eef],
            joints=hand.joints if hand.is_hand else {},
        )

    def _pinch(self, hand: XrHand) -> float:
        thumb, index = hand.joints.get("thumb-tip"), hand.joints.get("index-finger-tip")
        if thumb is None or index is None:
            return min(1.0, hand.trigger)
        closed, opened = self.PINCH_M
        apart = float(np.linalg.norm(np.subtract(thumb, index)))
        return max(min(1.0, hand.trigger), float(np.clip((opened - apart) / (opened - closed), 0, 1)))

    def _standing(self, pose: Pose) -> Pose:
        """From WebXR's axes to those of a person who looks along x. Shape (4, 4)."""
        turn = _FROM_WEBXR if self._turn is None else self._turn @ _FROM_WEBXR
        result = np.eye(4)
        result[:3, :3] = turn @ pose[:3, :3] @ turn.T
        result[:3, 3] = turn @ pose[:3, 3]
        return result


def _facing(head: Pose) -> np.ndarray:
    """Turn about the vertical after which a head looks along x. Shape (3, 3), in the robot's axes."""
    looks = _FROM_WEBXR @ -head[:3, 2]
    if np.hypot(looks[0], looks[1]) < 0.1:  # straight up or down: no telling
        return np.eye(3)
    cosine, sine = looks[:2] / np.hypot(looks[0], looks[1])
    return np.array(((cosine, sine, 0.0), (-sine, cosine, 0.0), (0.0, 0.0, 1.0)))
