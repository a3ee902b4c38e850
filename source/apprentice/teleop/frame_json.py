"""Frames as JSON and back, to the last bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apprentice.teleop.frame import Command, CommandFrame, Hand, Point, TeleopFrame

_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}]}
FRAME_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "TeleopFrame",
    "properties": {
        "time_s": _NUMBER,
        "hands": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "twist": {"type": "array", "items": _NUMBER},
                    "pose": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "array"}}]},
                    "tracked": {"type": "boolean"},
                    "engaged": {"type": "boolean"},
                    "grip": _NUMBER,
                    "joints": {"type": "object", "additionalProperties": {"type": "array", "items": _NUMBER}},
                },
            },
        },
        "base": {"anyOf": [{"type": "null"}, {"type": "array", "items": _NUMBER}]},
        "buttons": {"type": "array", "items": {"type": "string"}},
        "axes": {"type": "object", "additionalProperties": _NUMBER},
        "events": {"type": "array", "items": {"enum": [*Command]}},
        "command_frame": {"enum": [*CommandFrame]},
        "operator_yaw_rad": _NUMBER,
    },
}
"""JSON schema of a frame."""


def frame_to_json(frame: TeleopFrame) -> dict[str, Any]:
    """A frame as JSON-able values. Numbers that JSON lacks become "nan", "inf" and "-inf"."""
    return {
        "time_s": _number(frame.time_s),
        "hands": {name: _hand(hand) for name, hand in frame.hands.items()},
        "base": None if frame.base is None else [_number(value) for value in frame.base.tolist()],
        "buttons": sorted(frame.buttons),
        "axes": {name: _number(value) for name, value in frame.axes.items()},
        "events": list(frame.events),
        "command_frame": frame.command_frame,
        "operator_yaw_rad": _number(frame.operator_yaw_rad),
    }


def frame_from_json(given: dict[str, Any]) -> TeleopFrame:
    """What `frame_to_json` was given."""
    return TeleopFrame(
        time_s=float(given["time_s"]),
        hands={name: _as_hand(hand) for name, hand in given["hands"].items()},
        base=None if given.get("base") is None else np.array([float(value) for value in given["base"]]),
        buttons=frozenset(given["buttons"]),
        axes={name: float(value) for name, value in given["axes"].items()},
        events=tuple(Command(event) for event in given["events"]),
        command_frame=CommandFrame(given["command_frame"]),
        operator_yaw_rad=float(given["operator_yaw_rad"]),
    )


def _hand(hand: Hand) -> dict[str, Any]:
    return {
        "twist": [_number(value) for value in hand.twist.tolist()],
        "pose": None if hand.pose is None else [[_number(value) for value in row] for row in hand.pose.tolist()],
        "tracked": hand.tracked,
        "engaged": hand.engaged,
        "grip": _number(hand.grip),
        "joints": {name: [_number(value) for value in at] for name, at in hand.joints.items()},
    }


def _as_hand(given: dict[str, Any]) -> Hand:
    pose = given["pose"]
    return Hand(
        twist=np.array([float(value) for value in given["twist"]]),
        pose=None if pose is None else np.array([[float(value) for value in row] for row in pose]),
        tracked=given["tracked"],
        engaged=given["engaged"],
        grip=float(given["grip"]),
        joints={name: _point(at) for name, at in given["joints"].items()},
    )


def _point(given: list[Any]) -> Point:
    x, y, z = (float(value) for value in given)
    return x, y, z


def _number(value: float) -> float | str:
    """Python writes floats so that reading them gives the same bits; only JSON's lack of NaN needs care."""
    value = float(value)
    return value if math.isfinite(value) else str(value)
