"""A gamepad in the browser's standard layout: sticks move the hand, triggers slow it down and move the gripper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apprentice.teleop.frame import REWIND, BaseVelocity, Command, Twist
from apprentice.teleop.sources.arms import Arms
from apprentice.teleop.sources.messages import Pad

TABLE: list[dict[str, str]] = [
    {"keys": "left stick", "does": "forward / back, left / right"},
    {"keys": "right stick", "does": "up / down, turn left / right"},
    {"keys": "LB + left stick", "does": "pitch, roll"},
    {"keys": "RB or RT", "does": "open / close the gripper"},
    {"keys": "LT", "does": "slow, the further the slower"},
    {"keys": "A", "does": "start / pause"},
    {"keys": "B", "does": "rewind, while held"},
    {"keys": "Y", "does": "save the demo"},
    {"keys": "X", "does": "mark the subtask as done"},
    {"keys": "View", "does": "discard the demo"},
    {"keys": "Menu", "does": "undo the last save"},
    {"keys": "D-pad left / right", "does": "next arm"},
]
"""What an operator has to know, as for the keyboard."""
WALKING: list[dict[str, str]] = [
    {"keys": "D-pad up / down", "does": "the sticks walk and turn the robot / move its hand again"}
]
"""The same of a robot that walks."""

_A, _B, _X, _Y, _LB, _RB, _LT, _RT, _VIEW, _MENU = range(10)
_PAD_UP, _PAD_DOWN, _PAD_LEFT, _PAD_RIGHT = 12, 13, 14, 15
_COMMANDS = {
    _A: Command.TOGGLE,
    _X: Command.MARK,
    _Y: Command.SAVE,
    _VIEW: Command.DISCARD,
    _MENU: Command.UNDO,
}


@dataclass(kw_only=True, frozen=True)
class GamepadCfg:
    speed_m_s: float = 0.35
    """Speed of the hand at full deflection."""
    turn_speed_rad_s: float = 1.5
    """Turning speed at full deflection."""
    dead_zone: float = 0.12
    """Deflection below which a stick rests. The rest of the way is stretched, so that motion begins at zero."""
    walk_speed_m_s: float = 0.6
    """Speed of the base of a robot that walks, at full deflection."""
    walk_turn_speed_rad_s: float = 1.0
    """Its turning speed."""
    fine_scale: float = 0.2
    """What is left of the speeds with the left trigger pulled through."""


class Gamepad:
    """Reads the pads that a browser reports. With several, all drive the same arm, one at a time does best."""

    def __init__(self, arms: Arms, cfg: GamepadCfg | None = None, *, walks: bool = False) -> None:
        """Args:
        arms: What it drives.
        cfg: How fast.
        walks: Whether the robot has a base to drive.
        """
        self.arms = arms
        self._walks, self._walking = walks, False
        self._cfg = cfg or GamepadCfg()
        self._pads: Sequence[Pad] = ()
        self._held: frozenset[tuple[int, int]] = frozenset()

    def update(self, pads: Sequence[Pad]) -> tuple[Command, ...]:
        """Take the pads as they are now. What was asked for with buttons that were not held before comes back."""
        held = frozenset((i, b) for i, pad in enumerate(pads) for b, value in enumerate(pad.buttons) if value > 0.5)
        pressed = {button for _, button in held - self._held}
        self._pads, self._held = pads, held
        self.arms.next((_PAD_RIGHT in pressed) - (_PAD_LEFT in pressed))
        if self._walks and pressed & {_PAD_UP, _PAD_DOWN}:
            self._walking = _PAD_UP in pressed
        if pressed & {_RB, _RT}:
            self.arms.toggle()
        return tuple(command for button, command in _COMMANDS.items() if button in pressed)

    def twist(self, speed: float = 1.0) -> Twist:
        """Wanted velocity of the driven hand. Shape (6,).

        Args:
            speed: Setting of the operator; 1 is as configured.
        """
        if self._walking:
            return np.zeros(6)
        return self._total() * np.repeat((self._cfg.speed_m_s, self._cfg.turn_speed_rad_s), 3) * speed

    def base(self, speed: float = 1.0) -> BaseVelocity:
        """Wanted velocity of the base of a robot that walks. Shape (3,).

        Args:
            speed: Setting of the operator; 1 is as configured.
        """
        if not self._walking:
            return np.zeros(3)
        fastest = np.repeat((self._cfg.walk_speed_m_s, self._cfg.walk_turn_speed_rad_s), (2, 1))
        return self._total()[[0, 1, 5]] * fastest * speed

    def _total(self) -> Twist:
        """Which way all pads together point, -1 to 1. Shape (6,)."""
        return np.clip(np.sum([self._way(pad) for pad in self._pads], axis=0, initial=0.0), -1, 1) + np.zeros(6)

    @property
    def buttons(self) -> frozenset[str]:
        """Buttons that are held."""
        return frozenset({REWIND}) if any(button == _B for _, button in self._held) else frozenset()

    @property
    def detail(self) -> str:
        """What an operator should know."""
        if not self._pads:
            return "press any button of the gamepad"
        walking = "walks" if self._walking else ""
        return "; ".join(filter(None, (self._pads[0].id, walking, self.arms.detail)))

    @property
    def connected(self) -> bool:
        return bool(self._pads)

    def _way(self, pad: Pad) -> Twist:
        sticks = [*pad.axes[:4], *[0.0] * (4 - len(pad.axes[:4]))]
        left = dead_zone(np.array(sticks[:2]), self._cfg.dead_zone)
        right = dead_zone(np.array(sticks[2:]), self._cfg.dead_zone)
        way = np.zeros(6)
        way[2], way[5] = -right[1], -right[0]
        if _pressed(pad, _LB) > 0.5:
            way[4], way[3] = -left[1], left[0]  # push forward: nose down; push right: roll right
        else:
            way[0], way[1] = -left[1], -left[0]
        return way * (1.0 - (1.0 - self._cfg.fine_scale) * _pressed(pad, _LT))


def dead_zone(stick: Twist, rest: float) -> Twist:
    """Take the play out of a stick, and stretch the rest so that it begins at 0 and still ends at 1.

    Args:
        stick: Deflection along each axis, -1 to 1. Shape (n,).
        rest: Length of the deflection, 0 to 1, up to which it counts as none.

    Returns:
        The same direction, no longer than 1. Shape (n,).
    """
    length = float(np.linalg.norm(stick))
    if length <= rest:
        return np.zeros_like(stick)
    return stick / length * min(1.0, (length - rest) / (1.0 - rest))


def _pressed(pad: Pad, button: int) -> float:
    return pad.buttons[button] if button < len(pad.buttons) else 0.0
