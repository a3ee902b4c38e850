"""How numbers read on a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def percent(fraction: float, digits: int = 1) -> str:
    """0.9475 -> "94.8 %"."""
    return f"{100 * fraction:.{digits}f}\u202f%"


def interval(ends: Sequence[float]) -> str:
    """(0.9, 0.97) -> "90.0 to 97.0 %"."""
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}\u202f%"


def count(number: float) -> str:
    """12345 -> "12,345"."""
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """102 -> "1 min 42 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f}\u202fs"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}\u202fs"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}\u202fmin" + (f" {rest}\u202fs" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours}\u202fh" + (f" {minutes}\u202fmin" if minutes else "")


def number(value: float) -> str:
    """Up to four digits that matter: 0.012345 -> "0.01234", 1234567 -> "1,234,567"."""
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def plural(amount: float, noun: str) -> str:
    """(1, "demo") -> "1 demo"; (2, "demo") -> "2 demos"."""
    return f"{count(amount)} {noun}" if amount == 1 else f"{count(amount)} {noun}s"


def date(value: Any) -> str:
    """An ISO 8601 time or a Unix time -> "2026-11-22 02:40 UTC"; anything else as it is."""
    try:
        moment = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    if moment.tzinfo is None:
        return moment.strftime("%Y-%m-%d %H:%M")
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
