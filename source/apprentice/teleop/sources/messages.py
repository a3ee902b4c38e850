"""What a page or a forwarding client sends, checked down to the last number. Whoever sends nonsense is told what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from apprentice.teleop.frame import REWIND, Command, CommandFrame, Pose, Twist


@dataclass(kw_only=True, frozen=True)
class Pad:
    """A gamepad, as the browser's Gamepad API shows it."""

    id: str
    buttons: tuple[float, ...]
    """0 to 1."""
    axes: tuple[float, ...]
    """-1 to 1, down and right positive."""


@dataclass(kw_only=True, frozen=True)
class XrHand:
    """A controller or a bare hand in a WebXR session."""

    pose: Pose | None
    """x right, y up, z back. Shape (4, 4); None while it is not tracked."""
    is_hand: bool
    """Whether it is a bare hand."""
    trigger: float
    squeeze: float
    buttons: tuple[float, ...]
    """In the order of the WebXR gamepad."""
    axes: tuple[float, ...]
    joints: Mapping[str, tuple[float, float, float]]
    """Positions of a bare hand's joints (m), by their WebXR names."""


@dataclass(kw_only=True, frozen=True)
class Xr:
    """A WebXR session."""

    head: Pose | None
    hands: Mapping[str, XrHand]
    """By "left" and "right"."""


@dataclass(kw_only=True, frozen=True)
class PageSettings:
    """What the operator set on the page."""

    speed: float = 1.0
    """Factor on the speeds of keyboard, gamepad and SpaceMouse, and on the distances that tracked hands move."""
    command_frame: CommandFrame = CommandFrame.BASE
    operator_yaw_rad: float = 0.0
    camera: str = ""


@dataclass(kw_only=True, frozen=True)
class PageInput:
    """Everything that an operator does on a page at one moment."""

    t_s: float
    """On the page's clock."""
    visible: bool
    keys: frozenset[str]
    held: frozenset[str]
    """Names of the buttons on the page that are held."""
    pads: tuple[Pad, ...] = ()
    xr: Xr | None = None
    settings: PageSettings = field(default_factory=PageSettings)


@dataclass(kw_only=True, frozen=True)
class PuckInput:
    """A forwarded SpaceMouse at one moment."""

    t_s: float
    """On the clock of the machine that it is plugged into."""
    axes: Twist
    """x forward, y left, z up, roll, pitch, yaw, -1 to 1. Shape (6,)."""
    buttons: tuple[int, ...]


def parse_input(message: Mapping[str, Any]) -> PageInput:
    """Read an "input" message.

    Raises:
        ValueError: If something in it is not as agreed.
    """
    settings = _mapping(message.get("settings") or {}, "settings")
    xr = message.get("xr")
    return PageInput(
        t_s=_number(message.get("t"), "t", -1e15, 1e15) / 1000,
        visible=_flag(message.get("visible", True), "visible"),
        keys=frozenset(_texts(message.get("keys", []), "keys")),
        held=frozenset(_texts(message.get("held", []), "held", {REWIND})),
        pads=tuple(_pad(pad) for pad in _list(message.get("pads", []), "pads", 8)),
        xr=None if xr is None else _xr(_mapping(xr, "xr")),
        settings=_settings(settings),
    )


def parse_command(message: Mapping[str, Any]) -> Command:
    """Read a "command" message.

    Raises:
        ValueError: If there is no such command.
    """
    name = message.get("name")
    if not isinstance(name, str) or name not in set(Command):
        raise ValueError(f"Expected the name of a command, one of {', '.join(Command)}, got {_shown(name)}.")
    return Command(name)


def parse_puck(message: Mapping[str, Any]) -> PuckInput:
    """Read a "device" message of a SpaceMouse.

    Raises:
        ValueError: If something in it is not as agreed.
    """
    twist = _numbers(message.get("twist"), "twist", 6, -1.001, 1.001, exactly=True)
    buttons = _numbers(message.get("buttons", []), "buttons", 64, 0, 1)
    return PuckInput(
        t_s=_number(message.get("t"), "t", -1e15, 1e15) / 1000,
        axes=np.clip(np.array(twist), -1, 1),
        buttons=tuple(int(b > 0.5) for b in buttons),
    )


def _settings(given: Mapping[str, Any]) -> PageSettings:
    frame = given.get("command_frame", CommandFrame.BASE)
    if not isinstance(frame, str) or frame not in set(CommandFrame):
        raise ValueError(
            f"Expected settings.command_frame to be one of {', '.join(CommandFrame)}, got {_shown(frame)}."
        )
    yaw = _number(given.get("operator_yaw_deg", 0.0), "settings.operator_yaw_deg", -3600, 3600)
    return PageSettings(
        speed=_number(given.get("speed", 1.0), "settings.speed", 0.0, 5.0),
        command_frame=CommandFrame(frame),
        operator_yaw_rad=math.radians(yaw),
        camera=_text(given.get("camera") or "", "settings.camera"),
    )


def _pad(given: Any) -> Pad:
    pad = _mapping(given, "pads")
    return Pad(
        id=_text(pad.get("id", ""), "pads.id"),
        buttons=_numbers(pad.get("buttons", []), "pads.buttons", 64, 0, 1.001),
        axes=_numbers(pad.get("axes", []), "pads.axes", 32, -1.5, 1.5),  # worn sticks overshoot a little
    )


def _xr(given: Mapping[str, Any]) -> Xr:
    hands = _mapping(given.get("hands") or {}, "xr.hands")
    if unknown := set(hands) - {"left", "right"}:
        raise ValueError(f'Expected xr.hands to be "left" and "right", got {_shown(unknown.pop())}.')
    head = given.get("head")
    return Xr(
        head=None if head is None else _pose(_mapping(head, "xr.head"), "xr.head"),
        hands={name: _xr_hand(_mapping(hand, f"xr.hands.{name}"), f"xr.hands.{name}") for name, hand in hands.items()},
    )


def _xr_hand(given: Mapping[str, Any], where: str) -> XrHand:
    source = given.get("source", "controller")
    if source not in ("controller", "hand"):
        raise ValueError(f'Expected {where}.source to be "controller" or "hand", got {_shown(source)}.')
    tracked = _flag(given.get("tracked", True), f"{where}.tracked")
    joints = _mapping(given.get("joints") or {}, f"{where}.joints", 32)
    return XrHand(
        pose=_pose(given, where) if tracked else None,
        is_hand=source == "hand",
        trigger=_number(given.get("trigger", 0.0), f"{where}.trigger", 0, 1.001),
        squeeze=_number(given.get("squeeze", 0.0), f"{where}.squeeze", 0, 1.001),
        buttons=_numbers(given.get("buttons", []), f"{where}.buttons", 32, 0, 1.001),
        axes=_numbers(given.get("axes", []), f"{where}.axes", 8, -1.5, 1.5),
        joints={_text(name, f"{where}.joints"): _point(at, f"{where}.joints.{name}") for name, at in joints.items()},
    )


def _pose(given: Mapping[str, Any], where: str) -> Pose:
    pose = np.eye(4)
    pose[:3, 3] = _point(given.get("p"), f"{where}.p")
    quaternion = np.array(_numbers(given.get("q"), f"{where}.q", 4, -1.1, 1.1, exactly=True))
    if not 0.9 < float(np.linalg.norm(quaternion)) < 1.1:
        raise ValueError(f"Expected {where}.q to be a unit quaternion xyzw, got {quaternion.tolist()}.")
    pose[:3, :3] = Rotation.from_quat(quaternion).as_matrix()
    return pose


def _point(given: Any, where: str) -> tuple[float, float, float]:
    x, y, z = _numbers(given, where, 3, -1e4, 1e4, exactly=True)
    return x, y, z


def _number(given: Any, where: str, low: float, high: float) -> float:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not low <= given <= high:  # NaN fails both comparisons
        raise ValueError(f"Expected {where} to be a number from {low:g} to {high:g}, got {_shown(given)}.")
    return float(given)


def _numbers(given: Any, where: str, most: int, low: float, high: float, *, exactly: bool = False) -> tuple[float, ...]:
    values = _list(given, where, most)
    if exactly and len(values) != most:
        raise ValueError(f"Expected {where} to hold {most} numbers, got {len(values)}.")
    return tuple(_number(value, where, low, high) for value in values)


def _texts(given: Any, where: str, known: set[str] | None = None) -> list[str]:
    texts = [_text(value, where) for value in _list(given, where, 64)]
    for text in texts:
        if known is not None and text not in known:
            raise ValueError(f"Expected {where} to hold only {', '.join(sorted(known))}, got {_shown(text)}.")
    return texts


def _text(given: Any, where: str) -> str:
    if not isinstance(given, str) or len(given) > 200:
        raise ValueError(f"Expected {where} to be a text of at most 200 characters, got {_shown(given)}.")
    return given


def _flag(given: Any, where: str) -> bool:
    if not isinstance(given, bool):
        raise ValueError(f"Expected {where} to be true or false, got {_shown(given)}.")
    return given


def _list(given: Any, where: str, most: int) -> list[Any]:
    if not isinstance(given, list) or len(given) > most:
        raise ValueError(f"Expected {where} to be a list of at most {most}, got {_shown(given)}.")
    return given


def _mapping(given: Any, where: str, most: int = 64) -> Mapping[str, Any]:
    if not isinstance(given, dict) or len(given) > most:
        raise ValueError(f"Expected {where} to be an object of at most {most} entries, got {_shown(given)}.")
    return given


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
