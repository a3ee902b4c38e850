"""Reads fields of result files that may be absent, empty or of another kind than expected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

Json = dict[str, Any]


def number_in(source: Json, key: str) -> float | None:
    """A finite number, or None."""
    value = source.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


def text_in(source: Json, key: str) -> str:
    """A text, several joined by commas; empty if there is none."""
    value = source.get(key)
    if isinstance(value, list):
        return ", ".join(str(one) for one in cast(list[Any], value))
    return "" if value is None else str(value)


def list_in(source: Json, key: str) -> list[Any]:
    """A list; empty if there is none."""
    value = source.get(key)
    return cast(list[Any], value) if isinstance(value, list) else []


def objects_in(source: Json, key: str) -> list[Json]:
    """The JSON objects of a list."""
    return [cast(Json, one) for one in list_in(source, key) if isinstance(one, dict)]


def numbers_in(source: Json, key: str) -> list[float]:
    """The finite numbers of a list."""
    return [one for one in list_in(source, key) if isinstance(one, int | float) and math.isfinite(one)]


def object_in(source: Json, key: str) -> Json:
    """A JSON object; empty if there is none."""
    value = source.get(key)
    return cast(Json, value) if isinstance(value, dict) else {}


def interval_in(source: Json, key: str) -> Sequence[float] | None:
    """Lower and upper end of an interval, or None."""
    ends = numbers_in(source, key)
    return ends if len(ends) == 2 else None
