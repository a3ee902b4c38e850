"""What the keys of the keyboard do. The defaults move the hand as Isaac Lab's `Se3Keyboard` does."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from apprentice.errors import UserError


@dataclass(kw_only=True, frozen=True)
class Bindings:
    """Keys have the names of `KeyboardEvent.code`: the place on a US keyboard, whatever is printed there."""

    speed_m_s: float = 0.25
    """Speed of the hand while a key is held (m/s), before the speed setting of the page."""
    turn_speed_rad_s: float = 1.2
    """Turning speed of the hand while a key is held (rad/s)."""
    walk_speed_m_s: float = 0.5
    """Speed of the base of a robot that walks while a key is held (m/s)."""
    walk_turn_speed_rad_s: float = 0.8
    """Its turning speed (rad/s)."""
    fine_scale: float = 0.25
    """What is left of all speeds while the key `fine` is held."""
    forward: str = "KeyW"
    """+x of the command frame."""
    back: str = "KeyS"
    left: str = "KeyA"
    """+y."""
    right: str = "KeyD"
    up: str = "KeyQ"
    """+z."""
    down: str = "KeyE"
    roll_left: str = "KeyZ"
    """About +x."""
    roll_right: str = "KeyX"
    pitch_down: str = "KeyT"
    """About +y."""
    pitch_up: str = "KeyG"
    yaw_left: str = "KeyC"
    """About +z."""
    yaw_right: str = "KeyV"
    walk: str = "KeyB"
    """While held, the keys for forward, back, left, right and yaw walk and turn a robot that can, as it faces."""
    grip: str = "KeyK"
    """Opens a closed gripper and closes an open one."""
    fine: str = "ShiftLeft"
    """While held, the hand moves slowly."""
    next_arm: str = "Tab"
    """The keyboard drives the next arm, on robots with several."""
    start: str = "Enter"
    """Begin, or go on after a pause."""
    pause: str = "Space"
    rewind: str = "Backspace"
    """While held, time goes back."""
    save: str = "KeyN"
    """Save the demo now."""
    discard: str = "KeyL"
    undo: str = "KeyU"
    """Take the demo that was saved last out of the data."""
    mark: str = "KeyM"
    """The subtask that is next is complete now."""

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.type == "float"):
            value: float = getattr(self, name)
            if not 0.0 < value < 10.0:
                raise UserError(f"Expected {name} to be above 0 and below 10, found {value}.")
        users: dict[str, str] = {}
        for action, key in self.keys().items():
            if not _KEY.fullmatch(key):
                raise UserError(
                    f'Expected a key for {action} by its place on the keyboard, such as "KeyW", "Digit1", "ArrowUp" or '
                    f'"Space", found "{key}".'
                )
            if key in users:
                raise UserError(f"Expected one action per key, found {users[key]} and {action} on {key}.")
            users[key] = action

    @classmethod
    def load(cls, path: Path | None) -> Bindings:
        """Read bindings from YAML; what the file leaves out, or no file at all, has the defaults.

        Raises:
            UserError: If the file can't be read, or names an action or a key that there is not.
        """
        import yaml

        if path is None:
            return cls()
        try:
            given: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise UserError(f"Expected key bindings in {path}, but it can't be read: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"Expected {path} to be YAML, found: {' '.join(str(error).split())}") from error
        if not isinstance(given, dict):
            raise UserError(f'Expected {path} to hold lines such as "forward: KeyW", found {given!r}.')
        types = {f.name: f.type for f in fields(cls)}
        for name, value in given.items():
            if name not in types:
                raise UserError(f"Expected one of the actions {', '.join(types)} in {path}, found {name!r}.")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (isinstance(value, str) if types[name] == "str" else number):
                expected = 'a key such as "KeyW"' if types[name] == "str" else "a number"
                raise UserError(f"Expected {expected} for {name} in {path}, found {value!r}.")
        try:
            return cls(**given)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def keys(self) -> dict[str, str]:
        """The key of every action."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.type == "str"}

    def table(self, *, arms: int = 1, walks: bool = False) -> list[dict[str, str]]:
        """What an operator has to know, in rows of "keys" and "does".

        Args:
            arms: How many arms the robot has; with one there is nothing to choose.
            walks: Whether it has a base to drive.
        """
        useless = {name for name, useful in (("next_arm", arms > 1), ("walk", walks)) if not useful}
        return [
            {"keys": " / ".join(label(getattr(self, action)) for action in actions), "does": does}
            for actions, does in _ROWS
            if useless.isdisjoint(actions)
        ]


_ROWS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("forward", "back"), "forward / back"),
    (("left", "right"), "left / right"),
    (("up", "down"), "up / down"),
    (("roll_left", "roll_right"), "roll"),
    (("pitch_down", "pitch_up"), "pitch"),
    (("yaw_left", "yaw_right"), "turn left / right"),
    (("walk",), "walk and turn with these keys, while held"),
    (("grip",), "open / close the gripper"),
    (("fine",), "slow, while held"),
    (("next_arm",), "next arm"),
    (("start",), "start / go on"),
    (("pause",), "pause"),
    (("rewind",), "rewind, while held"),
    (("save",), "save the demo"),
    (("discard",), "discard the demo"),
    (("undo",), "undo the last save"),
    (("mark",), "mark the subtask as done"),
)

_NAMED = (
    "Enter|Space|Backspace|Tab|Escape|Delete|Insert|Home|End|PageUp|PageDown|Minus|Equal|BracketLeft|BracketRight|"
    "Backslash|IntlBackslash|Semicolon|Quote|Backquote|Comma|Period|Slash|CapsLock|ContextMenu"
)
_KEY = re.compile(
    rf"Key[A-Z]|Digit[0-9]|F[1-9]|F1[0-2]|Arrow(Up|Down|Left|Right)|(Shift|Control|Alt|Meta)(Left|Right)|"
    rf"Numpad([0-9]|Add|Subtract|Multiply|Divide|Decimal|Enter)|{_NAMED}"
)


def label(key: str) -> str:
    """What stands on a key, for people to read: "W" for "KeyW", "Shift" for "ShiftLeft"."""
    short = re.sub(r"^(Key|Digit)(?=.$)", "", key)
    side = re.fullmatch(r"(Shift|Control|Alt|Meta)(Left|Right)", short)
    if side:
        return side[1] if side[2] == "Left" else f"right {side[1]}"
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", short)
