"""The keyboard: what the keys that are held now say about the hand. Nothing is added up, so nothing can drift."""

from __future__ import annotations

import numpy as np

from apprentice.teleop.bindings import Bindings, label
from apprentice.teleop.frame import REWIND, BaseVelocity, Command, Twist
from apprentice.teleop.sources.arms import Arms

_AXES = (
    ("forward", "back"),
    ("left", "right"),
    ("up", "down"),
    ("roll_left", "roll_right"),
    ("pitch_down", "pitch_up"),
    ("yaw_left", "yaw_right"),
)
_WALKING = (("forward", "back"), ("left", "right"), ("yaw_left", "yaw_right"))
_COMMANDS = (Command.START, Command.PAUSE, Command.SAVE, Command.DISCARD, Command.UNDO, Command.MARK)


class Keyboard:
    """Reads sets of held keys, named as `KeyboardEvent.code`."""

    def __init__(self, bindings: Bindings, arms: Arms, *, walks: bool = False) -> None:
        """Args:
        bindings: What the keys do.
        arms: What they drive.
        walks: Whether the robot has a base to drive.
        """
        self.arms, self._walks = arms, walks
        self._bindings, self._key = bindings, bindings.keys()
        self._moving = {self._key[name] for pair in _AXES for name in pair}
        self._held: frozenset[str] = frozenset()
        self._stale: frozenset[str] = frozenset()

    def update(self, held: frozenset[str]) -> tuple[Command, ...]:
        """Take the keys that are held now. What was asked for with keys that were not held before comes back."""
        pressed, self._held = held - self._held, held
        self._stale &= held
        if self._key["next_arm"] in pressed:
            self.arms.next()
        if self._key["grip"] in pressed:
            self.arms.toggle()
        return tuple(command for command in _COMMANDS if self._key[command.value] in pressed)

    def sync(self) -> None:
        """An episode begins or goes on. Keys that are held down already move the hand only when pressed anew."""
        self._stale = self._held & self._moving

    def twist(self, speed: float = 1.0) -> Twist:
        """Wanted velocity of the driven hand. Shape (6,).

        Args:
            speed: Setting of the operator; 1 is as bound.
        """
        if self._walking:
            return np.zeros(6)
        return self._ways(_AXES) * np.repeat((self._bindings.speed_m_s, self._bindings.turn_speed_rad_s), 3) * speed

    def base(self, speed: float = 1.0) -> BaseVelocity:
        """Wanted velocity of the base of a robot that walks. Shape (3,).

        Args:
            speed: Setting of the operator; 1 is as bound.
        """
        if not self._walking:
            return np.zeros(3)
        fastest = np.repeat((self._bindings.walk_speed_m_s, self._bindings.walk_turn_speed_rad_s), (2, 1))
        return self._ways(_WALKING) * fastest * speed

    @property
    def _walking(self) -> bool:
        return self._walks and self._key["walk"] in self._held

    def _ways(self, pairs: tuple[tuple[str, str], ...]) -> Twist:
        """Which way each pair of keys points, -1 to 1; less while the key for slow is held. Shape (n,)."""
        held = self._held - self._stale
        ways = np.array([float(self._key[more] in held) - float(self._key[less] in held) for more, less in pairs])
        return ways * (self._bindings.fine_scale if self._key["fine"] in held else 1.0)

    @property
    def buttons(self) -> frozenset[str]:
        """Buttons that are held."""
        return frozenset({REWIND}) if self._key["rewind"] in self._held else frozenset()

    @property
    def detail(self) -> str:
        """What an operator should know."""
        release = f"release {', '.join(map(label, sorted(self._stale)))} to move" if self._stale else ""
        return "; ".join(filter(None, (self.arms.detail, release)))
