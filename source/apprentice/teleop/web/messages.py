"""What clients may say: checks the envelope of a message. What is inside is checked by whoever receives it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from apprentice.teleop.frame import Command

Kind = Literal["page", "xr", "device"]
"""A window of a browser, a headset, or a program that forwards a device."""
Ask = Literal["take", "release", "give"]

LONGEST_NAME = 80
LONGEST_NUMBER = 24
"""Digits. More are never needed and would be slow to read."""


class Malformed(ValueError):
    """A message is not what it should be. The text says what was expected and what came."""


@dataclass(kw_only=True, frozen=True)
class Hello:
    """The first message of every client."""

    name: str
    kind: Kind
    device: str | None = None
    """Which device a client of kind "device" forwards."""
    resume: str | None = None
    """What it was told when it was here before, if its connection was cut."""


@dataclass(kw_only=True, frozen=True)
class Drive:
    """An input or a command of a page. Counts only if that page drives."""

    body: Mapping[str, Any]


@dataclass(kw_only=True, frozen=True)
class DeviceReading:
    """What a forwarded device says."""

    device: str
    body: Mapping[str, Any]


@dataclass(kw_only=True, frozen=True)
class Control:
    """A wish about who drives."""

    ask: Ask
    to: str | None = None
    """Who is to drive, for "give"."""


@dataclass(kw_only=True, frozen=True)
class Ping:
    """A page measures how long messages take."""

    t: float


Message = Hello | Drive | DeviceReading | Control | Ping


def parse(text: str) -> Message:
    """Read one message.

    Raises:
        Malformed: If it is not JSON with finite numbers, has no known type, or lacks what its type needs.
    """
    try:
        raw = json.loads(text, parse_constant=_number, parse_float=_number, parse_int=_whole_number)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(f"expected JSON, got {text[:40]!r}") from error
    if not isinstance(raw, dict):
        raise Malformed(f"expected a JSON object, got {text[:40]!r}")
    body = cast(dict[str, Any], raw)
    match body.get("type"):
        case "input":
            return Drive(body=_stamped(body))
        case "command":
            _one_of(body, "name", tuple(Command))
            return Drive(body=body)
        case "device":
            return DeviceReading(device=_text(body, "device"), body=_stamped(body))
        case "control":
            ask = cast(Ask, _one_of(body, "ask", get_args(Ask)))
            return Control(ask=ask, to=_text(body, "to") if ask == "give" else None)
        case "ping":
            return Ping(t=_real(body, "t"))
        case "hello":
            kind = cast(Kind, _one_of(body, "kind", get_args(Kind)))
            return Hello(
                name=_text(body, "name"),
                kind=kind,
                device=_text(body, "device") if kind == "device" else None,
                resume=_text(body, "resume") if "resume" in body else None,
            )
        case other:
            known = "hello, input, command, device, control or ping"
            raise Malformed(f"expected a message of type {known}, got {str(other)[:40]!r}")


def _stamped(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if type(body.get("seq")) is not int or body["seq"] < 0:
        raise Malformed(f"expected a whole number from 0 as seq, got {str(body.get('seq'))[:40]!r}")
    _real(body, "t")
    return body


def _real(body: Mapping[str, Any], key: str) -> float:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"expected a number as {key}, got {str(value)[:40]!r}")
    return float(value)


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise Malformed(f"expected a text as {key}, got {str(value)[:40]!r}")
    # names are shown in terminals and on other people's pages
    clean = "".join(letter for letter in value if letter.isprintable()).strip()[:LONGEST_NAME]
    if not clean:
        raise Malformed(f"expected a readable text as {key}, got {value[:40]!r}")
    return clean


def _one_of(body: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    value = body.get(key)
    if not isinstance(value, str) or value not in choices:
        raise Malformed(f"expected {', '.join(choices)} as {key}, got {str(value)[:40]!r}")
    return value


def _number(literal: str) -> float:
    value = float(literal)
    # JSON of Python takes NaN and Infinity, and reads 1e999 as infinite
    if not math.isfinite(value):
        raise Malformed(f"expected finite numbers, got {literal[:40]}")
    return value


def _whole_number(literal: str) -> int:
    if len(literal) > LONGEST_NUMBER:
        raise Malformed(f"expected numbers of at most {LONGEST_NUMBER} digits, got {len(literal)}")
    return int(literal)
